"""The body of a request as a file that a thread reads."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import DeadlineExceeded

PATIENCE_SECONDS = 120.0
"""How long a client may send nothing."""
LEAST_BYTES_A_SECOND = 1024
"""How fast a body has to come on average, when it has been waited for longer than the patience."""
_PAST_SECONDS = 0.001
"""By then a deadline has passed, whatever a timer rounds."""


@dataclass(slots=True)
class Pace:
    """How long the next piece of a body may be waited for: whoever sends a byte now and then would never end."""

    came_bytes: int = 0
    waited_seconds: float = 0.0

    def came(self, size_bytes: int, seconds: float) -> None:
        """Note a piece and how long it was waited for."""
        self.came_bytes += size_bytes
        self.waited_seconds += seconds

    @property
    def patience_seconds(self) -> float:
        """Seconds until the next piece is too late."""
        earned = PATIENCE_SECONDS + self.came_bytes / LEAST_BYTES_A_SECOND
        return max(min(PATIENCE_SECONDS, earned - self.waited_seconds), 0.0)

    @property
    def fault(self) -> str:
        """Say of a piece that was too late what is wrong."""
        if self.patience_seconds < PATIENCE_SECONDS / 2:
            return (
                f"it came with less than {LEAST_BYTES_A_SECOND} bytes a second, for more than {PATIENCE_SECONDS:g} "
                "seconds"
            )
        return f"nothing more of it came for {PATIENCE_SECONDS:g} seconds"


class RequestBody:
    """Pulls the body from the event loop as it is read; what has been read is counted."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stream: AsyncIterator[bytes], caller: Caller) -> None:
        """Take the pieces as they come on `loop`; they are read in another thread, until the caller's deadline."""
        self._loop = loop
        self._stream = stream
        self._caller = caller
        self._held = b""
        self._ended = False
        self._pace = Pace()
        self.size_bytes = 0

    async def fill(self, size: int) -> None:
        """Pull that much before a thread reads it, or all there is; called in the event loop. Raises DeadlineExceeded.

        What waits here is no thread, and handing each piece over to one takes as long as a small file.
        """
        pieces: list[bytes] = []
        held = 0
        while held < size and not self._ended:
            self._caller.check_deadline()
            pieces.append(await self._pull())
            held += len(pieces[-1])
        self._held = b"".join(pieces)

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, b"" at the end; raises DeadlineExceeded."""
        while not self._held and not self._ended:
            self._caller.check_deadline()
            pulled = asyncio.run_coroutine_threadsafe(self._pull(), self._loop)
            self._held = pulled.result(2 * PATIENCE_SECONDS)  # a loop that has ended answers nobody
        chunk, self._held = (self._held, b"") if size < 0 else (self._held[:size], self._held[size:])
        self.size_bytes += len(chunk)
        return chunk

    async def _pull(self) -> bytes:
        left, patience = self._caller.remaining_seconds(), self._pace.patience_seconds
        since = self._loop.time()
        try:
            async with asyncio.timeout(patience if left is None else min(left + _PAST_SECONDS, patience)):
                async for chunk in self._stream:
                    if chunk:
                        self._pace.came(len(chunk), self._loop.time() - since)
                        return chunk
        except TimeoutError:
            self._caller.check_deadline()
            raise DeadlineExceeded(f"The body stopped: {self._pace.fault}; send the file again.") from None
        self._ended = True
        return b""
