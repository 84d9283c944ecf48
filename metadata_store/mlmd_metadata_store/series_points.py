"""Points of a series as columns, in order and in pieces.

A point is a step, a time in milliseconds and a value; step and time are its key. Columns are stored as they are in
memory, little-endian, so every double comes back bit by bit, NaN and infinities on every database.
"""

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from operator import lt
from typing import TypeVar

Number = TypeVar("Number", int, float)
Key = tuple[int, int]
"""Step and time of a point."""

SEGMENT_POINTS = 16_384
"""Points of a full segment, some 400 KB: far below the packets of databases, and few rows for a million points."""

_POINT_BYTES = 24


@dataclass(frozen=True, slots=True)
class Points:
    """Columns of equal length; in order means that (step, time) rises from each point to the next."""

    steps: "array[int]"
    times: "array[int]"
    values: "array[float]"

    def __len__(self) -> int:
        """Number of points."""
        return len(self.steps)

    @property
    def first(self) -> Key:
        """Step and time of the first point."""
        return self.steps[0], self.times[0]

    @property
    def last(self) -> Key:
        """Step and time of the last point."""
        return self.steps[-1], self.times[-1]

    def cut(self, start: int, stop: int) -> "Points":
        """The points from place `start` up to but not including `stop`."""
        return Points(self.steps[start:stop], self.times[start:stop], self.values[start:stop])

    def picked(self, places: Iterable[int]) -> "Points":
        """The points at these places."""
        chosen = list(places)
        return Points(
            array("q", map(self.steps.__getitem__, chosen)),
            array("q", map(self.times.__getitem__, chosen)),
            array("d", map(self.values.__getitem__, chosen)),
        )

    def between(self, from_step: int, to_step: int) -> "Points":
        """The points whose step is from `from_step` to `to_step`, both included; the points must be in order."""
        if self.steps and self.steps[0] >= from_step and self.steps[-1] <= to_step:
            return self
        return self.cut(bisect_left(self.steps, from_step), bisect_right(self.steps, to_step))

    def pieces(self) -> "Iterator[Points]":
        """Full segments and the rest."""
        for start in range(0, len(self), SEGMENT_POINTS):
            yield self.cut(start, start + SEGMENT_POINTS)

    def packed(self) -> bytes:
        """The columns as bytes."""
        times, values = _little_endian(self.times), _little_endian(self.values)
        return _little_endian(self.steps).tobytes() + times.tobytes() + values.tobytes()


EMPTY = Points(array("q"), array("q"), array("d"))


def unpacked(content: bytes) -> Points:
    """Return the points of what `packed` made."""
    size = len(content) // _POINT_BYTES * 8
    steps, times, values = array("q"), array("q"), array("d")
    steps.frombytes(content[:size])
    times.frombytes(content[size : 2 * size])
    values.frombytes(content[2 * size :])
    return Points(_little_endian(steps), _little_endian(times), _little_endian(values))


def joined(runs: Sequence[Points]) -> Points:
    """Return runs that follow each other as one."""
    if len(runs) == 1:
        return runs[0]
    whole = Points(array("q"), array("q"), array("d"))
    for run in runs:
        whole.steps.extend(run.steps)
        whole.times.extend(run.times)
        whole.values.extend(run.values)
    return whole


def in_order(points: Points) -> Points:
    """Return the points in order; of those with one key the last one stays."""
    if all(map(lt, points.steps, islice(points.steps, 1, None))):
        return points
    keys = list(zip(points.steps, points.times, strict=True))
    if all(map(lt, keys, islice(keys, 1, None))):
        return points
    return points.picked(place for _, place in sorted({key: place for place, key in enumerate(keys)}.items()))


def merged(runs: Sequence[Points]) -> Points:
    """Return the points of runs that are each in order, in order; where they share a key the later run's stays."""
    ordered = sorted(runs, key=lambda run: run.first)
    if all(one.last < other.first for one, other in pairwise(ordered)):
        return joined(ordered)
    return in_order(joined(runs))


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a stored segment without its content."""

    id: int
    first: Key
    last: Key
    points: int

    def overlaps(self, first: Key, last: Key) -> bool:
        """Tell whether the segment has room for a key of this range."""
        return self.first <= last and self.last >= first


def absorbed(heads: Sequence[Head], fresh: Points) -> list[Head]:
    """Return the segments of a series that are to be written again together with fresh points, by their first key.

    They are those that overlap, so that segments never do; and small neighbours, so that points logged one by one end
    up in few segments. A segment joins a run that is more than half its size, so each point is rewritten a number of
    times that grows with the logarithm of a segment.
    """
    ordered = sorted(heads, key=lambda head: head.first)
    first, last = fresh.first, fresh.last
    touched = [place for place, head in enumerate(ordered) if head.overlaps(first, last)]
    after = next((place for place, head in enumerate(ordered) if head.first > last), len(ordered))
    low, high = (touched[0], touched[-1] + 1) if touched else (after, after)
    size = len(fresh) + sum(head.points for head in ordered[low:high])
    while low > 0 and _worth_joining(ordered[low - 1], size):
        low -= 1
        size += ordered[low].points
    while high < len(ordered) and _worth_joining(ordered[high], size):
        size += ordered[high].points
        high += 1
    return ordered[low:high]


def _worth_joining(head: Head, size: int) -> bool:
    return size < SEGMENT_POINTS and head.points < min(SEGMENT_POINTS, 2 * size)


def _little_endian(column: "array[Number]") -> "array[Number]":
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column
