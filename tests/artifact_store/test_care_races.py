"""What keeps an artifact and what deletes it, at the same moment: one of them wins, and neither half."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.deletions import Deletion, forget_deletions, note_deletions, noted_deletions
from mlmd_artifact_store.garbage_collection import collect
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.manifests import digest_of
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.sweeping import sweep
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Aborted, FailedPrecondition, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1 import artifacts_pb2

from tests.artifact_store.care import Admin, alias, upload
from tests.artifact_store.test_source_races import between
from tests.artifact_store.uploads import artifact, begin, send, upload_file

ROUNDS = 12


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    store = Store.open(database_url)
    yield Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))
    store.close()


@pytest.fixture
def other(database_url: str, requests: Requests) -> Iterator[Store]:
    """The same database, opened by another server."""
    store = Store.open(database_url)
    yield store
    store.close()


def both(*steps: Callable[[], object]) -> list[bool]:
    """Take steps at the same moment; return which of them succeeded rather than being refused."""
    gate = threading.Barrier(len(steps))

    def take(step: Callable[[], object]) -> bool:
        gate.wait()
        try:
            step()
        except (FailedPrecondition, NotFound):
            return False
        return True

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(take, steps))


@pytest.mark.parametrize("keeper", ["alias", "pin"])
@pytest.mark.parametrize("deleter", ["gc", "purge"])
def test_what_is_kept_is_not_deleted(requests: Requests, keeper: str, deleter: str) -> None:
    admin, artifacts = Admin(requests), requests.artifacts
    outcomes = set()
    for number in range(1, ROUNDS + 1):
        made = upload(requests, b"%d" % number, collection="m")

        def keep(made: int = made, number: int = number) -> None:
            if keeper == "pin":
                admin("PinArtifact", artifact_id=made)
            else:
                alias(requests, "m", f"a{number}", number)

        def delete(made: int = made) -> None:
            if deleter == "gc":
                list(collect(artifacts, [made]))
            else:
                admin.purge(kind=v1.NODE_KIND_ARTIFACT, ids=[made], include_bytes=True)

        kept, deleted = both(keep, delete)
        gone = artifact(artifacts.store, made).state == pb.Artifact.DELETED
        assert kept != gone
        if deleter == "purge":
            assert deleted == gone
        if kept:
            assert b"".join(artifacts.read(made, "f")) == b"%d" % number
        else:
            with pytest.raises(NotFound):
                artifacts.manifest(made)
        outcomes.add(kept)
    assert outcomes


def test_a_pin_waits_for_a_purge_and_is_refused(requests: Requests, other: Store) -> None:
    admin, artifacts = Admin(requests), requests.artifacts
    made = upload(requests)
    fields = {"kind": v1.NODE_KIND_ARTIFACT, "ids": [made]}
    digest = admin("Purge", **fields).digest
    pinning = Admin(Requests(Artifacts(other, artifacts.blobs)))
    purged, pinned = between(
        artifacts.store,
        "DELETE ArtifactProperty",
        lambda: admin("Purge", **fields, digest=digest, reason="r").purged,
        lambda: pinning("PinArtifact", artifact_id=made),
    )
    assert purged is True
    assert isinstance(pinned, FailedPrecondition), pinned


def test_a_deletion_that_is_noted_while_another_is_forgotten_is_not_lost(requests: Requests, other: Store) -> None:
    database = requests.artifacts.store.database
    noted = database.write(LOCAL, lambda tx: note_deletions(tx, [Deletion(1, "a/", 0)]))
    forgotten, _ = between(
        requests.artifacts.store,
        "DELETE mlmd_deletions",
        lambda: database.write(LOCAL, lambda tx: forget_deletions(tx, noted, 1)),
        lambda: other.database.write(LOCAL, lambda tx: note_deletions(tx, [Deletion(1, "b/", 0)])),
    )
    assert forgotten == [1]
    (left,) = database.read(LOCAL, lambda tx: noted_deletions(tx, 0))
    assert "b/" in left.key_prefix.splitlines()


@pytest.mark.parametrize("held", ["commit", "abort"])
def test_a_commit_and_an_abort_wait_for_each_other(requests: Requests, other: Store, held: str) -> None:
    artifacts, late = requests.artifacts, Artifacts(other, requests.artifacts.blobs)
    pending = artifacts.begin_upload(begin(artifacts.store, upload_file("f", b"content"))).artifact_id
    send(requests, pending, {"f": b"content"})
    commit, abort = artifacts.commit_upload, artifacts.abort_upload
    if held == "commit":
        _, refused = between(
            artifacts.store, "INSERT mlmd_manifests", partial(commit, pending), partial(late.abort_upload, pending)
        )
        assert b"".join(artifacts.read(pending, "f")) == b"content"
    else:
        _, refused = between(
            artifacts.store, "UPDATE mlmd_uploads", partial(abort, pending), partial(late.commit_upload, pending)
        )
        with pytest.raises(NotFound):
            artifacts.manifest(pending)
    assert isinstance(refused, FailedPrecondition | NotFound), refused
    state = artifact(artifacts.store, pending).state
    assert state == (pb.Artifact.LIVE if held == "commit" else pb.Artifact.ABANDONED)


def test_what_is_told_while_an_upload_is_sealed_breaks_the_seal(requests: Requests, other: Store) -> None:
    artifacts, late = requests.artifacts, Requests(Artifacts(other, requests.artifacts.blobs))
    pending = artifacts.begin_upload(begin(artifacts.store, more_files=True)).artifact_id
    first, second = upload_file("f", b"content"), upload_file("g", b"more")

    def tell(by: Requests, file: artifacts_pb2.UploadFile) -> object:
        return declare_files(by, artifacts_pb2.DeclareFilesRequest(artifact_id=pending, files=[file]), LOCAL)

    tell(requests, first)
    send(requests, pending, {"f": b"content"})
    committed, told = between(
        artifacts.store,
        "UPDATE mlmd_uploads",
        lambda: artifacts.commit_upload(pending),
        lambda: tell(late, second),
    )
    assert not isinstance(told, BaseException) or isinstance(told, FailedPrecondition), told
    if isinstance(told, BaseException):
        assert isinstance(committed, artifacts_pb2.CommitUploadResponse), committed
        return
    assert isinstance(committed, Aborted | FailedPrecondition), committed
    send(requests, pending, {"f": b"content", "g": b"more"})
    manifest = artifacts.commit_upload(pending).manifest
    assert (manifest.file_count, manifest.size_bytes) == (2, len(b"contentmore"))
    contents = {"f": b"content", "g": b"more"}
    assert manifest.digest == digest_of((path, len(it), hashlib.sha256(it).digest()) for path, it in contents.items())


def test_an_upload_is_committed_or_swept(requests: Requests) -> None:
    artifacts = requests.artifacts
    for number in range(ROUNDS):
        content = b"%d" % number
        pending = artifacts.begin_upload(begin(artifacts.store, upload_file("f", content))).artifact_id
        send(requests, pending, {"f": content})
        committed, swept, _ = both(
            partial(artifacts.commit_upload, pending),
            lambda: sweep(artifacts, -1),
            lambda: sweep(artifacts, -1),
        )
        assert swept
        state = artifact(artifacts.store, pending).state
        assert state == (pb.Artifact.LIVE if committed else pb.Artifact.ABANDONED)
        if committed:
            assert b"".join(artifacts.read(pending, "f")) == content
