"""Evaluations out of the database, with every figure that follows from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlmd_metrics.calibration import calibration
from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.curve import RocCurve
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.evaluation import Evaluation
from mlmd_metrics.figures import curve_figures, evaluation_figures, intervals, matrix_figures
from mlmd_metrics.interval import Interval, delong
from mlmd_metrics.messages import curve_message, matrix_message
from mlmd_metrics.scores import are_probabilities
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import metrics_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store import kubeflow_properties
from mlmd_metadata_store.evaluation_rows import find
from mlmd_metadata_store.metric_owners import MetricName, Owner, owners_of, require_owners
from mlmd_metadata_store.transaction import Transaction

DEFAULT_CURVE_POINTS = 200
MOST_CURVE_POINTS = 100_000
DEFAULT_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Assessment:
    """An evaluation, wherever it was logged."""

    key: MetricName
    update_ms: int
    matrix: ConfusionMatrix | None = None
    curves: Mapping[str, Cutoffs] = field(default_factory=dict)
    roc: RocCurve | None = None
    """The curve as Kubeflow Pipelines has it: rates without counts."""
    kubeflow: bool = False
    problem: str = ""


def assessments(
    tx: Transaction, owners: Sequence[Owner], name: str | None = None, slice_name: str | None = None
) -> list[Assessment]:
    """Return the evaluations of nodes, by owner in the given order, name and slice.

    What Kubeflow Pipelines logged has the name "". Where the same was logged by a call as well, the call's is returned:
    the properties then are a view of it.
    """
    logged = [Assessment(one.key, one.update_ms, one.matrix, one.curves) for one in find(tx, owners)]
    viewed = {one.key.owner for one in logged if not one.key.slice}
    taken = {one.key for one in logged}
    artifacts = [owner.id for owner in owners if owner.kind is Kind.ARTIFACT]
    logged += [
        Assessment(one.key, one.update_ms, one.content.matrix, {}, one.content.roc, True, one.problem)
        for one in kubeflow_properties.read(tx, artifacts)
        if one.key not in taken and (one.key.slice or one.key.owner not in viewed)
    ]
    rank = {owner: place for place, owner in enumerate(owners)}
    chosen = [one for one in logged if name in (None, one.key.name) and slice_name in (None, one.key.slice)]
    return sorted(chosen, key=lambda one: (rank[one.key.owner], one.key.name, one.key.slice))


def figures(assessed: Assessment) -> dict[str, float]:
    """Return every figure by name; raises MetricsError when matrix and curves do not belong together."""
    curves = assessed.curves
    if assessed.matrix is not None and curves:
        return evaluation_figures(Evaluation(assessed.matrix, curves))
    found = {} if assessed.matrix is None else matrix_figures(assessed.matrix)
    if assessed.roc is not None:
        found["auc"] = assessed.roc.auc()
    for label, cutoffs in curves.items():
        suffix = "" if len(curves) == 1 else f"/{label}"
        found |= {f"{figure}{suffix}": number for figure, number in curve_figures(cutoffs).items()}
    return found


def get_evaluations(tx: Transaction, request: v1.GetEvaluationsRequest) -> v1.GetEvaluationsResponse:
    """Return the evaluations of nodes with figures, intervals and thinned curves, none of which is stored.

    Raises InvalidArgument for a number of points or a level that is out of range, NotFound for a node that is not
    there.
    """
    points = request.curve_points or DEFAULT_CURVE_POINTS
    if not 2 <= points <= MOST_CURVE_POINTS:
        raise InvalidArgument(
            f"curve_points: {points} is not 2 to {MOST_CURVE_POINTS:,}; 0 means {DEFAULT_CURVE_POINTS}."
        )
    level = request.level or DEFAULT_LEVEL
    if not 0 < level < 1:
        raise InvalidArgument(f"level: {level} is not between 0 and 1; 0 means {DEFAULT_LEVEL}.")
    owners = owners_of(request.owners)
    require_owners(tx, owners)
    name = request.name if request.HasField("name") else None
    slice_name = request.slice if request.HasField("slice") else None
    answer = v1.GetEvaluationsResponse()
    for one in assessments(tx, owners, name, slice_name):
        _fill(answer.evaluations.add(), one, points, level, whole=request.with_cutoffs)
    return answer


def _fill(message: v1.Evaluation, one: Assessment, points: int, level: float, *, whole: bool) -> None:
    message.key.CopyFrom(one.key.message())
    message.origin = v1.EVALUATION_ORIGIN_KUBEFLOW if one.kubeflow else v1.EVALUATION_ORIGIN_LOGGED
    message.update_ms = one.update_ms
    message.problem = one.problem
    try:
        message.figures.update(figures(one))
    except MetricsError as error:
        message.problem = error.message
    if one.matrix is not None:
        message.matrix.CopyFrom(matrix_message(one.matrix))
        for rates in one.matrix.per_class():
            message.classes.add(
                label=rates.label, precision=rates.precision, recall=rates.recall, f1=rates.f1, support=rates.support
            )
    for label, interval in _intervals(one, level).items():
        message.intervals[label].CopyFrom(_interval_message(interval))
    for label, cutoffs in one.curves.items():
        _fill_curve(message.curves.add(label=label), cutoffs, points)
        if whole:
            message.curves[-1].cutoffs.CopyFrom(curve_message(label, cutoffs))
    if one.roc is not None:
        _fill_roc(message.curves.add().roc, one.roc, points)


def _intervals(one: Assessment, level: float) -> dict[str, Interval]:
    if one.matrix is not None:
        return intervals(Evaluation(one.matrix, one.curves), level)
    single = len(one.curves) == 1
    return {"auc" if single else f"auc/{label}": delong(cutoffs, level) for label, cutoffs in one.curves.items()}


def _interval_message(interval: Interval) -> v1.MetricInterval:
    return v1.MetricInterval(
        estimate=interval.estimate,
        low=interval.low,
        high=interval.high,
        level=interval.level,
        method=interval.method,
    )


def _fill_curve(message: v1.EvaluatedCurve, cutoffs: Cutoffs, points: int) -> None:
    message.positives, message.negatives = cutoffs.positives, cutoffs.negatives
    message.cutoff_count = len(cutoffs.thresholds)
    _fill_roc(message.roc, cutoffs.roc(), points)
    curve = cutoffs.precision_recall().thinned(points)
    message.precision_recall.precision.extend(curve.precision)
    message.precision_recall.recall.extend(curve.recall)
    message.precision_recall.thresholds.extend(curve.thresholds)
    for entry in calibration(cutoffs).bins if are_probabilities(cutoffs) else ():
        message.calibration.add(
            lower=entry.lower,
            upper=entry.upper,
            rows=entry.rows,
            positives=entry.positives,
            mean_probability=entry.mean_probability,
            positive_rate=entry.positive_rate,
        )


def _fill_roc(message: v1.RocPoints, roc: RocCurve, points: int) -> None:
    curve = roc.thinned(points)
    message.false_positive_rate.extend(curve.false_positive_rate)
    message.true_positive_rate.extend(curve.true_positive_rate)
    message.thresholds.extend(curve.thresholds)
