"""Confusion matrices: how often rows of each true class were predicted as each class.

Only labels and counts are kept; every figure is derived when asked for. Rows are the true class, columns the
predicted one, as in scikit-learn and in the UI of Kubeflow Pipelines.
"""

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any, Literal, SupportsFloat, cast

from mlmd_schemas.counting import counted

from mlmd_metrics.class_figures import Average, ClassFigures, averaged, class_figures
from mlmd_metrics.errors import MetricsError, NotANumber

Count = int | float
Rows = tuple[tuple[Count, ...], ...]

MOST = 2**63 - 1
"""The largest count: what a 64-bit integer holds."""


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Labels and counts. `counts[i][j]` is how many rows of class `labels[i]` were predicted as `labels[j]`.

    Counts are integers, or floats where rows were weighted; a float without a fraction (Kubeflow Pipelines writes
    every number as a double) becomes the integer it stands for.

    Raises:
        MetricsError: no labels, a label that is not text or comes twice, a matrix that is not square, a count that is
            negative, not finite or beyond 64 bits.
    """

    labels: tuple[str, ...]
    counts: Rows

    def __init__(self, labels: Sequence[str], counts: Sequence[Sequence[SupportsFloat]]) -> None:
        object.__setattr__(self, "labels", checked_labels(labels))
        object.__setattr__(self, "counts", _checked_counts(self.labels, counts))

    @classmethod
    def from_predictions(
        cls, y_true: Iterable[Hashable], y_pred: Iterable[Hashable], labels: Sequence[Hashable] | None = None
    ) -> "ConfusionMatrix":
        """Count pairs of true and predicted labels. Without `labels`: those that occur, sorted.

        Raises:
            MetricsError: nothing to count, lengths that differ, a value that `labels` does not list.
        """
        truths, guesses = list(y_true), list(y_pred)
        if len(truths) != len(guesses) or not truths:
            raise MetricsError(
                f"y_true has {counted(len(truths), 'entry', 'entries')} and y_pred has {len(guesses)}; give one "
                "of each for at least one row"
            )
        listed = sorted_labels(chain(truths, guesses)) if labels is None else list(labels)
        position = {label: index for index, label in enumerate(listed)}
        counts = [[0] * len(listed) for _ in listed]
        for row, (truth, guess) in enumerate(zip(truths, guesses, strict=True)):
            for field, value in (("y_true", truth), ("y_pred", guess)):
                if value not in position:
                    raise unknown_label(f"{field}[{row}]", value, listed)
            counts[position[truth]][position[guess]] += 1
        return cls([str(label) for label in listed], counts)

    @property
    def total(self) -> Count:
        """All rows counted."""
        return exact_sum(list(chain.from_iterable(self.counts)))

    @property
    def correct(self) -> Count:
        """Rows on the diagonal."""
        return exact_sum([row[index] for index, row in enumerate(self.counts)])

    @property
    def true_totals(self) -> tuple[Count, ...]:
        """Rows of each class (the support)."""
        return tuple(exact_sum(row) for row in self.counts)

    @property
    def predicted_totals(self) -> tuple[Count, ...]:
        """Rows predicted as each class."""
        return tuple(exact_sum(column) for column in zip(*self.counts, strict=True))

    def count(self, true: str, predicted: str) -> Count:
        """Rows of class `true` predicted as `predicted`; raises MetricsError for a label that is not listed."""
        return self.counts[self._position(true)][self._position(predicted)]

    def one_vs_rest(self, label: str) -> "ConfusionMatrix":
        """The matrix of two classes, `rest` and `label`, in which every other class is the rest."""
        index = self._position(label)
        hits = self.counts[index][index]
        misses = exact_sum([count for column, count in enumerate(self.counts[index]) if column != index])
        alarms = exact_sum([row[index] for position, row in enumerate(self.counts) if position != index])
        others = [row[:index] + row[index + 1 :] for position, row in enumerate(self.counts) if position != index]
        quiet = exact_sum(list(chain.from_iterable(others)))
        rest = "rest" if label != "rest" else "rest (others)"
        return ConfusionMatrix((rest, label), ((quiet, alarms), (misses, hits)))

    @property
    def accuracy(self) -> float:
        """Correct rows in all rows; NaN when nothing was counted."""
        return _ratio(self.correct, self.total)

    def per_class(self, zero_division: float = 0.0) -> tuple[ClassFigures, ...]:
        """Precision, recall, F1 and support of each class in the order of the labels.

        A figure whose denominator is 0 is `zero_division`, which is 0.0 as scikit-learn has it.
        """
        hits = [row[index] for index, row in enumerate(self.counts)]
        return class_figures(self.labels, hits, self.true_totals, self.predicted_totals, zero_division)

    def average(self, kind: Average, zero_division: float = 0.0) -> ClassFigures:
        """The figures over all classes: `macro` (plain mean), `weighted` (by support) or `micro` (of the sums)."""
        return averaged(self.per_class(zero_division), kind, (self.correct, self.total), zero_division)

    @property
    def mcc(self) -> float:
        """Matthews' correlation coefficient for any number of classes (Gorodkin 2004).

        0.0 when all rows have one class or all predictions are one class, as scikit-learn has it.
        """
        correct, total, truths, guesses = self._exact()
        together = correct * total - _dot(truths, guesses)
        spread = (total * total - _dot(guesses, guesses)) * (total * total - _dot(truths, truths))
        if spread <= 0:
            return 0.0
        return math.copysign(math.sqrt(together * together / spread), together)

    @property
    def cohen_kappa(self) -> float:
        """Cohen's kappa, agreement beyond chance (Cohen 1960); NaN where chance alone agrees fully."""
        correct, total, truths, guesses = self._exact()
        disagreement = total * total - _dot(truths, guesses)
        if disagreement <= 0:
            return math.nan
        return float(1 - (total - correct) * total / disagreement)

    def normalized(self, by: Literal["true", "predicted", "all"] = "true") -> tuple[tuple[float, ...], ...]:
        """The counts as shares of their row (`true`), their column (`predicted`) or everything; 0.0 where that is 0."""
        if by not in ("true", "predicted", "all"):
            raise MetricsError(f"by is {by!r}; give 'true', 'predicted' or 'all'")
        rows, columns, total = self.true_totals, self.predicted_totals, self.total
        return tuple(
            tuple(
                _ratio(count, {"true": rows[i], "predicted": columns[j], "all": total}[by], 0.0)
                for j, count in enumerate(row)
            )
            for i, row in enumerate(self.counts)
        )

    def _position(self, label: str) -> int:
        if label not in self.labels:
            raise unknown_label("label", label, self.labels)
        return self.labels.index(label)

    def _exact(self) -> tuple[Fraction, Fraction, list[Fraction], list[Fraction]]:
        """Correct rows, all rows, rows and predicted rows by class, free of rounding even for weights of any size."""
        truths = [_exact_total(row) for row in self.counts]
        guesses = [_exact_total(column) for column in zip(*self.counts, strict=True)]
        correct = _exact_total([row[index] for index, row in enumerate(self.counts)])
        return correct, _exact_total(truths), truths, guesses


def checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels as a tuple; raises MetricsError when there are none, or one is no text or comes twice."""
    listed = tuple(labels)
    if not listed:
        raise MetricsError("labels is empty; name at least one class")
    seen: set[str] = set()
    for index, label in enumerate(listed):
        if not isinstance(label, str):
            raise MetricsError(f"labels[{index}] is {label!r:.80}, which is not text; give str({label!r:.80})")
        if label in seen:
            raise MetricsError(f"labels[{index}] is {label!r:.80}, which is listed twice; name each class once")
        seen.add(label)
    return listed


def sorted_labels(values: Iterable[Hashable]) -> list[Hashable]:
    """The distinct values in their own order; raises MetricsError when they have none (numbers beside text)."""
    distinct: set[Any] = set(values)
    try:
        return sorted(distinct)
    except TypeError:
        raise MetricsError(
            "the labels mix kinds that have no common order; give labels= in the order you want"
        ) from None


def unknown_label(field: str, value: object, labels: Sequence[object]) -> MetricsError:
    """The error for a value that the list of labels lacks."""
    listed = ", ".join(repr(label)[:40] for label in labels[:10]) + (", …" if len(labels) > 10 else "")
    return MetricsError(
        f"{field} is {value!r:.80}, which is not in the labels ({listed}); add it to labels or mend the row"
    )


def exact_sum(values: Sequence[Count]) -> Count:
    """The sum without rounding on the way: integers exactly, floats rounded once."""
    plain = sum(values)
    return plain if isinstance(plain, int) else math.fsum(values)


def _checked_counts(labels: tuple[str, ...], counts: Sequence[Sequence[SupportsFloat]]) -> Rows:
    if len(counts) != len(labels):
        raise MetricsError(
            f"counts has {counted(len(counts), 'row')} for {counted(len(labels), 'label')}; give one row for each label"
        )
    rows: list[tuple[Count, ...]] = []
    for index, row in enumerate(counts):
        if len(row) != len(labels):
            raise MetricsError(
                f"counts[{index}] has {counted(len(row), 'cell')} for {counted(len(labels), 'label')}; give one "
                "for each label"
            )
        plain = all(type(cell) is int and 0 <= cell <= MOST for cell in row)
        rows.append(
            tuple(cast("Sequence[int]", row)) if plain else tuple(_count(cell, index, j) for j, cell in enumerate(row))
        )
    return tuple(rows)


def _count(cell: SupportsFloat, row: int, column: int) -> Count:
    field = f"counts[{row}][{column}]"
    if isinstance(cell, int):
        number: Count = int(cell)
    else:
        number = _real(cell, field)
    if isinstance(number, float) and not math.isfinite(number):
        refusal = NotANumber if math.isnan(number) else MetricsError
        raise refusal(f"{field} is {number}, which is no count; give a finite number of rows")
    if number < 0:
        raise MetricsError(
            f"{field} is {number}, which is negative; a count is 0 or more (a difference has its own type)"
        )
    if number > MOST:
        raise MetricsError(f"{field} is {number}, which is beyond 64 bits; give a count of at most {MOST}")
    return int(number) if isinstance(number, int) or number.is_integer() else number


def _real(cell: SupportsFloat, field: str) -> float:
    if isinstance(cell, str | bytes):
        raise MetricsError(f"{field} is {cell!r:.80}, which is not a number; give a number of rows")
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise MetricsError(f"{field} is {cell!r:.80}, which is not a number; give a number of rows") from None


def _ratio(part: Count, whole: Count, otherwise: float = math.nan) -> float:
    return part / whole if whole else otherwise


def _exact_total(values: Sequence[Count | Fraction]) -> Fraction:
    whole = sum(value for value in values if isinstance(value, int))
    return sum((Fraction(value) for value in values if value and not isinstance(value, int)), Fraction(whole))


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))
