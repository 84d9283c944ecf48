"""The socket of the HTTP listener."""

import gzip
import json
import os
import random
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from mlmd_api.callers import TokenFile
from mlmd_api.message_sizes import Limits
from mlmd_api.rest import connections, exchange, request_body
from mlmd_api.rest.server import listen
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.api.conftest import ODD, Served
from tests.api.notes import BODY, NOTE

_START = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"


def _accepted(client: socket.socket) -> socket.socket:
    """Return the other end of a connection to a server in this process."""
    for name in os.listdir("/proc/self/fd"):
        try:
            end = socket.socket(fileno=os.dup(int(name)))
        except OSError:  # no socket, or gone by now
            continue
        try:
            if end.getpeername() == client.getsockname():
                return end
        except OSError:  # listens
            pass
        end.close()
    raise AssertionError("nobody accepted the connection")


def test_the_body_of_an_answer_does_not_wait_for_its_head_to_be_acknowledged(served: Served) -> None:
    """A client that keeps its connection would wait 40 ms for each answer otherwise."""
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        client.sendall(_START + b"\r\n")
        assert b"200 OK" in client.recv(65536)
        with _accepted(client) as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0, shared=False) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            InvalidArgument, match=f"http-port: cannot listen on 127.0.0.1:{port}: Address already in use"
        ):
            listen("127.0.0.1", port, shared=False)


def _answer(served: Served, *pieces: bytes) -> bytes:
    """Return what a listener says to these bytes until it hangs up."""
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
        except ConnectionError:
            pass  # it has heard enough
        said = b""
        try:
            while piece := client.recv(65536):
                said += piece
        except ConnectionError:
            pass
        return said


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param((b"GET /" + b"a" * 100_000, *[b"a" * 100_000] * 50), id="url"),
        pytest.param((_START + b"x: ", *[b"a" * 100_000] * 50), id="header"),
        pytest.param((_START, *[b"a: b\r\n" * 20_000] * 50), id="headers"),
        pytest.param(
            (b"POST /a/b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ", *[b"a" * 100_000] * 50),
            id="trailer",
        ),
        pytest.param(
            (
                b"POST /a/b HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n",
                b"transfer-encoding: chunked\r\n\r\n0\r\nx: ",
                *[b"a" * 100_000] * 50,
            ),
            id="trailer behind an offer",
        ),
    ],
)
def test_what_is_no_body_is_bounded(
    served: Served, endless: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []
    feed = HttpToolsProtocol.data_received

    def counted(self: HttpToolsProtocol, data: bytes) -> None:
        parsed.append(len(data))
        feed(self, data)

    monkeypatch.setattr(HttpToolsProtocol, "data_received", counted)
    _answer(served, *endless)
    assert sum(parsed) < 2_000_000
    assert b"200 OK" in _answer(served, _START + b"connection: close\r\n\r\n")


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_an_address_that_is_too_long_is_told(served: Served, caplog: pytest.LogCaptureFixture, verb: str) -> None:
    fits = "/nowhere?" + "x" * (connections.LARGEST_ADDRESS_BYTES - len("/nowhere?"))
    with httpx.Client(base_url=served.doors.http, timeout=60, trust_env=False) as http:
        assert http.request(verb, fits, content=b"{").status_code == 404
        refused = http.request(verb, f"{fits}x", content=b"{")
        assert (refused.status_code, refused.headers["connection"]) == (414, "close")
        assert refused.json()["code"] == "invalid_argument"
        assert refused.json()["message"].startswith("path: it has, with its query, more than 65535 bytes;")
        assert http.get("/healthz").status_code == 200
    assert not caplog.records


def test_a_head_that_does_not_come_ends_the_connection(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.5)
    served = serve()
    assert b"408 Request Timeout" in _answer(served)
    assert b"408 Request Timeout" in _answer(served, _START)
    answered = _answer(served, _START + b"\r\n", _START)
    assert answered.count(b"200 OK") == 1
    assert b"408 Request Timeout" in answered


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(b"hello\r\n\r\n", id="words"),
        pytest.param(_START + b"x\x00: y\r\n\r\n", id="header"),
        pytest.param(_START + b"content-length: -1\r\n\r\n", id="length"),
    ],
)
def test_what_is_no_http_is_told_as_every_error_is(served: Served, said: bytes) -> None:
    head, _, body = _answer(served, said).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n")
    assert json.loads(body)["code"] == "invalid_argument"
    assert json.loads(body)["message"].startswith("request: it is no HTTP/1.1;")


_CALL = b"POST %s HTTP/1.1\r\ncontent-type: application/json\r\n" % NOTE.encode()
_CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"
_CODINGS = (b"gzip, chunked", b"gzip\r\ntransfer-encoding: chunked", b"deflate,chunked")


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"400 Bad Request", "host"),
        (b"GET /healthz HTTP/1.1\r\nhost: x\r\nHost: x\r\n\r\n", b"400 Bad Request", "host"),
        (b"GET /healthz HTTP/1.0\r\nhost: x\r\nhost: y\r\n\r\n", b"400 Bad Request", "host"),
        (b"GET /healthz HTTP/2.0\r\nhost: x\r\n\r\n", b"505 HTTP Version Not Supported", "version"),
        *(
            (
                _CALL + b"host: x\r\ntransfer-encoding: %b\r\n\r\n" % coding + _CHUNKS,
                b"501 Not Implemented",
                "transfer-",
            )
            for coding in _CODINGS
        ),
    ],
)
def test_what_others_might_read_otherwise_is_refused(served: Served, said: bytes, status: bytes, field: str) -> None:
    answer = _answer(served, said + _START + b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %b\r\n" % status)
    assert b"connection: close" in head
    assert json.loads(body)["message"].startswith(field), "and nothing follows"
    assert served.odd.callers == []


@pytest.mark.parametrize(
    "said", [b"GET /healthz HTTP/1.0\r\n\r\n", b"GET /healthz HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n"]
)
def test_who_has_no_host_to_name_is_answered(served: Served, said: bytes) -> None:
    assert _answer(served, said).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked"])
def test_a_body_in_chunks_is_read(served: Served, coding: bytes) -> None:
    answer = _answer(
        served, _CALL + b"host: x\r\nconnection: close\r\ntransfer-encoding: %b\r\n\r\n" % coding + _CHUNKS
    )
    assert answer.startswith(b"HTTP/1.1 200 OK")


def test_a_head_that_is_too_large_is_told_as_every_error_is(served: Served) -> None:
    said = _answer(served, _START + b"".join(b"x%d: y\r\n" % number for number in range(20_000)))
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert json.loads(body)["code"] == "resource_exhausted"


def test_a_head_that_is_too_large_by_its_last_reading_is_not_waited_for(served: Served) -> None:
    """Nothing more is sent than what one reading of the socket may have taken."""
    large = _START + b"x: " + b"y" * connections.LARGEST_HEAD_BYTES
    with socket.create_connection(("127.0.0.1", served.http.port), connections.HEAD_SECONDS / 2) as client:
        client.sendall(large)
        assert client.recv(65536).startswith(b"HTTP/1.1 431 ")


def test_a_body_may_take_longer_than_a_head(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    served = serve()
    body = mlmd.Artifact(uri="x").SerializeToString()
    head = (
        "POST /test.v1.Odd/Note HTTP/1.1\r\nhost: x\r\ncontent-type: application/proto\r\n"
        f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        client.sendall(head.encode())
        assert b"408 Request Timeout" in _answer(served), "who came later and said nothing has been sent away"
        client.sendall(body)
        said = b""
        while piece := client.recv(65536):
            said += piece
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert said.endswith(b"\r\n\r\n" + body)


_WAITING = (
    b"POST %sWait HTTP/1.1\r\nhost: x\r\ncontent-type: application/proto\r\ncontent-length: 0\r\n\r\n" % ODD.encode()
)
_LONG = b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize("broken", [b"\x16\x03\x01\r\n\r\n", _LONG])
def test_what_is_wrong_behind_a_request_does_not_become_its_answer(served: Served, broken: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        client.sendall(_WAITING + broken)
        assert served.odd.entered.wait(60)
        served.odd.release.set()
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_what_is_wrong_in_a_body_that_is_answered_is_not_told_beside_the_answer(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        client.sendall(b"POST /no/such/place HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 404 ")
        client.sendall(b"no chunk\r\n")
        assert client.recv(65536) == b""


def test_many_requests_and_small_chunks_are_no_head(served: Served) -> None:
    chunked = b"POST /a/b HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    answered = _answer(
        served,
        *[_START + b"x: " + b"a" * 30_000 + b"\r\n\r\n"] * 20,
        chunked + b"1\r\n \r\n" * 50_000 + b"0\r\n\r\n",
        _START + b"connection: close\r\n\r\n",
    )
    assert answered.count(b"200 OK") == 21
    assert answered.count(b"501 Not Implemented") == 1


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/ml_metadata.MetadataStoreService/PutArtifacts", "application/proto"),
        ("/ml_metadata.MetadataStoreService/PutArtifacts", "application/grpc-web+proto"),
        ("/test.v1.Odd/Watch", "application/connect+proto"),
        ("/graphql", "application/json"),
    ],
)
def test_the_body_of_nobody_who_is_known_is_not_waited_for(
    serve: Callable[..., Served], tmp_path: Path, path: str, content_type: str
) -> None:
    (tmp_path / "tokens.toml").write_text('[[token]]\ntoken = "t"\nsubject = "alice"\n')
    served = serve(TokenFile(tmp_path / "tokens.toml"))
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {content_type}\r\ncontent-length: 100000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        client.sendall(head.encode())
        said = client.recv(65536)
        while b"bearer" not in said.lower() and (piece := client.recv(65536)):
            said += piece
    assert b"this server wants" in said.replace(b"%20", b" ")


_EXPECTED = (
    b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: application/proto\r\nexpect: 100-Continue\r\n"
    b"content-length: %d\r\n\r\n"
)


def test_who_waits_to_send_a_body_that_nobody_wants_is_hung_up_on(serve: Callable[..., Served], tmp_path: Path) -> None:
    """What comes next on the connection may be the body or another request."""
    (tmp_path / "tokens.toml").write_text('[[token]]\ntoken = "t"\nsubject = "alice"\n')
    served = serve(TokenFile(tmp_path / "tokens.toml"))
    for path, status in ((NOTE.encode(), b"401"), (b"/no/where/else", b"404")):
        said = _answer(served, _EXPECTED % (path, 10))
        assert said.startswith(b"HTTP/1.1 " + status)
        assert said.count(b"connection: close\r\n") == 1


def test_who_waits_to_send_a_body_is_told_to_and_may_go_on(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        for _ in range(2):
            client.sendall(_EXPECTED % (NOTE.encode(), len(BODY)))
            assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(BODY)
            answer = client.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert answer.endswith(b"\r\n\r\n" + BODY)
            assert b"connection: close" not in answer


@pytest.mark.parametrize("path", [NOTE, "/graphql"])
def test_a_body_that_stops_is_not_waited_for(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(request_body, "PATIENCE_SECONDS", 0.5)
    served = serve()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        client.sendall(head.encode() + b"{")
        said = client.recv(65536)
    assert said.startswith(b"HTTP/1.1 504 ")
    assert b"nothing more of it came for 0.5 seconds" in said


def test_what_is_compressed_is_read_and_written_by_threads(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of the event loop answers everybody else meanwhile."""
    threads: set[str] = set()
    plain, small = exchange.gunzip, gzip.compress

    def gunzip(data: bytes, limits: Limits) -> bytes:
        threads.add(threading.current_thread().name)
        return plain(data, limits)

    def compress(data: bytes, compresslevel: int = 9) -> bytes:
        threads.add(threading.current_thread().name)
        return small(data, compresslevel)

    monkeypatch.setattr(exchange, "gunzip", gunzip)
    body = small(mlmd.Artifact(uri=random.Random(1).randbytes(50_000).hex()).SerializeToString())
    monkeypatch.setattr(gzip, "compress", compress)
    headers = {"content-type": "application/proto", "content-encoding": "gzip", "accept-encoding": "gzip"}
    answer = httpx.post(f"{served.doors.http}/test.v1.Odd/Note", content=body, headers=headers, trust_env=False)
    assert answer.status_code == 200
    assert len(threads) >= 1
    assert "http" not in threads, "which is the listener's own"
