"""Statements of calls on what is there already, at 1, 100 and 5,000 of it: updates, masks, reuse, links put again.

The law is that of test_statement_counts; CHANGES says how many tables have as many rows in a call as its request has
items.
"""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from mlmd_metadata_store.store import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls
from tests.metadata_store.crowd import MOST, SIZES, World, is_lawful

Request = Callable[[World, int], dict[str, Any]]
REUSE_CONTEXTS, REUSE_ARTIFACTS, FORCE = (
    {"reuse_context_if_already_exist": True},
    {"reuse_artifact_if_already_exist_by_external_id": True},
    {"force_reuse_context": True},
)


def changed(world: World, noun: str, count: int) -> list[dict[str, Any]]:
    """Return stored nodes with one custom property changed, one added and the one of the last time left out."""
    world.serial += 1
    custom = {"c": {"int_value": world.serial}, f"c{world.serial}": {"string_value": "x"}}
    return [
        {"id": i, "name": f"n{n}", "external_id": f"e{n}", "custom_properties": custom}
        for n, i in enumerate(world.ids[noun][:count])
    ]


def update(noun: str, *mask: str) -> Request:
    paths = {"update_mask": {"paths": mask}} if mask else {}
    return lambda world, count: {f"{noun.lower()}s": changed(world, noun, count), **paths}


def update_if_unchanged(world: World, count: int) -> dict[str, Any]:
    nodes = changed(world, "Artifact", count)
    for node, stored in zip(nodes, echo(world, count)["artifacts"], strict=True):
        node["last_update_time_since_epoch"] = stored.last_update_time_since_epoch
    return {"artifacts": nodes, "options": {"abort_if_latest_updated_time_changed": True}}


def echo(world: World, count: int) -> dict[str, Any]:
    return {"artifacts": world.call("GetArtifactsByID", artifact_ids=world.ids["Artifact"][:count]).artifacts}


def stored_contexts(world: World, count: int) -> list[dict[str, Any]]:
    return [{"type_id": world.types["Context"], "name": f"n{n}"} for n in range(count)]


def stored_artifacts(world: World, count: int) -> list[dict[str, Any]]:
    """Return stored artifacts by their external ids, changed."""
    return [{**node, "id": None, "type_id": world.types["Artifact"]} for node in changed(world, "Artifact", count)]


def execution(world: World) -> dict[str, Any]:
    return world.fresh("Execution", 1)[0]


def with_new_contexts(world: World, count: int) -> dict[str, Any]:
    pairs = [{"artifact": artifact} for artifact in world.fresh("Artifact", 1)]
    return {
        "execution": execution(world),
        "artifact_event_pairs": pairs,
        "contexts": world.fresh("Context", count),
    }


def with_reused_contexts(world: World, count: int) -> dict[str, Any]:
    return {"execution": execution(world), "contexts": stored_contexts(world, count), "options": REUSE_CONTEXTS}


def with_forced_contexts(world: World, count: int) -> dict[str, Any]:
    contexts = [{"id": i} for i in world.ids["Context"][:count]]
    return {"execution": execution(world), "contexts": contexts, "options": FORCE}


def with_reused_artifacts(world: World, count: int) -> dict[str, Any]:
    pairs = [{"artifact": a, "event": {"type": pb.Event.INPUT}} for a in stored_artifacts(world, count)]
    return {"execution": execution(world), "artifact_event_pairs": pairs, "options": REUSE_ARTIFACTS}


def with_events_alone(world: World, count: int) -> dict[str, Any]:
    pairs = [{"event": {"artifact_id": i, "type": pb.Event.OUTPUT}} for i in world.ids["Artifact"][:count]]
    return {"execution": execution(world), "artifact_event_pairs": pairs}


def with_steps(world: World, count: int) -> dict[str, Any]:
    path = {"steps": [{"index": n} for n in range(count)]}
    event = {"artifact_id": world.ids["Artifact"][0], "type": pb.Event.OUTPUT, "path": path}
    return {"execution": execution(world), "artifact_event_pairs": [{"event": event}]}


def subgraph_of_stored(world: World, count: int) -> dict[str, Any]:
    edge = {"execution_index": 0, "event": {"type": pb.Event.INPUT}}
    return {
        "executions": [execution(world)],
        "artifacts": stored_artifacts(world, count),
        "contexts": stored_contexts(world, 1),
        "event_edges": [{**edge, "artifact_index": n} for n in range(count)],
        "options": {**REUSE_CONTEXTS, **REUSE_ARTIFACTS},
    }


def subgraph_in_stored_contexts(world: World, count: int) -> dict[str, Any]:
    return {"executions": [execution(world)], "contexts": stored_contexts(world, count), "options": REUSE_CONTEXTS}


def associations(world: World, count: int) -> dict[str, Any]:
    context = world.context()
    return {"associations": [{"context_id": context, "execution_id": i} for i in world.ids["Execution"][:count]]}


def attributions_again(world: World, count: int) -> dict[str, Any]:
    context = world.ids["Context"][0]
    return {"attributions": [{"context_id": context, "artifact_id": i} for i in world.ids["Artifact"][:count]]}


def parents_of_one(world: World, count: int) -> dict[str, Any]:
    child = world.context()
    return {"parent_contexts": [{"parent_id": i, "child_id": child} for i in world.ids["Context"][:count]]}


def chain_of_parents(world: World, count: int) -> dict[str, Any]:
    made = world.call("PutContexts", contexts=world.fresh("Context", count + 1)).context_ids
    return {"parent_contexts": [{"parent_id": a, "child_id": b} for a, b in itertools.pairwise(made)]}


def grown_types(world: World, count: int) -> dict[str, Any]:
    world.serial += 1
    grown = {f"p{world.serial}": pb.INT}
    types = [{"name": f"T{n}", "external_id": f"t{world.serial}-{n}", "properties": grown} for n in range(count)]
    return {"artifact_types": types, "can_add_fields": True, "can_omit_fields": True}


def execution_types(world: World, count: int) -> dict[str, Any]:
    world.serial += 1
    more = {"input_type": {"any": {}}, "base_type": pb.ExecutionType.TRAIN}
    return {"execution_types": [{"name": f"E{world.serial}-{n}", **more} for n in range(count)]}


CHANGES: dict[str, tuple[str, Request, int]] = {
    "artifacts": ("PutArtifacts", update("Artifact"), 3),
    "executions": ("PutExecutions", update("Execution"), 3),
    "contexts": ("PutContexts", update("Context"), 3),
    "a mask of a field": ("PutArtifacts", update("Artifact", "uri"), 2),
    "a mask of a property": ("PutArtifacts", update("Artifact", "custom_properties.c"), 3),
    "if nothing changed meanwhile": ("PutArtifacts", update_if_unchanged, 3),
    "an echo": ("PutArtifacts", echo, 2),
    "new contexts": ("PutExecution", with_new_contexts, 4),
    "reused contexts": ("PutExecution", with_reused_contexts, 2),
    "forced contexts": ("PutExecution", with_forced_contexts, 2),
    "reused artifacts": ("PutExecution", with_reused_artifacts, 4),
    "events alone": ("PutExecution", with_events_alone, 2),
    "steps": ("PutExecution", with_steps, 1),
    "a subgraph of what is there": ("PutLineageSubgraph", subgraph_of_stored, 5),
    "a subgraph in contexts that are there": ("PutLineageSubgraph", subgraph_in_stored_contexts, 2),
    "associations": ("PutAttributionsAndAssociations", associations, 2),
    "attributions again": ("PutAttributionsAndAssociations", attributions_again, 2),
    "parents of one": ("PutParentContexts", parents_of_one, 2),
    "a chain of parents": ("PutParentContexts", chain_of_parents, 2),
    "types that grow": ("PutTypes", grown_types, 3),
    "execution types": ("PutTypes", execution_types, 2),
}
"""What is asked of `count` nodes, links or types, and how many tables have so many rows in it."""


@pytest.fixture
def world(store: Store) -> World:
    return World(Calls(store))


def test_statements(world: World) -> None:
    excess = {}
    for label, (method, request, tables) in CHANGES.items():
        counts = [world.count(method, request(world, size)) for size in SIZES]
        if not is_lawful(counts, tables):
            excess[label] = counts
    assert not excess, f"statements at {SIZES}: {excess}"


def test_statements_of_reading_many_types(world: World) -> None:
    made = world.call("PutTypes", **execution_types(world, MOST)).execution_type_ids
    counts = [world.count("GetExecutionTypesByID", {"type_ids": made[:size]}) for size in SIZES]
    assert is_lawful(counts, 3), counts
    assert world.count("GetExecutionTypes", {}) <= counts[0] + 3 * MOST // 1000
