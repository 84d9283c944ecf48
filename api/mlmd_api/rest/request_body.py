"""The body of a request as a file that a thread reads."""

import asyncio
from collections.abc import AsyncIterator

from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import DeadlineExceeded

PATIENCE_SECONDS = 120.0
"""How long a client may send nothing."""
_PAST_SECONDS = 0.001
"""By then a deadline has passed, whatever a timer rounds."""


class RequestBody:
    """Pulls the body from the event loop as it is read; what has been read is counted."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stream: AsyncIterator[bytes], caller: Caller) -> None:
        """Take the pieces as they come on `loop`; they are read in another thread, until the caller's deadline."""
        self._loop = loop
        self._stream = stream
        self._caller = caller
        self._held = b""
        self._ended = False
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
        left = self._caller.remaining_seconds()
        patience = PATIENCE_SECONDS if left is None else min(left + _PAST_SECONDS, PATIENCE_SECONDS)
        try:
            async with asyncio.timeout(patience):
                async for chunk in self._stream:
                    if chunk:
                        return chunk
        except TimeoutError:
            self._caller.check_deadline()
            raise DeadlineExceeded(
                f"The body stopped: nothing came for {PATIENCE_SECONDS:g} seconds; send the file again."
            ) from None
        self._ended = True
        return b""
