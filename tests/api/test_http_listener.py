"""The socket of the HTTP listener."""

import asyncio
import socket

import pytest
from mlmd_api.rest.server import listen
from mlmd_schemas.errors import InvalidArgument


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
