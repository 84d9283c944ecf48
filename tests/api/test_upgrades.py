"""Offers of another protocol are passed over, and the request that carries one is answered whole."""

import socket

import httpx
import pytest
from mlmd_api.rest.connections import LARGEST_ADDRESS_BYTES, LARGEST_HEAD_BYTES
from mlmd_schemas.pb import metadata_store_pb2 as mlmd

from tests.api.conftest import Served
from tests.api.notes import NOTE

OFFER = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
MESSAGE = mlmd.Artifact(uri="s3://b/x").SerializeToString()


def _request(body: bytes, offer: bytes = OFFER, end: bytes = b"") -> bytes:
    start = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: application/proto\r\n" % NOTE.encode()
    return start + offer + end + b"content-length: %d\r\n\r\n" % len(body) + body


def _chunked(body: bytes, offer: bytes = OFFER, end: bytes = b"") -> bytes:
    start = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: application/proto\r\n" % NOTE.encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    return start + offer + end + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def _said(served: Served, *pieces: bytes) -> bytes:
    """Return what is said to these pieces until the listener hangs up."""
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            client.sendall(piece)
        said = b""
        while piece := client.recv(65536):
            said += piece
    return said


LAST = _request(MESSAGE, b"connection: close\r\n")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((_request(MESSAGE), LAST), id="length"),
        pytest.param((_chunked(MESSAGE), LAST), id="chunks"),
        pytest.param((_request(MESSAGE) + LAST,), id="at once"),
        pytest.param(tuple(bytes([byte]) for byte in _request(MESSAGE) + LAST), id="byte by byte"),
        pytest.param((_request(MESSAGE, b"connection: upgrade\r\nupgrade: websocket\r\n"), LAST), id="websocket"),
        pytest.param((_request(MESSAGE, b"Connection: keep-alive, Upgrade\r\nUpgrade: foo/2\r\n"), LAST), id="unknown"),
        pytest.param((LAST.replace(b"connection: close", b"connection: Upgrade, close\r\nupgrade: h2c"),), id="close"),
    ],
)
def test_what_comes_with_an_offer_is_answered_whole(served: Served, pieces: tuple[bytes, ...]) -> None:
    said = _said(served, *pieces)
    answers = said.split(b"HTTP/1.1 ")[1:]
    assert len(answers) == b"".join(pieces).count(b"POST ")
    for answer in answers:
        assert answer.startswith(b"200 OK\r\n")
        assert answer.partition(b"\r\n\r\n")[2] == MESSAGE


def test_many_offers_at_once_are_answered(served: Served) -> None:
    """More than calls of functions within each other may be."""
    said = _said(served, _request(b"") * 1_500 + LAST)
    assert said.count(b"HTTP/1.1 200 OK") == 1_501


def test_an_offer_without_a_body_is_answered(served: Served) -> None:
    offer = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "x"}
    answer = httpx.get(f"{served.doors.http}/healthz", headers=offer, timeout=60, trust_env=False)
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_an_offer_escapes_no_limit(served: Served) -> None:
    unfinished = b"GET / HTTP/1.1\r\nhost: x\r\n" + OFFER + b"x: " + b"y" * LARGEST_HEAD_BYTES
    assert _said(served, unfinished).startswith(b"HTTP/1.1 431 ")
    address = b"GET /" + b"y" * LARGEST_ADDRESS_BYTES + b" HTTP/1.1\r\nhost: x\r\n" + OFFER + b"\r\n"
    assert _said(served, address).startswith(b"HTTP/1.1 414 ")


@pytest.mark.parametrize("target", ["a:1", "http://x", "?x"])
@pytest.mark.parametrize("verb", ["CONNECT", "GET"])
def test_a_target_without_a_path_is_told(
    served: Served, caplog: pytest.LogCaptureFixture, target: str, verb: str
) -> None:
    asked = f"{verb} {target} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.recv(65536).endswith(b"ok\n")
        client.sendall(asked)
        later = client.recv(65536)
    for said in (_said(served, asked), later):
        assert said.startswith(b"HTTP/1.1 400 Bad Request")
        assert b'"code": "invalid_argument"' in said
    assert not [record for record in caplog.records if record.exc_info]
