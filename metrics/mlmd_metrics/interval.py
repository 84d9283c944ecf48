"""How far a figure can be trusted: confidence intervals for AUC and for rates."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist

from mlmd_schemas.counting import counted

from mlmd_metrics.columns import doubles, no_nan, same_length
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.errors import MetricsError


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its bounds. `level` is the share of such intervals that hold the truth, 0.95 for 95 %."""

    estimate: float
    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True, slots=True)
class AucDifference:
    """AUC of the second score minus AUC of the first, its interval, and the two-sided p-value of no difference."""

    interval: Interval
    p_value: float


def wilson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Wilson's score interval for a rate (Wilson 1927): accuracy, precision, recall, any share of counted rows.

    Without trials the estimate is NaN and the interval is all of 0 to 1.

    Raises:
        MetricsError: counts that are negative, not finite or more successes than trials; a level outside 0 to 1.
    """
    if not (0 <= successes <= trials < math.inf):
        raise MetricsError(f"successes is {successes!r} of trials {trials!r}; give 0 <= successes <= trials")
    z = _quantile(level)
    if not trials:
        return Interval(math.nan, 0.0, 1.0, level, "wilson")
    rate, spread = successes / trials, z * z / trials
    center = (rate + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(rate * (1 - rate) / trials + spread / (4 * trials))
    low = center - half if successes else 0.0
    high = center + half if successes < trials else 1.0
    return Interval(rate, max(0.0, low), min(1.0, high), level, "wilson")


def delong(cutoffs: Cutoffs, level: float = 0.95) -> Interval:
    """The AUC with DeLong's interval (DeLong, DeLong, Clarke-Pearson 1988), cut to 0 to 1.

    Placements are counted over sorted scores, ties by half, as Sun and Xu (2014) do with midranks: O(n) on cutoffs, in
    integers until the last division. The bounds are NaN when a class has fewer than two rows. Classes that the scores
    separate fully have no variance, and the interval is the single point that then says too much; see Wilson on rates.

    Raises:
        MetricsError: a level outside 0 to 1.
    """
    z, auc, variance = _quantile(level), cutoffs.auc(), auc_variance(cutoffs)
    half = z * math.sqrt(variance)
    low, high = (math.nan, math.nan) if math.isnan(half) else (max(0.0, auc - half), min(1.0, auc + half))
    return Interval(auc, low, high, level, "delong")


def auc_variance(cutoffs: Cutoffs) -> float:
    """DeLong's estimate of the variance of the AUC; NaN when a class has fewer than two rows."""
    m, n = cutoffs.positives, cutoffs.negatives
    if m < 2 or n < 2:
        return math.nan
    positive_sum = positive_squares = negative_squares = 0
    tp = fp = 0
    for _, hits, misses in cutoffs.steps():
        below, above = 2 * n - 2 * fp - misses, 2 * tp + hits  # doubled placements: ties count by half
        positive_sum += hits * below
        positive_squares += hits * below * below
        negative_squares += misses * above * above
        tp, fp = tp + hits, fp + misses
    of_positives = Fraction(m * positive_squares - positive_sum**2, 4 * n * n * m * m * (m - 1))
    of_negatives = Fraction(n * negative_squares - positive_sum**2, 4 * m * m * n * n * (n - 1))
    return float(of_positives + of_negatives)


def auc_difference(
    is_positive: Iterable[object], first: Iterable[float], second: Iterable[float], level: float = 0.95
) -> AucDifference:
    """Compare two scores of the same rows: DeLong's test for correlated ROC curves, O(n log n).

    The p-value is 1.0 where both scores rank all rows alike.

    Raises:
        MetricsError: lengths that differ, NaN scores, a class with fewer than two rows, a level outside 0 to 1.
    """
    z = _quantile(level)
    truths = [bool(truth) for truth in is_positive]
    columns = doubles(first, "first"), doubles(second, "second")
    for name, column in zip(("first", "second"), columns, strict=True):
        same_length("is_positive", truths, name, column)
        no_nan(column, name)
    if min(sum(truths), len(truths) - sum(truths)) < 2:
        raise MetricsError(
            f"is_positive has {counted(sum(truths), 'positive')} in {counted(len(truths), 'row')}; give at least "
            "two of each class"
        )
    of_positives, of_negatives = zip(*(_placements(truths, column) for column in columns), strict=True)
    estimate = math.fsum(_gaps(of_positives)) / len(of_positives[0])
    variance = sum(_variance(_gaps(pair)) / len(pair[0]) for pair in (of_positives, of_negatives))
    half = math.sqrt(variance)
    p_value = math.erfc(abs(estimate) / half / math.sqrt(2)) if half else (1.0 if estimate == 0 else 0.0)
    bounds = max(-1.0, estimate - z * half), min(1.0, estimate + z * half)
    return AucDifference(Interval(estimate, *bounds, level, "delong"), p_value)


def _placements(truths: Sequence[bool], scores: Sequence[float]) -> tuple[list[float], list[float]]:
    """For each positive the share of negatives below it, for each negative the share of positives above it."""
    positives = sorted(score for truth, score in zip(truths, scores, strict=True) if truth)
    negatives = sorted(score for truth, score in zip(truths, scores, strict=True) if not truth)
    of_positives: list[float] = []
    of_negatives: list[float] = []
    for truth, score in zip(truths, scores, strict=True):
        others = negatives if truth else positives
        below = (bisect_left(others, score) + bisect_right(others, score)) / 2 / len(others)
        (of_positives if truth else of_negatives).append(below if truth else 1 - below)
    return of_positives, of_negatives


def _gaps(pair: Sequence[Sequence[float]]) -> list[float]:
    return [second - first for first, second in zip(pair[0], pair[1], strict=True)]


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _quantile(level: float) -> float:
    if not 0 < level < 1:
        raise MetricsError(f"level is {level!r}; give a share between 0 and 1, 0.95 for 95 %")
    return NormalDist().inv_cdf((1 + level) / 2)
