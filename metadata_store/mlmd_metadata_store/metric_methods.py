"""The methods of `mlmd.v1.Metrics`."""

from dataclasses import replace
from functools import wraps
from typing import Any

from mlmd_metrics.errors import MetricsError
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from mlmd_metadata_store.evaluation_reads import get_evaluations
from mlmd_metadata_store.evaluation_writes import log_confusion_matrix, log_curve, log_evaluation
from mlmd_metadata_store.metric_comparisons import compare, diff_matrices, matrix_at_threshold
from mlmd_metadata_store.rpc import Body, Service
from mlmd_metadata_store.series_reads import list_series, list_series_points, read_series
from mlmd_metadata_store.series_writes import log_scalars, log_series
from mlmd_metadata_store.transaction import Transaction

METRICS_SERVICE = "mlmd.v1.Metrics"
_METRICS = Service(METRICS_SERVICE, v1)


def refusing(body: Body) -> Body:
    """Return the body with what the arithmetic refuses answered as INVALID_ARGUMENT, in its own words."""

    @wraps(body)
    def answer(tx: Transaction, request: Any) -> Any:
        try:
            return body(tx, request)
        except MetricsError as error:
            raise InvalidArgument(error.message) from error

    return answer


METRIC_METHODS = tuple(
    replace(method, body=refusing(method.body))
    for method in (
        _METRICS.writes("LogScalars", log_scalars),
        _METRICS.writes("LogSeries", log_series),
        _METRICS.reads("ListSeries", list_series),
        _METRICS.reads("ReadSeries", read_series),
        _METRICS.reads("ListSeriesPoints", list_series_points),
        _METRICS.writes("LogEvaluation", log_evaluation),
        _METRICS.writes("LogConfusionMatrix", log_confusion_matrix),
        _METRICS.writes("LogCurve", log_curve),
        _METRICS.reads("GetEvaluations", get_evaluations),
        _METRICS.reads("MatrixAtThreshold", matrix_at_threshold),
        _METRICS.reads("Compare", compare),
        _METRICS.reads("DiffMatrices", diff_matrices),
    )
)
