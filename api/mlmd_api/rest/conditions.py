"""Conditional requests and ranges on a file that has an ETag and never changes (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)
"""The unit is a token in any case (RFC 9110, 14.1)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of bytes."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Validators:
    """What a file can be known again by: its ETag with quotes, and when it came (milliseconds since the epoch)."""

    etag: str
    modified_ms: int

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say so."""
        said = {"etag": self.etag}
        if self.modified_ms:
            said["last-modified"] = formatdate(self.modified_ms // 1000, usegmt=True)
        return said

    def refusal(self, request: Mapping[str, str]) -> int:
        """Return 412 or 304 when the request's conditions say so, else 0; in the order of RFC 9110, 13.2.2."""
        if (wanted := request.get("if-match")) is not None:
            if not self._is_among(wanted, weak=False):
                return 412
        elif (date := _seconds(request.get("if-unmodified-since"))) is not None and self._modified > date:
            return 412
        if (known := request.get("if-none-match")) is not None:
            return 304 if self._is_among(known, weak=True) else 0
        date = _seconds(request.get("if-modified-since"))
        return 304 if date is not None and self._modified <= date else 0

    def span(self, request: Mapping[str, str], size_bytes: int) -> Span | None:
        """Return the one range that is asked for, None for the whole; raises ValueError beyond the end."""
        condition = request.get("if-range")
        if condition is not None and condition.strip() != self.etag:
            date = _seconds(condition)
            if date is None or not self.modified_ms or self._modified != date:
                return None
        return _span(request.get("range", ""), size_bytes)

    @property
    def _modified(self) -> int:
        return self.modified_ms // 1000

    def _is_among(self, header: str, *, weak: bool) -> bool:
        for item in (part.strip() for part in header.split(",")):
            if item == "*" or item == self.etag or (weak and item.removeprefix("W/") == self.etag):
                return True
        return False


def _seconds(date: str | None) -> float | None:
    """Return the time of an HTTP date; None for none, or for one that is no date and therefore ignored."""
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _span(header: str, size_bytes: int) -> Span | None:
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size_bytes)
        start = size_bytes - length
    else:
        start = int(found[1])
        last = min(int(found[2]) if found[2] else size_bytes - 1, size_bytes - 1)
        if found[2] and int(found[2]) < start:
            return None
        length = last - start + 1
    if length <= 0:
        raise ValueError("the range begins after the last byte")
    return Span(start, length)
