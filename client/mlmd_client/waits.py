"""What the client waits for, told before whoever sits there wonders.

A call that failed and may soon succeed is made again after a wait. Waits too short to be noticed are nobody's business;
of a longer one the log says, as a warning, who is waited for and in whose words why.
"""

import logging
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger("mlmd")
TOLD_FROM_SECONDS = 0.75
"""What takes shorter is not told."""
_AGAIN_SECONDS, _OTHERWISE_SECONDS = 60.0, 5.0
"""How long the same is not told again, and nothing else of the same target: many threads wait for one server."""


class Waits:
    """What was told of each target; safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[str, tuple[str, float]] = {}

    def tell(self, target: str, reason: str, seconds: float) -> None:
        """Say that a target is waited for, because of a reason (a sentence), when that takes so many seconds."""
        if seconds < TOLD_FROM_SECONDS:
            return
        now = self._clock()
        with self._lock:
            before, when = self._told.get(target, ("", now - _AGAIN_SECONDS))
            if now - when < (_AGAIN_SECONDS if before == reason else _OTHERWISE_SECONDS):
                return
            self._told[target] = reason, now
        LOG.warning("waiting for %s, and trying again: %s", target, reason)


WAITS = Waits()
"""Those of this process."""
