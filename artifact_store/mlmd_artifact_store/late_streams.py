"""Bytes that pass through the server slowly: looked at once more before they become a file."""

from collections.abc import Callable
from typing import BinaryIO, cast


class _Rechecked:
    def __init__(self, source: BinaryIO, size_bytes: int, check: Callable[[], None]) -> None:
        self._source = source
        self._left = size_bytes
        self._check: Callable[[], None] | None = check

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        self._left -= len(chunk)
        if self._left <= 0 and self._check is not None:
            check, self._check = self._check, None
            check()
        return chunk


def rechecked(source: BinaryIO, size_bytes: int, check: Callable[[], None]) -> BinaryIO:
    """Return a stream that calls `check` when it has come to its end, and raises what that raises.

    Between the first and the last byte of a file its upload may be told of another in its place, or end.
    """
    return cast("BinaryIO", _Rechecked(source, size_bytes, check))
