"""What a handler waits for: the body, the answer of a thread, the caller who may leave meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar

from mlmd_schemas.errors import DeadlineExceeded
from starlette.types import Receive, Send

from mlmd_api.message_sizes import Limits, request_too_large
from mlmd_api.rest import request_body
from mlmd_api.rest.exchange import Reply
from mlmd_api.rest.streams import leaving

T = TypeVar("T")
_FEW_BYTES = 4096


async def whole_body(stream: AsyncIterator[bytes], most_bytes: int, limits: Limits) -> bytes:
    """Return the body; one that is too large is read to its end, so that the caller hears why, and dropped.

    Raises ResourceExhausted for one of more than `most_bytes`, DeadlineExceeded for one that stops or nearly does.
    """
    pieces: list[bytes] = []
    size = 0
    async for piece in _coming(stream):
        size += len(piece)
        if size <= most_bytes:
            pieces.append(piece)
        elif size > 4 * most_bytes:
            break
    if size > most_bytes:
        pieces.clear()
        raise request_too_large(None, limits)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _coming(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces of a body; whoever stops sending, or nearly, would keep the connection for good."""
    pace, loop = request_body.Pace(), asyncio.get_running_loop()
    while True:
        since = loop.time()
        try:
            async with asyncio.timeout(pace.patience_seconds):
                piece = await anext(stream, None)
        except TimeoutError:
            raise DeadlineExceeded(f"request: {pace.fault}; send it again.") from None
        if piece is None:
            return
        pace.came(len(piece), loop.time() - since)
        yield piece


async def off_the_loop(executor: Executor, size_bytes: int, work: Callable[..., T], *arguments: object) -> T:
    """Return what `work` on so many bytes returns; unless they are few, a thread does it and others are answered.

    A thousand times as many may come of them, where they are compressed.
    """
    if size_bytes <= _FEW_BYTES:
        return work(*arguments)
    return await asyncio.get_running_loop().run_in_executor(executor, work, *arguments)


async def unless_left(executor: Executor, receive: Receive, work: Callable[..., T], *arguments: object) -> T | None:
    """Return what `work` returns, or None when the caller left; work that had not begun by then never does."""
    answered = asyncio.get_running_loop().run_in_executor(executor, work, *arguments)
    left = asyncio.ensure_future(leaving(receive))
    try:
        await asyncio.wait((answered, left), return_when=asyncio.FIRST_COMPLETED)
        if answered.done():
            return answered.result()
        answered.cancel()
        return None
    finally:
        left.cancel()


async def send_reply(send: Send, reply: Reply) -> None:
    """Send a whole response."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
