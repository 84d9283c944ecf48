"""Many nodes side by side, the matrix at a threshold, and what one matrix has more than another."""

import math
from collections.abc import Iterator, Sequence
from itertools import chain

from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.difference import difference
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.figures import matrix_figures
from mlmd_metrics.messages import matrix_message
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from mlmd_metadata_store.evaluation_reads import Assessment, assessments, figures
from mlmd_metadata_store.metric_owners import Owner, by_kind, key_of, owners_of, require_owners
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.series_reads import series_tails
from mlmd_metadata_store.transaction import Transaction

Figure = tuple[int, str, str, str]
"""Source, name, slice and figure."""


def compare(tx: Transaction, request: v1.CompareRequest) -> v1.CompareResponse:
    """Return one table of everything that is a number of these nodes; the nodes are its columns.

    The number of statements does not depend on the number of nodes. Raises NotFound for a node that is not there.
    """
    owners = owners_of(request.owners)
    require_owners(tx, owners)
    name = request.evaluation_name if request.HasField("evaluation_name") else None
    table: dict[Figure, dict[Owner, float]] = {}
    for owner, figure, number in numbers_of(tx, owners, name):
        table.setdefault(figure, {})[owner] = number
    answer = v1.CompareResponse(owners=request.owners)
    for figure in sorted(table):
        source, metric, slice_name, derived = figure
        answer.figures.add(
            source=v1.FigureSource.ValueType(source),
            name=metric,
            slice=slice_name,
            figure=derived,
            values=[table[figure].get(owner, math.nan) for owner in owners],
            present=[owner in table[figure] for owner in owners],
        )
    return answer


def numbers_of(
    tx: Transaction, owners: Sequence[Owner], name: str | None = None
) -> Iterator[tuple[Owner, Figure, float]]:
    """Yield everything that is a number of these nodes: scalars, then ends of series, then figures of evaluations.

    With `name` only the evaluations of that name count.
    """
    return chain(_scalars(tx, owners), _tails(tx, owners), _derived(tx, owners, name))


def _scalars(tx: Transaction, owners: Sequence[Owner]) -> Iterator[tuple[Owner, Figure, float]]:
    for kind, ids in by_kind(owners).items():
        for node in nodes_by_id(tx, kind, ids):
            for name, number in _numbers(node):
                yield Owner(kind, node.id), (v1.FIGURE_SOURCE_SCALAR, name, "", ""), number


def _numbers(node: pb.Artifact | pb.Execution | pb.Context) -> Iterator[tuple[str, float]]:
    for name, value in chain(node.properties.items(), node.custom_properties.items()):
        case = value.WhichOneof("value")
        if case in ("int_value", "double_value"):
            yield name, float(getattr(value, case))


def _tails(tx: Transaction, owners: Sequence[Owner]) -> Iterator[tuple[Owner, Figure, float]]:
    for tail in series_tails(tx, owners):
        key = tail.key
        yield key.owner, (v1.FIGURE_SOURCE_SERIES, key.name, key.slice, ""), tail.last_value


def _derived(tx: Transaction, owners: Sequence[Owner], name: str | None) -> Iterator[tuple[Owner, Figure, float]]:
    for one in assessments(tx, owners, name):
        try:
            found = figures(one)
        except MetricsError:  # GetEvaluations tells the problem; the others still compare
            continue
        for figure, number in found.items():
            yield one.key.owner, (v1.FIGURE_SOURCE_EVALUATION, one.key.name, one.key.slice, figure), number


def matrix_at_threshold(tx: Transaction, request: v1.MatrixAtThresholdRequest) -> v1.MatrixAtThresholdResponse:
    """Return the matrix at a threshold of a stored curve, or of one that Kubeflow Pipelines logged beside a matrix.

    Raises NotFound when there is no such node, evaluation or curve, InvalidArgument for a threshold that is NaN or a
    choice that is missing.
    """
    matrix = _at_threshold(_assessment(tx, request.key, "key"), request.label, request.threshold, "")
    return v1.MatrixAtThresholdResponse(matrix=matrix_message(matrix), figures=matrix_figures(matrix))


def _assessment(tx: Transaction, message: v1.MetricKey, field: str) -> Assessment:
    key = key_of(message, field)
    require_owners(tx, [key.owner])
    for one in assessments(tx, [key.owner], key.name, key.slice):
        if one.problem:
            raise FailedPrecondition(f"{field}: what was logged there cannot be read: {one.problem}")
        return one
    raise NotFound(
        f"{field}: the node has no evaluation {key.name!r} of the slice {key.slice!r}; GetEvaluations lists."
    )


def _at_threshold(one: Assessment, label: str, threshold: float, field: str) -> ConfusionMatrix:
    if one.roc is not None and not one.curves:
        return _of_rates(one, threshold)
    if not label and len(one.curves) > 1:
        listed = ", ".join(map(repr, list(one.curves)[:10]))
        raise InvalidArgument(f"{field}label: there are {len(one.curves)} curves ({listed}); say which.")
    chosen = label or next(iter(one.curves), "")
    if chosen not in one.curves:
        raise NotFound(f"{field}label: the evaluation has no curve {chosen[:80]!r}; GetEvaluations lists its curves.")
    labels = one.matrix.labels if one.matrix is not None else ()
    others = [other for other in labels if other != chosen]
    rest = others[0] if len(others) == 1 else "rest" if chosen != "rest" else "rest (others)"
    return one.curves[chosen].matrix_at(threshold, (rest, chosen))


def _of_rates(one: Assessment, threshold: float) -> ConfusionMatrix:
    """Return the matrix at a threshold of a curve that has rates alone; the matrix beside it tells the rows."""
    if one.roc is None or one.matrix is None or len(one.matrix.labels) != 2:
        raise FailedPrecondition(
            "key: the curve has rates and no counts, and no matrix of two classes lies beside it; log the curve with "
            "LogCurve, or a matrix."
        )
    negatives, positives = one.matrix.true_totals
    negative, positive = one.matrix.labels
    return one.roc.matrix_at(threshold, positives, negatives, (negative, positive))


def diff_matrices(tx: Transaction, request: v1.DiffMatricesRequest) -> v1.DiffMatricesResponse:
    """Return the second matrix minus the first, labels matched by name.

    Raises NotFound when a node, evaluation, matrix or curve is not there, InvalidArgument when the matrices share no
    label.
    """
    before, after = (
        _chosen(tx, choice, field) for choice, field in ((request.before, "before"), (request.after, "after"))
    )
    found = difference(before, after, as_rates=request.as_rates)
    return v1.DiffMatricesResponse(labels=found.labels, deltas=chain.from_iterable(found.deltas))


def _chosen(tx: Transaction, choice: v1.MatrixChoice, field: str) -> ConfusionMatrix:
    one = _assessment(tx, choice.key, f"{field}.key")
    if choice.HasField("threshold"):
        return _at_threshold(one, choice.label, choice.threshold, f"{field}.")
    if one.matrix is None:
        raise NotFound(f"{field}.key: the evaluation has no matrix; set threshold for the one of its curve.")
    return one.matrix
