"""The end of an upload: what it makes of the artifact, and what is said when there is none to end."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.commit import AlreadyCommitted, abandon, check_sealed, commit, end_upload, forget, seal
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.deletions import noted_deletions
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.manifests import digest_of
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.upload_rows import Upload, every_file, find_upload, unseal_upload
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.care import upload
from tests.artifact_store.test_restoring import recorded
from tests.artifact_store.uploads import artifact, begin, send, type_id, upload_file
from tests.conftest import Clock
from tests.metadata_store.calls import Calls

T = TypeVar("T")


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    store = Store.open(database_url)
    yield Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))
    store.close()


def begun(requests: Requests, type_name: str = "system.Model", **fields: str) -> int:
    """Begin an upload of an artifact of this type and send its file `f`."""
    store = requests.artifacts.store
    made = pb.Artifact(type_id=type_id(store, type_name)).SerializeToString()
    request = v1.BeginUploadRequest(artifact=made, files=[upload_file("f", b"content")], **fields)  # type: ignore[arg-type]
    artifact_id = requests.artifacts.begin_upload(request).artifact_id
    assert send(requests, artifact_id, {"f": b"content"}) == [200]
    return artifact_id


def half_aborted(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the artifact of an upload whose server died while it gave it up."""
    artifact_id = begun(requests)
    with monkeypatch.context() as broken:
        broken.setattr(requests.artifacts, "blobs", None)
        with pytest.raises(AttributeError):
            requests.artifacts.abort_upload(artifact_id)
    return artifact_id


def test_a_version_is_one_of_the_collection_of_its_type(requests: Requests) -> None:
    call = Calls(requests.artifacts.store)
    made: dict[str, list[int]] = {"system.Model": [], "system.Dataset": []}
    for type_name in (*made, *made):
        artifact_id = begun(requests, type_name, collection="fraud")
        made[type_name].append(artifact_id)
        assert requests.artifacts.commit_upload(artifact_id).version_number == len(made[type_name])
    for type_name, ids in made.items():
        versions = call("ListVersions", type_name=type_name, name="fraud").versions
        assert sorted(version.artifact_id for version in versions) == ids


@pytest.mark.parametrize(("end", "state"), [("commit", pb.Artifact.LIVE), ("abort", pb.Artifact.ABANDONED)])
def test_the_end_is_an_update_of_the_artifact(requests: Requests, ahead: Clock, end: str, state: int) -> None:
    artifact_id, other, store = begun(requests), begun(requests), requests.artifacts.store
    before, beside = artifact(store, artifact_id), artifact(store, other)
    ends: dict[str, Callable[[int], object]] = {
        "commit": requests.artifacts.commit_upload,
        "abort": requests.artifacts.abort_upload,
    }
    with ahead(3600):
        ends[end](artifact_id)
    after = artifact(store, artifact_id)
    assert (after.state, after.uri) == (state, before.uri)
    assert after.last_update_time_since_epoch - before.last_update_time_since_epoch >= 3_600_000
    assert artifact(store, other) == beside


def test_what_is_not_under_way_says_what_it_is(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    committed, elsewhere, aborted = upload(requests), recorded(requests), half_aborted(requests, monkeypatch)
    sayings: dict[int, tuple[type[StoreError], str]] = {
        aborted: (FailedPrecondition, f"the upload of artifact {aborted} was aborted; begin another"),
        committed: (FailedPrecondition, f"artifact {committed} is committed and cannot change"),
        elsewhere: (FailedPrecondition, "whose files are elsewhere; begin a restore"),
        1 << 40: (NotFound, f"there is no upload of artifact {1 << 40}; begin one"),
    }

    def declare(artifact_id: int) -> object:
        request = v1.DeclareFilesRequest(artifact_id=artifact_id, files=[upload_file("f", b"other")])
        return declare_files(requests, request, LOCAL)

    steps: list[Callable[[int], object]] = [declare, requests.artifacts.commit_upload]
    for artifact_id, (kind, said) in sayings.items():
        for step in steps:
            if artifact_id == committed and step is not declare:
                continue
            with pytest.raises(kind, match=said):
                step(artifact_id)
    for artifact_id in (committed, elsewhere):
        with pytest.raises(FailedPrecondition, match=sayings[artifact_id][1]):
            requests.artifacts.abort_upload(artifact_id)


def test_what_was_half_given_up_is_given_up_again(
    requests: Requests, monkeypatch: pytest.MonkeyPatch, ahead: Clock
) -> None:
    artifact_id = half_aborted(requests, monkeypatch)
    before = artifact(requests.artifacts.store, artifact_id)
    assert before.state == pb.Artifact.ABANDONED
    with ahead(3600):
        assert requests.artifacts.abort_upload(artifact_id)
    assert artifact(requests.artifacts.store, artifact_id) == before
    assert not requests.artifacts.abort_upload(artifact_id)
    assert list(requests.artifacts.blobs.list()) == []


def test_a_manifest_counts_its_files_and_bytes(requests: Requests) -> None:
    contents = {"a": b"1", "a b": b"22", "b/c": b"4444"}
    files = [upload_file(path, content) for path, content in contents.items()]
    artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, *files)).artifact_id
    send(requests, artifact_id, contents)
    manifest = requests.artifacts.commit_upload(artifact_id).manifest
    assert (manifest.file_count, manifest.size_bytes) == (3, 7)
    digest = digest_of((path, len(it), hashlib.sha256(it).digest()) for path, it in contents.items())
    assert manifest.digest == digest
    assert requests.artifacts.manifest(artifact_id).size_bytes == 7


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (("a", "a/b"), "is a file and the folder of others"),
        (("a/b", "a!", "a"), "is a file and the folder of others"),
        (("caf\u00e9", "cafe\u0301"), "differs from another only in its Unicode normalisation"),
    ],
)
def test_paths_that_exclude_each_other_are_refused_however_they_were_told(
    requests: Requests, paths: tuple[str, ...], why: str
) -> None:
    artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
    for path in paths:
        request = v1.DeclareFilesRequest(artifact_id=artifact_id, files=[upload_file(path, b"content")])
        declare_files(requests, request, LOCAL)
    with pytest.raises(InvalidArgument, match=why):
        requests.artifacts.commit_upload(artifact_id)


def written(requests: Requests, body: Callable[[Transaction], T]) -> T:
    """Do something in a transaction."""
    return requests.artifacts.store.database.write(LOCAL, body)


def sealed(requests: Requests, artifact_id: int) -> Upload:
    """Seal an upload."""
    found = written(requests, lambda tx: seal(tx, artifact_id, marks_copies=False))
    assert found is not None
    return found


def committed_as(tx: Transaction, sealed: Upload) -> object:
    """Commit an upload that was proven to be as it was declared."""
    return commit(tx, sealed, [])


def test_a_seal_holds_until_the_upload_is_told_more_or_ends(requests: Requests) -> None:
    artifact_id = begun(requests)
    found = sealed(requests, artifact_id)
    assert sealed(requests, artifact_id) == found
    written(requests, lambda tx: check_sealed(tx, found))
    written(requests, lambda tx: unseal_upload(tx, artifact_id))
    for step in (check_sealed, committed_as):
        with pytest.raises(Aborted, match="told of other files while it was being committed"):
            written(requests, partial(step, sealed=found))
    anew = sealed(requests, artifact_id)
    done = written(requests, lambda tx: commit(tx, anew, []))
    assert done.manifest.artifact_id == artifact_id
    assert written(requests, lambda tx: seal(tx, artifact_id, marks_copies=False)) is None
    with pytest.raises(AlreadyCommitted):
        written(requests, lambda tx: check_sealed(tx, anew))
    assert written(requests, lambda tx: commit(tx, anew, [])) == done, "somebody else was faster"


def test_an_upload_that_is_given_up_is_sealed_no_more(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sealed(requests, begun(requests))
    written(requests, lambda tx: abandon(tx, found.artifact_id, ""))
    for step in (check_sealed, committed_as):
        with pytest.raises(FailedPrecondition, match="was aborted; begin another"):
            written(requests, partial(step, sealed=found))
    written(requests, lambda tx: forget(tx, found))
    for step in (check_sealed, committed_as):
        with pytest.raises(NotFound, match="there is no upload of artifact"):
            written(requests, partial(step, sealed=found))


@pytest.mark.parametrize("marks", [False, True])
def test_files_that_are_copied_are_marked_when_asked(requests: Requests, marks: bool) -> None:
    source, store = upload(requests), requests.artifacts.store
    request = begin(store, upload_file("f", b"content"), unchanged_from_artifact_id=source)
    artifact_id = requests.artifacts.begin_upload(request).artifact_id
    written(requests, lambda tx: seal(tx, artifact_id, marks_copies=marks))
    (file,) = written(requests, lambda tx: list(every_file(tx, artifact_id)))
    assert file.source_key
    assert file.is_being_copied is marks


def test_what_is_forgotten_is_the_upload_that_was_given_up(requests: Requests) -> None:
    first, other = begun(requests), begun(requests)
    found = sealed(requests, first)
    written(requests, lambda tx: forget(tx, replace(found, key_prefix="of/an/earlier/one/")))
    assert written(requests, lambda tx: find_upload(tx, first)) == found
    written(requests, lambda tx: forget(tx, found))
    written(requests, lambda tx: forget(tx, found))
    assert written(requests, lambda tx: find_upload(tx, first)) is None
    assert written(requests, lambda tx: find_upload(tx, other)) is not None
    (noted,) = written(requests, lambda tx: noted_deletions(tx, 0))
    assert (noted.artifact_id, noted.key_prefix) == (first, f"of/an/earlier/one/\n{found.key_prefix}")


def test_an_upload_of_an_artifact_that_is_gone_does_not_end(requests: Requests) -> None:
    found = sealed(requests, begun(requests))
    with pytest.raises(NotFound, match="artifact 1099511627776 is no longer in the store"):
        written(requests, lambda tx: end_upload(tx, replace(found, artifact_id=1 << 40), pb.Artifact.LIVE))


def test_what_is_given_up_is_the_upload_that_was_meant(requests: Requests) -> None:
    artifact_id = begun(requests)
    found = sealed(requests, artifact_id)
    assert written(requests, lambda tx: abandon(tx, artifact_id, "another/")) is None
    assert written(requests, lambda tx: abandon(tx, 1 << 40, "another/")) is None
    with pytest.raises(NotFound, match=f"there is no artifact {1 << 40}"):
        written(requests, lambda tx: abandon(tx, 1 << 40, ""))
    assert artifact(requests.artifacts.store, artifact_id).state == pb.Artifact.PENDING
    assert written(requests, lambda tx: abandon(tx, artifact_id, found.key_prefix)) == (found, [])
    assert artifact(requests.artifacts.store, artifact_id).state == pb.Artifact.ABANDONED


def test_an_upload_of_nothing_is_not_committed(requests: Requests) -> None:
    nothing = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
    with pytest.raises(FailedPrecondition, match="none were declared"):
        requests.artifacts.commit_upload(nothing)
    assert artifact(requests.artifacts.store, nothing).state == pb.Artifact.PENDING
