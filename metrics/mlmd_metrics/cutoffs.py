"""Cutoffs: the whole of a binary evaluation in three columns.

For each distinct score, highest first: how many positives and how many negatives score at least that much. Nothing of
labels and scores is lost but the order of the rows, so ROC and precision-recall curves, AUC and its interval, average
precision, Brier score, log loss, calibration and the matrix at any threshold all follow from it, and none of them
needs storing. Every distinct score is kept, as scikit-learn does with `drop_intermediate=False`.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import fsum, inf, nan
from operator import add, ge, gt, le, neg
from typing import Any

from mlmd_metrics.columns import doubles, integers, no_nan, same_length
from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.curve import PrecisionRecallCurve, RocCurve
from mlmd_metrics.errors import MetricsError

Rule = Callable[[Any, Any], bool]
"""Whether an entry and the one after it break what is asked of a column."""


@dataclass(frozen=True, slots=True, eq=True)
class Cutoffs:
    """Columns of equal length: `thresholds` falling, the counts of rows with `score >= threshold` rising.

    `true_positives` counts the positives among those rows, `false_positives` the negatives. The last entries are the
    totals. Scores may be infinite, never NaN.

    Raises:
        MetricsError: empty or unequal columns, thresholds that do not fall, counts that do not rise with each of them.
    """

    thresholds: "array[float]"
    true_positives: "array[int]"
    false_positives: "array[int]"

    def __init__(
        self, thresholds: Iterable[float], true_positives: Iterable[int], false_positives: Iterable[int]
    ) -> None:
        object.__setattr__(self, "thresholds", doubles(thresholds, "thresholds"))
        object.__setattr__(self, "true_positives", integers(true_positives, "true_positives"))
        object.__setattr__(self, "false_positives", integers(false_positives, "false_positives"))
        same_length("thresholds", self.thresholds, "true_positives", self.true_positives)
        same_length("thresholds", self.thresholds, "false_positives", self.false_positives)
        self._check_order()

    @classmethod
    def from_scores(cls, is_positive: Iterable[object], scores: Iterable[float]) -> "Cutoffs":
        """Sort and count rows in plain Python, O(n log n); `is_positive` is taken by its truth.

        Raises:
            MetricsError: no rows, lengths that differ, a score that is NaN.
        """
        truths, column = [bool(truth) for truth in is_positive], doubles(scores, "scores")
        same_length("is_positive", truths, "scores", column)
        no_nan(column, "scores")
        order = sorted(range(len(column)), key=column.__getitem__, reverse=True)
        ordered = array("d", map(column.__getitem__, order))
        last = [index for index, (here, after) in enumerate(pairwise(ordered)) if here != after]  # of equal scores
        last.append(len(ordered) - 1)
        hits = array("q", accumulate(map(truths.__getitem__, order)))
        tps = array("q", map(hits.__getitem__, last))
        fps = array("q", (index + 1 - tp for index, tp in zip(last, tps, strict=True)))
        return cls(array("d", map(ordered.__getitem__, last)), tps, fps)

    @property
    def positives(self) -> int:
        """Rows of the positive class."""
        return self.true_positives[-1]

    @property
    def negatives(self) -> int:
        """Rows of every other class."""
        return self.false_positives[-1]

    @property
    def total(self) -> int:
        """All rows."""
        return self.positives + self.negatives

    def steps(self) -> "zip[tuple[float, int, int]]":
        """(score, positives with that score, negatives with that score), highest score first."""
        return zip(self.thresholds, _increments(self.true_positives), _increments(self.false_positives), strict=True)

    def roc(self) -> RocCurve:
        """The ROC curve, with the point of the threshold +inf, at which nothing is predicted, before all others.

        Rates of a class that has no rows are NaN, as in scikit-learn.
        """
        return RocCurve(
            _shares(self.false_positives, first=0),
            _shares(self.true_positives, first=0),
            array("d", [inf]) + self.thresholds,
        )

    def precision_recall(self) -> PrecisionRecallCurve:
        """The precision-recall curve in scikit-learn's order: thresholds rising, the point (1, 0) last.

        Recall is NaN when there are no positives (scikit-learn says 1.0 and warns).
        """
        counts = zip(reversed(self.true_positives), reversed(self.false_positives), strict=True)
        precision = array("d", (tp / (tp + fp) for tp, fp in counts))
        recall = _shares(self.true_positives)
        recall.reverse()
        precision.append(1.0)
        recall.append(0.0)
        return PrecisionRecallCurve(precision, recall, self.thresholds[::-1])

    def auc(self) -> float:
        """The area under the ROC curve, in integers until the last division; NaN when a class has no rows."""
        if not self.positives or not self.negatives:
            return nan
        doubled, before = 0, 0
        for tp, new in zip(self.true_positives, _increments(self.false_positives), strict=True):
            doubled += new * (tp + before)
            before = tp
        return doubled / (2 * self.positives * self.negatives)

    def average_precision(self) -> float:
        """Precision averaged over the steps of recall, as scikit-learn defines it; NaN when there are no positives."""
        if not self.positives:
            return nan
        return (
            fsum(
                new * tp / (tp + fp)
                for new, tp, fp in zip(
                    _increments(self.true_positives), self.true_positives, self.false_positives, strict=True
                )
                if new
            )
            / self.positives
        )

    def matrix_at(self, threshold: float, labels: tuple[str, str] = ("negative", "positive")) -> ConfusionMatrix:
        """The confusion matrix when rows with `score >= threshold` are predicted positive. Any threshold will do.

        Args:
            threshold: +inf predicts nothing that has a finite score, -inf everything.
            labels: names of the negative and of the positive class.

        Raises:
            MetricsError: a threshold that is NaN, or two labels that are one.
        """
        no_nan([threshold], "threshold")
        kept = bisect_right(self.thresholds, -threshold, key=neg)
        tp = self.true_positives[kept - 1] if kept else 0
        fp = self.false_positives[kept - 1] if kept else 0
        return ConfusionMatrix(labels, ((self.negatives - fp, fp), (self.positives - tp, tp)))

    def _check_order(self) -> None:
        no_nan(self.thresholds, "thresholds")
        self._check(all(map(gt, self.thresholds, self.thresholds[1:])), self.thresholds, "thresholds", "fall", le)
        for field, column in (("true_positives", self.true_positives), ("false_positives", self.false_positives)):
            if column[0] < 0:
                raise MetricsError(f"{field}[0] is {column[0]}, which is negative; a count is 0 or more")
            self._check(all(map(ge, column[1:], column)), column, field, "never fall", gt)
        new_rows = map(add, _increments(self.true_positives), _increments(self.false_positives))
        empty = next((index for index, rows in enumerate(new_rows) if not rows), None)
        if empty is not None:
            raise MetricsError(
                f"thresholds[{empty}] is {self.thresholds[empty]}, where no row is counted; list scores that occur"
            )

    @staticmethod
    def _check(fine: bool, column: "array[float] | array[int]", field: str, rule: str, broken: Rule) -> None:
        if fine:
            return
        for index, (before, here) in enumerate(pairwise(column), 1):
            if broken(before, here):
                raise MetricsError(
                    f"{field}[{index}] is {here} after {before}; {field} must {rule} from entry to entry"
                )


def _increments(column: "array[int]") -> "array[int]":
    return array("q", [column[0]]) + array("q", map(int.__sub__, column[1:], column))


def _shares(column: "array[int]", first: int | None = None) -> "array[float]":
    """Each count divided by the last; NaN when that is 0."""
    counts = column if first is None else array("q", [first]) + column
    whole = counts[-1]
    return array("d", [count / whole for count in counts] if whole else [nan] * len(counts))
