"""Long sequences that are walked over a few times, in little memory.

What is known of a file takes 250 bytes as an object, and 1,200 as a message; an artifact may have a million files.
Packed together, neighbours have nearly everything in common, and what is left of one is some 20 bytes and its digests.
Of that some megabytes are in memory, and the rest in a temporary file.
"""

import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Generic, TypeVar

from mlmd_schemas.set_aside import Aside, Block, aside

T = TypeVar("T")
PACKED_TOGETHER = 500
IN_MEMORY_BYTES = 4 << 20
_FASTEST = 1


class Packed(Generic[T]):
    """Items in the order in which they were given, each made anew whenever it is asked for."""

    def __init__(
        self,
        items: Iterable[T],
        pack: Callable[[Sequence[T]], bytes],
        unpack: Callable[[bytes], Iterable[T]],
    ) -> None:
        """Take the items, some hundreds at a time; `unpack` makes of a block what `pack` was given."""
        self._unpack = unpack
        self._blocks: list[Block] = []
        self._count = size_bytes = 0
        self._aside = Aside(None)
        given = iter(items)
        while block := list(islice(given, PACKED_TOGETHER)):
            packed = zlib.compress(pack(block), _FASTEST)
            size_bytes += len(packed)
            if size_bytes - len(packed) <= IN_MEMORY_BYTES < size_bytes:
                self._aside = self._file()
            self._blocks.append(self._aside.write(packed))
            self._count += len(block)

    def _file(self) -> Aside:
        """Return a place on the disk, which is given up with this sequence."""
        opened = ExitStack()
        weakref.finalize(self, opened.close)
        return opened.enter_context(aside())

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def __iter__(self) -> Iterator[T]:
        """Yield every item."""
        for block in self._blocks:
            yield from self._unpack(zlib.decompress(self._aside.read(block)))
