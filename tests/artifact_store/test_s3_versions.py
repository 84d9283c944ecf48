"""Buckets that keep versions: all versions of blobs are deleted, or what is left is told."""

import datetime
import functools
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from minio import Minio
from minio.commonconfig import GOVERNANCE
from minio.retention import Retention
from minio.versioningconfig import VersioningConfig
from mlmd_artifact_store.deletions import delete_blobs
from mlmd_artifact_store.s3 import S3Store
from mlmd_schemas.errors import FailedPrecondition, StoreError, Unavailable

from tests.artifact_store.conformance.suite import ODD, content_of, put
from tests.artifact_store.versions import PREFIX, Settings, versions
from tests.services.faulty_http import Answer, FaultyHttp, error

XML = {"content-type": "application/xml"}


@pytest.fixture
def blobs(make_settings: Settings) -> S3Store:
    """The store of blobs below an odd prefix."""
    return S3Store(make_settings(), PREFIX)


def replaced(blobs: S3Store, key: str, *contents: bytes) -> None:
    """Store one content after the other under a key."""
    for content in contents:
        put(blobs, key, content)


@pytest.mark.parametrize("suspended", [False, True])
def test_every_version_goes_under_odd_keys(s3_admin: Minio, versioned: str, blobs: S3Store, suspended: bool) -> None:
    for name in ODD:
        replaced(blobs, f"t/1/{name}", b"one", b"two")
        blobs.delete([f"t/1/{name}"])
        replaced(blobs, f"t/1/{name}", b"three")
    replaced(blobs, "t/10/f", b"longer name", b"again")
    replaced(blobs, "t/1", b"shorter name", b"again")
    if suspended:
        s3_admin.set_bucket_versioning(versioned, VersioningConfig("Suspended"))
        for name in ODD:
            replaced(blobs, f"t/1/{name}", b"without a version")
    delete_blobs(blobs, "t/1/", every_version=True)
    assert versions(s3_admin, versioned) == ["t/1", "t/1", "t/10/f", "t/10/f"]
    assert content_of(blobs, "t/10/f") == b"again"


def test_what_was_there_before_the_bucket_kept_versions(s3_admin: Minio, bucket: str, blobs: S3Store) -> None:
    put(blobs, "t/1/f", b"old")
    s3_admin.set_bucket_versioning(bucket, VersioningConfig("Enabled"))
    put(blobs, "t/1/f", b"new")
    delete_blobs(blobs, "t/1/", every_version=True)
    assert versions(s3_admin, bucket) == []


def test_a_bucket_that_never_kept_versions(s3_admin: Minio, bucket: str, blobs: S3Store) -> None:
    put(blobs, "t/1/f", b"x")
    put(blobs, "t/2/f", b"x")
    delete_blobs(blobs, "t/1/", every_version=True)
    assert versions(s3_admin, bucket) == ["t/2/f"]


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for fifty versions at a time."""
    monkeypatch.setattr(Minio, "_list_objects", functools.partialmethod(Minio._list_objects, max_keys=50))


@pytest.mark.usefixtures("short_pages")
def test_more_versions_than_a_page_has(s3_admin: Minio, versioned: str, blobs: S3Store, proxy: FaultyHttp) -> None:
    # Names whose percent signs and plus signs are lost when the key that a page ends with is decoded once too often.
    names = [f"t/1/{number:x} %{37 * number % 256:02x}+" for number in range(70)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: put(blobs, name, b"x"), names))
        list(pool.map(lambda _: put(blobs, "t/1/one", b"x"), range(110)))
        blobs.delete(names)
    assert len(versions(s3_admin, versioned)) == 70 + 110 + 70
    proxy.calm()
    delete_blobs(blobs, "t/1/", every_version=True)
    assert proxy.count("GET") >= 5, "that many pages"
    assert versions(s3_admin, versioned) == []


def test_more_versions_than_a_store_tells_and_takes_at_once(
    s3_admin: Minio, versioned: str, blobs: S3Store, proxy: FaultyHttp
) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: put(blobs, "t/1/one", b"x"), range(1001)))
    proxy.calm()
    delete_blobs(blobs, "t/1/", every_version=True)
    assert proxy.count("GET") >= 2, "that many pages, where the store says how long they are"
    assert versions(s3_admin, versioned) == []


def test_what_others_put_below_the_prefix_stays(s3_admin: Minio, versioned: str, blobs: S3Store) -> None:
    put(blobs, "t/1/f", b"x")
    s3_admin.put_object(versioned, f"{PREFIX}t/1/folder/", io.BytesIO(b""), 0)
    delete_blobs(blobs, "t/1/", every_version=True)
    assert versions(s3_admin, versioned) == ["t/1/folder/"]


def test_without_being_asked_older_versions_stay(
    s3_admin: Minio, versioned: str, make_settings: Settings, blobs: S3Store
) -> None:
    put(blobs, "t/1/f", b"x")
    delete_blobs(blobs, "t/1/")
    assert versions(s3_admin, versioned) == ["t/1/f", "t/1/f"]
    asked = S3Store(make_settings(delete_versions=True), PREFIX)
    delete_blobs(asked, "t/1/")
    assert versions(s3_admin, versioned) == []


@pytest.mark.parametrize("code", ["NotImplemented", "MethodNotAllowed"])
def test_a_store_that_knows_no_versions(blobs: S3Store, proxy: FaultyHttp, code: str) -> None:
    proxy.fault = lambda request: error(501, code) if "versions=" in request.target else None
    put(blobs, "t/1/f", b"x")
    blobs.check_versions("t/")
    delete_blobs(blobs, "t/1/", every_version=True)
    assert list(blobs.list()) == []


def test_a_store_that_says_it_deletes_and_does_not(versioned: str, blobs: S3Store, proxy: FaultyHttp) -> None:
    put(blobs, "t/1/f", b"x")
    said = b"<DeleteResult></DeleteResult>"
    proxy.fault = lambda request: Answer(200, said, XML) if request.method == "POST" else None
    with pytest.raises(Unavailable, match="lists them again"):
        blobs.delete_versions("t/1/")


@pytest.fixture
def locking(s3_admin: Minio, bucket: str) -> str:
    """A bucket with object lock, in the place of the other."""
    s3_admin.remove_bucket(bucket)
    s3_admin.make_bucket(bucket, object_lock=True)
    return bucket


@pytest.mark.parametrize("lock", ["retention", "hold"])
def test_what_the_bucket_locks_is_told_and_the_rest_goes(
    s3_admin: Minio, locking: str, blobs: S3Store, lock: str
) -> None:
    replaced(blobs, "t/1/f", b"one", b"two")
    put(blobs, "t/1/g", b"locked")
    put(blobs, "t/1/h", b"three")
    whole = f"{PREFIX}t/1/g"
    version = s3_admin.stat_object(locking, whole).version_id
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    if lock == "retention":
        s3_admin.set_object_retention(locking, whole, Retention(GOVERNANCE, until), version_id=version)
    else:
        s3_admin.enable_object_legal_hold(locking, whole, version)
    with pytest.raises(FailedPrecondition, match=r"1 version of blobs .*/g.*object lock.* lifted"):
        delete_blobs(blobs, "t/1/", every_version=True)
    assert versions(s3_admin, locking) == ["t/1/g"]
    if lock == "hold":
        s3_admin.disable_object_legal_hold(locking, whole, version)
        delete_blobs(blobs, "t/1/", every_version=True)
        assert versions(s3_admin, locking) == []


@pytest.mark.parametrize(
    ("refusal", "kind", "told"),
    [
        (error(403, "InvalidAccessKeyId"), FailedPrecondition, "does not accept the access key"),
        (error(503, "SlowDown"), StoreError, "busy|try again"),
        (Answer(200, b"<html>not S3</html>", XML), Unavailable, "does not answer as an S3 server"),
    ],
)
def test_other_refusals_mean_what_they_mean(
    versioned: str, blobs: S3Store, proxy: FaultyHttp, refusal: Answer, kind: type[StoreError], told: str
) -> None:
    put(blobs, "t/1/f", b"x")
    proxy.fault = lambda request: refusal if "versions=" in request.target else None
    with pytest.raises(kind, match=told):
        blobs.check_versions("t/")
    with pytest.raises(kind, match=told):
        blobs.delete_versions("t/1/")


def failing(code: str, *keys: str, message: str = "") -> Answer:
    """Return what a store answers that deletes none of these keys, each in its version `v`."""
    said = "".join(
        f"<Error><Key>{key}</Key><VersionId>v</VersionId><Code>{code}</Code><Message>{message}</Message></Error>"
        for key in keys
    )
    return Answer(200, f"<DeleteResult>{said}</DeleteResult>".encode(), XML)


def test_versions_that_the_store_fails_to_delete(versioned: str, blobs: S3Store, proxy: FaultyHttp) -> None:
    put(blobs, "t/1/f", b"x")
    said = failing("InternalError", "k", "l")
    proxy.fault = lambda request: said if request.method == "POST" else None
    told = r"still has 2 versions .*, first 'k' in its version v \(InternalError\)\. The object store .* is busy or ill"
    with pytest.raises(Unavailable, match=told):
        blobs.delete_versions("t/1/")


@pytest.mark.parametrize(
    ("at_once", "alone", "told"),
    [
        ("of many", "of one", "AccessDenied: of one"),
        ("of many", "", "AccessDenied: of many"),
        ("", "", "AccessDenied"),
        ("AccessDenied", "AccessDenied", "AccessDenied"),
    ],
)
def test_the_reason_of_one_version_is_told_once(
    versioned: str, blobs: S3Store, proxy: FaultyHttp, at_once: str, alone: str, told: str
) -> None:
    put(blobs, "t/1/f", b"x")
    refusals = {
        "POST": failing("AccessDenied", "k", message=at_once),
        "DELETE": Answer(403, f"<Error><Code>AccessDenied</Code><Message>{alone}</Message></Error>".encode(), XML),
    }
    proxy.fault = lambda request: refusals.get(request.method)
    with pytest.raises(FailedPrecondition, match=rf"in its version v \({told}\)\. Grant our user"):
        blobs.delete_versions("t/1/")


def test_what_somebody_else_deleted_meanwhile_is_not_left(
    s3_admin: Minio, versioned: str, blobs: S3Store, proxy: FaultyHttp
) -> None:
    put(blobs, "t/1/f", b"x")
    gone = failing("NoSuchKey", "k")
    proxy.fault = lambda request: gone if (request.method, request.number) == ("POST", 1) else None
    blobs.delete_versions("t/1/")
    assert versions(s3_admin, versioned) == []


def test_why_a_bucket_does_not_say_whether_it_keeps_versions(versioned: str, blobs: S3Store, proxy: FaultyHttp) -> None:
    answers = {"versions=": error(403, "AccessDenied"), "versioning=": error(500, "InternalError")}
    proxy.fault = lambda request: next((told for step, told in answers.items() if step in request.target), None)
    with pytest.raises(Unavailable, match="is busy or ill"):
        blobs.check_versions("t/")
