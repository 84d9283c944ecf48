"""Graphs to walk over, and questions about them."""

from collections.abc import Iterable
from typing import Any

from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls

Query = pb.LineageSubgraphQueryOptions


def put_nodes(call: Calls, artifacts: int, executions: int, contexts: int = 0) -> None:
    """Put this many nodes into an empty store; each kind's ids begin at 1."""
    types = call(
        "PutTypes",
        artifact_types=[pb.ArtifactType(name="A")],
        execution_types=[pb.ExecutionType(name="E")],
        context_types=[pb.ContextType(name="C")],
    )
    (artifact_type,), (execution_type,) = types.artifact_type_ids, types.execution_type_ids
    (context_type,) = types.context_type_ids
    call("PutArtifacts", artifacts=[pb.Artifact(type_id=artifact_type) for _ in range(artifacts)])
    call("PutExecutions", executions=[pb.Execution(type_id=execution_type) for _ in range(executions)])
    named = [pb.Context(type_id=context_type, name=f"c{number}") for number in range(1, contexts + 1)]
    call("PutContexts", contexts=named)


def put_events(call: Calls, events: Iterable[tuple[int, int, str]]) -> None:
    """Put events of (execution, artifact, type's name)."""
    made = [pb.Event(execution_id=execution, artifact_id=artifact, type=kind) for execution, artifact, kind in events]
    call("PutEvents", events=made)


def chain(length: int) -> list[tuple[int, int, str]]:
    """Return the events of a1 -> e1 -> a2 -> e2 ... with `length` executions."""
    return [
        event
        for number in range(1, length + 1)
        for event in ((number, number, "INPUT"), (number, number + 1, "OUTPUT"))
    ]


def query(
    artifacts: str | None = None,
    executions: str | None = None,
    *,
    hops: int | None = None,
    direction: Any = None,
    ending_artifacts: Query.EndingNodes | None = None,
    ending_executions: Query.EndingNodes | None = None,
) -> Query:
    """Return query options; `artifacts` and `executions` are filters of starting nodes."""
    made = Query(
        max_num_hops=hops, direction=direction, ending_artifacts=ending_artifacts, ending_executions=ending_executions
    )
    if artifacts is not None:
        made.starting_artifacts.filter_query = artifacts
    if executions is not None:
        made.starting_executions.filter_query = executions
    return made


def ending(filter_query: str | None = None, *, include: bool | None = None) -> Query.EndingNodes:
    """Return ending nodes."""
    made = Query.EndingNodes(filter_query=filter_query)
    if include is not None:
        made.include_ending_nodes = include
    return made


def subgraph(call: Calls, options: Query, mask: Iterable[str] = ()) -> pb.LineageGraph:
    """Return the answer to GetLineageSubgraph."""
    answer = call("GetLineageSubgraph", lineage_subgraph_query_options=options, read_mask={"paths": list(mask)})
    graph: pb.LineageGraph = answer.lineage_subgraph
    return graph


def ids(nodes: Iterable[Any]) -> list[int]:
    """Return the ids of nodes, in their order."""
    return [node.id for node in nodes]


def pairs(graph: pb.LineageGraph) -> list[tuple[int, int]]:
    """Return (execution, artifact) of each event, in order."""
    return [(event.execution_id, event.artifact_id) for event in graph.events]
