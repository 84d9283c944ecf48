"""An execution with what it read and made, and whole lineage subgraphs, in one call (contract 4.9, 4.10)."""

from collections.abc import Container, Iterable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import InvalidArgument, NotFound, OutOfRange
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import ARTIFACT, Kind

from mlmd_metadata_store.context_writes import ContextPlan, Reuse, plan_contexts, put_contexts, put_planned
from mlmd_metadata_store.event_writes import store_events
from mlmd_metadata_store.link_writes import store_links
from mlmd_metadata_store.node_order import NeedsOrder, check_updated_once
from mlmd_metadata_store.node_writes import Rules, known_types, put_nodes
from mlmd_metadata_store.one_by_one import one_by_one
from mlmd_metadata_store.property_writes import validate_properties
from mlmd_metadata_store.rpc import mlmd_write
from mlmd_metadata_store.transaction import Transaction

NO_ARTIFACT = -1
"""What an empty pair answers with."""

_BY_EXTERNAL_ID = sa.select(ARTIFACT.c.external_id, ARTIFACT.c.id).where(
    ARTIFACT.c.external_id.in_(sa.bindparam("ids", expanding=True))
)


def _external_ids(tx: Transaction, artifacts: Iterable[pb.Artifact], *, exact: bool) -> dict[str, int]:
    """Return the ids of stored artifacts by the external ids that these artifacts without id carry.

    The database decides which external ids are equal, so those found by another spelling are asked for one by one;
    `exact` leaves them out, as PutLineageSubgraph does.
    """
    wanted = {a.external_id for a in artifacts if not a.HasField("id") and a.external_id}
    found = _ids_by_external_id(tx, wanted)
    if exact or found.keys() <= wanted:
        return found
    return {one: next(iter(there.values())) for one in wanted if (there := _ids_by_external_id(tx, {one}))}


def _ids_by_external_id(tx: Transaction, external_ids: set[str]) -> dict[str, int]:
    if not external_ids:
        return {}
    rows = tx.rows_in(_BY_EXTERNAL_ID, {tx.text.encode(external_id) for external_id in external_ids})
    return {tx.text.decode(external_id): node_id for external_id, node_id in rows}


def _targets(artifacts: Sequence[pb.Artifact], stored: dict[str, int]) -> list[int | None]:
    return [a.id if a.HasField("id") else stored.get(a.external_id) if a.external_id else None for a in artifacts]


def _put_artifacts(tx: Transaction, artifacts: Sequence[pb.Artifact], reuse: bool) -> list[int]:
    """Put a call's artifacts one after the other, so that a later one finds an earlier one by external id."""
    if not reuse:
        return put_nodes(tx, Kind.ARTIFACT, artifacts)
    if tx.careful and len(artifacts) > 1:
        return one_by_one("artifact", artifacts, lambda artifact: _put_artifacts(tx, [artifact], reuse)[0])
    external = [a.external_id for a in artifacts if not a.HasField("id") and a.external_id]
    if len(set(external)) < len(external):
        tx.setwise = True
        raise NeedsOrder("Two artifacts have the same external id.")
    return put_nodes(tx, Kind.ARTIFACT, artifacts, ids=_targets(artifacts, _external_ids(tx, artifacts, exact=False)))


def put_execution(tx: Transaction, request: service.PutExecutionRequest) -> service.PutExecutionResponse:
    """Put an execution, the artifacts and events of its pairs, and its contexts with all their links."""
    if not request.HasField("execution"):
        raise InvalidArgument("execution: missing; PutExecution needs one.")
    pairs, options = request.artifact_event_pairs, request.options
    artifacts = [pair.artifact for pair in pairs if pair.HasField("artifact")]
    reuses = options.reuse_artifact_if_already_exist_by_external_id
    reuse = Reuse(options.reuse_context_if_already_exist, options.force_reuse_context)
    plan = None if tx.careful else _planned(tx, request, reuse)
    put = iter(_put_artifacts(tx, artifacts, reuses))
    made = [next(put) if pair.HasField("artifact") else None for pair in pairs]
    rules = Rules(force_time=options.force_update_time)
    (execution_id,) = put_nodes(tx, Kind.EXECUTION, [request.execution], rules)
    artifact_ids = _put_pair_events(tx, pairs, made, execution_id)
    context_ids = put_contexts(tx, request.contexts, reuse) if plan is None else put_planned(tx, plan)
    linked = sorted({artifact_id for artifact_id in artifact_ids if artifact_id != NO_ARTIFACT})
    _link_all(
        tx,
        context_ids,
        linked,
        [execution_id],
        fresh_artifacts=set()
        if reuses
        else _fresh(artifacts, [artifact_id for artifact_id in made if artifact_id is not None]),
        fresh_executions=_fresh([request.execution], [execution_id]),
    )
    return service.PutExecutionResponse(execution_id=execution_id, artifact_ids=artifact_ids, context_ids=context_ids)


def _planned(tx: Transaction, request: service.PutExecutionRequest, reuse: Reuse) -> ContextPlan:
    """Plan the contexts before anything is written; their errors come after all others of the call."""
    tx.setwise = True
    if any(_foretells(pair, request.execution) for pair in request.artifact_event_pairs):
        raise NeedsOrder("An event names a node that the call makes; on MySQL a second run gives it another id.")
    plan = plan_contexts(tx, request.contexts, reuse)
    tx.setwise = False
    return plan


def _foretells(pair: Any, execution: pb.Execution) -> bool:
    """Return whether the pair's event has the id, rightly or wrongly, of a node that is still to be made."""
    artifact, event = pair.artifact, pair.event
    return (event.HasField("execution_id") and not execution.HasField("id")) or (
        event.HasField("artifact_id") and pair.HasField("artifact") and not artifact.HasField("id")
    )


def _fresh(nodes: Sequence[Any], ids: Sequence[int]) -> set[int]:
    """Return the ids of the nodes that the call created."""
    return {node_id for node, node_id in zip(nodes, ids, strict=True) if not node.HasField("id")}


def _link_all(
    tx: Transaction,
    contexts: Iterable[int],
    artifacts: Sequence[int],
    executions: Sequence[int],
    *,
    fresh_artifacts: set[int],
    fresh_executions: set[int],
) -> None:
    distinct = sorted(set(contexts))
    store_links(
        tx,
        [(c, a) for c in distinct for a in artifacts],
        [(c, e) for c in distinct for e in executions],
        fresh_artifacts=fresh_artifacts,
        fresh_executions=fresh_executions,
    )


def _put_pair_events(tx: Transaction, pairs: Sequence[Any], made: Sequence[int | None], execution_id: int) -> list[int]:
    """Store the events of the pairs; return the artifact id of each pair, -1 for an empty one."""
    events: list[pb.Event] = []

    def put(pair: tuple[Any, int | None]) -> int:
        given, artifact_id = pair
        if not given.HasField("event"):
            return NO_ARTIFACT if artifact_id is None else artifact_id
        tx.setwise = tx.setwise or bool(events)  # an error of this event comes after those of the events before
        event = _pair_event(given.event, artifact_id, execution_id)
        if tx.careful:
            store_events(tx, [event])
        else:
            events.append(event)
        return event.artifact_id

    artifact_ids = one_by_one("pair", list(zip(pairs, made, strict=True)), put)
    if events:
        store_events(tx, events)
    return artifact_ids


def _pair_event(given: pb.Event, artifact_id: int | None, execution_id: int) -> pb.Event:
    if given.HasField("execution_id") and given.execution_id != execution_id:
        raise InvalidArgument(
            f"event.execution_id: {given.execution_id} is not the execution of the request, which has id "
            f"{execution_id}; leave it out."
        )
    if artifact_id is None and not given.HasField("artifact_id"):
        raise InvalidArgument("event.artifact_id: missing; an event without an artifact beside it needs the id of one.")
    if artifact_id is not None and given.HasField("artifact_id") and given.artifact_id != artifact_id:
        raise InvalidArgument(
            f"event.artifact_id: {given.artifact_id} is not the artifact beside the event, which has id {artifact_id}; "
            "leave it out."
        )
    event = pb.Event()
    event.CopyFrom(given)
    event.execution_id = execution_id
    event.artifact_id = given.artifact_id if artifact_id is None else artifact_id
    return event


def put_lineage_subgraph(
    tx: Transaction, request: service.PutLineageSubgraphRequest
) -> service.PutLineageSubgraphResponse:
    """Put nodes and the events between them, linking every context with every artifact and execution."""
    one_by_one("edge", request.event_edges, lambda edge: _check_edge(edge, request.executions, request.artifacts))
    for kind, nodes in (
        (Kind.ARTIFACT, request.artifacts),
        (Kind.EXECUTION, request.executions),
        (Kind.CONTEXT, request.contexts),
    ):
        _check_types(tx, kind, nodes)
        check_updated_once(tx, [node.id for node in nodes if node.HasField("id")])
    options = request.options
    targets: list[int | None] | None = None
    if options.reuse_artifact_if_already_exist_by_external_id:
        targets = _targets(request.artifacts, _external_ids(tx, request.artifacts, exact=True))
        check_updated_once(tx, [target for target in targets if target is not None])
    context_ids = put_contexts(tx, request.contexts, Reuse(by_name=options.reuse_context_if_already_exist))
    artifact_ids = put_nodes(tx, Kind.ARTIFACT, request.artifacts, ids=targets)
    execution_ids = put_nodes(tx, Kind.EXECUTION, request.executions)
    _link_all(
        tx,
        context_ids,
        sorted(set(artifact_ids)),
        sorted(set(execution_ids)),
        fresh_artifacts=set() if targets else _fresh(request.artifacts, artifact_ids),
        fresh_executions=_fresh(request.executions, execution_ids),
    )
    store_events(tx, [_edge_event(edge, execution_ids, artifact_ids) for edge in request.event_edges])
    return service.PutLineageSubgraphResponse(
        execution_ids=execution_ids, artifact_ids=artifact_ids, context_ids=context_ids
    )


def _check_edge(edge: Any, executions: Sequence[pb.Execution], artifacts: Sequence[pb.Artifact]) -> None:
    if not edge.HasField("event"):
        raise InvalidArgument("event_edges: an edge has no event.")
    _check_end(edge, "execution", executions)
    _check_end(edge, "artifact", artifacts)


def _check_end(edge: Any, noun: str, nodes: Sequence[Any]) -> None:
    """Check one end of an edge: an index into the request, an id in the event, or both in agreement."""
    by_index, by_id = edge.HasField(f"{noun}_index"), edge.event.HasField(f"{noun}_id")
    if not by_index and not by_id:
        raise InvalidArgument(f"event_edges: an edge has neither {noun}_index nor event.{noun}_id.")
    if not by_index:
        return
    index = getattr(edge, f"{noun}_index")
    if not 0 <= index < len(nodes):
        raise OutOfRange(f"event_edges: {noun}_index {index} is none of the request's {counted(len(nodes), noun)}.")
    if by_id and not (nodes[index].HasField("id") and nodes[index].id == getattr(edge.event, f"{noun}_id")):
        raise InvalidArgument(
            f"event_edges: event.{noun}_id {getattr(edge.event, f'{noun}_id')} is not the id of the {noun} at "
            f"{noun}_index {index}; leave one of them out."
        )


def _check_types(tx: Transaction, kind: Kind, nodes: Sequence[Any]) -> None:
    noun = kind.name.lower()
    one_by_one(noun, nodes, partial(_check_type_given, noun))
    types = known_types(tx, kind, [(node.type_id, node) for node in nodes])
    one_by_one(noun, nodes, lambda node: _check_type_known(noun, node, types))
    one_by_one(noun, nodes, lambda node: validate_properties(kind, types[node.type_id], node.properties))


def _check_type_given(noun: str, node: Any) -> None:
    if not node.HasField("type_id"):
        raise InvalidArgument(f"type_id: missing; PutLineageSubgraph needs that of each {noun}.")


def _check_type_known(noun: str, node: Any, types: Container[int]) -> None:
    if node.type_id not in types:
        raise NotFound(f"type_id: there is no {noun} type with id {node.type_id}; put the type first.")


def _edge_event(edge: Any, execution_ids: Sequence[int], artifact_ids: Sequence[int]) -> pb.Event:
    event = pb.Event()
    event.CopyFrom(edge.event)
    if edge.HasField("execution_index"):
        event.execution_id = execution_ids[edge.execution_index]
    if edge.HasField("artifact_index"):
        event.artifact_id = artifact_ids[edge.artifact_index]
    return event


EXECUTION_METHODS = (
    mlmd_write("PutExecution", put_execution),
    mlmd_write("PutLineageSubgraph", put_lineage_subgraph),
)
