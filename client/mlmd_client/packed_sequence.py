"""Long sequences that are walked over a few times, in little memory.

What is known of a file takes 250 bytes as an object, and 1,200 as a message; an artifact may have a million files.
Packed together, neighbours have nearly everything in common, and what is left of one is some 20 bytes and its digests.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
PACKED_TOGETHER = 500
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
        self._blocks: list[bytes] = []
        self._count = 0
        given = iter(items)
        while block := list(islice(given, PACKED_TOGETHER)):
            self._blocks.append(zlib.compress(pack(block), _FASTEST))
            self._count += len(block)

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def __iter__(self) -> Iterator[T]:
        """Yield every item."""
        for block in self._blocks:
            yield from self._unpack(zlib.decompress(block))
