"""Purging: what goes, what stays, what forbids it, and that it is what was looked at."""

import dataclasses
import io
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlmd_artifact_store import deletions
from mlmd_artifact_store.blob_store import VALID_SECONDS
from mlmd_artifact_store.deletions import (
    Deletion,
    delete_blobs,
    forget_deletions,
    note_deletions,
    noted_deletions,
)
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.sweeping import sweep_deletions
from mlmd_metadata_store import purging
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1 import artifacts_pb2
from mlmd_schemas.tables.registry import MODEL_VERSION

from tests.artifact_store.care import Admin, alias, execution, opened, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.uploads import artifact, begin, type_id, upload_file
from tests.metadata_store.calls import Calls, counted, node

ARTIFACT, EXECUTION, CONTEXT = v1.NODE_KIND_ARTIFACT, v1.NODE_KIND_EXECUTION, v1.NODE_KIND_CONTEXT
SAID = {"plain": "a name", "struct": {"a": [1]}, "odd": float("nan"), "number": 7}


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    with opened(database_url, tmp_path) as requests:
        yield requests


@pytest.fixture
def admin(requests: Requests) -> Admin:
    """Its administration."""
    return Admin(requests)


@pytest.fixture
def call(requests: Requests) -> Calls:
    """MLMD's calls on it."""
    return Calls(requests.artifacts.store)


def talkative(call: Calls, noun: str, name: str, **fields: Any) -> int:
    """Make a node that says much about itself."""
    kind = getattr(pb, noun)
    made_type = getattr(pb, f"{noun}Type")(name=f"Say{noun}")
    type_of = call(f"Put{noun}Type", **{f"{noun.lower()}_type": made_type}).type_id
    said = node(kind, custom=SAID, type_id=type_of, name=name, external_id=f"{name}-outside", **fields)
    (made,) = getattr(call(f"Put{noun}s", **{f"{noun.lower()}s": [said]}), f"{noun.lower()}_ids")
    return int(made)


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
    with pytest.raises(InvalidArgument, match="more than 2 nodes"):
        admin("Purge", kind=EXECUTION, filter_query="name LIKE 'run %'")
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


def test_what_was_looked_at_is_what_goes(admin: Admin, call: Calls) -> None:
    one, other = talkative(call, "Artifact", "one"), talkative(call, "Artifact", "other")
    digest = admin("Purge", kind=ARTIFACT, ids=[one]).digest
    for asked in ({"ids": [other]}, {"ids": [one, other]}, {"ids": [one], "include_bytes": True}):
        with pytest.raises(FailedPrecondition, match="digest"):
            admin("Purge", kind=ARTIFACT, digest=digest, reason="r", **asked)
    changed = pb.Artifact(id=one, type_id=artifact(call.store, one).type_id, uri="elsewhere")
    call("PutArtifacts", artifacts=[changed])
    with pytest.raises(FailedPrecondition, match="before a change"):
        admin("Purge", kind=ARTIFACT, ids=[one], digest=digest, reason="r")
    assert artifact(call.store, one).uri == "elsewhere"
    with pytest.raises(InvalidArgument, match="reason"):
        admin("Purge", kind=ARTIFACT, ids=[one], digest=admin("Purge", kind=ARTIFACT, ids=[one]).digest)
    assert not admin("ListTombstones").tombstones


def test_bad_requests(admin: Admin) -> None:
    for asked, error in (
        ({"ids": [1]}, InvalidArgument),
        ({"kind": ARTIFACT}, InvalidArgument),
        ({"kind": ARTIFACT, "ids": [1], "filter_query": "id = 1"}, InvalidArgument),
        ({"kind": ARTIFACT, "filter_query": "nonsense ="}, InvalidArgument),
        ({"kind": EXECUTION, "ids": [1], "include_bytes": True}, InvalidArgument),
        ({"kind": ARTIFACT, "ids": range(1, 10_002)}, InvalidArgument),
        ({"kind": ARTIFACT, "ids": range(1, 10_001)}, NotFound),
        ({"kind": ARTIFACT, "ids": [99]}, NotFound),
        ({"kind": CONTEXT, "filter_query": "name = 'nobody'"}, NotFound),
    ):
        with pytest.raises(error):
            admin("Purge", **asked)


def test_what_forbids_it(admin: Admin, requests: Requests, call: Calls) -> None:
    upload(requests, collection="fraud")
    model = upload(requests, b"second", collection="fraud")
    alias(requests, "fraud", "production", 2)
    admin("PinArtifact", artifact_id=model, reason="audit")
    looked = admin("Purge", kind=ARTIFACT, ids=[model], include_bytes=True)
    assert [obstacle.split()[1] for obstacle in looked.obstacles] == ["alias", str(model)]
    with pytest.raises(
        FailedPrecondition, match=r"'production' of .*first\. \(and 1 more obstacles\) Nothing was purged"
    ):
        admin.purge(kind=ARTIFACT, ids=[model])
    alias(requests, "fraud", "production", 1)
    with pytest.raises(FailedPrecondition, match=r"is pinned by 'local'; unpin it\. Nothing was purged"):
        admin.purge(kind=ARTIFACT, ids=[model])
    admin("UnpinArtifact", artifact_id=model)
    admin.purge(kind=ARTIFACT, ids=[model], include_bytes=True)
    with pytest.raises(FailedPrecondition, match="deleted"):
        alias(requests, "fraud", "production", 2)
    with pytest.raises(FailedPrecondition, match="deleted"):
        admin("PinArtifact", artifact_id=model)
    begun = requests.artifacts.begin_upload(begin(call.store, upload_file("f", b"x")))
    with pytest.raises(FailedPrecondition, match="upload"):
        admin.purge(kind=ARTIFACT, ids=[begun.artifact_id])
    (collection,) = call("GetContextsByArtifact", artifact_id=model).contexts
    with pytest.raises(FailedPrecondition, match="collection"):
        admin.purge(kind=CONTEXT, ids=[collection.id])


def test_an_alias_forbids_it_for_a_registered_models_version_too(admin: Admin, requests: Requests, call: Calls) -> None:
    model = upload(requests, collection="fraud")
    (collection,) = call("GetContextsByArtifact", artifact_id=model).contexts
    version = talkative(call, "Context", f"{collection.id}:one")
    columns = ("version_id", "model_id", "number", "model_artifact_id", "subject", "create_ms")
    row = (version, collection.id, 1, model, "", 0)
    call.store.database.write(LOCAL, lambda tx: tx.insert(MODEL_VERSION, columns, [row]))
    alias(requests, "fraud", "production", 1)
    with pytest.raises(FailedPrecondition, match=f"'production' of system.Model/fraud points at context {version}"):
        admin.purge(kind=CONTEXT, ids=[version])
    move = {"type_name": "system.Model", "name": "fraud", "alias": "production", "number": 0}
    call("MoveAlias", **move)
    assert admin.purge(kind=CONTEXT, ids=[version]).purged


def test_bytes_go_when_asked(admin: Admin, requests: Requests) -> None:
    kept, gone = upload(requests, b"kept"), upload(requests, b"gone!")
    admin.purge(kind=ARTIFACT, ids=[kept])
    looked = admin("Purge", kind=ARTIFACT, ids=[gone], include_bytes=True)
    assert (looked.file_count, looked.size_bytes) == (1, 5)
    admin.purge(kind=ARTIFACT, ids=[gone], include_bytes=True)
    assert b"".join(requests.artifacts.read(kept, "f")) == b"kept"
    with pytest.raises(NotFound):
        requests.artifacts.manifest(gone)
    assert artifact(requests.artifacts.store, gone).state == pb.Artifact.DELETED
    assert [key for key in keys(requests.artifacts.blobs) if f"/{gone}/" in key] == []
    whats = [(stone.id, stone.what) for stone in admin("ListTombstones").tombstones]
    assert whats == [(kept, 1), (gone, 1), (gone, 2)]
    with pytest.raises(
        NotFound, match=rf"files of artifact {gone} were deleted on 20\d\d-\d\d-\d\d; `mlmd-server why {gone}`"
    ):
        requests.artifacts.read(gone, "f")


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


def test_a_repeat_under_the_same_key_gets_the_same_answer(requests: Requests) -> None:
    model = upload(requests)
    keyed = Admin(requests, dataclasses.replace(LOCAL, idempotency_key="once"))
    fields = {"kind": ARTIFACT, "ids": [model], "include_bytes": True}
    digest = Admin(requests)("Purge", **fields).digest
    first = keyed("Purge", **fields, digest=digest, reason="r")
    assert first.purged
    assert keyed("Purge", **fields, digest=digest, reason="r") == first
    with pytest.raises(FailedPrecondition):
        Admin(requests)("Purge", **fields, digest=digest, reason="r")


def test_bytes_that_come_late_are_swept(admin: Admin, requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    model = upload(requests)
    committed_ms = requests.artifacts.manifest(model).create_ms
    blobs = requests.artifacts.blobs
    (key,) = keys(blobs)
    admin.purge(kind=ARTIFACT, ids=[model], include_bytes=True)
    assert keys(blobs) == []
    (Path(blobs.uri().removeprefix("file://")) / key).parent.mkdir(parents=True)
    (Path(blobs.uri().removeprefix("file://")) / key).write_bytes(b"content")  # a request that was signed before
    assert sweep_deletions(requests.artifacts).deleted == []  # more may come
    assert keys(blobs) == []
    last = committed_ms + (VALID_SECONDS + 3600) * 1000
    for now, deleted in ((last - 1, []), (last, [model]), (last, [])):
        monkeypatch.setattr(Transaction, "agreed_ms", lambda tx, now=now: now)
        assert sweep_deletions(requests.artifacts).deleted == deleted


def test_deletions_are_noted_by_artifact_and_read_on_from_one(requests: Requests) -> None:
    database = requests.artifacts.store.database
    noted = [Deletion(artifact_id, f"{artifact_id}/", 5) for artifact_id in (3, 1, 2)]
    database.write(LOCAL, lambda tx: note_deletions(tx, noted))
    for after in (0, 1, 2, 3):
        rest = [one for one in sorted(noted) if one.artifact_id > after]
        assert database.read(LOCAL, partial(noted_deletions, after=after)) == rest


def test_deletions_that_are_noted_again_keep_every_prefix(requests: Requests) -> None:
    write, read = requests.artifacts.store.database.write, requests.artifacts.store.database.read

    def noted() -> list[Deletion]:
        return read(LOCAL, lambda tx: noted_deletions(tx, 0))

    first = write(LOCAL, lambda tx: note_deletions(tx, [Deletion(1, "a/", 9)]))
    assert first == noted() == [Deletion(1, "a/", 9)]
    again = write(LOCAL, lambda tx: note_deletions(tx, [Deletion(1, "b/", 5), Deletion(2, "c/", 0)]))
    assert again == noted() == [Deletion(1, "a/\nb/", 9), Deletion(2, "c/", 0)]
    assert write(LOCAL, lambda tx: forget_deletions(tx, again, 8)) == [2]  # more may come of the other
    assert write(LOCAL, lambda tx: forget_deletions(tx, first, 9)) == []  # another prefix was added since
    assert noted() == again[:1]
    assert write(LOCAL, lambda tx: forget_deletions(tx, again[:1], 9)) == [1]
    assert noted() == []


def test_deletions_know_what_was_purged(admin: Admin, requests: Requests, call: Calls) -> None:
    purged, kept = talkative(call, "Artifact", "purged"), talkative(call, "Artifact", "kept")
    admin.purge(kind=ARTIFACT, ids=[purged])
    runs = [execution(requests, [], []) for _ in range(kept)]
    admin.purge(kind=EXECUTION, ids=runs)
    database = requests.artifacts.store.database
    collected = upload(requests)
    assert admin.garbage(dry_run=False) == [collected]
    asked = [Deletion(node_id, f"{node_id}/", 1) for node_id in (purged, kept, collected)]
    noted = database.write(LOCAL, lambda tx: note_deletions(tx, asked))
    assert noted == database.read(LOCAL, lambda tx: noted_deletions(tx, 0))
    told = [(one.artifact_id, one.every_version) for one in noted]
    assert told == [(purged, True), (kept, False), (collected, False)]


def test_blobs_are_deleted_a_batch_at_a_time(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, deleted, batches = requests.artifacts.blobs, requests.artifacts.blobs.delete, list[list[str]]()
    for name in "abcde":
        blobs.put(f"t/1/{name}", io.BytesIO(b"x"), 1)

    def delete(keys: Iterable[str]) -> None:
        batches.append(list(keys))
        deleted(batches[-1])

    monkeypatch.setattr(deletions, "_KEYS_AT_ONCE", 2)
    monkeypatch.setattr(blobs, "delete", delete)
    delete_blobs(blobs, "t/1/")
    assert batches == [["t/1/a", "t/1/b"], ["t/1/c", "t/1/d"], ["t/1/e"]]


def test_what_was_reused_since_the_look_is_not_purged(admin: Admin, requests: Requests) -> None:
    made = upload(requests, b"content")
    fields = {"kind": ARTIFACT, "ids": [made], "include_bytes": True}
    digest = admin("Purge", **fields).digest
    time.sleep(0.002)
    again = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"content"), reuse=True))
    assert again.reused
    with pytest.raises(FailedPrecondition, match="before a change"):
        admin("Purge", **fields, digest=digest, reason="r")


def test_an_upload_that_copies_forbids_a_purge_of_the_bytes_alone(admin: Admin, requests: Requests) -> None:
    made, store = upload(requests, b"content"), requests.artifacts.store
    copier = requests.artifacts.begin_upload(
        begin(store, upload_file("g", b"content"), unchanged_from_artifact_id=made)
    ).artifact_id
    (obstacle,) = admin("Purge", kind=ARTIFACT, ids=[made], include_bytes=True).obstacles
    assert obstacle == (f"The upload of artifact {copier} copies files from artifact {made}; commit or abort it first.")
    assert not admin("Purge", kind=ARTIFACT, ids=[made]).obstacles


def test_bytes_of_others_are_counted_with_nobodys(admin: Admin, requests: Requests) -> None:
    store = requests.artifacts.store
    made = pb.Artifact(type_id=type_id(store), uri="s3://elsewhere/data/").SerializeToString()
    files = [artifacts_pb2.UploadFile(path="f", size_bytes=3)]
    request = artifacts_pb2.RecordExternalRequest(artifact=made, files=files)
    recorded = store.database.write(LOCAL, lambda tx: requests.artifacts.record_external(tx, request))
    own = upload(requests, b"own!!")
    ids = [recorded.manifest.artifact_id, own]
    looked = admin("Purge", kind=ARTIFACT, ids=ids, include_bytes=True)
    assert (looked.node_count, looked.file_count, looked.size_bytes) == (2, 1, 5)
    admin.purge(kind=ARTIFACT, ids=ids, include_bytes=True)
    noted = store.database.read(LOCAL, lambda tx: noted_deletions(tx, 0))
    assert [one.artifact_id for one in noted] == [own]


def test_a_reason_without_a_digest_is_looked_at_too(admin: Admin, call: Calls) -> None:
    made = talkative(call, "Artifact", "one")
    with pytest.raises(InvalidArgument, match="reason"):
        admin("Purge", kind=ARTIFACT, ids=[made], reason="x" * 65_536)


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
