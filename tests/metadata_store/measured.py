"""What the tests of metrics share: nodes to log on, and requests in few words."""

from collections.abc import Sequence
from typing import Any

from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.evaluation import Evaluation
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from tests.metadata_store.calls import Calls

CLASSIFICATION = "system.ClassificationMetrics"


def artifacts(call: Calls, count: int = 1, type_name: str = "system.Metrics", **fields: Any) -> list[int]:
    """Put so many artifacts of one type; return their ids."""
    type_id = call("PutArtifactType", artifact_type=pb.ArtifactType(name=type_name)).type_id
    made = [pb.Artifact(type_id=type_id, **fields) for _ in range(count)]
    return list(call("PutArtifacts", artifacts=made).artifact_ids)


def execution(call: Calls) -> int:
    """Put an execution; return its id."""
    type_id = call("PutExecutionType", execution_type=pb.ExecutionType(name="Trainer")).type_id
    put = call("PutExecutions", executions=[pb.Execution(type_id=type_id)])
    return int(put.execution_ids[0])


def artifact(artifact_id: int) -> v1.MetricOwner:
    """Name an artifact."""
    return v1.MetricOwner(artifact_id=artifact_id)


def key(owner: int | v1.MetricOwner, name: str = "", slice_name: str = "") -> v1.MetricKey:
    """Name a metric of an artifact, or of a node."""
    named = artifact(owner) if isinstance(owner, int) else owner
    return v1.MetricKey(owner=named, name=name, slice=slice_name)


def series(
    owner: int | v1.MetricOwner,
    name: str,
    values: Sequence[float],
    steps: Sequence[int] | None = None,
    times: Sequence[int] = (),
    slice_name: str = "",
) -> v1.SeriesData:
    """Points of a series; steps count from 0 when they are not given."""
    counted = range(len(values)) if steps is None else steps
    return v1.SeriesData(key=key(owner, name, slice_name), steps=counted, times_ms=times, values=values)


def log(call: Calls, *data: v1.SeriesData) -> None:
    """Log series."""
    call("LogSeries", series=data)


def points(call: Calls, owner: int, name: str, **fields: Any) -> list[tuple[int, int, float]]:
    """Read every point of a series, page by page."""
    found: list[tuple[int, int, float]] = []
    token = ""
    while True:
        page = call("ListSeriesPoints", key=key(owner, name), page_token=token, **fields)
        found += zip(page.steps, page.times_ms, page.values, strict=True)
        token = page.next_page_token
        if not token:
            return found


def matrix(labels: Sequence[str], rows: Sequence[Sequence[float]]) -> v1.MatrixCounts:
    """A confusion matrix."""
    return v1.MatrixCounts(labels=labels, counts=[int(count) for row in rows for count in row])


def cutoffs(label: str, found: Cutoffs) -> v1.CurveCutoffs:
    """A curve."""
    return v1.CurveCutoffs(
        label=label,
        thresholds=found.thresholds,
        true_positives=found.true_positives,
        false_positives=found.false_positives,
    )


def evaluation(
    owner: int | v1.MetricOwner, found: Evaluation, name: str = "", slice_name: str = ""
) -> v1.EvaluationInput:
    """A whole evaluation."""
    return v1.EvaluationInput(
        key=key(owner, name, slice_name),
        matrix=matrix(found.matrix.labels, found.matrix.counts),
        curves=[cutoffs(label, curve) for label, curve in found.curves.items()],
    )
