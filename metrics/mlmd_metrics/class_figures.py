"""Precision, recall and F1: of each class, and over classes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mlmd_metrics.errors import MetricsError

Average = Literal["macro", "weighted", "micro"]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """The figures of one class, or of an average over classes (whose label is its kind).

    precision: of the rows predicted as the class, the share that is of it. recall: of the rows of the class, the
    share predicted as it. f1: their harmonic mean. support: rows of the class.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int | float


def class_figures(
    labels: Sequence[str],
    hits: Sequence[int | float],
    truths: Sequence[int | float],
    guesses: Sequence[int | float],
    zero_division: float = 0.0,
) -> tuple[ClassFigures, ...]:
    """Figures of each class from its correct rows, its rows and the rows predicted as it."""
    if not (zero_division in (0.0, 1.0) or math.isnan(zero_division)):
        raise MetricsError(f"zero_division is {zero_division!r}; give 0.0, 1.0 or NaN")
    return tuple(
        _figures(label, hit, truth, guess, zero_division)
        for label, hit, truth, guess in zip(labels, hits, truths, guesses, strict=True)
    )


def averaged(
    classes: Sequence[ClassFigures], kind: Average, sums: tuple[int | float, int | float], zero_division: float = 0.0
) -> ClassFigures:
    """One `ClassFigures` over all classes; `sums` are all correct rows and all rows.

    Classes whose figure is NaN (an undefined one, with zero_division NaN) take no part in the mean.
    """
    correct, total = sums
    if kind == "micro":
        return _figures("micro", correct, total, total, zero_division)
    if kind not in ("macro", "weighted"):
        raise MetricsError(f"average is {kind!r}; give 'macro', 'weighted' or 'micro'")
    weights = [1 if kind == "macro" else entry.support for entry in classes]
    precision, recall, f1 = (
        _mean(values, weights, zero_division)
        for values in (
            [entry.precision for entry in classes],
            [entry.recall for entry in classes],
            [entry.f1 for entry in classes],
        )
    )
    return ClassFigures(kind, precision, recall, f1, total)


def _figures(
    label: str, hit: int | float, truth: int | float, guess: int | float, zero_division: float
) -> ClassFigures:
    return ClassFigures(
        label,
        hit / guess if guess else zero_division,
        hit / truth if truth else zero_division,
        2 * hit / (truth + guess) if truth + guess else zero_division,
        truth,
    )


def _mean(values: Sequence[float], weights: Sequence[int | float], zero_division: float) -> float:
    defined = [(value, weight) for value, weight in zip(values, weights, strict=True) if not math.isnan(value)]
    whole = math.fsum(weight for _, weight in defined)
    if not whole:
        return zero_division if defined else math.nan
    return math.fsum(value * weight for value, weight in defined) / whole
