"""Matrices and curves as messages of `mlmd.v1`: a client sends them so, and a store answers with them so."""

from itertools import chain

from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from mlmd_metrics.confusion import ConfusionMatrix, Count
from mlmd_metrics.cutoffs import Cutoffs


def flat_counts(matrix: ConfusionMatrix) -> list[Count]:
    """Return the counts row by row.

    >>> flat_counts(ConfusionMatrix(["ham", "spam"], [[3, 1], [1, 3]]))
    [3, 1, 1, 3]
    """
    return list(chain.from_iterable(matrix.counts))


def is_weighted(matrix: ConfusionMatrix) -> bool:
    """Tell whether a count has a fraction.

    >>> is_weighted(ConfusionMatrix(["ham", "spam"], [[3, 0.5], [1, 3]]))
    True
    """
    return any(isinstance(count, float) for count in chain.from_iterable(matrix.counts))


def matrix_message(matrix: ConfusionMatrix) -> v1.MatrixCounts:
    """Return the message of a matrix.

    >>> list(matrix_message(ConfusionMatrix(["ham", "spam"], [[3, 1], [1, 3]])).counts)
    [3, 1, 1, 3]
    """
    cells = flat_counts(matrix)
    if is_weighted(matrix):
        return v1.MatrixCounts(labels=matrix.labels, weighted_counts=cells)
    return v1.MatrixCounts(labels=matrix.labels, counts=[int(cell) for cell in cells])


def curve_message(label: str, cutoffs: Cutoffs) -> v1.CurveCutoffs:
    """Return the message of the curve of a class, whole.

    >>> curve_message("spam", Cutoffs.from_scores([True, False], [0.9, 0.1])).label
    'spam'
    """
    return v1.CurveCutoffs(
        label=label,
        thresholds=cutoffs.thresholds,
        true_positives=cutoffs.true_positives,
        false_positives=cutoffs.false_positives,
    )
