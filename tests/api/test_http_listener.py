"""The socket of the HTTP listener."""

import asyncio
import socket
from collections.abc import Callable

import pytest
from mlmd_api.rest import connections
from mlmd_api.rest.server import listen
from mlmd_schemas.errors import InvalidArgument
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.api.conftest import Served

_START = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize("shared", [False, True])
def test_the_body_of_an_answer_does_not_wait_for_its_head_to_be_acknowledged(shared: bool) -> None:
    """A client that keeps its connection would wait 40 ms for each answer otherwise."""

    async def sends_at_once() -> bool:
        options: asyncio.Queue[int] = asyncio.Queue()

        async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            options.put_nowait(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        bound = listen("127.0.0.1", 0, shared)
        async with await asyncio.start_server(accept, sock=bound):
            _, writer = await asyncio.open_connection(*bound.getsockname())
            at_once = await options.get()
            writer.close()
            return bool(at_once)

    assert asyncio.run(sends_at_once())


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


def test_a_head_that_does_not_come_ends_the_connection(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    served = serve()
    assert b"408 Request Timeout" in _answer(served)
    assert b"408 Request Timeout" in _answer(served, _START)
    answered = _answer(served, _START + b"\r\n", _START)
    assert answered.count(b"200 OK") == 1
    assert b"408 Request Timeout" in answered


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
