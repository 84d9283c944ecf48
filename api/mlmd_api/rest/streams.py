"""Streaming calls over HTTP: pieces are sent as the messages come, one thread of a bounded pool for each stream."""

import asyncio
import threading
from collections.abc import Callable

from mlmd_schemas.counting import counted
from mlmd_schemas.errors import ResourceExhausted
from starlette.types import Receive, Send

from mlmd_api.call import REQUEST_ID_KEY, Call
from mlmd_api.codec import BINARY, JSON
from mlmd_api.dispatch import Dispatcher
from mlmd_api.pools import Pool
from mlmd_api.rest.connect import ConnectStreams
from mlmd_api.rest.exchange import StreamProtocol
from mlmd_api.rest.grpc_web import GrpcWebProtocol
from mlmd_api.streaming import Answer, Stream

GRPC_WEB = (
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
)
STREAM_PROTOCOLS: dict[str, StreamProtocol] = {
    "application/connect+json": ConnectStreams(JSON),
    "application/connect+proto": ConnectStreams(BINARY),
    **{content_type: GrpcWebProtocol(content_type) for content_type in GRPC_WEB},
}
"""How a stream can be asked for, by content type."""


class StreamPool:
    """At most `places` streams at a time, each with a thread."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._free = threading.BoundedSemaphore(places)
        self._threads = Pool(places, "http-stream")

    def open(self, dispatcher: Dispatcher, call: Call) -> Stream | Answer:
        """Return the stream of a call, to be given back to `close`, or the refusal when every place is taken."""
        if not self._free.acquire(blocking=False):
            return dispatcher.refuse(
                call,
                ResourceExhausted(
                    f"This server has {counted(self.places, 'stream')} open, as many as it allows; close one, or "
                    "try again later."
                ),
            )
        return dispatcher.stream(call)

    async def next(self, stream: Stream) -> bytes | None:
        """Wait for the next message; None after the last one."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, next, iter(stream), None)

    async def close(self, stream: Stream) -> None:
        """End a stream and free its place."""
        stream.leave()
        await asyncio.get_running_loop().run_in_executor(self._threads, stream.close)
        self._free.release()

    def shutdown(self) -> None:
        """Take no more streams."""
        self._threads.shutdown(wait=False)


async def pump(
    pool: StreamPool, stream: Stream, receive: Receive, said: Callable[[bytes], bytes], send_piece: "SendPiece"
) -> bool:
    """Send every message of a stream as it comes; returns False when the caller left before the end."""
    left = asyncio.ensure_future(leaving(receive))
    try:
        while True:
            coming = asyncio.ensure_future(pool.next(stream))
            await asyncio.wait((coming, left), return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                stream.leave()
            body = await coming
            if left.done():
                return False
            if body is None:
                return True
            await send_piece(said(body), True)
    finally:
        left.cancel()


class SendPiece:
    """Sends the pieces of one response body."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def start(self, status: int, headers: dict[str, str]) -> None:
        """Send status and headers; header names are lower-case."""
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def __call__(self, body: bytes, more: bool) -> None:
        """Send a piece; the last one has no `more`."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


class LateStart(SendPiece):
    """Sends the pieces of a response that begins with the first of them, so that none begins for a refusal."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        super().__init__(send)
        self._headers = headers
        self.started = False

    async def __call__(self, body: bytes, more: bool) -> None:
        """Send a piece, status and headers before the first."""
        if not self.started:
            self.started = True
            await self.start(200, self._headers)
        await super().__call__(body, more)


async def answer_stream(
    pool: StreamPool, dispatcher: Dispatcher, call: Call, protocol: StreamProtocol, receive: Receive, send: SendPiece
) -> None:  # fmt: skip
    """Answer one streaming call on a protocol."""
    opened = pool.open(dispatcher, call)
    said = {"content-type": protocol.content_type, REQUEST_ID_KEY: opened.request_id}
    if isinstance(opened, Answer):
        await send.start(200, said)
        await send(protocol.ending(opened), False)
        return
    try:
        await send.start(200, said)
        if await pump(pool, opened, receive, protocol.piece, send):
            await send(protocol.ending(opened.end), False)
    finally:
        await pool.close(opened)


async def leaving(receive: Receive) -> None:
    """Return when the caller left."""
    while (await receive())["type"] != "http.disconnect":
        pass
