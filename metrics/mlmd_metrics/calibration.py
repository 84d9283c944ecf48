"""Calibration: of the rows given a probability of 0.8, do 80 in 100 turn out positive?"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.scores import check_probabilities


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose probability p is in `lower < p <= upper` (the first bin takes `lower` too)."""

    lower: float
    upper: float
    rows: int
    positives: int
    mean_probability: float

    @property
    def positive_rate(self) -> float:
        """The share of the rows that are positive."""
        return self.positives / self.rows


@dataclass(frozen=True, slots=True)
class Calibration:
    """The bins that hold rows, by rising probability; empty ones are left out, as scikit-learn does."""

    bins: tuple[Bin, ...]

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the mean gap of rate and probability, weighted by rows (Naeini 2015)."""
        rows = sum(entry.rows for entry in self.bins)
        return math.fsum(entry.rows * _gap(entry) for entry in self.bins) / rows


def calibration(cutoffs: Cutoffs, bins: int = 10, strategy: Literal["uniform", "quantile"] = "uniform") -> Calibration:
    """Bin the rows by probability: bins of equal width, or of equally many rows, as `sklearn.calibration_curve`.

    Raises:
        MetricsError: scores that are no probabilities, fewer than 1 bin or more than 10,000, another strategy.
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or not 1 <= bins <= 10_000:
        raise MetricsError(f"bins is {bins!r}; give an integer from 1 to 10000")
    if strategy not in ("uniform", "quantile"):
        raise MetricsError(f"strategy is {strategy!r}; give 'uniform' or 'quantile'")
    check_probabilities(cutoffs)
    shares = [index * (1 / bins) for index in range(bins)] + [1.0]
    edges = shares if strategy == "uniform" else _percentiles(cutoffs, [share * 100 for share in shares])
    return Calibration(_filled(cutoffs, edges))


def _filled(cutoffs: Cutoffs, edges: list[float]) -> tuple[Bin, ...]:
    inner = edges[1:-1]
    rows, positives = [0] * (len(edges) - 1), [0] * (len(edges) - 1)
    sums: list[list[float]] = [[] for _ in rows]
    for score, hits, misses in cutoffs.steps():
        place = bisect_left(inner, score)
        rows[place] += hits + misses
        positives[place] += hits
        sums[place].append(score * (hits + misses))
    return tuple(
        Bin(edges[place], edges[place + 1], count, positives[place], math.fsum(sums[place]) / count)
        for place, count in enumerate(rows)
        if count
    )


def _percentiles(cutoffs: Cutoffs, percents: list[float]) -> list[float]:
    """numpy's linear percentiles of the scores of all rows, to the bit."""
    scores = [score for score, _, _ in cutoffs.steps()][::-1]
    reached = list(accumulate([hits + misses for _, hits, misses in cutoffs.steps()][::-1]))
    last = cutoffs.total - 1

    def ranked(rank: int) -> float:
        return scores[bisect_left(reached, rank + 1)]

    found = []
    for percent in percents:
        place = percent / 100 * last
        low, high = ranked(math.floor(place)), ranked(min(math.floor(place) + 1, last))
        share, step = place - math.floor(place), high - low
        found.append(high - step * (1 - share) if share >= 0.5 else low + step * share)
    return found


def _gap(entry: Bin) -> float:
    return abs(entry.positive_rate - entry.mean_probability)
