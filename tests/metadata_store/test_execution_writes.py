"""Executions with all that belongs to them: the write contract's edge cases 54 to 64, by name."""

from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ASSOCIATION, ATTRIBUTION

from tests.metadata_store.calls import Calls, counted, node

INPUT, OUTPUT = pb.Event.INPUT, pb.Event.OUTPUT


class Types:
    """An artifact, an execution and a context type."""

    def __init__(self, call: Calls) -> None:
        self.data = call("PutArtifactType", artifact_type={"name": "Data", "properties": {"p": pb.INT}}).type_id
        self.other = call("PutArtifactType", artifact_type={"name": "Other"}).type_id
        self.run = call("PutExecutionType", execution_type={"name": "Run"}).type_id
        self.group = call("PutContextType", context_type={"name": "Group"}).type_id


@pytest.fixture
def types(call: Calls) -> Types:
    return Types(call)


def test_write_54_without_an_execution(call: Calls, types: Types) -> None:
    assert call.code("PutExecution") is Code.INVALID_ARGUMENT


def test_write_54_an_empty_pair_answers_with_minus_one(call: Calls, types: Types) -> None:
    context = pb.Context(type_id=types.group, name="c")
    pairs: list[dict[str, Any]] = [{}, {"artifact": {"type_id": types.data}}]
    made = call("PutExecution", execution={"type_id": types.run}, artifact_event_pairs=pairs, contexts=[context])
    assert made.artifact_ids[0] == -1
    assert made.artifact_ids[1] > 0
    members = call("GetArtifactsByContext", context_id=made.context_ids[0]).artifacts
    assert [artifact.id for artifact in members] == [made.artifact_ids[1]]


def test_write_55_events_must_agree_with_their_pair(call: Calls, types: Types) -> None:
    artifact = {"type_id": types.data}
    for event, pair in (
        ({"type": INPUT, "execution_id": 99}, {"artifact": artifact}),
        ({"type": INPUT, "artifact_id": 99}, {"artifact": artifact}),
        ({"type": INPUT}, {}),
        ({}, {"artifact": artifact}),
    ):
        request = {"execution": {"type_id": types.run}, "artifact_event_pairs": [{**pair, "event": event}]}
        assert call.code("PutExecution", **request) is Code.INVALID_ARGUMENT
    assert not call("GetExecutions").executions
    assert not call("GetArtifacts").artifacts


def test_an_event_may_name_an_artifact_that_is_not_there(call: Calls, types: Types) -> None:
    pairs = [{"event": {"type": INPUT, "artifact_id": 4711}}]
    context = {"type_id": types.group, "name": "c"}
    made = call("PutExecution", execution={"type_id": types.run}, artifact_event_pairs=pairs, contexts=[context])
    assert list(made.artifact_ids) == [4711]
    assert not call("GetArtifactsByContext", context_id=made.context_ids[0]).artifacts


def test_write_56_a_context_that_is_there_already(call: Calls, types: Types) -> None:
    stored = node(pb.Context, {}, {"a": 1}, type_id=types.group, name="c")
    (context_id,) = call("PutContexts", contexts=[stored]).context_ids
    before = call("GetContextsByID", context_ids=[context_id])
    again = node(pb.Context, {}, {"a": 2}, type_id=types.group, name="c")
    request: dict[str, Any] = {"execution": {"type_id": types.run}, "contexts": [again]}
    assert call.code("PutExecution", **request) is Code.ALREADY_EXISTS
    assert not call("GetExecutions").executions
    made = call("PutExecution", **request, options={"reuse_context_if_already_exist": True})
    assert list(made.context_ids) == [context_id]
    assert call("GetContextsByID", context_ids=[context_id]) == before


def test_write_57_a_context_by_id_needs_type_and_name_unless_forced(call: Calls, types: Types) -> None:
    (context_id,) = call("PutContexts", contexts=[{"type_id": types.group, "name": "c"}]).context_ids
    request = {"execution": {"type_id": types.run}, "contexts": [{"id": context_id}]}
    forced = {"force_reuse_context": True}
    assert call.code("PutExecution", **request) is Code.INVALID_ARGUMENT
    assert call.code("PutExecution", **request, options=forced) is Code.OK
    request["contexts"] = [{"id": 4711}]
    assert call.code("PutExecution", **request, options=forced) is Code.NOT_FOUND


def test_a_new_context_named_twice_is_made_once(call: Calls, types: Types) -> None:
    contexts = [{"type_id": types.group, "name": "c"}] * 2
    request = {"execution": {"type_id": types.run}, "contexts": contexts}
    assert call.code("PutExecution", **request) is Code.ALREADY_EXISTS
    made = call("PutExecution", **request, options={"reuse_context_if_already_exist": True})
    assert len(set(made.context_ids)) == 1
    assert len(made.context_ids) == 2


def test_ids_have_no_gap_where_a_call_is_taken_one_by_one(call: Calls, types: Types) -> None:
    """MySQL does not give again the ids of rows that were undone."""
    new = pb.Context(type_id=types.group, name="new")
    run, data = {"type_id": types.run}, {"type_id": types.data}
    reuse = {"reuse_context_if_already_exist": True}
    pairs = [{"artifact": data}]
    twice = call("PutExecution", execution=run, artifact_event_pairs=pairs, contexts=[new, new], options=reuse)
    assert (twice.execution_id, list(twice.artifact_ids), list(twice.context_ids)) == (1, [1], [1, 1])
    renamed = pb.Context(id=1, type_id=types.group, name="renamed")
    again = call("PutExecution", execution=run, artifact_event_pairs=pairs, contexts=[new, renamed], options=reuse)
    assert (again.execution_id, list(again.artifact_ids), list(again.context_ids)) == (2, [2], [1, 1])
    updates = [{"id": 1, **run}, run, {"id": 1, **run}]
    other = pb.Context(type_id=types.group, name="other")
    graph = call("PutLineageSubgraph", executions=updates, artifacts=[data], contexts=[other])
    assert (list(graph.execution_ids), list(graph.artifact_ids), list(graph.context_ids)) == ([1, 3, 1], [3], [2])


def test_an_external_id_may_go_over_to_a_new_node_without_a_gap(call: Calls, types: Types) -> None:
    call("PutArtifacts", artifacts=[{"type_id": types.data, "external_id": "e"}])
    moved = call("PutArtifacts", artifacts=[{"id": 1}, {"type_id": types.data, "external_id": "e"}])
    assert list(moved.artifact_ids) == [1, 2]


def test_an_event_may_foretell_the_ids_of_what_the_call_makes(call: Calls, types: Types) -> None:
    """Also when the call fails later, so that its first run was undone."""
    taken = pb.Context(type_id=types.group, name="taken")
    call("PutContexts", contexts=[taken])
    event = {"type": INPUT, "execution_id": 1, "artifact_id": 1}
    pairs = [{"artifact": {"type_id": types.data}, "event": event}]
    new = pb.Context(type_id=types.group, name="new")
    request = {"execution": {"type_id": types.run}, "artifact_event_pairs": pairs}
    assert call.code("PutExecution", **request, contexts=[new, taken]) is Code.ALREADY_EXISTS


def test_an_external_id_that_blocks_a_new_context_is_aborted(call: Calls, types: Types) -> None:
    call("PutContexts", contexts=[{"type_id": types.group, "name": "c", "external_id": "e"}])
    request = {
        "execution": {"type_id": types.run},
        "contexts": [{"type_id": types.group, "name": "d", "external_id": "e"}],
    }
    options = {"reuse_context_if_already_exist": True}
    assert call.code("PutExecution", **request, options=options) is Code.ABORTED


def test_write_58_an_artifact_is_reused_by_external_id(call: Calls, types: Types) -> None:
    stored = node(pb.Artifact, {"p": 1}, {}, type_id=types.data, external_id="e", uri="old")
    (artifact_id,) = call("PutArtifacts", artifacts=[stored]).artifact_ids
    options = {"reuse_artifact_if_already_exist_by_external_id": True}
    pair = {"artifact": {"external_id": "e", "uri": "new"}, "event": {"type": OUTPUT}}
    request = {"execution": {"type_id": types.run}, "artifact_event_pairs": [pair]}
    made = call("PutExecution", **request, options=options)
    (artifact,) = call("GetArtifactsByID", artifact_ids=made.artifact_ids).artifacts
    assert (artifact.id, artifact.uri, artifact.external_id, len(artifact.properties)) == (artifact_id, "new", "e", 0)
    other = {"artifact": {"external_id": "e", "type_id": types.other}}
    wrong = {"execution": {"type_id": types.run}, "artifact_event_pairs": [other]}
    assert call.code("PutExecution", **wrong, options=options) is Code.INVALID_ARGUMENT
    same = {
        "execution": {"type_id": types.run},
        "artifact_event_pairs": [{"artifact": {"external_id": "e", "type_id": types.data}}],
    }
    assert call.code("PutExecution", **same) is Code.ALREADY_EXISTS


def test_write_59_an_echoed_execution_moves_its_time_only_when_forced(call: Calls, types: Types) -> None:
    made = call("PutExecution", execution={"type_id": types.run, "name": "r"})
    (stored,) = call("GetExecutionsByID", execution_ids=[made.execution_id]).executions
    call("PutExecution", execution=stored)
    assert call("GetExecutionsByID", execution_ids=[made.execution_id]).executions[0] == stored
    call("PutExecution", execution=stored, options={"force_update_time": True})
    (moved,) = call("GetExecutionsByID", execution_ids=[made.execution_id]).executions
    assert moved.last_update_time_since_epoch > stored.last_update_time_since_epoch


def linked(call: Calls) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Return (context, artifact) and (context, execution) of every row that links them; none may be there twice."""

    def pairs(table: sa.Table, column: str) -> set[tuple[int, int]]:
        asked = sa.select(table.c.context_id, table.c[column])
        found = call.store.database.read(call.caller, lambda tx: [(c, n) for c, n in tx.rows(asked)])
        assert len(found) == len(set(found))
        return set(found)

    return pairs(ATTRIBUTION, "artifact_id"), pairs(ASSOCIATION, "execution_id")


def test_write_60_every_context_is_linked_with_every_node(call: Calls, types: Types) -> None:
    contexts = [pb.Context(type_id=types.group, name=name) for name in "abc"]
    pairs = [{"artifact": {"type_id": types.data}} for _ in range(4)]
    made = call("PutExecution", execution={"type_id": types.run}, artifact_event_pairs=pairs, contexts=contexts)
    again = {
        "execution": {"id": made.execution_id, "type_id": types.run},
        "artifact_event_pairs": [{"artifact": {"id": artifact_id}} for artifact_id in made.artifact_ids],
        "contexts": [
            {"id": i, "type_id": types.group, "name": n} for i, n in zip(made.context_ids, "abc", strict=True)
        ],
    }
    links = linked(call)
    assert links == ({(c, a) for c in made.context_ids for a in made.artifact_ids}, {(c, 1) for c in made.context_ids})
    call("PutExecution", **again)
    assert linked(call) == links
    for context_id in made.context_ids:
        members = call("GetArtifactsByContext", context_id=context_id).artifacts
        assert [artifact.id for artifact in members] == list(made.artifact_ids)
        assert len(call("GetExecutionsByContext", context_id=context_id).executions) == 1


def test_the_same_event_twice(call: Calls, types: Types) -> None:
    made = call(
        "PutExecution",
        execution={"type_id": types.run},
        artifact_event_pairs=[{"artifact": {"type_id": types.data}, "event": {"type": OUTPUT}}],
    )
    (artifact_id,) = made.artifact_ids
    again = {
        "execution": {"id": made.execution_id},
        "artifact_event_pairs": [{"event": {"type": OUTPUT, "artifact_id": artifact_id}}],
    }
    assert call.code("PutExecution", **again) is Code.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        ({"execution_index": 1, "artifact_index": 0, "event": {"type": INPUT}}, Code.OUT_OF_RANGE),
        ({"execution_index": -1, "artifact_index": 0, "event": {"type": INPUT}}, Code.OUT_OF_RANGE),
        ({"execution_index": 0, "artifact_index": 1, "event": {"type": INPUT}}, Code.OUT_OF_RANGE),
        ({"execution_index": 0, "artifact_index": -1, "event": {"type": INPUT}}, Code.OUT_OF_RANGE),
        ({"execution_index": 0, "artifact_index": 0}, Code.INVALID_ARGUMENT),
        ({"artifact_index": 0, "event": {"type": INPUT}}, Code.INVALID_ARGUMENT),
        ({"execution_index": 0, "event": {"type": INPUT}}, Code.INVALID_ARGUMENT),
        (
            {"execution_index": 0, "artifact_index": 0, "event": {"type": INPUT, "artifact_id": 1}},
            Code.INVALID_ARGUMENT,
        ),
        (
            {"execution_index": 0, "artifact_index": 0, "event": {"type": INPUT, "execution_id": 1}},
            Code.INVALID_ARGUMENT,
        ),
        ({"execution_index": 0, "artifact_index": 0, "event": {}}, Code.INVALID_ARGUMENT),
        ({"execution_index": 0, "artifact_index": 0, "event": {"type": INPUT}}, Code.OK),
    ],
)
def test_write_61_edges_of_a_subgraph(call: Calls, types: Types, edge: dict[str, Any], expected: Code) -> None:
    request = {"executions": [{"type_id": types.run}], "artifacts": [{"type_id": types.data}], "event_edges": [edge]}
    assert call.code("PutLineageSubgraph", **request) is expected
    assert len(call("GetExecutions").executions) == (expected is Code.OK)


def test_write_62_a_subgraph_needs_types_on_updates_too(call: Calls, types: Types) -> None:
    (artifact_id,) = call("PutArtifacts", artifacts=[{"type_id": types.data}]).artifact_ids
    assert call.code("PutLineageSubgraph", artifacts=[{"id": artifact_id}]) is Code.INVALID_ARGUMENT
    assert call.code("PutLineageSubgraph", artifacts=[{"id": artifact_id, "type_id": types.data}]) is Code.OK
    assert call.code("PutLineageSubgraph", artifacts=[{"type_id": 4711}]) is Code.NOT_FOUND
    call("PutExecutions", executions=[{"type_id": types.run}])
    call("PutContexts", contexts=[{"type_id": types.group, "name": "c"}])
    for field, type_id, rest in (("executions", types.run, {}), ("contexts", types.group, {"name": "c"})):
        assert call.code("PutLineageSubgraph", **{field: [{"id": 1, **rest}]}) is Code.INVALID_ARGUMENT
        assert call.code("PutLineageSubgraph", **{field: [{"id": 1, "type_id": type_id, **rest}]}) is Code.OK


def test_write_63_a_reused_context_is_validated_by_subgraphs_only(call: Calls, types: Types) -> None:
    call("PutContexts", contexts=[{"type_id": types.group, "name": "c"}])
    undeclared = node(pb.Context, {"zz": 1}, {}, type_id=types.group, name="c")
    options = {"reuse_context_if_already_exist": True}
    assert call.code("PutLineageSubgraph", contexts=[undeclared], options=options) is Code.INVALID_ARGUMENT
    execution = {"type_id": types.run}
    assert call.code("PutExecution", execution=execution, contexts=[undeclared], options=options) is Code.OK


def test_write_64_two_new_artifacts_with_one_external_id(call: Calls, types: Types) -> None:
    twice = [{"type_id": types.data, "external_id": "e"}] * 2
    options = {"reuse_artifact_if_already_exist_by_external_id": True}
    assert call.code("PutLineageSubgraph", artifacts=twice, options=options) is Code.ALREADY_EXISTS
    pairs = [{"artifact": artifact} for artifact in twice]
    made = call("PutExecution", execution={"type_id": types.run}, artifact_event_pairs=pairs, options=options)
    assert len(set(made.artifact_ids)) == 1


def test_statements_do_not_grow_with_the_pairs(call: Calls, types: Types) -> None:
    def request(count: int) -> dict[str, Any]:
        artifact = node(pb.Artifact, {"p": 1}, {"c": "x"}, type_id=types.data)
        event = {"type": OUTPUT, "path": {"steps": [{"key": "k"}, {"index": 1}]}}
        contexts = [{"type_id": types.group, "name": f"c{n}"} for n in range(min(count, 3))]
        return {
            "execution": {"type_id": types.run},
            "artifact_event_pairs": [{"artifact": artifact, "event": event}] * count,
            "contexts": contexts,
            "options": {"reuse_context_if_already_exist": True},
        }

    seen = {}
    for count in (1, 100, 5000):
        with counted(call.store) as statements:
            call("PutExecution", **request(count))
        seen[count] = len(statements)
    tables = 5  # Artifact, ArtifactProperty, Event, EventPath, Attribution: 1, 2, 1, 2 and 3 rows a pair
    assert seen[100] <= seen[1] + tables
    assert seen[5000] <= seen[1] + 5 + 10 + 5 + 10 + 15
