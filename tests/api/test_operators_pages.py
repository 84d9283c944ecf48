"""The pages for operators on the HTTP port: health, readiness, metrics, and what is where."""

import httpx
import pytest
from mlmd_schemas.errors import Unavailable

from tests.api.conftest import ODD, Served
from tests.api.notes import BODY, GRPC_WEB, NOTE, PROTO
from tests.api.wires import frame, post


def test_alive_and_ready(served: Served) -> None:
    with httpx.Client(base_url=served.doors.http, timeout=60, trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").text == "ready\n"
        assert client.get("/nowhere").status_code == 404
        served.http.refuse_readiness()
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503


def test_who_opens_the_port_is_told_what_is_where(served: Served) -> None:
    with httpx.Client(base_url=served.doors.http, timeout=60, trust_env=False) as client:
        page = client.get("/").text
        assert "/graphql" in page
        assert "/artifacts" not in page, "this server has none"
        for place in ("/graphql", "/healthz", "/metrics", "/readyz"):
            assert place in page
            assert client.get(place).status_code != 404
        lost = client.get("/nowhere/at/all?x=1")
        assert (lost.status_code, lost.headers["content-type"]) == (404, "application/json")
        said = "path: nothing is at '/nowhere/at/all'; `/` says what is where."
        assert lost.json() == {"code": "not_found", "message": said}
        assert len(client.get("/" + "x" * 5000).content) < 300
        for path in ("/graphql/", "/healthz/"):
            slash = client.post(path, json={})
            assert (slash.status_code, "location" in slash.headers) == (404, False)


def test_not_ready_without_the_database(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise Unavailable("The database cannot be reached.")

    monkeypatch.setattr(served.stores.of(""), "ping", away)
    with httpx.Client(base_url=served.doors.http, timeout=60, trust_env=False) as client:
        response = client.get("/readyz")
        assert (response.status_code, response.text) == (503, "The database cannot be reached.\n")
        assert client.get("/healthz").status_code == 200


def test_metrics_count_calls_errors_and_seconds_by_method_and_wire(served: Served) -> None:
    served.stores.ping()
    for _ in range(3):
        post(served.doors, NOTE, BODY, PROTO)
    post(served.doors, f"{ODD}Break", frame(0, BODY), GRPC_WEB)
    post(served.doors, "/made.up/Name", frame(0, BODY), GRPC_WEB)
    response = httpx.get(served.doors.http + "/metrics", timeout=60, trust_env=False)
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = response.text.splitlines()
    assert 'mlmd_calls_total{code="OK",method="test.v1.Odd/Note",wire="connect-proto"} 3.0' in lines
    assert 'mlmd_errors_total{code="INTERNAL",method="test.v1.Odd/Break",wire="grpc-web"} 1.0' in lines
    assert 'mlmd_errors_total{code="UNIMPLEMENTED",method="unknown",wire="grpc-web"} 1.0' in lines
    assert 'mlmd_call_seconds_count{method="test.v1.Odd/Note",wire="connect-proto"} 3.0' in lines
    assert 'mlmd_pool_connections_max{pool="write"} 16.0' in lines
    assert "made.up" not in response.text
