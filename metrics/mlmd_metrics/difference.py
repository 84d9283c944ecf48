"""The difference of two confusion matrices: what a change of model, data or threshold moved."""

from dataclasses import dataclass

from mlmd_metrics.confusion import ConfusionMatrix, Count
from mlmd_metrics.errors import MetricsError


@dataclass(frozen=True, slots=True)
class MatrixDifference:
    """`deltas[i][j]`: how many more rows of `labels[i]` the second matrix has predicted as `labels[j]`; any sign."""

    labels: tuple[str, ...]
    deltas: tuple[tuple[Count, ...], ...]


def difference(before: ConfusionMatrix, after: ConfusionMatrix, *, as_rates: bool = False) -> MatrixDifference:
    """Return `after - before`, cell by cell.

    Labels are matched by name: those of `before` in their order, then those that only `after` has. A class that one
    side lacks counts 0 there. With `as_rates` each side is first divided by its rows of the true class, so that test
    sets of different size compare.

    Raises:
        MetricsError: when the two share no label at all.
    """
    known = set(before.labels)
    if known.isdisjoint(after.labels):
        raise MetricsError(
            f"the matrices share no label ({', '.join(before.labels[:5])} and {', '.join(after.labels[:5])}); "
            "compare matrices of one task"
        )
    labels = before.labels + tuple(label for label in after.labels if label not in known)
    first, second = _cells(before, as_rates), _cells(after, as_rates)
    deltas = tuple(tuple(second.get((i, j), 0) - first.get((i, j), 0) for j in labels) for i in labels)
    return MatrixDifference(labels, deltas)


def _cells(matrix: ConfusionMatrix, as_rates: bool) -> dict[tuple[str, str], Count]:
    rows = matrix.normalized("true") if as_rates else matrix.counts
    return {
        (true, predicted): count
        for true, row in zip(matrix.labels, rows, strict=True)
        for predicted, count in zip(matrix.labels, row, strict=True)
        if count
    }
