"""Which points of a drawn line can go without its shape going.

Corners matter, points on a straight stretch do not. Those are dropped first, which changes nothing; then, smallest
first, the points whose triangle with their neighbours has the least area (Visvalingam and Whyatt 1993), because that
area is what the line loses, and what the area under a ROC curve loses with it.
"""

import heapq
import math
from collections.abc import Sequence
from itertools import chain

from mlmd_metrics.errors import MetricsError
from mlmd_metrics.series import downsampled

_WORTH_RANKING = 4096  # points beyond which ranking each by its triangle costs more than anybody could see


def kept_points(xs: Sequence[float], ys: Sequence[float], points: int) -> list[int]:
    """Return the indices of at most `points` points of the line through (xs[i], ys[i]), first and last included.

    A line that is short enough is kept whole. Where a coordinate is NaN there is no shape: the indices are then evenly
    spread.

    Raises:
        MetricsError: `points` below 2.
    """
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise MetricsError(f"points is {points!r}; give an integer of at least 2, for the two ends")
    last = len(xs) - 1
    if len(xs) <= points:
        return list(range(len(xs)))
    if not all(map(math.isfinite, chain(xs, ys))):
        return [index * last // (points - 1) for index in range(points)]
    kept = _corners(xs, ys)
    if len(kept) > _WORTH_RANKING:
        heights = [ys[index] for index in kept]
        kept = [kept[place] for place in downsampled(heights, max(_WORTH_RANKING, points))]
    return _least_area_dropped(kept, xs, ys, points)


def _corners(xs: Sequence[float], ys: Sequence[float]) -> list[int]:
    """Indices of the points that do not lie exactly on the line between the kept point before and the next point."""
    kept = [0]
    x0, y0 = xs[0], ys[0]
    for index in range(1, len(xs) - 1):
        x, y, x2, y2 = xs[index], ys[index], xs[index + 1], ys[index + 1]
        bent = (x - x0) * (y2 - y0) != (x2 - x0) * (y - y0)
        if bent or (x - x0) * (x2 - x) < 0 or (y - y0) * (y2 - y) < 0:  # a line may also turn back on itself
            kept.append(index)
            x0, y0 = x, y
    kept.append(len(xs) - 1)
    return kept


def _least_area_dropped(kept: list[int], xs: Sequence[float], ys: Sequence[float], points: int) -> list[int]:
    def area(left: int, middle: int, right: int) -> float:
        (x0, y0), (x1, y1), (x2, y2) = ((xs[kept[place]], ys[kept[place]]) for place in (left, middle, right))
        return abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))

    count = len(kept)
    before, after = list(range(-1, count - 1)), list(range(1, count + 1))
    areas = [math.inf, *(area(place - 1, place, place + 1) for place in range(1, count - 1)), math.inf]
    heap = [(size, place) for place, size in enumerate(areas)]
    heapq.heapify(heap)
    while count > points:
        size, place = heapq.heappop(heap)
        if size != areas[place]:
            continue  # its neighbours changed since
        areas[place] = math.nan
        count -= 1
        left, right = before[place], after[place]
        after[left], before[right] = right, left
        for neighbour in (left, right):
            if areas[neighbour] != math.inf:
                areas[neighbour] = max(size, area(before[neighbour], neighbour, after[neighbour]))
                heapq.heappush(heap, (areas[neighbour], neighbour))
    return [index for place, index in enumerate(kept) if not math.isnan(areas[place])]
