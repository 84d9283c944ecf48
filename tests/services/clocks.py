"""The clock by which servers of this machine note times: waiting for it to go on."""

import time

_MOST_BACK_MS = 50
"""By how much a clock that is being corrected may step back, and a server's time stand still."""


def wait_beyond(moment_ms: int) -> None:
    """Wait until whatever a server notes from here on is later than a moment, in milliseconds since the epoch."""
    while time.time_ns() // 1_000_000 <= moment_ms + _MOST_BACK_MS:
        time.sleep(0.005)
