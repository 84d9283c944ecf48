"""Every call's statements at 1, 100 and 5,000 nodes, edges or properties.

The law: n(5,000) <= n(1) + one for each started 1,000 rows of each table. REQUESTS says how many tables have as many
rows in a call as its request has items.
"""

from collections.abc import Callable
from typing import Any

import pytest
from mlmd_lineage.methods import LINEAGE_METHODS
from mlmd_metadata_store.methods import METADATA_METHODS
from mlmd_metadata_store.rpc import MLMD_SERVICE
from mlmd_metadata_store.store import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls
from tests.metadata_store.crowd import SIZES, World, is_lawful

NAMES = [rpc.name for rpc in (*METADATA_METHODS, *LINEAGE_METHODS) if rpc.service == MLMD_SERVICE]


def put_nodes(noun: str) -> Callable[[World, int], dict[str, Any]]:
    return lambda world, count: {f"{noun.lower()}s": world.fresh(noun, count)}


def put_one_with_properties(world: World, count: int) -> dict[str, Any]:
    many = {f"p{n}": {"string_value": "x"} for n in range(count)}
    return {"artifacts": world.fresh("Artifact", 1, custom_properties=many)}


def put_execution(world: World, count: int) -> dict[str, Any]:
    event = {"type": pb.Event.OUTPUT, "path": {"steps": [{"key": "k"}]}}
    return {
        "execution": world.fresh("Execution", 1)[0],
        "artifact_event_pairs": [{"artifact": a, "event": event} for a in world.fresh("Artifact", count)],
        "contexts": world.fresh("Context", 1),
    }


def put_subgraph(world: World, count: int) -> dict[str, Any]:
    edge = {"event": {"type": pb.Event.INPUT}}
    return {
        "executions": world.fresh("Execution", count),
        "artifacts": world.fresh("Artifact", count),
        "contexts": world.fresh("Context", 1),
        "event_edges": [{**edge, "execution_index": n, "artifact_index": n} for n in range(count)],
    }


def put_links(world: World, count: int) -> dict[str, Any]:
    context = world.context()
    return {"attributions": [{"context_id": context, "artifact_id": i} for i in world.ids["Artifact"][:count]]}


def put_events(world: World, count: int) -> dict[str, Any]:
    world.serial += 1
    kinds = [pb.Event.OUTPUT, pb.Event.DECLARED_INPUT, pb.Event.DECLARED_OUTPUT, pb.Event.INTERNAL_INPUT]
    kind = kinds[SIZES.index(count)]
    pairs = zip(world.ids["Artifact"][:count], world.ids["Execution"][:count], strict=True)
    steps = {"steps": [{"index": 0}]}
    return {"events": [{"artifact_id": a, "execution_id": e, "type": kind, "path": steps} for a, e in pairs]}


def put_parents(world: World, count: int) -> dict[str, Any]:
    parent = world.context()
    return {"parent_contexts": [{"parent_id": parent, "child_id": i} for i in world.ids["Context"][:count]]}


def put_types(world: World, count: int) -> dict[str, Any]:
    world.serial += 1
    return {"artifact_types": [{"name": f"new{world.serial}-{n}", "properties": {"p": pb.INT}} for n in range(count)]}


def put_type(noun: str) -> Callable[[World, int], dict[str, Any]]:
    def request(world: World, count: int) -> dict[str, Any]:
        world.serial += 1
        properties = {f"p{n}": pb.INT for n in range(count)}
        return {f"{noun.lower()}_type": {"name": f"wide{world.serial}", "properties": properties}}

    return request


def ids(field: str, noun: str) -> Callable[[World, int], dict[str, Any]]:
    return lambda world, count: {field: world.ids[noun][:count]}


def texts(field: str, prefix: str) -> Callable[[World, int], dict[str, Any]]:
    return lambda _, count: {field: [f"{prefix}{n}" for n in range(count)]}


def fixed(**fields: Any) -> Callable[[World, int], dict[str, Any]]:
    return lambda _, __: fields


def first(field: str, noun: str) -> Callable[[World, int], dict[str, Any]]:
    return lambda world, _: {field: world.ids[noun][0]}


def subgraph(world: World, count: int) -> dict[str, Any]:
    query = f"id IN ({', '.join(map(str, world.ids['Artifact'][:count]))})"
    return {"lineage_subgraph_query_options": {"starting_artifacts": {"filter_query": query}, "max_num_hops": 2}}


REQUESTS: dict[str, tuple[Callable[[World, int], dict[str, Any]], int]] = {
    "PutArtifactType": (put_type("Artifact"), 1),
    "PutExecutionType": (put_type("Execution"), 1),
    "PutContextType": (put_type("Context"), 1),
    "PutTypes": (put_types, 2),
    "PutArtifacts": (put_nodes("Artifact"), 2),
    "PutExecutions": (put_nodes("Execution"), 2),
    "PutContexts": (put_nodes("Context"), 2),
    "PutEvents": (put_events, 4),
    "PutExecution": (put_execution, 5),
    "PutLineageSubgraph": (put_subgraph, 7),
    "PutAttributionsAndAssociations": (put_links, 2),
    "PutParentContexts": (put_parents, 2),
    "GetArtifactsByID": (ids("artifact_ids", "Artifact"), 2),
    "GetExecutionsByID": (ids("execution_ids", "Execution"), 2),
    "GetContextsByID": (ids("context_ids", "Context"), 2),
    "GetArtifactsByExternalIds": (texts("external_ids", "e"), 2),
    "GetExecutionsByExternalIds": (texts("external_ids", "e"), 2),
    "GetContextsByExternalIds": (texts("external_ids", "e"), 2),
    "GetArtifactsByURI": (texts("uris", "u"), 2),
    "GetEventsByArtifactIDs": (ids("artifact_ids", "Artifact"), 2),
    "GetEventsByExecutionIDs": (ids("execution_ids", "Execution"), 2),
    "GetArtifactTypesByID": (lambda world, count: {"type_ids": world.type_ids[:count]}, 2),
    "GetArtifactTypesByExternalIds": (texts("external_ids", "t"), 2),
    "GetParentContextsByContexts": (ids("context_ids", "Context"), 3),
    "GetChildrenContextsByContexts": (ids("context_ids", "Context"), 3),
    "GetLineageSubgraph": (subgraph, 6),
}
"""What is asked with `count` nodes, edges or properties, and how many tables have so many rows in it."""

WHOLE: dict[str, tuple[Callable[[World, int], dict[str, Any]], int]] = {
    "GetArtifacts": (fixed(), 2),
    "GetExecutions": (fixed(), 2),
    "GetContexts": (fixed(), 2),
    "GetArtifactsByType": (fixed(type_name="T"), 2),
    "GetExecutionsByType": (fixed(type_name="T"), 2),
    "GetContextsByType": (fixed(type_name="T"), 2),
    "GetArtifactsByContext": (first("context_id", "Context"), 2),
    "GetExecutionsByContext": (first("context_id", "Context"), 2),
    "GetChildrenContextsByContext": (first("context_id", "Context"), 3),
    "GetParentContextsByContext": (lambda world, _: {"context_id": world.ids["Context"][1]}, 0),
    "GetContextsByArtifact": (first("artifact_id", "Artifact"), 0),
    "GetContextsByExecution": (first("execution_id", "Execution"), 0),
    "GetArtifactByTypeAndName": (fixed(type_name="T", artifact_name="n1"), 0),
    "GetExecutionByTypeAndName": (fixed(type_name="T", execution_name="n1"), 0),
    "GetContextByTypeAndName": (fixed(type_name="T", context_name="n1"), 0),
    "GetArtifactType": (fixed(type_name="T"), 0),
    "GetExecutionType": (fixed(type_name="T"), 0),
    "GetContextType": (fixed(type_name="T"), 0),
    "GetArtifactTypes": (fixed(), 2),
    "GetExecutionTypes": (fixed(), 0),
    "GetContextTypes": (fixed(), 0),
    "GetExecutionTypesByID": (lambda world, _: {"type_ids": [world.types["Execution"]]}, 0),
    "GetContextTypesByID": (lambda world, _: {"type_ids": [world.types["Context"]]}, 0),
    "GetExecutionTypesByExternalIds": (fixed(external_ids=["Execution"]), 0),
    "GetContextTypesByExternalIds": (fixed(external_ids=["Context"]), 0),
    "GetLineageGraph": (
        fixed(options={"artifacts_options": {"max_result_size": 100}, "max_node_size": 0}),
        6,
    ),
}
"""Calls whose answer, not whose request, is large: over 5,000 rows in so many tables, or constant."""
A_FEW = 8
"""The most statements that a call of WHOLE makes for a small answer."""


def test_every_call_is_counted() -> None:
    assert sorted([*REQUESTS, *WHOLE]) == sorted(NAMES)


@pytest.fixture
def world(store: Store) -> World:
    return World(Calls(store))


def test_statements(world: World) -> None:
    excess = {}
    for name, (request, tables) in REQUESTS.items():
        counts = [world.count(name, request(world, size)) for size in SIZES]
        if not is_lawful(counts, tables):
            excess[name] = counts
    assert not excess, f"statements at {SIZES}: {excess}"


def test_statements_for_the_properties_of_one_node(world: World) -> None:
    counts = [world.count("PutArtifacts", put_one_with_properties(world, size)) for size in SIZES]
    assert counts[1] <= counts[0] + 1
    assert counts[2] <= counts[0] + 5


def test_statements_of_whole_lists(world: World) -> None:
    counts = {}
    for name, (request, tables) in WHOLE.items():
        counts[name] = (world.count(name, request(world, 0)), A_FEW + 6 * tables)
    excess = {name: seen for name, seen in counts.items() if seen[0] > seen[1]}
    assert not excess, f"statements made and allowed: {excess}"
