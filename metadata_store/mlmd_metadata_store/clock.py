"""The time that is noted: this server's clock, which never goes back by a little."""

from time import time_ns

_HELD_MS = 1_000
_latest_ms = 0


def now_ms() -> int:
    """Return the time of this server's clock in milliseconds since the epoch (UTC).

    A clock that is set back by at most a second, or lags on another core, stands still until it has caught up: what
    one process notes later is never noted as earlier, so nothing ends before it began. One that is set back further
    was wrong before, and is followed at once.
    """
    global _latest_ms
    read = time_ns() // 1_000_000
    if read < _latest_ms <= read + _HELD_MS:
        return _latest_ms
    _latest_ms = read
    return read
