"""ROC and precision-recall curves as points: what a file, a screen or another tool holds of an evaluation.

A curve made from labels and scores comes from `Cutoffs`, which keeps the counts and derives everything exactly. The
curves here also carry what was logged as rates alone, by Kubeflow Pipelines for one.
"""

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import neg

from mlmd_schemas.counting import counted

from mlmd_metrics.columns import doubles, no_nan, same_length
from mlmd_metrics.confusion import ConfusionMatrix, Count
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.thinning import kept_points

_ROUNDING = 1e-9
"""By so much a rate may lie outside 0 to 1: others compute rates in floating point."""


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Points from (0, 0) to (1, 1): rows with `score >= thresholds[i]` are predicted positive.

    `thresholds` never rise. The first is +inf where the curve came from `Cutoffs`. Rates and thresholds may be NaN
    where whoever made the curve had none.

    Raises:
        MetricsError: empty or unequal columns, a rate outside 0 to 1, thresholds that rise.
    """

    false_positive_rate: "array[float]"
    true_positive_rate: "array[float]"
    thresholds: "array[float]"

    def __init__(
        self, false_positive_rate: Iterable[float], true_positive_rate: Iterable[float], thresholds: Iterable[float]
    ) -> None:
        object.__setattr__(self, "false_positive_rate", _rates(false_positive_rate, "false_positive_rate"))
        object.__setattr__(self, "true_positive_rate", _rates(true_positive_rate, "true_positive_rate"))
        object.__setattr__(self, "thresholds", doubles(thresholds, "thresholds"))
        same_length("false_positive_rate", self.false_positive_rate, "true_positive_rate", self.true_positive_rate)
        same_length("false_positive_rate", self.false_positive_rate, "thresholds", self.thresholds)
        for index, (before, here) in enumerate(pairwise(self.thresholds), 1):
            if here > before:
                raise MetricsError(
                    f"thresholds[{index}] is {here} after {before}; order the points by falling threshold"
                )

    def __len__(self) -> int:
        """Number of points."""
        return len(self.thresholds)

    def auc(self) -> float:
        """The area under the points by the trapezoidal rule, as scikit-learn's `auc`; NaN for a single point."""
        if len(self) < 2:
            return math.nan
        points = zip(self.false_positive_rate, self.true_positive_rate, strict=True)
        return math.fsum((x1 - x0) * ((y0 + y1) / 2) for (x0, y0), (x1, y1) in pairwise(points))

    def matrix_at(
        self,
        threshold: float,
        positives: Count,
        negatives: Count,
        labels: tuple[str, str] = ("negative", "positive"),
    ) -> ConfusionMatrix:
        """The matrix at the last point whose threshold is at least `threshold`, given how many rows each class has.

        Counts are whole wherever rate times rows is a whole number but for rounding. On a thinned curve this is the
        matrix of a kept point; `Cutoffs.matrix_at` is exact at any threshold.

        Raises:
            MetricsError: a threshold that is NaN, a point whose rates are NaN.
        """
        no_nan([threshold], "threshold")
        kept = bisect_right(self.thresholds, -threshold, key=neg)
        index = max(kept - 1, 0)
        rates = (self.false_positive_rate[index], self.true_positive_rate[index]) if kept else (0.0, 0.0)
        fp, tp = _whole(rates[0] * negatives), _whole(rates[1] * positives)
        return ConfusionMatrix(labels, ((negatives - fp, fp), (positives - tp, tp)))

    def thinned(self, points: int = 200) -> "RocCurve":
        """At most `points` of the points, both ends among them, chosen so that little area is lost."""
        kept = kept_points(self.false_positive_rate, self.true_positive_rate, points)
        return RocCurve(
            _picked(self.false_positive_rate, kept),
            _picked(self.true_positive_rate, kept),
            _picked(self.thresholds, kept),
        )


@dataclass(frozen=True, slots=True)
class PrecisionRecallCurve:
    """Points in scikit-learn's order: thresholds rise, recall falls, and a last point (1, 0) has no threshold.

    `precision` and `recall` are therefore one longer than `thresholds`.

    Raises:
        MetricsError: empty or unequal columns, a rate outside 0 to 1, thresholds that fall.
    """

    precision: "array[float]"
    recall: "array[float]"
    thresholds: "array[float]"

    def __init__(self, precision: Iterable[float], recall: Iterable[float], thresholds: Iterable[float]) -> None:
        object.__setattr__(self, "precision", _rates(precision, "precision"))
        object.__setattr__(self, "recall", _rates(recall, "recall"))
        object.__setattr__(self, "thresholds", doubles(thresholds, "thresholds"))
        same_length("precision", self.precision, "recall", self.recall)
        if len(self.thresholds) != len(self.recall) - 1:
            raise MetricsError(
                f"thresholds has {counted(len(self.thresholds), 'entry', 'entries')} and recall has "
                f"{len(self.recall)}; give one threshold for each point but the last, which is (precision 1, recall 0)"
            )
        for index, (before, here) in enumerate(pairwise(self.thresholds), 1):
            if here < before:
                raise MetricsError(
                    f"thresholds[{index}] is {here} after {before}; order the points by rising threshold"
                )

    def __len__(self) -> int:
        """Number of points, the last one included."""
        return len(self.recall)

    def average_precision(self) -> float:
        """Precision weighted by the steps of recall, as scikit-learn defines it; never interpolated."""
        points = zip(pairwise(self.recall), self.precision, strict=False)
        return max(0.0, math.fsum((higher - lower) * precision for (higher, lower), precision in points))

    def thinned(self, points: int = 200) -> "PrecisionRecallCurve":
        """At most `points` of the points, both ends among them."""
        kept = kept_points(self.recall, self.precision, points)
        return PrecisionRecallCurve(
            _picked(self.precision, kept), _picked(self.recall, kept), _picked(self.thresholds, kept[:-1])
        )


def _rates(values: Iterable[float], field: str) -> "array[float]":
    column = doubles(values, field)
    for index, rate in enumerate(column):
        if rate < -_ROUNDING or rate > 1 + _ROUNDING:
            raise MetricsError(f"{field}[{index}] is {rate}, which is no rate; give a share from 0 to 1")
    return column


def _picked(column: Sequence[float], kept: Sequence[int]) -> "array[float]":
    return array("d", [column[index] for index in kept])


def _whole(count: float) -> Count:
    if math.isnan(count):
        raise MetricsError(
            "the curve has NaN for the rates at this threshold, so no matrix; log counts or a matrix instead"
        )
    nearest = round(count)
    return nearest if abs(count - nearest) < 1e-6 * max(1.0, nearest) else count
