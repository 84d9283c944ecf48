"""The methods of `mlmd.v1.Metrics`."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from mlmd_metrics.errors import MetricsError
from mlmd_schemas.caller import Role
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from mlmd_metadata_store.evaluation_reads import get_evaluations
from mlmd_metadata_store.evaluation_writes import log_confusion_matrix, log_curve, log_evaluation
from mlmd_metadata_store.metric_comparisons import compare, diff_matrices, matrix_at_threshold
from mlmd_metadata_store.rpc import Rpc
from mlmd_metadata_store.series_reads import list_series, list_series_points, read_series
from mlmd_metadata_store.series_writes import log_scalars, log_series
from mlmd_metadata_store.transaction import Transaction

METRICS_SERVICE = "mlmd.v1.Metrics"

Body = Callable[[Transaction, Any], Any]


def refusing(body: Body) -> Body:
    """Return the body with what the arithmetic refuses answered as INVALID_ARGUMENT, in its own words."""

    @wraps(body)
    def answer(tx: Transaction, request: Any) -> Any:
        try:
            return body(tx, request)
        except MetricsError as error:
            raise InvalidArgument(error.message) from error

    return answer


def _rpc(name: str, body: Body, *, write: bool = False) -> Rpc:
    request, response = getattr(v1, f"{name}Request"), getattr(v1, f"{name}Response")
    role = Role.WRITER if write else Role.READER
    return Rpc(METRICS_SERVICE, name, request, response, role, write, refusing(body))


METRIC_METHODS = (
    _rpc("LogScalars", log_scalars, write=True),
    _rpc("LogSeries", log_series, write=True),
    _rpc("ListSeries", list_series),
    _rpc("ReadSeries", read_series),
    _rpc("ListSeriesPoints", list_series_points),
    _rpc("LogEvaluation", log_evaluation, write=True),
    _rpc("LogConfusionMatrix", log_confusion_matrix, write=True),
    _rpc("LogCurve", log_curve, write=True),
    _rpc("GetEvaluations", get_evaluations),
    _rpc("MatrixAtThreshold", matrix_at_threshold),
    _rpc("Compare", compare),
    _rpc("DiffMatrices", diff_matrices),
)
