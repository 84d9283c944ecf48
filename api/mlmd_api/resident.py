"""How much memory the process has, and whether messages have made it much."""

import os
import time
from collections.abc import Callable
from pathlib import Path

_STATM = Path("/proc/self/statm")
_KEPT_SECONDS = 0.1
_MESSAGES = 24


def resident_bytes() -> int:
    """Return the memory that the process has of its own or shares; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


class Tightness:
    """Whether the process has grown by more than 24 of the largest messages since it was made; any thread asks."""

    def __init__(
        self,
        largest_message_bytes: int,
        resident: Callable[[], int] = resident_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resident = resident
        self._clock = clock
        self._most_bytes = resident() + _MESSAGES * largest_message_bytes
        self._until = 0.0
        self._is_tight = False

    def __call__(self) -> bool:
        """Look again, or say what was seen a moment ago."""
        now = self._clock()
        if now > self._until:
            self._until = now + _KEPT_SECONDS
            self._is_tight = self._resident() > self._most_bytes
        return self._is_tight
