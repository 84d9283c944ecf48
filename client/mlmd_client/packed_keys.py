"""A set of very many short keys, as large as the keys are."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import groupby

from mlmd_schemas.sorted_runs import in_order


class PackedKeys:
    """Keys of the same length.

    >>> keys = PackedKeys(2, [b"bb", b"aa", b"bb"])
    >>> b"bb" in keys, b"ab" in keys
    (True, False)
    """

    def __init__(self, length: int, keys: Iterable[bytes]) -> None:
        """Take the keys, of so many bytes each."""
        self._length = length
        self._keys = bytearray()
        for key, _ in groupby(in_order(keys)):
            self._keys += key

    def __contains__(self, key: bytes) -> bool:
        """Tell whether a key is one of them."""
        places = range(len(self._keys) // self._length)
        return self._at(bisect_left(places, key, key=self._at)) == key

    def _at(self, place: int) -> bytes:
        return bytes(self._keys[place * self._length : (place + 1) * self._length])
