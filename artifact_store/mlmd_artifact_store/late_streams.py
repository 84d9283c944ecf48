"""Bytes that pass through the server: little files at once, others slowly and looked at once more at their end."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from mlmd_schemas.errors import InvalidArgument


class _Rechecked:
    def __init__(self, source: BinaryIO, size_bytes: int, check: Callable[[], object]) -> None:
        self._source = source
        self._left = size_bytes
        self._check: Callable[[], object] | None = check

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        self._left -= len(chunk)
        if self._left <= 0 and self._check is not None:
            check, self._check = self._check, None
            check()
        return chunk


def rechecked(source: BinaryIO, size_bytes: int, check: Callable[[], object]) -> BinaryIO:
    """Return a stream that calls `check` when it has come to its end, and raises what that raises.

    Between the first and the last byte of a file its upload may be told of another in its place, or end.
    """
    return cast("BinaryIO", _Rechecked(source, size_bytes, check))


class Arriving:
    """A stream whose first bytes were read already: all of them, of a little file.

    What passes is hashed when it `is_hashed`: a file that is known by its SHA-256 alone.
    """

    def __init__(self, source: BinaryIO, little_bytes: int) -> None:
        pieces, left = list[bytes](), little_bytes + 1
        while left and (chunk := source.read(left)):
            pieces.append(chunk)
            left -= len(chunk)
        self.is_little = left > 0
        self.is_hashed = False
        self._held = b"".join(pieces)
        self._source = source
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, b"" at the end."""
        if self._held:
            end = size if size >= 0 else len(self._held)
            chunk, self._held = self._held[:end], self._held[end:]
        else:
            chunk = b"" if self.is_little else self._source.read(size)
        if self.is_hashed:
            self._digest.update(chunk)
        return chunk

    @contextmanager
    def checked(self, declared: bytes) -> Iterator[None]:
        """Raise InvalidArgument when the bytes that passed were hashed, and are others than declared."""
        found = self._digest.digest()
        if self.is_hashed and found != declared:
            raise InvalidArgument(
                f"sha256: the bytes that came have the SHA-256 {found.hex()}, and {declared.hex()} was declared; the "
                "file changed or was damaged on its way, send it again."
            )
        yield
