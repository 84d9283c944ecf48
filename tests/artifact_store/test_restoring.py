"""Files that come back to an artifact whose manifest is there: what is taken, what is refused, what stays untouched."""

import hashlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import Blob
from mlmd_artifact_store.calls import ARTIFACT_CALLS
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.garbage_collection import collect, plan
from mlmd_artifact_store.keep_rules import Rules
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.locations import artifact_of_key
from mlmd_artifact_store.manifests import digest_of, list_files
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.restoring import restored_stems
from mlmd_artifact_store.sweeping import sweep
from mlmd_artifact_store.upload_rows import find_upload
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.version_collections import adopt_version
from mlmd_schemas.caller import LOCAL, Caller, Role
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.tables.imports import RESTORE
from mlmd_schemas.tables.own import UPLOAD, UPLOAD_FILE

from tests.artifact_store.care import Admin
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.test_source_races import between
from tests.artifact_store.uploads import FIVE, artifact, begin, send, type_id, upload_file
from tests.conftest import Clock
from tests.metadata_store.calls import Calls

CONTENTS = {"a.json": b"{}", "deep/b.bin": b"b" * 1000}
URI = "s3://elsewhere/_/system.Model/m/3/"


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    store = Store.open(database_url)
    yield Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))
    store.close()


def recorded(requests: Requests, uri: str = URI, name: str | None = "m", **changed: bytes) -> int:
    """Record files that are elsewhere, as an import does, and return their artifact."""
    store = requests.artifacts.store
    made = pb.Artifact(type_id=type_id(store), uri=uri, name=name).SerializeToString()
    files = [
        v1.UploadFile(
            path=path,
            size_bytes=len(content),
            sha256=changed.get("sha256", hashlib.sha256(content).digest()),
            media_type="application/x-said",
        )
        for path, content in CONTENTS.items()
    ]
    request = v1.RecordExternalRequest(artifact=made, files=files)
    return store.database.write(LOCAL, lambda tx: requests.artifacts.record_external(tx, request)).manifest.artifact_id


def declare(requests: Requests, artifact_id: int, *files: v1.UploadFile) -> None:
    declare_files(requests, v1.DeclareFilesRequest(artifact_id=artifact_id, files=files), LOCAL)


def restore(requests: Requests, artifact_id: int) -> v1.CommitUploadResponse:
    requests.artifacts.begin_restore(artifact_id)
    declare(requests, artifact_id, *(upload_file(path, content) for path, content in CONTENTS.items()))
    send(requests, artifact_id, CONTENTS)
    return requests.artifacts.commit_upload(artifact_id)


def test_the_files_become_the_artifacts_own(requests: Requests) -> None:
    artifact_id = recorded(requests)
    store = requests.artifacts.store
    copy = pb.Artifact(type_id=type_id(store), uri=URI)  # as a registered model has it
    (model,) = Calls(store)("PutArtifacts", artifacts=[copy]).artifact_ids
    begun = requests.artifacts.begin_restore(artifact_id)
    assert (begun.present, begun.resumed) == (False, False)
    assert requests.artifacts.begin_restore(artifact_id) == v1.BeginRestoreResponse(uri=begun.uri, resumed=True)
    assert artifact(store, artifact_id).uri == URI
    done = restore(requests, artifact_id)
    digest = digest_of((path, len(body), hashlib.sha256(body).digest()) for path, body in CONTENTS.items())
    assert (done.manifest.external, done.manifest.digest, done.manifest.root_uri) == (False, digest, begun.uri)
    found = artifact(store, artifact_id)
    assert (found.uri, found.state) == (begun.uri, pb.Artifact.LIVE)
    files = store.database.read(LOCAL, lambda tx: list_files(tx, artifact_id, "", 10))
    assert {file.media_type for file in files} == {"application/x-said"}
    assert b"".join(requests.artifacts.read(artifact_id, "deep/b.bin")) == CONTENTS["deep/b.bin"]
    assert requests.artifacts.begin_restore(artifact_id) == v1.BeginRestoreResponse(present=True, uri=begun.uri)
    assert requests.artifacts.commit_upload(artifact_id) == done
    assert artifact(store, model).uri == begun.uri


def test_what_follows_the_files_says_when(requests: Requests, ahead: Clock) -> None:
    artifact_id, store = recorded(requests), requests.artifacts.store
    (model,) = Calls(store)("PutArtifacts", artifacts=[pb.Artifact(type_id=type_id(store), uri=URI)]).artifact_ids
    before = [artifact(store, one).last_update_time_since_epoch for one in (artifact_id, model)]
    with ahead(3600):
        restore(requests, artifact_id)
    after = [artifact(store, one).last_update_time_since_epoch for one in (artifact_id, model)]
    assert all(late - early >= 3_600_000 for early, late in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (pb.Artifact.PENDING, pb.Artifact.LIVE),
        (pb.Artifact.LIVE, pb.Artifact.LIVE),
        (pb.Artifact.MARKED_FOR_DELETION, pb.Artifact.MARKED_FOR_DELETION),
        (pb.Artifact.UNKNOWN, pb.Artifact.UNKNOWN),
    ],
)
def test_what_comes_back_is_live_if_it_was_awaited_and_else_as_it_was(
    requests: Requests, before: Any, after: int
) -> None:
    artifact_id, store = recorded(requests), requests.artifacts.store
    changed = pb.Artifact(id=artifact_id, type_id=type_id(store), uri=URI, state=before)
    Calls(store)("PutArtifacts", artifacts=[changed])
    restore(requests, artifact_id)
    assert artifact(store, artifact_id).state == after


def test_an_artifact_that_lost_its_uri_meanwhile_gets_that_of_its_files(requests: Requests) -> None:
    artifact_id, store = recorded(requests), requests.artifacts.store
    uri = requests.artifacts.begin_restore(artifact_id).uri
    Calls(store)("PutArtifacts", artifacts=[pb.Artifact(id=artifact_id, type_id=type_id(store))])
    assert artifact(store, artifact_id).uri == ""
    restore(requests, artifact_id)
    assert artifact(store, artifact_id).uri == uri


@pytest.mark.parametrize("way", ["commit", "abort"])
def test_a_restore_that_ended_leaves_none_of_its_rows(requests: Requests, way: str) -> None:
    artifact_id, artifacts = recorded(requests), requests.artifacts
    artifacts.begin_restore(artifact_id)
    if way == "commit":
        restore(requests, artifact_id)
    else:
        artifacts.abort_upload(artifact_id)

    def rows(tx: Transaction) -> list[Any]:
        return [row for table in (RESTORE, UPLOAD, UPLOAD_FILE) for row in tx.rows(sa.select(table.c.artifact_id))]

    assert artifacts.store.database.read(LOCAL, rows) == []


@pytest.mark.parametrize(
    ("name", "collection", "place"),
    [(None, "m", "m"), ("m/1", "", "m%2F1"), ("m/None", "", "m%2FNone"), (None, "", "_")],
)
def test_the_files_of_a_version_come_back_beside_those_of_its_collection(
    requests: Requests, name: str | None, collection: str, place: str
) -> None:
    artifact_id, database = recorded(requests, name=name), requests.artifacts.store.database
    if collection:
        database.write(LOCAL, lambda tx: adopt_version(tx, "system.Model", collection, artifact_id))
    restore(requests, artifact_id)
    stem = f"_/system.Model/{place}/{artifact_id}~"
    assert {key[: len(stem)] for key in keys(requests.artifacts.blobs)} == {stem}
    recorded(requests, name="another")
    assert database.read(LOCAL, lambda tx: restored_stems(tx, "", [artifact_id])) == {artifact_id: stem}


def test_of_many_who_restore_the_same_one_begins_and_all_go_on(requests: Requests) -> None:
    for number in range(6):
        artifact_id = recorded(requests, name=f"m{number}")
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(requests.artifacts.begin_restore, [artifact_id] * 6))
        assert sorted(answer.resumed for answer in answers) == [False, *[True] * 5]
        upload = requests.artifacts.store.database.read(LOCAL, partial(find_upload, artifact_id=artifact_id))
        assert upload is not None
        assert {answer.uri for answer in answers} == {upload.root_uri}
        assert restore(requests, artifact_id).manifest.root_uri == upload.root_uri


def test_digests_of_what_comes_back_in_parts_may_be_told_later(requests: Requests) -> None:
    artifact_id = recorded(requests)
    requests.artifacts.begin_restore(artifact_id, replace(LOCAL, subject="amy" * 100))
    untold = upload_file("deep/b.bin", CONTENTS["deep/b.bin"], FIVE, sha256=b"", md5s=[])
    with pytest.raises(InvalidArgument, match=r"'deep/b.bin'.*: 999 bytes is not what .* says, 1000 bytes with"):
        declare(requests, artifact_id, upload_file("deep/b.bin", b"b" * 999, FIVE, sha256=b"", md5s=[]))
    declare(requests, artifact_id, upload_file("a.json", CONTENTS["a.json"]), untold)
    with pytest.raises(FailedPrecondition, match="digests of 1 file are not told yet"):
        requests.artifacts.commit_upload(artifact_id)
    declare(requests, artifact_id, upload_file("deep/b.bin", CONTENTS["deep/b.bin"], FIVE))
    send(requests, artifact_id, CONTENTS)
    assert requests.artifacts.commit_upload(artifact_id).manifest.file_count == 2


def test_what_is_not_in_the_manifest_is_refused_by_name(requests: Requests) -> None:
    artifact_id = recorded(requests)
    requests.artifacts.begin_restore(artifact_id)
    with pytest.raises(InvalidArgument, match=r"'a.json'.*is not what the manifest"):
        declare(requests, artifact_id, upload_file("a.json", b"[]"))
    with pytest.raises(InvalidArgument, match=r"'a.json'.*: 3 bytes with SHA-256 .* is not what .* says, 2 bytes with"):
        declare(requests, artifact_id, upload_file("a.json", CONTENTS["a.json"], size_bytes=3))
    with pytest.raises(InvalidArgument, match=r"'other'.*no such file"):
        declare(requests, artifact_id, upload_file("other", b"x"))
    declare(requests, artifact_id, upload_file("a.json", CONTENTS["a.json"]))
    with pytest.raises(FailedPrecondition, match="the 1 that were told are not all that the manifest"):
        requests.artifacts.commit_upload(artifact_id)
    assert requests.artifacts.manifest(artifact_id).is_external
    assert restore(requests, artifact_id).manifest.file_count == 2


@pytest.mark.parametrize("way", ["abort", "sweep"])
def test_a_restore_that_is_given_up_leaves_the_artifact_as_it_was(requests: Requests, way: str) -> None:
    artifact_id = recorded(requests)
    before = artifact(requests.artifacts.store, artifact_id), requests.artifacts.manifest(artifact_id)
    requests.artifacts.begin_restore(artifact_id)
    declare(requests, artifact_id, *(upload_file(path, content) for path, content in CONTENTS.items()))
    send(requests, artifact_id, CONTENTS)
    if way == "abort":
        requests.artifacts.abort_upload(artifact_id)
    else:
        assert sweep(requests.artifacts, -1).abandoned == [artifact_id]
    assert keys(requests.artifacts.blobs) == []
    assert (artifact(requests.artifacts.store, artifact_id), requests.artifacts.manifest(artifact_id)) == before
    uri = restore(requests, artifact_id).manifest.root_uri
    sweep(requests.artifacts, -1)  # what was given up is deleted again until nothing can come, and nothing else
    assert len(keys(requests.artifacts.blobs)) == 2
    assert requests.artifacts.manifest(artifact_id).root_uri == uri


def test_a_restore_that_died_while_it_was_given_up_begins_anew(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id = recorded(requests)
    requests.artifacts.begin_restore(artifact_id)
    declare(requests, artifact_id, upload_file("a.json", CONTENTS["a.json"]))
    send(requests, artifact_id, CONTENTS)
    with monkeypatch.context() as broken:
        broken.setattr(requests.artifacts, "blobs", None)
        with pytest.raises(AttributeError):
            requests.artifacts.abort_upload(artifact_id)
    assert not requests.artifacts.begin_restore(artifact_id).resumed
    assert restore(requests, artifact_id).manifest.file_count == 2


def test_what_cannot_be_restored_is_said(requests: Requests) -> None:
    with pytest.raises(NotFound):
        requests.artifacts.begin_restore(77)
    unknown = recorded(requests, sha256=b"", name="unknown")
    with pytest.raises(FailedPrecondition, match="SHA-256s"):
        requests.artifacts.begin_restore(unknown)
    pending = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("a", b"a"))).artifact_id
    with pytest.raises(NotFound, match="was not committed"):
        requests.artifacts.begin_restore(pending)
    purged, admin = recorded(requests, name="purged"), Admin(requests)
    looked = admin("Purge", kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[purged])
    admin("Purge", kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[purged], digest=looked.digest, reason="so")
    with pytest.raises(FailedPrecondition, match="purged"):
        requests.artifacts.begin_restore(purged)


def test_while_files_come_back_nobody_purges_the_artifact_and_garbage_leaves_it(requests: Requests) -> None:
    artifact_id, admin = recorded(requests), Admin(requests)
    requests.artifacts.begin_restore(artifact_id)
    looked = admin("Purge", kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[artifact_id])
    assert "has not ended" in looked.obstacles[0]
    rules = Rules(newest=0, younger_than_seconds=0)
    assert plan(requests.artifacts, rules).garbage == []
    restore(requests, artifact_id)
    assert plan(requests.artifacts, rules).garbage == [artifact_id]
    ((held,),) = collect(requests.artifacts, [artifact_id])
    assert held.artifact_id == artifact_id
    assert keys(requests.artifacts.blobs) == []


def test_files_lie_where_no_other_store_has_any(requests: Requests) -> None:
    artifact_id = recorded(requests)
    restore(requests, artifact_id)
    (key,) = {key.rpartition("/deep")[0] for key in keys(requests.artifacts.blobs) if "deep" in key}
    assert key.startswith(f"_/system.Model/m/{artifact_id}~")
    assert artifact_of_key(f"{key}/x") == artifact_id


def test_an_administrator_restores() -> None:
    assert {call.role for call in ARTIFACT_CALLS if call.name == "BeginRestore"} == {Role.ADMIN}


def test_late_bytes_of_every_restore_that_was_given_up_go(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact_id, prefixes = recorded(requests), list[str]()
    artifacts = requests.artifacts
    for _ in range(3):
        artifacts.begin_restore(artifact_id)
        declare(requests, artifact_id, upload_file("a.json", CONTENTS["a.json"]))
        upload, _ = artifacts.pending(artifact_id, "a.json")
        prefixes.append(upload.key_prefix)
        artifacts.abort_upload(artifact_id)
    uri = restore(requests, artifact_id).manifest.root_uri
    for prefix in prefixes:  # requests that were signed for them still store their bytes
        artifacts.blobs.put(f"{prefix}a.json", io.BytesIO(b"late"), 4)
    assert sweep(artifacts, -1).deleted == []
    assert len(keys(artifacts.blobs)) == 2
    for prefix in prefixes:
        artifacts.blobs.put(f"{prefix}a.json", io.BytesIO(b"late"), 4)
    monkeypatch.setattr(Transaction, "agreed_ms", lambda tx: 10**13)
    assert sweep(artifacts, -1).deleted == [artifact_id]
    assert len(keys(artifacts.blobs)) == 2
    assert artifacts.manifest(artifact_id).root_uri == uri
    assert sweep(artifacts, -1).deleted == []


def test_garbage_that_was_restored_leaves_nothing_of_the_restore_before(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id, artifacts = recorded(requests), requests.artifacts
    artifacts.begin_restore(artifact_id)
    declare(requests, artifact_id, upload_file("a.json", CONTENTS["a.json"]))
    upload, _ = artifacts.pending(artifact_id, "a.json")
    artifacts.abort_upload(artifact_id)
    restore(requests, artifact_id)
    list(collect(artifacts, [artifact_id]))
    artifacts.blobs.put(f"{upload.key_prefix}a.json", io.BytesIO(b"late"), 4)
    monkeypatch.setattr(Transaction, "agreed_ms", lambda tx: 10**13)
    sweep(artifacts, -1)
    assert keys(artifacts.blobs) == []


def test_giving_up_twice_at_once_leaves_the_restore_that_began_in_between(requests: Requests) -> None:
    artifact_id, artifacts = recorded(requests), requests.artifacts
    artifacts.begin_restore(artifact_id)

    class Slow(LocalStore):
        """A folder that takes so long to list that somebody else is through, and begins anew."""

        def list(self, prefix: str = "", after: str = "") -> Iterator[Blob]:
            artifacts.abort_upload(artifact_id)
            artifacts.begin_restore(artifact_id)
            return super().list(prefix, after)

    blobs = artifacts.blobs
    assert isinstance(blobs, LocalStore)
    slow = Artifacts(artifacts.store, Slow(blobs.root))
    slow.abort_upload(artifact_id)
    assert artifacts.begin_restore(artifact_id).resumed
    assert restore(requests, artifact_id).manifest.file_count == 2


def test_who_goes_on_leaves_the_restore_that_began_after_it_looked(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id, artifacts, uris = recorded(requests), requests.artifacts, list[str]()
    artifacts.begin_restore(artifact_id)
    with monkeypatch.context() as broken:
        broken.setattr(artifacts, "blobs", None)
        with pytest.raises(AttributeError):
            artifacts.abort_upload(artifact_id)

    class Slow(Artifacts):
        """Finds a restore that died while it was given up, and acts when somebody else did it and began anew."""

        def abort_upload(self, artifact_id: int, caller: Caller = LOCAL, key_prefix: str = "") -> bool:
            uris.append(artifacts.begin_restore(artifact_id).uri)
            return super().abort_upload(artifact_id, caller, key_prefix)

    begun = Slow(artifacts.store, artifacts.blobs).begin_restore(artifact_id)
    assert ([begun.uri], begun.resumed) == (uris, True)
    assert restore(requests, artifact_id).manifest.root_uri == begun.uri


def test_a_restore_that_begins_while_the_one_before_is_forgotten_stays(requests: Requests, database_url: str) -> None:
    artifact_id, artifacts = recorded(requests), requests.artifacts
    artifacts.begin_restore(artifact_id)
    other = Store.open(database_url)
    late = Artifacts(other, artifacts.blobs)
    _, begun = between(
        artifacts.store,
        "DELETE mlmd_upload_files",
        lambda: artifacts.abort_upload(artifact_id),
        lambda: late.begin_restore(artifact_id),
    )
    other.close()
    assert isinstance(begun, v1.BeginRestoreResponse), begun
    assert not begun.resumed
    assert restore(requests, artifact_id).manifest.root_uri == begun.uri


def test_a_sweep_leaves_the_restore_that_began_after_it_looked(requests: Requests) -> None:
    artifact_id, artifacts = recorded(requests), requests.artifacts
    artifacts.begin_restore(artifact_id)

    class Slow(Artifacts):
        """Looks at what there is to give up, and acts when somebody else did it and began anew."""

        def abort_upload(self, artifact_id: int, caller: Caller = LOCAL, key_prefix: str = "") -> bool:
            artifacts.abort_upload(artifact_id)
            artifacts.begin_restore(artifact_id)
            return super().abort_upload(artifact_id, caller, key_prefix)

    slow = Slow(artifacts.store, artifacts.blobs)
    assert sweep(slow, -1).abandoned == []
    assert artifacts.begin_restore(artifact_id).resumed
    assert restore(requests, artifact_id).manifest.file_count == 2
