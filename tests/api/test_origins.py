"""What pages of other origins may ask over HTTP and read of the answers (CORS)."""

import base64

import httpx
import pytest
from mlmd_api.rest.server import HttpServer, HttpSettings
from mlmd_schemas.errors import NO_RETRY, Code

from tests.api.conftest import ODD, Served
from tests.api.notes import BODY, GRPC_WEB, NOTE, PROTO
from tests.api.wires import frame, post, read_grpc_web


def test_the_preflight_is_answered_as_envoy_does(served: Served) -> None:
    asked = {
        "origin": "https://kubeflow.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-grpc-web,x-user-agent",
    }
    response = httpx.options(served.doors.http + NOTE, headers=asked, timeout=60, trust_env=False)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "https://kubeflow.example"
    assert response.headers["access-control-max-age"] == "1728000"
    methods = set(response.headers["access-control-allow-methods"].split(", "))
    assert {"GET", "PUT", "DELETE", "POST", "OPTIONS"} <= methods
    allowed = set(response.headers["access-control-allow-headers"].split(","))
    assert {"keep-alive", "custom-header-1", "x-grpc-web", "grpc-timeout", "x-user-agent", "authorization"} <= allowed


def test_pages_of_other_origins_may_read_answers_and_errors(served: Served) -> None:
    for path in (NOTE, f"{ODD}Break"):
        response = post(served.doors, path, frame(0, BODY), GRPC_WEB | {"origin": "http://a.b"})
        assert response.headers["access-control-allow-origin"] == "http://a.b"
        assert {"grpc-status", "grpc-message"} <= set(response.headers["access-control-expose-headers"].split(","))
    assert "access-control-allow-origin" not in post(served.doors, NOTE, frame(0, BODY), GRPC_WEB).headers


@pytest.mark.parametrize("kind", ["application/grpc-web+proto", "application/grpc-web-text"])
def test_a_client_of_grpc_web_on_a_wrong_path_reads_that_it_is_one(served: Served, kind: str) -> None:
    """Behind a proxy that leaves its prefix on; what is no gRPC-Web the client knows by its content type only."""
    lost = post(served.doors, f"/pipeline{NOTE}", frame(0, BODY), {"content-type": kind, "origin": "http://a.b"})
    assert (lost.status_code, lost.headers["content-type"]) == (200, kind)
    assert lost.headers["access-control-allow-origin"] == "http://a.b"
    answer = read_grpc_web(base64.b64decode(lost.content) if "text" in kind else lost.content)
    assert (answer.code, answer.body) == (Code.NOT_FOUND, b"")
    assert answer.message == f"path: nothing is at '/pipeline{NOTE}'; `/` says what is where."


@pytest.mark.parametrize(
    "sent",
    [
        "authorization,connect-protocol-version,connect-timeout-ms,content-type,mlmd-idempotency-key,x-request-id",
        "authorization,content-type,grpc-timeout,x-grpc-web,x-user-agent",
    ],
    ids=["connect-web", "grpc-web"],
)
def test_a_page_may_send_what_clients_send_and_read_what_errors_carry(served: Served, sent: str) -> None:
    asked = {"origin": "http://a.b", "access-control-request-method": "POST", "access-control-request-headers": sent}
    allowed = httpx.options(served.doors.http + NOTE, headers=asked, timeout=60, trust_env=False).headers
    assert set(sent.split(",")) <= set(allowed["access-control-allow-headers"].split(","))
    exposed = set(allowed["access-control-expose-headers"].split(","))
    assert {
        *NO_RETRY,
        "www-authenticate",
        "mlmd-missing",
        "mlmd-alias-number",
        "grpc-status",
        "grpc-message",
    } <= exposed


def test_an_origin_that_is_none_is_no_page_of_this_machine(served: Served) -> None:
    settings = HttpSettings(port=0, threads=1, streams=1, cors_origins=("loopback",))
    server = HttpServer(served.dispatcher, settings, served.stores.ping, served.measurements)
    server.start()
    try:
        for origin, readable in (("http://[", False), ("null", False), ("http://[::1]:3000", True)):
            url = f"http://127.0.0.1:{server.port}{NOTE}"
            answer = httpx.post(url, content=BODY, headers=PROTO | {"origin": origin}, trust_env=False, timeout=60)
            assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (200, readable)
    finally:
        server.stop(0)
        assert server.wait(60)


def test_no_page_is_let_in_with_what_the_browser_knows_or_from_the_public_internet(served: Served) -> None:
    headers = {
        "origin": "https://elsewhere.example",
        "access-control-request-method": "POST",
        "access-control-request-private-network": "true",
        "access-control-request-local-network": "true",
    }
    url = f"{served.doors.http}/ml_metadata.MetadataStoreService/GetArtifacts"
    for answer in (
        httpx.options(url, headers=headers, timeout=60, trust_env=False),
        httpx.post(url, headers=headers | {"content-type": "application/json"}, content=b"{}", trust_env=False),
    ):
        assert answer.headers["access-control-allow-origin"] == "https://elsewhere.example"
        assert "access-control-allow-credentials" not in answer.headers
        assert "access-control-allow-private-network" not in answer.headers
        assert "access-control-allow-local-network" not in answer.headers
