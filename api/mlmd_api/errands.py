"""Work with the bytes of artifacts, done by threads of its own: one may never come back from a folder that hangs."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from mlmd_artifact_store.local_watch import Errand
from mlmd_schemas.errors import Unavailable

from mlmd_api.pools import Pool

T = TypeVar("T")
_PATIENCE_SECONDS = 1.0
"""How long work may take before it is asked whether its folder answers."""
_MOST_THREADS = 1024
"""Started as they are needed, and as many are needed as calls are answered at a time, beside those that are stuck."""


class Errands:
    """Has work done, and gives it up when the folder that it is in does not answer; any thread may ask.

    Work that was given up ends when the folder answers: each call can be broken off anywhere and be repeated. Without
    `handing_over` everybody does their own work, and waits.
    """

    def __init__(self, *, handing_over: bool = True) -> None:
        self._hands_over = handing_over
        self._lock = threading.Lock()
        self._pool: Pool | None = None
        self._given_up = 0

    def done(self, work: Callable[[], T]) -> T:
        """Return what the work returns; raises what it raises, and Unavailable when its folder does not answer."""
        if not self._hands_over:
            return work()
        errand, future = self._begun(work)
        while True:
            try:
                return future.result(_PATIENCE_SECONDS)
            except TimeoutError:
                if future.done():  # it is the work's own, or it ended just now
                    return future.result()
            self._check(errand, future)

    async def awaited(self, work: Callable[[], T]) -> T:
        """Do as `done` without holding the event loop; what has not begun when the caller leaves never does."""
        errand, future = self._begun(work)
        waited, loop = asyncio.wrap_future(future), asyncio.get_running_loop()
        refused: Unavailable | None = None
        timer: asyncio.TimerHandle

        def look() -> None:  # a timer costs a tenth of what `asyncio.wait` does
            nonlocal refused, timer
            try:
                self._check(errand, future)
            except Unavailable as error:
                refused = error
                waited.cancel()
            else:
                timer = loop.call_later(_PATIENCE_SECONDS, look)

        timer = loop.call_later(_PATIENCE_SECONDS, look)
        try:
            return await waited
        except asyncio.CancelledError:
            if refused is None:
                raise
            raise refused from None
        finally:
            timer.cancel()

    @property
    def given_up(self) -> int:
        """How many threads are in a folder that does not answer, and would keep the process from its end."""
        return self._given_up

    def _begun(self, work: Callable[[], T]) -> tuple[Errand[T], Future[T]]:
        errand = Errand(work)
        return errand, (self._pool or self._opened()).submit(errand.run)

    def _opened(self) -> Pool:
        with self._lock:
            self._pool = self._pool or Pool(_MOST_THREADS, "bytes")
            return self._pool

    def _check(self, errand: Errand[T], future: Future[T]) -> None:
        try:
            errand.check()
        except Unavailable:
            self._count(1)
            future.add_done_callback(lambda _: self._count(-1))
            raise

    def _count(self, more: int) -> None:
        with self._lock:
            self._given_up += more
