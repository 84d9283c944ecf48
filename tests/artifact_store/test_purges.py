"""Purging: which facts go, and what of lineage stays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store import purging
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import AlreadyExists, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1 import runs_pb2

from tests.artifact_store.care import SAID, Admin, execution, opened, talkative, upload
from tests.artifact_store.uploads import artifact, type_id
from tests.metadata_store.calls import Calls, counted, node

ARTIFACT = v1.NODE_KIND_ARTIFACT
EXECUTION = v1.NODE_KIND_EXECUTION
CONTEXT = v1.NODE_KIND_CONTEXT


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    with opened(database_url, tmp_path) as requests:
        yield requests


def test_facts_go_and_the_shape_of_lineage_stays(admin: Admin, requests: Requests, call: Calls) -> None:
    data, model = talkative(call, "Artifact", "patients", uri="s3://b/patients"), upload(requests)
    talkative(call, "Artifact", "others")
    made = execution(requests, [data], [model])
    before = artifact(call.store, data)
    looked = admin("Purge", kind=ARTIFACT, ids=[data])
    assert (looked.purged, looked.node_count, looked.property_count) == (False, 1, len(SAID))
    assert [(one.id, one.name, one.uri) for one in looked.nodes] == [(data, "patients", "s3://b/patients")]
    assert artifact(call.store, data) == before
    done = admin("Purge", kind=ARTIFACT, ids=[data], digest=looked.digest, reason="consent withdrawn")
    assert done.purged
    after = artifact(call.store, data)
    left = pb.Artifact(
        id=data, type_id=before.type_id, type="SayArtifact",
        create_time_since_epoch=before.create_time_since_epoch,
        last_update_time_since_epoch=after.last_update_time_since_epoch,
    )  # fmt: skip
    assert after == left
    assert after.last_update_time_since_epoch > before.last_update_time_since_epoch
    (event,) = call("GetEventsByArtifactIDs", artifact_ids=[data]).events
    assert (event.execution_id, event.type) == (made, pb.Event.INPUT)
    (stone,) = admin("ListTombstones").tombstones
    assert (stone.kind, stone.id, stone.what) == (ARTIFACT, data, v1.Tombstone.WHAT_FACTS)
    assert (stone.subject, stone.reason) == ("local", "consent withdrawn")
    assert stone.delete_ms >= before.create_time_since_epoch


def test_executions_and_contexts_are_purged_by_filter(admin: Admin, call: Calls) -> None:
    runs = [talkative(call, "Execution", f"run {number}") for number in range(3)]
    context = talkative(call, "Context", "secret project")
    call("PutAttributionsAndAssociations", associations=[pb.Association(context_id=context, execution_id=runs[0])])
    admin.purge(kind=EXECUTION, filter_query="name LIKE 'run %' AND name != 'run 2'")
    admin.purge(kind=CONTEXT, ids=[context])
    executions = {one.id: one for one in call("GetExecutionsByID", execution_ids=runs).executions}
    assert [executions[run].HasField("name") for run in runs] == [False, False, True]
    assert [len(executions[run].custom_properties) for run in runs] == [0, 0, len(SAID)]
    (left,) = call("GetContextsByExecution", execution_id=runs[0]).contexts
    assert (left.id, left.name, len(left.custom_properties)) == (context, f"mlmd.purged/{context}", 0)
    assert talkative(call, "Context", "secret project") != context
    stones = admin("ListTombstones", page_size=2)
    rest = admin("ListTombstones", page_size=2, page_token=stones.next_page_token)
    found = [(stone.kind, stone.id) for page in (stones, rest) for stone in page.tombstones]
    assert found == [(EXECUTION, runs[0]), (EXECUTION, runs[1]), (CONTEXT, context)]
    assert rest.next_page_token == ""
    assert [stone.id for stone in admin("ListTombstones", kind=CONTEXT).tombstones] == [context]


def test_a_filter_chooses_all_that_it_matches_or_nothing(
    admin: Admin, call: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [talkative(call, "Execution", f"run {number}") for number in range(3)]
    monkeypatch.setattr(purging, "MOST_NODES", 2)
    with pytest.raises(InvalidArgument, match=r"^filter_query: matches more than 2 nodes"):
        admin("Purge", kind=EXECUTION, filter_query="name LIKE 'run %'")
    with pytest.raises(InvalidArgument, match=r"^ids: names more than 2 nodes"):
        admin("Purge", kind=EXECUTION, ids=runs)
    looked = admin("Purge", kind=EXECUTION, filter_query="name LIKE 'run %' AND name != 'run 2'")
    assert [one.id for one in looked.nodes] == runs[:2]


def test_a_context_whose_new_name_is_taken_stays(admin: Admin, call: Calls) -> None:
    context = talkative(call, "Context", "secret project")
    talkative(call, "Context", f"mlmd.purged/{context}")
    with pytest.raises(AlreadyExists, match=r"mlmd\.purged/"):
        admin.purge(kind=CONTEXT, ids=[context])
    (left,) = call("GetContextsByID", context_ids=[context]).contexts
    assert (left.name, len(left.custom_properties)) == ("secret project", len(SAID))


def test_metrics_go_along(admin: Admin, call: Calls) -> None:
    run, other = talkative(call, "Execution", "run"), talkative(call, "Execution", "other")
    for owner in (run, other):
        key = {"owner": {"execution_id": owner}, "name": "loss"}
        call("LogSeries", series=[{"key": key, "steps": [1, 2], "values": [0.5, 0.25]}])
    admin.purge(kind=EXECUTION, ids=[run])
    assert _rows(call.store, "SELECT COUNT(*) FROM mlmd_series") == 1
    assert _rows(call.store, "SELECT COUNT(*) FROM mlmd_series_segments") == 1
    assert _rows(call.store, "SELECT COUNT(*) FROM mlmd_exact_values") == 1


def test_why_a_run_ended_goes_along(admin: Admin, call: Calls) -> None:
    asked = {"experiment": "churn", "step": "train", "join_key": "job of Ana"}
    run = call("StartRun", **asked, token="a" * 16).run
    call("FinishRun", token="a" * 16, state=runs_pb2.RUN_STATE_FAILED, reason="no row of Ana")
    admin.purge(kind=EXECUTION, ids=[run.execution_id])
    (left,) = call("ListRuns").runs
    assert (left.reason, left.step, left.number, left.state) == ("", "train", 1, runs_pb2.RUN_STATE_FAILED)
    assert _rows(call.store, "SELECT COUNT(*) FROM mlmd_runs WHERE join_key <> ''") == 0
    assert call("StartRun", **asked, token="b" * 16).run.number == 2


@pytest.mark.parametrize("kind", ["Artifact", "Execution"])
def test_nodes_of_another_kind_with_the_same_id_keep_everything(admin: Admin, call: Calls, kind: str) -> None:
    made = {noun: talkative(call, noun, noun) for noun in ("Artifact", "Execution", "Context")}
    assert len(set(made.values())) == 1
    owners = {noun: {f"{noun.lower()}_id": made[noun]} for noun in ("Artifact", "Execution")}
    for owner in owners.values():
        key = {"owner": owner, "name": "loss"}
        call("LogSeries", series=[{"key": key, "steps": [1, 2], "values": [0.5, 0.25]}])
        call("LogConfusionMatrix", key=key, matrix={"labels": ["no", "yes"], "counts": [1, 2, 3, 4]})

    def there(noun: str) -> Any:
        found = call(f"Get{noun}sByID", **{f"{noun.lower()}_ids": [made[noun]]})
        told = [str(found)]
        if noun in owners:
            told.append(str(call("ListSeries", owners=[owners[noun]]).series))
            told.append(str(call("GetEvaluations", owners=[owners[noun]]).evaluations))
        return told

    before = {noun: there(noun) for noun in made}
    admin.purge(kind={"Artifact": ARTIFACT, "Execution": EXECUTION}[kind], ids=[made[kind]])
    after = {noun: there(noun) for noun in made}
    assert {noun for noun in made if after[noun] != before[noun]} == {kind}
    assert after[kind][1:] == ["[]", "[]"]
    assert _rows(call.store, "SELECT COUNT(*) FROM mlmd_evaluation_parts") == 1


def _rows(store: Store, query: str) -> int:
    connection = store.database.reader.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(query)
        ((count,),) = cursor.fetchall()
        return int(count)
    finally:
        connection.close()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_of_tombstones_joined_are_the_whole(admin: Admin, requests: Requests, call: Calls, size: int) -> None:
    for _ in range(2):
        admin.purge(kind=ARTIFACT, ids=[upload(requests)], include_bytes=True)
        admin.purge(kind=EXECUTION, ids=[talkative(call, "Execution", "run")])
        admin.purge(kind=CONTEXT, ids=[talkative(call, "Context", "project")])
    whole = list(admin("ListTombstones").tombstones)
    assert len({(stone.kind, stone.id, stone.what) for stone in whole}) == len(whole) == 8
    found: list[v1.Tombstone] = []
    token = ""
    while len(found) < 9:
        page = admin("ListTombstones", page_size=size, page_token=token)
        found += page.tombstones
        token = page.next_page_token
        if not token:
            break
    assert found == whole


def test_statements_do_not_grow_with_nodes(admin: Admin, call: Calls) -> None:
    kind = type_id(call.store)
    made = call("PutArtifacts", artifacts=[node(pb.Artifact, custom=SAID, type_id=kind) for _ in range(301)])
    ids = list(made.artifact_ids)
    counts = []
    for chosen in (ids[:1], ids[1:]):
        with counted(call.store) as statements:
            admin.purge(kind=ARTIFACT, ids=chosen)
        counts.append(len(statements))
    assert counts[1] <= counts[0] + 2  # rows of tombstones may need an INSERT of their own
