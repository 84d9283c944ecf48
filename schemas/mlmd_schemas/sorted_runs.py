"""Sorting of what may be very much: runs that fit into memory are sorted, set aside, and merged.

A folder may have a million files, and the system gives their names in no order. As a list they take a hundred bytes
each and more. Up to a run, which is what most folders have, nothing is set aside.
"""

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice

from mlmd_schemas.set_aside import Block, aside

RUN = 20_000
"""So many are sorted in memory at a time."""


def in_order(items: Iterable[bytes]) -> Iterator[bytes]:
    """Yield items by their bytes, as often as each is there; all of them are taken before the first is yielded.

    Raises OSError when what was set aside cannot be read again.

    >>> list(in_order([b"b", b"a/", b"a", b"b"]))
    [b'a', b'a/', b'b', b'b']
    """
    given = iter(items)
    run = sorted(islice(given, RUN))
    if len(run) < RUN:
        yield from run
        return
    with aside() as place:
        runs: list[list[Block]] = []
        while run:
            runs.append(place.put(run))
            run = sorted(islice(given, RUN))
        yield from heapq.merge(*map(place.items, runs))
