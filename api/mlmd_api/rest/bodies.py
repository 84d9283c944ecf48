"""The memory that HTTP requests and answers hold: so many bytes of bodies at a time, and the others wait unread."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field

from mlmd_schemas.errors import ResourceExhausted
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmd_api.message_sizes import Limits
from mlmd_api.rest.files import BrokenOff
from mlmd_api.untaken import PATIENCE_SECONDS, Place

LITTLE_BYTES = 64 * 1024
"""Bodies up to this do not wait for room."""
WAITING_SECONDS = 20.0
"""How long a body may be on its way while others wait for its room."""
_DEFLATE_RATIO = 1032
"""How many bytes may come of one that is compressed."""
_PIECE_BYTES = 256 * 1024
_ENCODINGS = ("content-encoding", "grpc-encoding", "connect-content-encoding")
_PLACE = "mlmd.place"
_LOG = logging.getLogger("mlmd.http")


@dataclass(slots=True, eq=False)
class _Held:
    """The room of one body."""

    size_bytes: int
    since: float
    reading: asyncio.Timeout | None = None


@dataclass(slots=True)
class Room:
    """Room for so many bytes of bodies, or for one body alone; first come, first served. For one event loop."""

    most_bytes: int
    _held: dict[_Held, None] = field(default_factory=dict)
    _waiting: deque[tuple[int, "asyncio.Future[_Held]"]] = field(default_factory=deque)

    async def take(self, size_bytes: int) -> _Held:
        """Wait until there is room; whose body does not come meanwhile is given up."""
        coming: asyncio.Future[_Held] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, coming))
        self._serve()
        try:
            while not coming.done():
                await asyncio.wait((coming,), timeout=WAITING_SECONDS)
                if not coming.done():
                    self._give_up_late()
            return coming.result()
        except asyncio.CancelledError:
            if coming.done() and not coming.cancelled():
                self.give_back(coming.result())
            coming.cancel()
            raise

    def give_back(self, held: _Held) -> None:
        """Let others have the room."""
        self._held.pop(held, None)
        self._serve()

    def _serve(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._waiting:
            size_bytes, coming = self._waiting[0]
            if self._held and sum(one.size_bytes for one in self._held) + size_bytes > self.most_bytes:
                return
            self._waiting.popleft()
            if not coming.done():
                held = _Held(size_bytes, now)
                self._held[held] = None
                coming.set_result(held)

    def _give_up_late(self) -> None:
        now = asyncio.get_running_loop().time()
        for held in self._held:
            if held.reading is not None and held.since < now - WAITING_SECONDS:
                held.reading.reschedule(now)


class Bodies:
    """ASGI middleware that lets large bodies come as there is room, and holds large answers until they are taken.

    A body has its room until the answer to it begins. Files that are sent are not held in memory, and need none.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._room = Room(2 * limits.max_message_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http" or scope["method"] == "PUT":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._room, receive, send, _claim(Headers(scope=scope), self._limits))
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            exchange.end_reading()
            scope.pop(_PLACE, None)


def keep_place(scope: Scope, place: Place | None) -> None:
    """Keep the place of a request's answer until that is sent."""
    if place is not None:
        scope[_PLACE] = place


class _Exchange:
    """One request and its answer."""

    def __init__(self, room: Room, receive: Receive, send: Send, claim: int) -> None:
        self._room, self._receive, self._send, self._claim = room, receive, send, claim
        self._held: _Held | None = None
        self._came_bytes = 0
        self._is_whole = False
        self._answers = False
        self._streams = False

    async def receive(self) -> Message:
        """Receive the next piece of the body, when there is room for all of it."""
        held = self._held
        try:
            async with asyncio.timeout(None) as reading:
                if held is not None and not self._is_whole:
                    held.reading = reading
                message = await self._receive()
        except TimeoutError:
            raise ResourceExhausted(
                "The body was not there in time, and others wait for its room; try again later, or send less in a call."
            ) from None
        finally:
            if held is not None:
                held.reading = None
        self._came_bytes += len(message.get("body", b""))
        self._is_whole = not message.get("more_body")
        if held is None and not self._answers and self._claim > LITTLE_BYTES and self._is_large():
            self._held = await self._room.take(self._claim)
        return message

    def _is_large(self) -> bool:
        """Tell whether more than a little has come, or has come to its end and is more when it is read."""
        return self._came_bytes > LITTLE_BYTES or (self._is_whole and self._came_bytes > 0)

    def end_reading(self) -> None:
        """Give back the room of the body."""
        self._answers = True
        if self._held is not None:
            held, self._held = self._held, None
            self._room.give_back(held)

    async def send(self, message: Message) -> None:
        """Send a part of the answer, a large one in pieces as the caller takes them."""
        self.end_reading()
        body = message.get("body", b"")
        self._streams = self._streams or bool(message.get("more_body"))
        if message["type"] != "http.response.body" or self._streams or len(body) <= _PIECE_BYTES:
            await self._send(message)
            return
        try:
            for start in range(0, len(body), _PIECE_BYTES):
                end = start + _PIECE_BYTES
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._send({**message, "body": body[start:end], "more_body": end < len(body)})
        except TimeoutError:
            _LOG.warning(
                "a caller took nothing of an answer of %d bytes for %g seconds; it is broken off",
                len(body),
                PATIENCE_SECONDS,
            )
            raise BrokenOff from None


def _claim(headers: Headers, limits: Limits) -> int:
    """Return the most bytes that a request's body may take."""
    length = headers.get("content-length", "")
    size = int(length) if length.isdecimal() and len(length) < 20 else limits.max_message_bytes
    if any(headers.get(name, "identity") != "identity" for name in _ENCODINGS):
        size *= _DEFLATE_RATIO
    return min(size, limits.max_message_bytes)
