"""What may be very much, and is asked for again later in the order in which it came: on the disk, but for a little.

It is in a file of the system's folder for such, which has no name and is gone afterwards; in memory when none can be
made there, or the disk is full.
"""

import marshal
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from types import TracebackType
from typing import Any, BinaryIO, Generic, TypeVar

IN_MEMORY = 5_000
"""So many are held before a file is made."""
TOGETHER = 200
"""So many are read at once."""

T = TypeVar("T")
Block = tuple[int, int] | bytes
"""Some items: where they are in the file, and in how many bytes; or they themselves."""


class Aside:
    """A file of blocks of items: bytes, texts, numbers, or tuples of them."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file
        self._end = 0

    def put(self, items: list[Any]) -> list[Block]:
        """Set items aside and return their blocks."""
        return [self._put(items[start : start + TOGETHER]) for start in range(0, len(items), TOGETHER)]

    def _put(self, items: list[Any]) -> Block:
        return self.write(marshal.dumps(items))

    def write(self, content: bytes) -> Block:
        """Set bytes aside and return their block."""
        if self._file is None:
            return content
        try:
            written = os.pwrite(self._file.fileno(), content, self._end)
        except OSError:
            return content
        if written < len(content):
            return content
        self._end += written
        return self._end - written, written

    def items(self, blocks: Iterable[Block]) -> Iterator[Any]:
        """Yield what was set aside as these blocks; raises OSError when the file cannot be read again."""
        for block in blocks:
            yield from marshal.loads(self.read(block))

    def read(self, block: Block) -> bytes:
        """Return the bytes of a block; raises OSError when the file cannot be read again."""
        if isinstance(block, bytes):
            return block
        start, length = block
        content = os.pread(self._file.fileno(), length, start) if self._file else b""
        if len(content) < length:
            raise OSError(f"a temporary file lost what was written to it: {length} bytes at {start}")
        return content


@contextmanager
def aside() -> Iterator[Aside]:
    """Give a place to set things aside within the block.

    >>> with aside() as place:
    ...     blocks = place.put([b"a", b"b"])
    ...     print(list(place.items(blocks)))
    [b'a', b'b']
    """
    import tempfile  # seldom needed, and slow to import

    with ExitStack() as opened:
        file: BinaryIO | None = None
        with suppress(OSError):  # a file system that may only be read, say
            file = opened.enter_context(tempfile.TemporaryFile(buffering=0))
        yield Aside(file)


class SetAside(Generic[T]):
    """Items in the order of `append`, all of them until the block ends for which it is entered.

    Some thousands are held in memory, and written when there are more. An item is a tuple of bytes, texts and numbers.

    >>> with SetAside[tuple[int, str]]() as kept:
    ...     kept.append((1, "one"))
    ...     print(len(kept), list(kept))
    1 [(1, 'one')]
    """

    def __init__(self) -> None:
        self._opened = ExitStack()
        self._aside: Aside | None = None
        self._blocks: list[Block] = []
        self._fresh: list[T] = []
        self._count = 0

    def __enter__(self) -> "SetAside[T]":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the items up."""
        self.close()

    def close(self) -> None:
        """Give the items up; again does no harm."""
        self._opened.close()
        self._aside, self._blocks, self._fresh, self._count = None, [], [], 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def append(self, item: T) -> None:
        """Set an item aside."""
        self._count += 1
        self._fresh.append(item)
        if len(self._fresh) >= IN_MEMORY:
            self._aside = self._aside or self._opened.enter_context(aside())
            self._blocks += self._aside.put(self._fresh)
            self._fresh = []

    def __iter__(self) -> Iterator[T]:
        """Yield every item, as often as that is asked for; raises OSError when the file cannot be read again."""
        return chain(self._aside.items(self._blocks) if self._aside else (), self._fresh)
