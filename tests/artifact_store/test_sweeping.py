"""A sweep goes on past what fails, and tells it."""

import dataclasses
import io
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.deletions import Deletion, note_deletions
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.sweeping import SHOWN, Swept, sweep, sweep_uploads
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.artifact_store.care import Admin, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.uploads import artifact, begin, send, upload_file
from tests.services.ceph import S3Address
from tests.services.faulty_http import Answer, FaultyHttp, Request, error


@pytest.fixture
def blobs(s3: S3Address, bucket: str, proxy: FaultyHttp) -> S3Store:
    """An empty bucket behind the proxy."""
    return S3Store(S3Settings(bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key, busy_seconds=0.0), "pre/")


@pytest.fixture
def requests(sqlite_url: str, blobs: S3Store) -> Requests:
    """An artifact store on the bucket."""
    return Requests(Artifacts(Store.open(sqlite_url), blobs))


def pending(requests: Requests) -> int:
    """Begin an upload and send its file."""
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"x")))
    assert send(requests, begun.artifact_id, {"f": b"x"}) == [200]
    return begun.artifact_id


def refuse_listing(proxy: FaultyHttp, answer: Answer, *artifact_ids: int) -> None:
    """Refuse to list what is below the prefixes of some artifacts."""

    def fault(request: Request) -> Answer | None:
        prefixes = [f"%2F{artifact_id}%2F" for artifact_id in artifact_ids]
        return answer if "prefix=" in request.target and any(it in request.target for it in prefixes) else None

    proxy.fault = fault


@pytest.mark.parametrize("refusal", [error(403, "AccessDenied"), error(500, "InternalError")])
def test_what_fails_does_not_keep_the_rest(
    requests: Requests, proxy: FaultyHttp, blobs: S3Store, refusal: Answer
) -> None:
    admin = Admin(requests)
    garbage = [upload(requests, b"%d" % number) for number in range(3)]
    refuse_listing(proxy, refusal, *garbage)
    with pytest.raises((FailedPrecondition, Unavailable), match=f"bytes of artifact {garbage[0]} and 2 others"):
        admin.garbage(dry_run=False)
    uploads = [pending(requests) for _ in range(3)]
    blobs.begin_parts("_/system.Model/_/1/left")
    refuse_listing(proxy, refusal, garbage[0], uploads[0])
    swept = sweep(requests.artifacts, -3600)
    assert swept.abandoned == uploads[1:]
    assert [failure.split(":")[0] for failure in swept.failures] == [
        f"the upload of artifact {uploads[0]}",
        f"the bytes of artifact {garbage[0]}",
    ]
    assert swept.failure_count == 2
    assert {int(key.split("/")[3]) for key in keys(blobs)} == {garbage[0], uploads[0]}
    assert blobs.tidy("", 10**14) == 0  # what was begun of parts is given up
    proxy.calm()
    again = sweep(requests.artifacts, 3600)
    assert (again.abandoned, again.failure_count) == ([uploads[0]], 0)
    assert keys(blobs) == []
    assert artifact(requests.artifacts.store, uploads[0]).state == pb.Artifact.ABANDONED


def test_what_fails_stays_noted_after_the_last_bytes_may_have_come(
    requests: Requests, proxy: FaultyHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, whole = upload(requests, b"1"), upload(requests, b"2")
    refuse_listing(proxy, error(403, "AccessDenied"), failing)
    with pytest.raises(FailedPrecondition, match=f"The bytes of artifact {failing} are not all deleted: "):
        Admin(requests).garbage(dry_run=False)
    monkeypatch.setattr(Transaction, "agreed_ms", lambda tx: 10**13)
    swept = sweep(requests.artifacts, 3600)
    assert (swept.deleted, swept.failure_count) == ([whole], 1)
    proxy.calm()
    assert sweep(requests.artifacts, 3600).deleted == [failing]
    assert keys(requests.artifacts.blobs) == []


def test_the_call_tells_what_failed(requests: Requests, proxy: FaultyHttp) -> None:
    made = pending(requests)
    refuse_listing(proxy, error(403, "AccessDenied"), made)
    answer = Admin(requests)("Sweep", grace_seconds=0)
    assert (list(answer.abandoned_artifact_ids), answer.failure_count) == ([], 1)
    assert list(answer.failures) == [
        f"the upload of artifact {made}: artifacts: the object store at {proxy.url} does not let our user do this in "
        f"the bucket {requests.artifacts.blobs.uri()[5:].split('/')[0]!r} (AccessDenied); grant it reading, writing, "
        "listing and deleting there."
    ]


def test_a_store_that_is_away_is_not_asked_for_every_upload(requests: Requests, proxy: FaultyHttp) -> None:
    uploads = [pending(requests) for _ in range(6)]
    refuse_listing(proxy, error(500, "InternalError"), *uploads)
    swept = sweep_uploads(requests.artifacts, -3600)
    assert (swept.abandoned, swept.failure_count) == ([], 3)
    refuse_listing(proxy, error(500, "InternalError"), uploads[0], uploads[1], uploads[3], uploads[4])
    swept = sweep_uploads(requests.artifacts, -3600)
    assert (swept.abandoned, swept.failure_count) == ([uploads[2], uploads[5]], 4)


def test_what_was_begun_is_given_up_past_one_that_fails(blobs: S3Store, proxy: FaultyHttp) -> None:
    for name in ("a", "b", "c"):
        blobs.begin_parts(f"d/{name}")
    refused = error(403, "AccessDenied")
    proxy.fault = lambda request: refused if request.method == "DELETE" and "/d/b" in request.target else None
    with pytest.raises(FailedPrecondition, match="AccessDenied"):
        blobs.tidy("d/", 10**14)
    proxy.calm()
    assert blobs.tidy("d/", 10**14) == 1


def test_what_was_begun_and_stays_is_told(requests: Requests, blobs: S3Store, proxy: FaultyHttp) -> None:
    blobs.begin_parts("_/system.Model/_/1/left")
    proxy.fault = lambda request: error(403, "AccessDenied") if request.method == "DELETE" else None
    swept = sweep(requests.artifacts, -3600)
    assert [failure.split(":")[0] for failure in swept.failures] == ["what was begun and never ended"]


def test_another_stores_bytes_are_not_swept(requests: Requests, blobs: S3Store, sqlite_url: str) -> None:
    upload(requests)
    other = Artifacts(Store.open(f"{sqlite_url}.other"), blobs)
    with pytest.raises(FailedPrecondition, match="another store"):
        sweep(other, 3600)


def test_whoever_is_gone_sweeps_no_further(requests: Requests) -> None:
    made, gone = pending(requests), threading.Event()
    gone.set()
    swept = sweep(requests.artifacts, -3600, dataclasses.replace(LOCAL, gone=gone))
    assert (swept.abandoned, swept.failure_count) == ([], 0)
    assert sweep(requests.artifacts, -3600).abandoned == [made]


@pytest.fixture
def in_a_folder(sqlite_url: str, tmp_path: Path) -> Requests:
    """An artifact store on a folder."""
    return Requests(Artifacts(Store.open(sqlite_url), LocalStore(tmp_path / "artifacts"), "ours"))


def test_uploads_of_every_page_are_given_up(in_a_folder: Requests) -> None:
    artifacts, store = in_a_folder.artifacts, in_a_folder.artifacts.store
    request = begin(store, upload_file("f", b"x"))
    begun = [artifacts.begin_upload(request).artifact_id for _ in range(201)]
    assert sweep(artifacts, 3600).abandoned == []
    assert sweep(artifacts, -1).abandoned == begun
    assert sweep(artifacts, -1).abandoned == []


def test_what_another_tenant_began_is_left(in_a_folder: Requests) -> None:
    blobs = in_a_folder.artifacts.blobs
    ours, theirs = blobs.begin_parts("ours/t/n/1/f"), blobs.begin_parts("theirs/t/n/1/f")
    assert sweep(in_a_folder.artifacts, 60).failure_count == 0
    assert blobs.parts("ours/t/n/1/f", ours) == []
    sweep(in_a_folder.artifacts, -60)
    assert blobs.parts("theirs/t/n/1/f", theirs) == []
    with pytest.raises(NotFound):
        blobs.parts("ours/t/n/1/f", ours)


def test_whoever_is_gone_deletes_no_further(in_a_folder: Requests) -> None:
    artifacts, gone = in_a_folder.artifacts, threading.Event()
    begun = artifacts.blobs.begin_parts("ours/t/n/1/f")
    artifacts.store.database.write(LOCAL, lambda tx: note_deletions(tx, [Deletion(7, "ours/t/n/7/", 0)]))
    artifacts.blobs.put("ours/t/n/7/f", io.BytesIO(b"x"), 1)
    gone.set()
    swept = sweep(artifacts, -60, dataclasses.replace(LOCAL, gone=gone))
    assert (swept.deleted, keys(artifacts.blobs)) == ([], ["ours/t/n/7/f"])
    assert artifacts.blobs.parts("ours/t/n/1/f", begun) == []
    assert sweep(artifacts, 60).deleted == [7]
    assert keys(artifacts.blobs) == []


def test_deletions_of_every_page_are_carried_out(in_a_folder: Requests) -> None:
    artifacts = in_a_folder.artifacts
    noted = [Deletion(number, f"ours/t/n/{number}/", 0) for number in range(1, 1002)]
    artifacts.store.database.write(LOCAL, lambda tx: note_deletions(tx, noted))
    last = f"{noted[-1].key_prefix}f"
    artifacts.blobs.put(last, io.BytesIO(b"x"), 1)
    assert sweep(artifacts, 60).deleted == list(range(1, 1002))
    assert keys(artifacts.blobs) == []


def test_of_a_store_that_is_away_one_page_of_deletions_is_tried(requests: Requests, proxy: FaultyHttp) -> None:
    noted = [Deletion(number, f"_/t/n/{number}/", 0) for number in range(1, 502)]
    requests.artifacts.store.database.write(LOCAL, lambda tx: note_deletions(tx, noted))
    refuse_listing(proxy, error(500, "InternalError"), *range(1, 502))
    assert sweep(requests.artifacts, 60).failure_count == 500
    refuse_listing(proxy, error(500, "InternalError"), *range(1, 500))
    swept = sweep(requests.artifacts, 60)
    assert (swept.deleted, swept.failure_count) == ([500, 501], 499)


def test_of_a_store_that_refuses_every_page_is_tried(requests: Requests, proxy: FaultyHttp) -> None:
    noted = [Deletion(number, f"_/t/n/{number}/", 0) for number in range(1, 502)]
    requests.artifacts.store.database.write(LOCAL, lambda tx: note_deletions(tx, noted))
    for _ in range(101):
        requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"x")))
    refuse_listing(proxy, error(403, "AccessDenied"), *range(1, 502))
    refused, ill = proxy.fault, error(500, "InternalError")
    proxy.fault = lambda request: ill if "%2Ft%2Fn%2F1%2F" in request.target else refused(request)
    swept = sweep(requests.artifacts, -1)
    assert (swept.abandoned, swept.deleted, swept.failure_count) == ([], [], 101 + 501)


@pytest.mark.parametrize("where", ["requests", "in_a_folder"])
def test_a_place_that_is_taken_meanwhile_is_not_tidied(
    request: pytest.FixtureRequest, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts: Artifacts = request.getfixturevalue(where).artifacts
    blobs, tenant = artifacts.blobs, artifacts.place.tenant
    artifacts.store.database.write(LOCAL, lambda tx: note_deletions(tx, [Deletion(7, f"{tenant or '_'}/t/n/7/", 0)]))
    other, deleted = Artifacts(Store.open(f"sqlite:///{tmp_path / 'other.db'}"), blobs, tenant), blobs.delete

    def delete(those: Iterable[str]) -> None:
        other.ownership.take_over()
        deleted(those)

    monkeypatch.setattr(blobs, "delete", delete)
    key = f"{tenant or '_'}/t/n/1/f"
    begun = blobs.begin_parts(key)
    swept = sweep(artifacts, -3600)
    assert [failure.split(":")[0] for failure in swept.failures] == ["what was begun and never ended"]
    assert blobs.parts(key, begun) == []


def test_a_grace_that_is_none(requests: Requests) -> None:
    with pytest.raises(InvalidArgument, match="grace_seconds"):
        sweep(requests.artifacts, 3650 * 86400 + 1)
    assert sweep(requests.artifacts, 3650 * 86400).abandoned == []


def test_the_first_hundred_failures_are_told() -> None:
    first, second = Swept([1]), Swept([2], [3])
    for swept in (first, second):
        for number in range(SHOWN - 10):
            swept.fail(str(number), Unavailable("away"))
    first.add(second)
    assert (first.abandoned, first.deleted) == ([1, 2], [3])
    assert (len(first.failures), first.failure_count) == (SHOWN, 2 * (SHOWN - 10))
    assert first.failures[SHOWN - 10] == "0: away"
    first.fail("one more", Unavailable("away"))
    assert (len(first.failures), first.failure_count) == (SHOWN, 2 * (SHOWN - 10) + 1)
