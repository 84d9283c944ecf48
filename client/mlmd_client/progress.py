"""How far a transfer is, told now and then."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

CALLS_A_SECOND = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is. `path` is the file that moved last; "" before the first and at the end."""

    bytes_done: int
    bytes_total: int
    files_done: int
    files_total: int
    path: str


ProgressCallback = Callable[[Progress], None]
"""Called a few times a second from threads of the transfer, never from two at once; at the end once more."""


class Meter:
    """Counts what has moved and tells it; safe to use from many threads."""

    def __init__(self, callback: ProgressCallback | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._callback = callback
        self._clock = clock
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._told = float("-inf")
        self._bytes = self._files = self._bytes_total = self._files_total = 0
        self._path = ""

    def expect(self, files: int, size_bytes: int) -> None:
        """Say that so much more will move."""
        with self._lock:
            self._files_total += files
            self._bytes_total += size_bytes

    def moved(self, path: str, size_bytes: int) -> None:
        """Count bytes of a file; less than zero when they have to move once more."""
        with self._lock:
            self._bytes += size_bytes
            self._path = path
        self._tell()

    def finished(self, path: str) -> None:
        """Count a file that is done."""
        with self._lock:
            self._files += 1
            self._path = path
        self._tell()

    def end(self) -> None:
        """Tell the last figures, whenever the ones before were told."""
        with self._lock:
            self._path = ""
        self._tell(last=True)

    def _tell(self, *, last: bool = False) -> None:
        if self._callback is None or not self._telling.acquire(blocking=last):
            return  # another thread is telling; the next one tells what this one counted
        try:
            now = self._clock()
            if not last and now - self._told < 1 / CALLS_A_SECOND:
                return
            self._told = now
            with self._lock:
                state = Progress(self._bytes, self._bytes_total, self._files, self._files_total, self._path)
            self._callback(state)
        finally:
            self._telling.release()
