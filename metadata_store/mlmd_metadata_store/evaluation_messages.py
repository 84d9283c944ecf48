"""Matrices and curves out of messages."""

from array import array
from collections.abc import Iterable

from mlmd_metrics.confusion import ConfusionMatrix, unknown_label
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.errors import MetricsError
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from mlmd_metadata_store.evaluation_parts import square


def matrix_of(message: v1.MatrixCounts, field: str) -> ConfusionMatrix:
    """Return the matrix that a field holds; raises InvalidArgument naming the field and what is wrong."""
    if message.counts and message.weighted_counts:
        raise InvalidArgument(f"{field}: has counts and weighted_counts; send one of them.")
    weighted = bool(message.weighted_counts)
    cells: array[int] | array[float] = array("d", message.weighted_counts) if weighted else array("q", message.counts)
    size = len(message.labels)
    if len(cells) != size * size:
        name = "weighted_counts" if weighted else "counts"
        raise InvalidArgument(
            f"{field}.{name}: has {counted(len(cells), 'entry', 'entries')} for {counted(size, 'label')}; send "
            f"{size * size}, row by row."
        )
    try:
        return square(list(message.labels), cells)
    except MetricsError as error:
        raise InvalidArgument(f"{field}: {error.message}") from error


def curve_of(message: v1.CurveCutoffs, field: str) -> Cutoffs:
    """Return the cutoffs that a field holds; raises InvalidArgument naming the field and what is wrong."""
    columns = array("d", message.thresholds), array("q", message.true_positives), array("q", message.false_positives)
    try:
        return Cutoffs(*columns)
    except MetricsError as error:
        raise InvalidArgument(f"{field}: {error.message}") from error


def require_labels(curves: Iterable[str], labels: Iterable[str]) -> None:
    """Raise MetricsError when a curve's label is none of the matrix's labels."""
    listed = list(labels)
    for label in curves:
        if listed and label not in listed:
            raise unknown_label("curve.label", label, listed)
