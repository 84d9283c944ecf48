"""The bytes of what was purged without them are found and read, and nothing that is answered says its name."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.message import Message
from mlmd_artifact_store.calls import ARTIFACT_CALLS
from mlmd_artifact_store.garbage_collection import collect
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.sweeping import sweep
from mlmd_artifact_store.verification import Verdict, verify
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import NotFound, StoreError, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1 import artifacts_pb2

from tests.artifact_store.care import KEEP_NOTHING, Admin, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.uploads import begin, type_id, upload_file
from tests.metadata_store.archives import exported
from tests.metadata_store.calls import Calls

ARTIFACT = v1.NODE_KIND_ARTIFACT
SECRET = "jane doe"
CALLS = {call.name: call for call in ARTIFACT_CALLS}


@pytest.fixture
def made(requests: Requests) -> int:
    """An artifact that is called as nobody may know."""
    return upload(requests, name=SECRET)


@pytest.fixture
def served(requests: Requests) -> Requests:
    """The same store as a server with an HTTP port has it."""
    return Requests(requests.artifacts, "http://mlmd.example:8081")


def told(requests: Requests, artifact_id: int) -> Iterator[str]:
    """Yield what every call that reads says of an artifact, refusals too."""

    def answer(method: str, **fields: Any) -> Message:
        call = CALLS[method]
        return call.run(requests, LOCAL, call.request(**fields))

    for method in ("GetManifest", "ListFiles", "ListDownloadUrls", "BeginRestore", "RecordFiles", "CommitUpload"):
        try:
            yield str(answer(method, artifact_id=artifact_id))
        except StoreError as error:
            yield error.message
    admin = Admin(requests)
    yield str(admin("CollectGarbage", rules=KEEP_NOTHING, dry_run=True))
    yield str(admin.why(artifact_id))
    yield str(admin("Purge", kind=ARTIFACT, ids=[artifact_id], include_bytes=True))
    yield str(admin("VerifyArtifacts", artifact_ids=[artifact_id]))


def is_said(texts: Iterator[str]) -> bool:
    return any("jane" in text for text in texts)


def test_no_answer_says_the_name_of_what_was_purged(served: Requests, admin: Admin, made: int) -> None:
    assert is_said(told(served, made))
    admin.purge(kind=ARTIFACT, ids=[made])
    texts = list(told(served, made))
    assert not is_said(iter(texts)), texts
    manifest = served.artifacts.manifest(made)
    assert (manifest.message().root_uri, manifest.message().file_count, manifest.message().size_bytes) == ("", 1, 7)


def test_its_files_are_fetched_from_the_server_itself(served: Requests, admin: Admin, made: int) -> None:
    admin.purge(kind=ARTIFACT, ids=[made])
    (url,) = served.download_page(artifacts_pb2.ListDownloadUrlsRequest(artifact_id=made)).urls
    assert (url.request.url, url.request.expires_ms) == (f"http://mlmd.example:8081/artifacts/{made}/files/f", 0)
    assert b"".join(served.artifacts.read(made, "f")) == b"content"


def test_verify_gc_and_a_later_purge_find_its_bytes(requests: Requests, admin: Admin) -> None:
    collected, purged = upload(requests, b"one", name=SECRET), upload(requests, b"other", name=f"{SECRET} 2")
    admin.purge(kind=ARTIFACT, ids=[collected, purged])
    assert [(one.artifact_id, one.verdict) for one in verify(requests.artifacts)] == [
        (collected, Verdict.SAME),
        (purged, Verdict.SAME),
    ]
    assert [len(batch) for batch in collect(requests.artifacts, [collected])] == [1]
    admin.purge(kind=ARTIFACT, ids=[purged], include_bytes=True)
    assert keys(requests.artifacts.blobs) == []


def test_a_file_that_is_missing_is_told_without_the_name(requests: Requests, admin: Admin, made: int) -> None:
    admin.purge(kind=ARTIFACT, ids=[made])
    requests.artifacts.blobs.delete(list(keys(requests.artifacts.blobs)))
    reads: tuple[Callable[[], object], ...] = (
        lambda: list(requests.artifacts.read(made, "f")),
        lambda: list(requests.artifacts.read_range(made, "f", 1, 2)),
    )
    for read in reads:
        with pytest.raises(StoreError) as raised:
            read()
        assert "jane" not in raised.value.message
        assert f"{made}/f" in raised.value.message


def test_what_cannot_be_deleted_is_told_without_the_name(
    requests: Requests, admin: Admin, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.purge(kind=ARTIFACT, ids=[made])

    def fail(self: object, deleted: list[str]) -> None:
        if deleted:
            raise Unavailable(f"{deleted[0]!r} cannot be deleted now.")

    monkeypatch.setattr(type(requests.artifacts.blobs), "delete", fail)
    with pytest.raises(Unavailable) as raised:
        list(collect(requests.artifacts, [made]))
    assert "jane" not in raised.value.message
    (failure,) = sweep(requests.artifacts, 0).failures
    assert "jane" not in failure


def test_equal_content_is_not_found_at_what_was_purged(requests: Requests, admin: Admin) -> None:
    made = upload(requests)
    again = begin(requests.artifacts.store, upload_file("f", b"content"), reuse=True)
    assert requests.artifacts.begin_upload(again).reused
    admin.purge(kind=ARTIFACT, ids=[made])
    assert not requests.artifacts.begin_upload(again).reused


def test_no_archive_has_the_name(requests: Requests, admin: Admin, made: int) -> None:
    kept = upload(requests, name="others")
    admin.purge(kind=ARTIFACT, ids=[made])
    lines = b"".join(message.rows.lines for message in exported(Calls(requests.artifacts.store)))
    assert b"jane" not in lines
    assert b"others/%d/" % kept in lines


def test_of_what_is_elsewhere_nothing_is_known_any_more(requests: Requests, admin: Admin) -> None:
    store = requests.artifacts.store
    said = pb.Artifact(type_id=type_id(store), uri="s3://elsewhere/jane/").SerializeToString()
    files = [artifacts_pb2.UploadFile(path="f", size_bytes=1)]
    request = artifacts_pb2.RecordExternalRequest(artifact=said, files=files)
    recorded = store.database.write(LOCAL, lambda tx: requests.artifacts.record_external(tx, request))
    external = recorded.manifest.artifact_id
    admin.purge(kind=ARTIFACT, ids=[external])
    assert not is_said(told(requests, external))
    with pytest.raises(NotFound, match=rf"artifact {external} was purged on 20\d\d"):
        requests.artifacts.manifest(external)
    why = admin.why(external)
    assert (why.kept, why.summary.startswith(f"Artifact {external} was purged by local on 20")) == (False, True)
    assert why.summary.endswith(": asked for.")
    assert [stone.what for stone in admin("ListTombstones").tombstones] == [v1.Tombstone.WHAT_FACTS]
