"""Metrics: series and evaluations of artifacts and executions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import graphene
from google.protobuf.message import Message
from mlmd_metadata_store.metric_methods import METRICS_SERVICE
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import metrics_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql import entities
from mlmd_api.graphql.batches import nodes
from mlmd_api.graphql.entities import Node, define, entity
from mlmd_api.graphql.global_ids import Key
from mlmd_api.graphql.messages import fields_of, object_of
from mlmd_api.graphql.objects import many, resolved
from mlmd_api.graphql.rpcs import rpc
from mlmd_api.graphql.scalars import Double, Int64
from mlmd_api.graphql.session import Session

Owner = tuple[Kind, int]
Named = tuple[Kind, int, str, str]
"""A node, and on it a name and a slice."""
_FIELDS = {Kind.ARTIFACT: "artifact_id", Kind.EXECUTION: "execution_id"}
_KINDS = {field: kind for kind, field in _FIELDS.items()}
_KIND_NAMES = {kind.name.capitalize(): kind for kind in _FIELDS}


def owner_message(owner: Sequence[Any]) -> v1.MetricOwner:
    """Return a node as the service names it."""
    return v1.MetricOwner(**{_FIELDS[owner[0]]: owner[1]})


def owner_of(key: v1.MetricKey) -> Owner:
    """Return the node that a metric belongs to."""
    chosen = key.owner.WhichOneof("node")
    if chosen is None:
        raise InvalidArgument("key: names no node.")
    return _KINDS[chosen], getattr(key.owner, chosen)


def _named(one: Any) -> Named:
    return (*owner_of(one.key), one.key.name, one.key.slice)


def _by_owner(found: Sequence[Any]) -> dict[Owner, list[Any]]:
    grouped: dict[Owner, list[Any]] = {}
    for one in found:
        grouped.setdefault(owner_of(one.key), []).append(one)
    return grouped


def series(session: Session, owners: Sequence[Owner]) -> Mapping[Owner, list[v1.SeriesInfo]]:
    """Find the series of nodes."""
    method = rpc("ListSeries", METRICS_SERVICE)
    request = v1.ListSeriesRequest(owners=[owner_message(owner) for owner in owners])
    return _by_owner(session.ask(method, request).series)


def samples(
    session: Session, keys: Sequence[Named], points: int, from_step: int | None, to_step: int | None
) -> Mapping[Named, v1.SeriesSample]:
    """Find series, downsampled."""
    method = rpc("ReadSeries", METRICS_SERVICE)
    request = v1.ReadSeriesRequest(
        owners=[owner_message(owner) for owner in dict.fromkeys(key[:2] for key in keys)],
        names=dict.fromkeys(key[2] for key in keys),
        points=points,
        from_step=from_step,
        to_step=to_step,
    )
    return {_named(one): one for one in session.ask(method, request).series}


def evaluations(
    session: Session, owners: Sequence[Owner], terms: tuple[tuple[str, Any], ...]
) -> Mapping[Owner, list[v1.Evaluation]]:
    """Find the evaluations of nodes."""
    method = rpc("GetEvaluations", METRICS_SERVICE)
    request = v1.GetEvaluationsRequest(owners=[owner_message(owner) for owner in owners], **dict(terms))
    return _by_owner(session.ask(method, request).evaluations)


def define_metrics() -> None:
    """Make the object types of series and evaluations."""
    common = {
        "name": resolved(graphene.NonNull(graphene.String), lambda one, _info: one.key.name),
        "slice": resolved(graphene.NonNull(graphene.String), lambda one, _info: one.key.slice),
        "node": resolved(Node, _node, "The artifact or execution that it belongs to."),
    }
    sample = object_of(v1.SeriesSample.DESCRIPTOR, "SeriesSample", frozenset({"key"}))
    one_series = {
        **fields_of(v1.SeriesInfo, frozenset({"key"})),
        **common,
        "sample": resolved(
            sample,
            _sample,
            "The series downsampled for a screen: extremes and the last point stay.",
            points=graphene.Argument(graphene.Int, default_value=500, description="8 to 100,000."),
            from_step=graphene.Argument(Int64),
            to_step=graphene.Argument(Int64),
        ),
    }
    evaluation = {**fields_of(v1.Evaluation, frozenset({"key"})), **common}
    shape = (str, int, str, str)
    define(entities.Kind("Series", shape, _fetch(series)), v1.SeriesInfo, _key, one_series, "Numbers over steps.")
    define(
        entities.Kind("Evaluation", shape, _fetch(evaluations, ())),
        v1.Evaluation,
        _key,
        evaluation,
        "A confusion matrix, curves or both, and every figure that follows from them.",
    )


def _key(one: Any) -> Key:
    kind, node_id, name, slice_name = _named(one)
    return kind.name.capitalize(), node_id, name, slice_name


def _fetch(batch: Callable[..., Any], *shared: Any) -> Callable[[Session, Key], Awaitable[Any]]:
    async def fetch(session: Session, key: Key) -> Any:
        kind = _KIND_NAMES.get(key[0])
        if kind is None or await session.loading.load(nodes, key[1], kind) is None:
            return None
        found = await session.loading.load(batch, (kind, key[1]), *shared) or []
        return next((one for one in found if (one.key.name, one.key.slice) == key[2:]), None)

    return fetch


def _node(one: Any, info: Any) -> Any:
    kind, node_id = owner_of(one.key)
    return info.context.loading.load(nodes, node_id, kind)


def _sample(
    one: v1.SeriesInfo, info: Any, points: int | None = None, from_step: int | None = None, to_step: int | None = None
) -> Any:
    return info.context.loading.load(samples, _named(one), points or 0, from_step, to_step)


def node_fields(kind: Kind) -> dict[str, Any]:
    """Return the fields that artifacts and executions gain."""
    texts = graphene.List(graphene.NonNull(graphene.String))

    async def its_series(node: Any, info: Any, names: list[str] | None = None, **given: Any) -> Any:
        found = await info.context.loading.load(series, (kind, node.id)) or []
        wanted, slice_name = None if names is None else set(names), given.get("slice")
        return [
            one for one in found if (wanted is None or one.key.name in wanted) and slice_name in (None, one.key.slice)
        ]

    async def its_evaluations(node: Any, info: Any, **given: Any) -> Any:
        terms = tuple(sorted((name, value) for name, value in given.items() if value is not None))
        return await info.context.loading.load(evaluations, (kind, node.id), terms) or []

    return {
        "series": resolved(
            many(entity("Series")), its_series, "Its series, by name and slice.", names=texts, slice=graphene.String()
        ),
        "evaluations": resolved(
            many(entity("Evaluation")),
            its_evaluations,
            "Its evaluations, by name and slice; those that Kubeflow Pipelines logged too.",
            name=graphene.String(),
            slice=graphene.String(),
            curve_points=graphene.Argument(
                graphene.Int, description="Points of each curve: 2 to 100,000; 200 when left out."
            ),
            with_cutoffs=graphene.Boolean(),
            level=graphene.Argument(Double, description="Confidence level of the intervals; 0.95 when left out."),
        ),
    }


def metric_answer(name: str, request: Message, info: Any) -> Any:
    """Return the answer of a method of mlmd.v1.Metrics."""
    return info.context.ask(rpc(name, METRICS_SERVICE), request)
