"""An artifact whose bytes are deleted while another upload begins to copy from it, or finds it to be reused.

Two servers on one database: each step of the one is tried between the statements of the other.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.garbage_collection import collect, plan
from mlmd_artifact_store.keep_rules import Rules
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2, artifacts_pb2

from tests.artifact_store.care import Admin, execution, upload
from tests.artifact_store.uploads import artifact, begin, send, upload_file
from tests.services.clocks import wait_beyond
from tests.services.held_steps import outcome

CONTENT = b"what both have"
NOTHING = Rules(newest=0, younger_than_seconds=0)


@pytest.fixture
def other(database_url: str, store: Store, blobs: BlobStore) -> Iterator[Requests]:
    """Another server on the same stores."""
    opened = Store.open(database_url)
    yield Requests(Artifacts(opened, blobs))
    opened.close()


def between(store: Store, statement: str, first: Callable[[], object], second: Callable[[], object]) -> list[object]:
    """Hold the first step before a statement (verb, table) until the second is over, or waits for the first.

    Return what they returned, or raised.
    """
    there, go_on = threading.Event(), threading.Event()
    verb, table = statement.split()

    def watch(sent: str) -> None:
        if sent.startswith(verb) and table in sent:
            there.set()
            assert go_on.wait(30)

    store.database.watch = watch
    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(first)
        assert there.wait(30)
        beside = pool.submit(second)
        wait([beside], timeout=1)
        go_on.set()
        store.database.watch = None
        return [outcome(held), outcome(beside)]


def declaration(requests: Requests, source: int) -> tuple[int, Callable[[], object]]:
    """Begin an upload; return it and the step that tells a file which is copied from an artifact."""
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
    request = artifacts_pb2.DeclareFilesRequest(
        artifact_id=begun, files=[upload_file("g", CONTENT)], unchanged_from_artifact_id=source
    )
    return begun, lambda: declare_files(requests, request, LOCAL)


@pytest.mark.parametrize("deleter", ["gc", "purge"])
@pytest.mark.parametrize("held", ["deleter", "copier"])
def test_what_is_copied_is_kept_or_was_gone_before(
    requests: Requests, other: Requests, deleter: str, held: str
) -> None:
    source = upload(requests, CONTENT)
    copier, copy = declaration(requests, source)

    def delete() -> object:
        if deleter == "gc":
            return list(collect(other.artifacts, [source]))
        return Admin(other).purge(kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[source], include_bytes=True)

    if held == "deleter":
        _, copied = between(other.artifacts.store, "DELETE mlmd_files", delete, copy)
    else:
        copied, deleted = between(requests.artifacts.store, "INSERT mlmd_upload_files", copy, delete)
        assert deleted == [[]] or isinstance(deleted, FailedPrecondition), deleted
        assert b"".join(requests.artifacts.read(source, "f")) == CONTENT
    if isinstance(copied, BaseException):
        assert isinstance(copied, NotFound), copied
        assert held == "deleter"
        return
    requests.artifacts.commit_upload(copier)
    assert b"".join(requests.artifacts.read(copier, "g")) == CONTENT


def test_a_purge_names_the_uploads_that_copy(requests: Requests) -> None:
    source = upload(requests, CONTENT)
    copier, copy = declaration(requests, source)
    copy()
    admin = Admin(requests)
    looked = admin("Purge", kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[source], include_bytes=True)
    said = f"The upload of artifact {copier} copies files from artifact {source}; commit or abort it first."
    assert list(looked.obstacles) == [said]
    assert not admin("Purge", kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[source]).obstacles
    requests.artifacts.commit_upload(copier)
    assert admin.purge(kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[source], include_bytes=True).purged
    assert b"".join(requests.artifacts.read(copier, "g")) == CONTENT


@pytest.mark.parametrize("held", ["deleter", "finder"])
def test_what_is_reused_is_there(requests: Requests, other: Requests, held: str) -> None:
    source = upload(requests, CONTENT)
    wanted = begin(requests.artifacts.store, upload_file("f", CONTENT), reuse=True)
    seen = plan(other.artifacts, NOTHING).keeping

    def delete() -> object:
        return list(collect(other.artifacts, [source], seen=seen))

    def find() -> artifacts_pb2.BeginUploadResponse:
        return requests.artifacts.begin_upload(wanted)

    if held == "deleter":
        _, found = between(other.artifacts.store, "DELETE mlmd_files", delete, find)
    else:
        found, _ = between(requests.artifacts.store, "UPDATE mlmd_manifests", find, delete)
    assert isinstance(found, artifacts_pb2.BeginUploadResponse), found
    if not found.reused:
        assert send(requests, found.artifact_id, {"f": CONTENT}) == [200]
        requests.artifacts.commit_upload(found.artifact_id)
    assert b"".join(requests.artifacts.read(found.artifact_id, "f")) == CONTENT


def test_what_is_reused_is_as_young_as_what_is_sent(requests: Requests) -> None:
    artifacts = requests.artifacts
    source = upload(requests, CONTENT)
    chosen = plan(artifacts, NOTHING)
    assert chosen.garbage == [source]
    before = artifacts.manifest(source)
    wait_beyond(before.create_ms)
    assert artifacts.begin_upload(begin(artifacts.store, upload_file("f", CONTENT), reuse=True)).reused
    assert list(collect(artifacts, chosen.garbage, seen=chosen.keeping)) == [[]]
    assert artifacts.manifest(source).create_ms > before.create_ms
    assert b"".join(artifacts.read(source, "f")) == CONTENT


def test_an_output_is_noted_of_what_is_there(requests: Requests, other: Requests) -> None:
    source = upload(requests, CONTENT)
    made_by = artifacts_pb2.MadeBy(execution_id=execution(requests, [], [], pb.Execution.RUNNING))

    def note() -> object:
        return requests.artifacts.commit_upload(source, LOCAL, made_by)

    _, noted = between(
        other.artifacts.store, "DELETE mlmd_files", lambda: list(collect(other.artifacts, [source])), note
    )
    assert isinstance(noted, NotFound), noted
    assert artifact(requests.artifacts.store, source).state == pb.Artifact.DELETED
