"""Evaluations, matrices and curves on their way into the database."""

from collections.abc import Mapping

from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.curve import RocCurve
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import metrics_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store import kubeflow_properties
from mlmd_metadata_store.evaluation_messages import curve_of, matrix_of, require_labels
from mlmd_metadata_store.evaluation_rows import find, locked, replace, replace_curve, replace_matrix
from mlmd_metadata_store.metric_owners import MetricName, key_of, require_owners
from mlmd_metadata_store.transaction import Transaction

MOST_EVALUATIONS = 10_000
"""Evaluations that one call may write."""

Parts = tuple[ConfusionMatrix | None, dict[str, Cutoffs]]


def log_evaluation(tx: Transaction, request: v1.LogEvaluationRequest) -> v1.LogEvaluationResponse:
    """Write whole evaluations in place of those under the same keys; set-wise whatever their number.

    Raises InvalidArgument for a wrong key, matrix or curve, an evaluation of nothing, a key that comes twice or a curve
    whose label the matrix lacks; NotFound for a node that is not there.
    """
    if not 0 < len(request.evaluations) <= MOST_EVALUATIONS:
        raise InvalidArgument(f"evaluations: has {len(request.evaluations)} entries; send 1 to {MOST_EVALUATIONS:,}.")
    given: dict[MetricName, Parts] = {}
    for place, message in enumerate(request.evaluations):
        field = f"evaluations[{place}]"
        key = key_of(message.key, f"{field}.key")
        if key in given:
            raise InvalidArgument(f"{field}.key: comes twice in the call; send each evaluation once.")
        given[key] = _parts(message, field)
    require_owners(tx, (key.owner for key in given))
    rows = locked(tx, given)
    replace(tx, [(rows[key], *parts) for key, parts in given.items()])
    _show(tx, given)
    return v1.LogEvaluationResponse()


def _parts(message: v1.EvaluationInput, field: str) -> Parts:
    matrix = matrix_of(message.matrix, f"{field}.matrix") if message.HasField("matrix") else None
    curves: dict[str, Cutoffs] = {}
    for place, curve in enumerate(message.curves):
        if curve.label in curves:
            raise InvalidArgument(f"{field}.curves[{place}].label: {curve.label[:80]!r} comes twice; send it once.")
        curves[curve.label] = curve_of(curve, f"{field}.curves[{place}]")
    if matrix is None and not curves:
        raise InvalidArgument(f"{field}: has neither a matrix nor curves; send at least one of them.")
    require_labels(curves, matrix.labels if matrix else ())
    return matrix, curves


def log_confusion_matrix(tx: Transaction, request: v1.LogConfusionMatrixRequest) -> v1.LogConfusionMatrixResponse:
    """Write the matrix of an evaluation, which is made when it is not there, and leave its curves.

    Raises InvalidArgument for a wrong key or matrix, or one that lacks the label of a stored curve; NotFound for a node
    that is not there.
    """
    key = key_of(request.key, "key")
    matrix = matrix_of(request.matrix, "matrix")
    require_owners(tx, [key.owner])
    row = locked(tx, [key])[key]
    require_labels(row.curves, matrix.labels)
    replace_matrix(tx, row, matrix)
    _show_stored(tx, key)
    return v1.LogConfusionMatrixResponse()


def log_curve(tx: Transaction, request: v1.LogCurveRequest) -> v1.LogCurveResponse:
    """Write one curve of an evaluation, which is made when it is not there, and leave the rest.

    Raises InvalidArgument for a wrong key or curve, or a label that the stored matrix lacks; NotFound for a node that
    is not there.
    """
    key = key_of(request.key, "key")
    cutoffs = curve_of(request.curve, "curve")
    require_owners(tx, [key.owner])
    row = locked(tx, [key])[key]
    require_labels([request.curve.label], row.labels)
    replace_curve(tx, row, request.curve.label, cutoffs)
    _show_stored(tx, key)
    return v1.LogCurveResponse()


def _show_stored(tx: Transaction, key: MetricName) -> None:
    if _is_shown(key):
        _show(tx, {one.key: (one.matrix, one.curves) for one in find(tx, [key.owner], key.name, key.slice)})


def _show(tx: Transaction, evaluations: Mapping[MetricName, Parts]) -> None:
    """Let the UI of Kubeflow Pipelines see what was written: the matrix, and the curve where there is just one."""
    shown: dict[int, tuple[ConfusionMatrix | None, RocCurve | None]] = {}
    for key, (matrix, curves) in evaluations.items():
        if _is_shown(key):
            only = next(iter(curves.values())) if len(curves) == 1 else None
            shown[key.owner.id] = (matrix, only.roc() if only else None)
    if shown:
        kubeflow_properties.write(tx, shown)


def _is_shown(key: MetricName) -> bool:
    return key.owner.kind is Kind.ARTIFACT and not key.slice
