"""Fields of Query that compare: many nodes in one table, two matrices, a matrix at a threshold; and all points."""

from typing import Any

import graphene
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from mlmd_api.graphql.arguments import arguments_of, message_of
from mlmd_api.graphql.entities import checked_key
from mlmd_api.graphql.messages import object_of
from mlmd_api.graphql.metric_objects import metric_answer
from mlmd_api.graphql.objects import resolved
from mlmd_api.graphql.scalars import Int64

MOST_POINTS = 10_000
MOST_COMPARED = 1_000


def metric_queries() -> dict[str, Any]:
    """Return the fields."""
    ids = graphene.NonNull(graphene.List(graphene.NonNull(graphene.ID)))
    return {
        "compare": resolved(
            object_of(v1.CompareResponse.DESCRIPTOR, "Comparison"),
            _compare,
            "One table of the figures, scalars and last points of artifacts and executions.",
            nodes=ids,
            evaluation_name=graphene.Argument(graphene.String, description="Only figures of evaluations of this name."),
        ),
        "diffMatrices": resolved(
            object_of(v1.DiffMatricesResponse.DESCRIPTOR, "MatrixDifference"),
            lambda _root, info, **given: metric_answer("DiffMatrices", message_of(v1.DiffMatricesRequest, given), info),
            "What the second of two confusion matrices has more, cell by cell.",
            **arguments_of(v1.DiffMatricesRequest, before=True, after=True),
        ),
        "matrixAtThreshold": resolved(
            object_of(v1.MatrixAtThresholdResponse.DESCRIPTOR, "MatrixAtThreshold"),
            lambda _root, info, **given: metric_answer(
                "MatrixAtThreshold", message_of(v1.MatrixAtThresholdRequest, given), info
            ),
            "The confusion matrix at any threshold of a curve.",
            **arguments_of(v1.MatrixAtThresholdRequest, key=True, threshold=True),
        ),
        "seriesPoints": resolved(
            object_of(v1.ListSeriesPointsResponse.DESCRIPTOR, "SeriesPoints"),
            _points,
            "Every point of one series, page by page.",
            series=graphene.Argument(graphene.ID, required=True, description="The id of a Series."),
            points=graphene.Argument(graphene.Int, default_value=1_000, description="A page: 1 to 10,000."),
            page_token=graphene.Argument(graphene.String, description="nextPageToken of the page before."),
            from_step=graphene.Argument(Int64),
            to_step=graphene.Argument(Int64),
        ),
    }


def _compare(_root: Any, info: Any, nodes: list[str], evaluation_name: str | None = None) -> Any:
    if len(nodes) > MOST_COMPARED:
        raise InvalidArgument(f"nodes: {len(nodes)} of them; compare at most {MOST_COMPARED:,} at a time.")
    given = {"owners": nodes, "evaluation_name": evaluation_name}
    return metric_answer("Compare", message_of(v1.CompareRequest, given), info)


def _points(_root: Any, info: Any, series: str, points: int | None = None, **given: Any) -> Any:
    size = 1_000 if points is None else points
    if not 1 <= size <= MOST_POINTS:
        raise InvalidArgument(f"points: {size} is not 1 to {MOST_POINTS:,}; ask for the rest with pageToken.")
    _, (kind, node_id, name, slice_name) = checked_key(series, "series", "Series")
    if kind not in ("Artifact", "Execution"):
        raise InvalidArgument("series: is no id of this server; take the `id` of a Series.")
    owner = {f"{kind.lower()}_id": node_id}
    key = v1.MetricKey(owner=v1.MetricOwner(**owner), name=name, slice=slice_name)
    request = message_of(v1.ListSeriesPointsRequest, given)
    request.key.CopyFrom(key)
    request.page_size = size
    return metric_answer("ListSeriesPoints", request, info)
