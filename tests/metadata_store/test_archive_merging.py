"""Archives that meet what is there already: ids that are taken, names that are shared, nodes that come home."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.purging import choose, purge_facts
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as admin

from tests.metadata_store.archives import begun, everything, exported, furnish, imported, settled
from tests.metadata_store.calls import Calls, node
from tests.metadata_store.measured import log, series


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_ids_that_are_taken_are_given_anew_and_followed_everywhere(
    store_on: Callable[..., Calls], database: str
) -> None:
    before, after = store_on(database), store_on(database)
    furnish(before)
    other = after("PutArtifactType", artifact_type=pb.ArtifactType(name="Other")).type_id
    after("PutArtifacts", artifacts=[pb.Artifact(type_id=other, uri=f"mine {n}") for n in range(3)])
    answer = imported(after, exported(before))
    assert (answer["Artifact"].added, answer["Artifact"].renumbered) == (15, 3)
    artifacts = after("GetArtifacts").artifacts
    assert [artifact.uri for artifact in artifacts[:3]] == ["mine 0", "mine 1", "mine 2"]
    named = {artifact.name: artifact for artifact in artifacts if artifact.name}
    assert named["d1"].id > 15
    assert named["m1"].id in (4, 5)
    events = after("GetEventsByArtifactIDs", artifact_ids=[named["d1"].id]).events
    expected = before("GetEventsByArtifactIDs", artifact_ids=[1]).events
    assert [(e.execution_id, e.type, e.path) for e in events] == [(e.execution_id, e.type, e.path) for e in expected]
    assert after("ListSeries", owners=[{"artifact_id": named["d1"].id}]).series[0].points == 4
    (found,) = after("GetEvaluations", owners=[{"artifact_id": named["d1"].id}]).evaluations
    assert list(found.matrix.counts) == [3, 1, 2, 4]
    assert after("ResolveVersion", type_name="Dataset", name="churn", alias="good").version.number == 2


def test_a_collection_that_went_on_by_itself_is_not_overwritten(store_on: Callable[..., Calls]) -> None:
    before, after = store_on("sqlite"), store_on("sqlite")
    furnish(before)
    imported(after, exported(before))
    for call, uri in ((before, b"\x2a\x01a"), (after, b"\x2a\x01b")):
        call("AddVersion", type_name="Dataset", name="churn", artifact=pb.Artifact(uri=str(uri)).SerializeToString())
    kept = everything(after)
    import_id, count = begun(after, exported(before))
    assert after.code("CommitImport", import_id=import_id, count=count) is Code.ALREADY_EXISTS
    assert everything(after) == kept


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_contexts_of_one_name_are_shared_and_other_names_are_conflicts(
    store_on: Callable[..., Calls], database: str
) -> None:
    before, after = store_on(database), store_on(database)
    for call in (before, after):
        pipeline = call("PutContextType", context_type=pb.ContextType(name="Pipeline")).type_id
        data = call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
        call("PutContexts", contexts=[node(pb.Context, custom={"who": str(id(call))}, type_id=pipeline, name="p")])
    before("PutArtifacts", artifacts=[pb.Artifact(type_id=data, name="theirs")])
    before("PutAttributionsAndAssociations", attributions=[pb.Attribution(context_id=1, artifact_id=1)])
    answer = imported(after, exported(before))
    assert (answer["Context"].added, answer["Artifact"].added, answer["Attribution"].added) == (0, 1, 1)
    (context,) = after("GetContexts").contexts
    assert context.custom_properties["who"].string_value == str(id(after))
    third = store_on(database)
    data = third("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
    third("PutArtifacts", artifacts=[pb.Artifact(type_id=data, name="theirs", uri="elsewhere")])
    import_id, count = begun(third, exported(before))
    assert "'theirs' of type 'Data'" in third.message("CommitImport", import_id=import_id, count=count)


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_nodes_that_come_home_are_recognised_and_bring_what_they_got(
    store_on: Callable[..., Calls], database: str
) -> None:
    home, away = store_on(database), store_on(database)
    other = away("PutArtifactType", artifact_type=pb.ArtifactType(name="Other")).type_id
    away("PutArtifacts", artifacts=[pb.Artifact(type_id=other, uri=f"theirs {n}") for n in range(3)])
    furnish(home)
    imported(away, exported(home))
    known = {node.origin_id: node.id for node in find(away, home, artifact_ids=[1, 2]).artifacts}
    assert known[1] != 1
    away("PutArtifacts", artifacts=[node(pb.Artifact, custom={"n": 1}, type_id=other, uri="made there")])
    away("AddVersion", type_name="Dataset", name="churn", artifact=b"")
    away("MoveAlias", type_name="Dataset", name="churn", alias="good", number=4)
    log(away, series(known[1], "seen away", [0.5, 0.25]))
    before = everything(home)
    answer = imported(home, exported(away))
    assert [answer[name].added for name in ("Artifact", "Execution", "Context")] == [5, 0, 0]
    after = everything(home)
    assert [row for row in after["ArtifactProperty"] if row in before["ArtifactProperty"]] == before["ArtifactProperty"]
    assert home("ResolveVersion", type_name="Dataset", name="churn", alias="good").version.number == 4
    assert home("AddVersion", type_name="Dataset", name="churn", artifact=b"").version.number == 5
    names = {one.key.name for one in home("ListSeries", owners=[{"artifact_id": 1}]).series}
    assert names == {"loss", "seen away"}
    kept = everything(home)
    assert settled(imported(home, exported(away)))
    assert everything(home) == kept
    assert {node.origin_id: node.id for node in find(home, away, artifact_ids=[known[1]]).artifacts} == {known[1]: 1}


def find(call: Calls, origin: Calls, **ids: list[int]) -> Any:
    """Ask a store what nodes of another one are in it."""
    return call("FindImported", store_uuid=exported(origin)[0].header.store_uuid, **ids)


def test_a_store_knows_what_reaches_it_by_two_ways(store_on: Callable[..., Calls]) -> None:
    first, second, third = (store_on("sqlite") for _ in range(3))
    furnish(first)
    imported(second, exported(first))
    imported(third, exported(second))
    kept = everything(third)
    assert settled(imported(third, exported(first)))
    assert everything(third) == kept
    assert settled(imported(first, exported(third))), "it comes home by a way that it did not go"
    assert settled(imported(second, exported(third)))


def test_what_was_purged_here_is_not_brought_back(store_on: Callable[..., Calls]) -> None:
    before, after = store_on("sqlite"), store_on("sqlite")
    furnish(before)
    imported(after, exported(before))

    def purge(tx: Transaction) -> None:
        request = admin.PurgeRequest(kind=admin.NODE_KIND_ARTIFACT, ids=[2])
        purge_facts(tx, choose(tx, request, locked=True), "consent withdrawn")

    after.store.database.write(LOCAL, purge)
    kept = everything(after)
    assert settled(imported(after, exported(before)))
    assert everything(after) == kept


def test_an_archive_of_an_earlier_state_of_this_store_adds_what_was_lost_once(store_on: Callable[..., Calls]) -> None:
    call = store_on("sqlite")
    data = call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
    call("PutArtifacts", artifacts=[pb.Artifact(type_id=data, uri=f"u{n}") for n in range(3)])
    archive = exported(call)
    lost = [
        sa.text("DELETE FROM Artifact WHERE id = 3"),
        sa.text("UPDATE Artifact SET name = 'x', id = 3 WHERE id = 2"),
    ]
    call.store.database.write(LOCAL, lambda tx: [tx.execute(statement, {}) for statement in lost])
    assert imported(call, archive)["Artifact"].added == 2
    assert settled(imported(call, archive))


def test_more_ids_than_a_call_takes_are_refused(store_on: Callable[..., Calls]) -> None:
    call = store_on("sqlite")
    assert "1001 ids" in call.message("FindImported", store_uuid="x", artifact_ids=range(1, 1002))
    assert call("FindImported", store_uuid="x", artifact_ids=[1], execution_ids=[1], context_ids=[1]).artifacts == []


def test_ids_within_kubeflows_properties_and_names_follow(store_on: Callable[..., Calls]) -> None:
    before, after = store_on("sqlite"), store_on("sqlite")
    for call, tag in ((before, "a"), (after, "b")):
        dag = call("PutExecutionType", execution_type=pb.ExecutionType(name="system.DAGExecution")).type_id
        call("PutExecutions", executions=[pb.Execution(type_id=dag, name=f"run/{tag}")])
        child = node(pb.Execution, custom={"parent_dag_id": 1, "cached_execution_id": "1"}, type_id=dag)
        call("PutExecutions", executions=[child])
        model = call("PutContextType", context_type=pb.ContextType(name="kf.RegisteredModel")).type_id
        version = call("PutContextType", context_type=pb.ContextType(name="kf.ModelVersion")).type_id
        call("PutContexts", contexts=[pb.Context(type_id=model, name=f"model {tag}")])
        first = node(pb.Context, custom={"registered_model_id": 1}, type_id=version, name="1:v1")
        call("PutContexts", contexts=[first])
    imported(after, exported(before))
    executions = {execution.id: execution for execution in after("GetExecutions").executions}
    (parent,) = [number for number, execution in executions.items() if execution.name == "run/a"]
    moved = executions[max(executions)]
    assert parent not in (1, 2)
    assert moved.custom_properties["parent_dag_id"].int_value == parent
    assert moved.custom_properties["cached_execution_id"].string_value == str(parent)
    contexts = {context.name: context for context in after("GetContexts").contexts}
    model_id = contexts["model a"].id
    assert contexts[f"{model_id}:v1"].custom_properties["registered_model_id"].int_value == model_id
