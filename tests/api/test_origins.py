"""What pages of other origins may ask over HTTP and read of the answers (CORS)."""

import base64
import socket
from collections.abc import Callable

import httpx
import pytest
from mlmd_api.rest import connections
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


_PAGE = {"origin": "http://a.b"}
_LONG = "/graphql?query=".ljust(connections.LARGEST_ADDRESS_BYTES + 1, "x")
_LARGE = b"x: " + b"y" * connections.LARGEST_HEAD_BYTES


def _asked(port: int, verb: str, headers: dict[str, str]) -> httpx.Response:
    """Ask at an address that is too long."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
        return http.request(verb, _LONG, headers=headers)


def _until_the_end(client: socket.socket) -> bytes:
    """Return what a listener says until it hangs up."""
    said = b""
    while piece := client.recv(65536):
        said += piece
    return said


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT"])
def test_a_page_reads_that_its_address_is_too_long(served: Served, verb: str) -> None:
    refused = _asked(served.http.port, verb, _PAGE)
    assert refused.status_code == 414
    assert refused.headers["access-control-allow-origin"] == "http://a.b"
    assert "access-control-expose-headers" in refused.headers
    assert refused.headers["vary"] == "origin"
    assert refused.headers["cross-origin-resource-policy"] == "cross-origin"


def test_a_browser_that_asks_first_hears_that_a_page_may_ask_too_much(served: Served) -> None:
    asked = _PAGE | {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    answer = _asked(served.http.port, "OPTIONS", asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "http://a.b"
    assert "authorization" in answer.headers["access-control-allow-headers"]


def test_a_page_reads_that_its_head_is_too_large_or_late(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.5)
    served = serve()
    start = b"GET /nowhere HTTP/1.1\r\nhost: x\r\nOrigin: http://a.b\r\na: b\r\n"
    for head, status in ((start + _LARGE, b"431"), (start, b"408")):
        with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
            client.sendall(head)
            said = _until_the_end(client)
        assert said.startswith(b"HTTP/1.1 " + status)
        assert b"access-control-allow-origin: http://a.b\r\n" in said


@pytest.mark.parametrize(
    "second",
    [
        b"hello\r\n\r\n",
        b"GET " + _LONG.encode() + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + _LARGE,
        b"GET / HTTP/1.1\r\nx\x00: y\r\norigin: http://a.b\r\n\r\n",
    ],
    ids=["words", "address", "head", "before it was read"],
)
def test_the_page_of_an_earlier_request_is_not_that_of_a_later_one(served: Served, second: bytes) -> None:
    first = b"GET /nowhere HTTP/1.1\r\nhost: x\r\norigin: http://a.b\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        client.sendall(first)
        answered = client.recv(65536)
        client.sendall(second)
        refused = _until_the_end(client)
    assert b"access-control-allow-origin: http://a.b" in answered
    assert refused.startswith((b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431"))
    assert b"vary: origin\r\n" in refused
    assert b"access-control-allow-origin" not in refused


def test_only_pages_that_may_call_read_what_came_of_no_request(served: Served) -> None:
    settings = HttpSettings(port=0, cors_origins=("http://a.b",))
    http = HttpServer(served.dispatcher, settings, served.stores.ping, served.measurements)
    http.start()
    try:
        for origin, allowed in (("http://a.b", "http://a.b"), ("http://c.d", None)):
            refused = _asked(http.port, "GET", {"origin": origin})
            assert refused.headers.get("access-control-allow-origin") == allowed
            assert refused.headers["cross-origin-resource-policy"] == "same-origin"
    finally:
        http.stop(5)
        assert http.wait(60)
