"""Downsampling of series: a loss curve of a million points as the few hundred that a screen can show.

The points of the series are cut into runs of equal length. Of each run the first, the last, the smallest and the
largest value stay (the idea of M4: Jugel, Jerzak, Hackenbroich, Markl: M4, VLDB 2014), so peaks, dips and the end of
the series are never lost, and what is drawn is what was logged: no averages, no interpolation.
"""

import math
from array import array
from collections.abc import Sequence

from mlmd_metrics.columns import doubles
from mlmd_metrics.errors import MetricsError

FEWEST = 8
"""The smallest `points` that leaves room for every kind of point that must survive."""

_FINITE_KINDS = 4  # first, last, smallest, largest
_ALL_KINDS = 7  # and the first NaN, +inf and -inf


def downsampled(values: Sequence[float], points: int = 500) -> list[int]:
    """Return the indices to keep, rising, at most `points` of them; all when the series is not longer.

    The first and the last point, the smallest and the largest finite value of the series are always among them. NaN
    and infinities are neither ignored nor extremes: of every run that holds some, the first of each kind stays too, so
    that a run which diverged shows where it did. Steps or times play no part; take them at the same indices.

    Raises:
        MetricsError: `points` below 8.
    """
    if isinstance(points, bool) or not isinstance(points, int) or points < FEWEST:
        raise MetricsError(f"points is {points!r}; give an integer of at least {FEWEST}")
    if len(values) <= points:
        return list(range(len(values)))
    column = doubles(values, "values")
    finite = all(map(math.isfinite, column))
    runs = points // (_FINITE_KINDS if finite else _ALL_KINDS)
    kept: list[int] = []
    for run in range(runs):
        start, stop = run * len(column) // runs, (run + 1) * len(column) // runs
        chunk = column[start:stop]
        kept += sorted({start + index for index in (_extremes(chunk) if finite else _landmarks(chunk))})
    return kept


def _extremes(chunk: "array[float]") -> list[int]:
    return [0, chunk.index(min(chunk)), chunk.index(max(chunk)), len(chunk) - 1]


def _landmarks(chunk: "array[float]") -> list[int]:
    """Where a run that may hold NaN or infinities begins, ends, peaks, dips and first leaves the finite numbers."""
    finite = [index for index, value in enumerate(chunk) if math.isfinite(value)]
    kept = [0, len(chunk) - 1]
    if finite:
        kept += [min(finite, key=chunk.__getitem__), max(finite, key=chunk.__getitem__)]
    for kind in (math.isnan, math.inf.__eq__, (-math.inf).__eq__):
        kept += [next((index for index, value in enumerate(chunk) if kind(value) is True), 0)]
    return kept
