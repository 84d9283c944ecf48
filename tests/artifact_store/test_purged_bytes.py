"""The bytes of what is purged: they go when that is asked, those too that come late."""

import io
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

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
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1 import artifacts_pb2

from tests.artifact_store.care import Admin, execution, opened, talkative, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.uploads import artifact, type_id
from tests.metadata_store.calls import Calls

ARTIFACT = v1.NODE_KIND_ARTIFACT
EXECUTION = v1.NODE_KIND_EXECUTION


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    with opened(database_url, tmp_path) as requests:
        yield requests


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
        NotFound, match=rf"files of artifact {gone} were deleted on 20\d\d-\d\d-\d\d; `mlmd show artifact:{gone}`"
    ):
        requests.artifacts.read(gone, "f")


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
