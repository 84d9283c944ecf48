"""Times as people and other tools write them."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, which RFC 3339 ends with."""


def rfc3339(ms: int) -> str:
    """Return a time in milliseconds since the epoch as RFC 3339 in UTC; one beyond the year 9999 as its end."""
    moment = _EPOCH + timedelta(milliseconds=min(max(ms, 0), _LAST_MS))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
