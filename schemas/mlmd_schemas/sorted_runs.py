"""Sorting of what may be very much: runs that fit into memory are sorted, kept on the disk, and merged.

A folder may have a million files, and the system gives their names in no order. As a list they take a hundred bytes
each and more. Up to a run, which is what most folders have, nothing is written.
"""

import heapq
import marshal
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import BinaryIO

RUN = 20_000
"""So many are sorted in memory at a time."""
_READ_TOGETHER = 200

_Block = tuple[int, int] | bytes
"""Some items of a run: where they are in the file, and in how many bytes; or they themselves."""


def in_order(items: Iterable[bytes]) -> Iterator[bytes]:
    """Yield items by their bytes, as often as each is there; all of them are taken before the first is yielded.

    What is more than a run is in a file of the system's folder for such, which has no name and is gone afterwards. It
    is in memory when none can be made there, or the disk is full. Raises OSError when that file cannot be read again.

    >>> list(in_order([b"b", b"a/", b"a", b"b"]))
    [b'a', b'a/', b'b', b'b']
    """
    given = iter(items)
    run = sorted(islice(given, RUN))
    if len(run) < RUN:
        yield from run
        return
    with _temporary_file() as file:
        aside, runs = _Aside(file), list[list[_Block]]()
        while run:
            runs.append([aside.put(run[at : at + _READ_TOGETHER]) for at in range(0, len(run), _READ_TOGETHER)])
            run = sorted(islice(given, RUN))
        yield from heapq.merge(*map(aside.items, runs))


@contextmanager
def _temporary_file() -> Iterator[BinaryIO | None]:
    import tempfile  # seldom needed, and slow to import

    with ExitStack() as opened:
        file: BinaryIO | None = None
        with suppress(OSError):  # a file system that may only be read, say
            file = opened.enter_context(tempfile.TemporaryFile(buffering=0))
        yield file


class _Aside:
    """Where sorted runs are until they are merged."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file
        self._end = 0

    def put(self, items: list[bytes]) -> _Block:
        """Keep some items."""
        packed = marshal.dumps(items)
        if self._file is None:
            return packed
        try:
            written = os.pwrite(self._file.fileno(), packed, self._end)
        except OSError:
            return packed
        if written < len(packed):
            return packed
        self._end += written
        return self._end - written, written

    def items(self, blocks: Iterable[_Block]) -> Iterator[bytes]:
        """Yield what was kept as these blocks."""
        for block in blocks:
            yield from marshal.loads(block if isinstance(block, bytes) else self._read(*block))

    def _read(self, start: int, length: int) -> bytes:
        content = os.pread(self._file.fileno(), length, start) if self._file else b""
        if len(content) < length:
            raise OSError(f"a temporary file lost what was written to it: {length} bytes at {start}")
        return content
