"""Limits of walks, where they end, what they hide, and what joins them."""

from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.own import MANIFEST
from mlmd_schemas.tables.v10 import ARTIFACT, EVENT, EXECUTION

from tests.lineage.graphs import chain, put_events, put_nodes
from tests.lineage.questions import all_edges, all_nodes, artifact, cuts, edges, execution, nodes, pages, plain
from tests.lineage.story import Story
from tests.metadata_store.calls import Calls, counted


def delete(call: Calls, table: sa.Table, node_id: int) -> None:
    """Take a row out as nobody should, leaving its events."""
    statement = sa.delete(table).where(table.c.id == sa.bindparam("gone"))

    def body(tx: Transaction) -> None:
        tx.execute(statement, {"gone": node_id})

    call.store.database.write(LOCAL, body)


def give_digest(call: Calls, artifact_id: int, digest: bytes) -> None:
    """Record an artifact's files, of which only the digest matters here."""
    row = (artifact_id, f"s3://there/{artifact_id}", "", 1, 1, 1, digest, 1)

    def body(tx: Transaction) -> None:
        tx.insert(MANIFEST, [column.name for column in MANIFEST.columns], [row])

    call.store.database.write(LOCAL, body)


def test_a_cycle_ends(call: Calls) -> None:
    put_nodes(call, 2, 2)
    put_events(call, [(1, 1, "INPUT"), (1, 2, "OUTPUT"), (2, 2, "INPUT"), (2, 1, "OUTPUT")])
    for method, order in (("GetImpact", ["a1", "e1", "a2", "e2"]), ("GetProvenance", ["a1", "e2", "a2", "e1"])):
        answer = call(method, node=artifact(1))
        assert nodes(answer.graph) == order
        assert sorted(edges(answer.graph)) == ["a1>e1", "a2>e2", "e1>a2", "e2>a1"]
        assert all_nodes(pages(call, method, node=artifact(1), page_size=1)) == order


def test_an_execution_that_reads_what_it_makes(call: Calls) -> None:
    put_nodes(call, 1, 1)
    put_events(call, [(1, 1, "INPUT"), (1, 1, "OUTPUT")])
    answer = call("GetImpact", node=artifact(1))
    assert (nodes(answer.graph), sorted(edges(answer.graph))) == (["a1", "e1"], ["a1>e1", "e1>a1"])


def test_a_node_that_is_gone_is_shown_as_gone(call: Calls) -> None:
    put_nodes(call, 3, 2)
    put_events(call, chain(2))
    delete(call, ARTIFACT, 2)
    delete(call, EXECUTION, 1)
    answer = call("GetProvenance", node=artifact(3))
    assert nodes(answer.graph) == ["a3", "e2", "a2", "e1", "a1"]
    assert [node.gone for node in answer.graph.nodes] == [False, False, True, True, False]
    assert nodes(call("GetImpact", node=artifact(2)).graph) == ["a2", "e2", "a3"]
    assert nodes(call("FindPath", first=artifact(1), second=artifact(3)).path) == ["a1", "e1", "a2", "e2", "a3"]
    drawn = call("ExportGraph", node=artifact(3), format=v1.LINEAGE_FORMAT_SVG)
    assert "gone" in drawn.content


def test_data_whose_maker_is_gone_are_told_as_they_are(call: Calls, story: Story) -> None:
    data, model = story.artifact(name="raw"), story.artifact("system.Model")
    maker = story.step({}, {"raw": data}, type_name="system.ImporterExecution")
    story.step({"raw": data}, {"model": model})
    assert [one.is_origin for one in call("GetProvenance", node=artifact(model)).data] == [True]
    delete(call, EXECUTION, maker)
    answer = call("GetProvenance", node=artifact(model))
    assert [(one.name, one.is_origin) for one in answer.data] == [("raw", False)], "nobody knows what its maker did"


def test_a_node_that_never_was(call: Calls) -> None:
    put_nodes(call, 1, 1)
    for method in ("GetProvenance", "GetImpact", "ExportGraph"):
        message = call.message(method, node=artifact(7))
        assert message == "node: there is no artifact 7; the store has no event of it either."
        assert call.code(method, node=artifact(7)) is Code.NOT_FOUND
    assert call.message("FindPath", first=artifact(1), second=execution(9)).startswith(
        "second: there is no execution 9"
    )


def test_depth(call: Calls) -> None:
    put_nodes(call, 4, 3)
    put_events(call, chain(3))
    answer = call("GetImpact", node=artifact(1), options={"max_hops": 3})
    assert nodes(answer.graph) == ["a1", "e1", "a2", "e2"]
    assert cuts(answer.graph) == {"e2": "hops"}
    assert not answer.next_page_token
    deeper = call("GetImpact", node=artifact(1), options={"max_hops": 3}, page_token=answer.deeper_page_token)
    assert nodes(deeper.graph) == ["a3", "e3", "a4"]
    assert edges(deeper.graph) == ["e2>a3", "a3>e3", "e3>a4"]
    assert not deeper.deeper_page_token
    assert not cuts(deeper.graph)


def test_pages(call: Calls) -> None:
    put_nodes(call, 4, 3)
    put_events(call, chain(3))
    first = call("GetImpact", node=artifact(1), page_size=2)
    assert (nodes(first.graph), cuts(first.graph)) == (["a1", "e1"], {"e1": "page"})
    second = call("GetImpact", node=artifact(1), page_size=3, page_token=first.next_page_token)
    assert (nodes(second.graph), edges(second.graph)) == (["a2", "e2", "a3"], ["e1>a2", "a2>e2", "e2>a3"])


def test_events_of_later_do_not_come_between_pages(call: Calls) -> None:
    put_nodes(call, 5, 3)
    put_events(call, chain(2))
    first = call("GetImpact", node=artifact(1), page_size=2)
    put_events(call, [(1, 4, "OUTPUT"), (3, 1, "INPUT"), (3, 5, "OUTPUT")])
    rest = call("GetImpact", node=artifact(1), page_token=first.next_page_token)
    assert nodes(first.graph) + nodes(rest.graph) == ["a1", "e1", "a2", "e2", "a3"]


def test_time_that_is_over_ends_a_page_after_a_hop(call: Calls) -> None:
    put_nodes(call, 41, 40)
    put_events(call, chain(40))
    limits = {"max_duration_ms": 1}
    first = call("GetImpact", node=artifact(1), options=limits)
    assert 1 <= len(first.graph.nodes) < 81, "eighty hops take longer than a millisecond"
    assert set(cuts(first.graph).values()) == {"duration"}
    parts = pages(call, "GetImpact", node=artifact(1), options=limits)
    assert all_nodes(parts) == nodes(call("GetImpact", node=artifact(1)).graph)


def test_a_window_of_time(call: Calls) -> None:
    put_nodes(call, 3, 2)
    put_events(call, chain(2))
    statement = sa.update(EVENT).where(EVENT.c.execution_id == 2).values(milliseconds_since_epoch=5_000)
    call.store.database.write(LOCAL, lambda tx: tx.execute(statement))
    for options in ({"since_ms": 6_000}, {"until_ms": 5_001}):
        answer = call("GetProvenance", node=artifact(3), options=options)
        assert cuts(answer.graph) == ({"a3": "window"} if "since_ms" in options else {"a2": "window"})
    assert nodes(call("GetProvenance", node=artifact(3), options={"until_ms": 5_001}).graph) == ["a3", "e2", "a2"]
    assert nodes(call("GetProvenance", node=artifact(2), options={"since_ms": 5_001}).graph) == ["a2", "e1", "a1"]
    assert nodes(call("GetImpact", node=artifact(2), options={"since_ms": 5_000}).graph) == ["a2", "e2", "a3"]
    assert nodes(call("GetImpact", node=artifact(2), options={"until_ms": 5_000}).graph) == ["a2"]
    path = call("FindPath", first=artifact(1), second=artifact(3), options={"until_ms": 5_001})
    assert not path.found


def test_walks_end_at_nodes_that_match(call: Calls, story: Story) -> None:
    raw, clean, model = story.artifact(name="raw"), story.artifact(name="clean"), story.artifact("system.Model")
    story.step({"raw": raw}, {"clean": clean}, name="prepare")
    story.step({"clean": clean}, {"model": model}, name="train")
    answer = call("GetProvenance", node=artifact(model), options={"ending_artifacts": "name = 'clean'"})
    assert (nodes(answer.graph), cuts(answer.graph)) == (["a3", "e2", "a2"], {"a2": "ending"})
    assert [(data.name, data.is_origin) for data in answer.data] == [("clean", False)]
    answer = call("GetProvenance", node=artifact(model), options={"ending_executions": "name = 'prepare'"})
    assert (nodes(answer.graph), cuts(answer.graph)) == (["a3", "e2", "a2", "e1"], {"e1": "ending"})
    path = call("FindPath", first=artifact(raw), second=artifact(model), options={"ending_artifacts": "name = 'clean'"})
    assert not path.found
    wrong = call.message("GetProvenance", node=artifact(model), options={"ending_artifacts": "nme = 'clean'"})
    assert "nme" in wrong


def test_what_orchestrators_write_for_themselves_is_left_out(call: Calls, story: Story) -> None:
    raw, data, model = story.artifact(), story.artifact(), story.artifact("system.Model")
    log = story.artifact("system.Artifact", uri="minio://root/task/uuid/executor-logs-1")
    report = story.artifact("system.Artifact", uri="minio://root/task/uuid/report")
    story.step({}, {"raw": raw}, type_name="system.ImporterExecution")
    story.step({"raw": raw}, {"data": data}, type_name="system.DAGExecution")
    story.step({"data": data}, {"model": model, "executor-logs": log, "report": report})
    answer = call("GetProvenance", node=artifact(model))
    assert nodes(answer.graph) == ["a3", "e3", "a2", "a1"]
    assert edges(answer.graph) == ["a2>e3", "e3>a3", "a1~a2"]
    assert [(data.node.artifact_id, data.is_origin) for data in answer.data] == [(2, False), (1, True)]
    impact = call("GetImpact", node=artifact(raw))
    assert (nodes(impact.graph), edges(impact.graph)) == (
        ["a1", "a2", "e3", "a3", "a5"],
        ["a2>e3", "e3>a3", "e3>a5", "a1~a2"],
    )
    everything = call("GetImpact", node=artifact(raw), options={"with_system_nodes": True})
    assert nodes(everything.graph) == ["a1", "e2", "a2", "e3", "a3", "a4", "a5"]
    path = call("FindPath", first=artifact(raw), second=artifact(model))
    assert (nodes(path.path), edges(path.path)) == (["a1", "a2", "e3", "a3"], ["a2>e3", "e3>a3", "a1~a2"])
    asked_for = call("GetImpact", node=artifact(log))
    assert nodes(asked_for.graph) == ["a4"], "what is asked for is always shown"


def test_ways_through_a_hidden_node_are_bounded(call: Calls, story: Story) -> None:
    type_id, dag = story.type_id("Artifact", "system.Dataset"), story.type_id("Execution", "system.DAGExecution")
    step = story.type_id("Execution", "Step")
    wide = 400
    ids = call("PutArtifacts", artifacts=[{"type_id": type_id}] * (2 * wide + 1)).artifact_ids
    gather, loop = call("PutExecutions", executions=[{"type_id": step}, {"type_id": dag}]).execution_ids
    events = [(gather, ids[0], "INPUT")]
    events += [(gather, one, "OUTPUT") for one in ids[1 : wide + 1]] + [
        (loop, one, "INPUT") for one in ids[1 : wide + 1]
    ]
    put_events(call, events + [(loop, one, "OUTPUT") for one in ids[wide + 1 :]])
    assert call.code("GetImpact", node=artifact(ids[0])) is Code.RESOURCE_EXHAUSTED
    assert "with_system_nodes" in call.message("GetImpact", node=artifact(ids[0]))
    shown = call("GetImpact", node=artifact(ids[0]), options={"with_system_nodes": True})
    assert len(shown.graph.nodes) == 2 * wide + 3


def test_equal_contents_without_any_event(call: Calls, story: Story) -> None:
    copies = [story.artifact() for _ in range(3)]
    for artifact_id in copies:
        give_digest(call, artifact_id, b"c" * 32)
    parts = pages(call, "GetImpact", node=artifact(copies[1]), options={"join_digests": True}, page_size=1)
    assert all_nodes(parts) == ["a1", "a2", "a3"]
    assert all_edges(parts) == ["a1=a2", "a1=a3"]


def test_equal_contents_join_what_different_tools_recorded(call: Calls, story: Story) -> None:
    made, downloaded, model = story.artifact(), story.artifact(), story.artifact("system.Model")
    story.step({}, {"data": made})
    story.step({"data": downloaded}, {"model": model})
    for artifact_id in (made, downloaded):
        give_digest(call, artifact_id, b"d" * 32)
    assert nodes(call("GetProvenance", node=artifact(model)).graph) == ["a3", "e2", "a2"]
    joined = {"join_digests": True}
    answer = call("GetProvenance", node=artifact(model), options=joined)
    assert nodes(answer.graph) == ["a3", "e2", "a1", "a2", "e1"]
    assert edges(answer.graph) == ["e1>a1", "a2>e2", "e2>a3", "a1=a2"]
    parts = pages(call, "GetProvenance", node=artifact(model), options=joined, page_size=1)
    assert all_nodes(parts) == nodes(answer.graph)
    path = call("FindPath", first=execution(1), second=artifact(model), options=joined)
    assert (nodes(path.path), edges(path.path)) == (
        ["e1", "a1", "a2", "e2", "a3"],
        ["e1>a1", "a2>e2", "e2>a3", "a1=a2"],
    )
    difference = call("DiffProvenance", first=artifact(made), second=artifact(downloaded))
    assert (difference.same_content, len(difference.steps)) == (True, 0)


def test_details(call: Calls, story: Story) -> None:
    data = story.version("churn", uri="s3://churn")
    model = story.artifact("system.Model", {"depth": 3, "note": "ü", "curve": {"list": [1, 2.5]}})
    story.step({"data": data}, {"model": model}, custom={"display_name": "train"})

    def asked(detail: Any) -> v1.LineagePage:
        page: v1.LineagePage = call("GetProvenance", node=artifact(model), options={"detail": detail}).graph
        return page

    names = asked(v1.LINEAGE_DETAIL_NAMES)
    assert [(node.type, node.name, node.uri, len(node.versions)) for node in names.nodes] == [
        ("system.Model", "", "", 0),
        ("Step", "train", "", 0),
        ("system.Dataset", "churn/1", "", 0),
    ]
    assert {edge.key for edge in names.edges} == {""}
    usual = asked(v1.LINEAGE_DETAIL_UNSPECIFIED)
    (version,) = usual.nodes[2].versions
    assert (version.type_name, version.name, version.number, version.is_latest) == ("system.Dataset", "churn", 1, True)
    assert {edge.key for edge in usual.edges} == {"data", "model"}
    assert not usual.nodes[0].properties
    whole = asked(v1.LINEAGE_DETAIL_PROPERTIES)
    assert plain(whole.nodes[0].properties) == {"depth": 3, "note": "ü", "curve": '{"list":[1,2.5]}'}


@pytest.mark.parametrize(
    ("options", "fields", "said"),
    [
        ({"max_hops": -1}, {}, "options.max_hops: -1"),
        ({"max_hops": 1001}, {}, "options.max_hops: 1001"),
        ({"max_duration_ms": -5}, {}, "options.max_duration_ms: -5"),
        ({"since_ms": 5, "until_ms": 5}, {}, "options.until_ms"),
        ({}, {"page_size": 10_001}, "page_size: 10001"),
        ({}, {"page_size": -1}, "page_size: -1"),
        ({}, {"page_token": "rubbish"}, "page_token"),
        ({}, {"page_token": "é"}, "page_token"),
        ({"ending_artifacts": "garbage("}, {}, ""),
    ],
)
def test_wrong_limits(call: Calls, options: dict[str, Any], fields: dict[str, Any], said: str) -> None:
    put_nodes(call, 1, 1)
    assert call.code("GetImpact", node=artifact(1), options=options, **fields) is Code.INVALID_ARGUMENT
    assert call.message("GetImpact", node=artifact(1), options=options, **fields).startswith(said)


def test_a_token_is_of_one_question(call: Calls) -> None:
    put_nodes(call, 3, 2)
    put_events(call, chain(2))
    token = call("GetImpact", node=artifact(1), page_size=1).next_page_token
    assert call.code("GetImpact", node=artifact(2), page_token=token) is Code.INVALID_ARGUMENT
    assert call.code("GetProvenance", node=artifact(1), page_token=token) is Code.INVALID_ARGUMENT
    other = call.code("GetImpact", node=artifact(1), page_token=token, options={"with_system_nodes": True})
    assert other is Code.INVALID_ARGUMENT
    detailed = {"detail": v1.LINEAGE_DETAIL_NAMES}
    assert nodes(call("GetImpact", node=artifact(1), page_token=token, options=detailed).graph)[0] == "e1"


def test_statements_are_of_hops_and_not_of_nodes(call: Calls) -> None:
    wide = 300
    put_nodes(call, 2 + 2 * wide, 2 + wide)
    fan = [(1, 1, "INPUT"), (1, 2, "OUTPUT"), (2, 2, "INPUT")]
    fan += [(2, 3 + place, "OUTPUT") for place in range(wide)]
    fan += [(3 + place, 3 + place, "INPUT") for place in range(wide)]
    fan += [(3 + place, 3 + wide + place, "OUTPUT") for place in range(wide)]
    put_events(call, fan)
    call("GetImpact", node=artifact(1))  # types are remembered from here on

    def statements(method: str, **fields: Any) -> int:
        with counted(call.store) as sent:
            call(method, **fields)
        return len([statement for statement in sent if statement.lstrip().upper().startswith(("SELECT", "WITH"))])

    last = artifact(2 + 2 * wide)
    for method, few, many, most in (
        ("GetImpact", artifact(3), artifact(1), 24),
        ("GetProvenance", last, last, 24),
    ):
        thin = statements(method, node=few)
        thick = statements(method, node=many)
        assert thin <= thick <= most, method
    hops = call("GetImpact", node=artifact(1))
    assert len(hops.graph.nodes) == 4 + 3 * wide
    assert max(node.hops for node in hops.graph.nodes) == 6
    assert statements("FindPath", first=artifact(1), second=last) <= 16
    assert statements("DiffProvenance", first=last, second=artifact(1 + 2 * wide)) <= 50
    joined = statements("GetImpact", node=artifact(1), options={"join_digests": True})
    assert joined <= 24 + 4
    both = statements("ExportGraph", node=artifact(1), format=v1.LINEAGE_FORMAT_DOT)
    assert both <= 40


def test_input_and_output_of_every_kind_of_event(call: Calls) -> None:
    put_nodes(call, 6, 1)
    kinds = ["DECLARED_INPUT", "INPUT", "INTERNAL_INPUT", "DECLARED_OUTPUT", "OUTPUT", "PENDING_OUTPUT"]
    put_events(call, [(1, place, kind) for place, kind in enumerate(kinds, 1)])
    assert nodes(call("GetProvenance", node=execution(1)).graph) == ["e1", "a1", "a2", "a3"]
    assert nodes(call("GetImpact", node=execution(1)).graph) == ["e1", "a4", "a5", "a6"]
