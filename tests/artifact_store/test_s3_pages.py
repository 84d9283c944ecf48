"""What an object store answers in pages, and what it refuses of many: nothing of it is overlooked."""

import io
from collections.abc import Mapping
from typing import Any

import pytest
from mlmd_artifact_store.blob_store import SignedRequest
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_requests import S3Requests
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, StoreError

from tests.artifact_store.conformance.suite import ODD, md5, put
from tests.services.ceph import S3Address
from tests.services.faulty_http import Answer, Fault, FaultyHttp

XML = {"content-type": "application/xml"}


@pytest.fixture
def store(s3: S3Address, bucket: str, proxy: FaultyHttp) -> S3Store:
    """An empty bucket behind the proxy."""
    settings = S3Settings(bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key, busy_seconds=0.01)
    return S3Store(settings, "pre fix%20/ü/")


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for two of everything at a time."""
    signed = S3Requests.signed

    def short(
        requests: S3Requests, method: str, key: str, query: Mapping[str, str] | None = None, *rest: Any, **named: Any
    ) -> SignedRequest:
        pages = {"uploads": "max-uploads", "part-number-marker": "max-parts"}
        more = {pages[name]: "2" for name in query or {} if name in pages and method == "GET"}
        return signed(requests, method, key, {**(query or {}), **more}, *rest, **named)

    monkeypatch.setattr(S3Requests, "signed", short)


@pytest.mark.usefixtures("short_pages")
def test_parts_over_many_pages(store: S3Store, proxy: FaultyHttp) -> None:
    upload, numbers = store.begin_parts("k"), [1, 2, 3, 4, 7, 10_000]
    for number in numbers:
        store.put_part("k", upload, number, io.BytesIO(b"%d" % number), len(str(number)), md5(b"%d" % number))
    proxy.calm()
    found = store.parts("k", upload)
    assert [part.number for part in found] == numbers
    assert [part.etag for part in found] == [md5(b"%d" % number).hex() for number in numbers]
    assert proxy.count("GET") == 3


@pytest.mark.usefixtures("short_pages")
def test_what_was_begun_over_many_pages(store: S3Store) -> None:
    begun = {key: store.begin_parts(f"d/{key}") for key in ODD}
    again = [store.begin_parts("d/same") for _ in range(5)]
    kept = store.begin_parts("e/kept")
    assert store.tidy("d/", 10**14) == len(begun) + len(again)
    assert store.tidy("d/", 10**14) == 0
    assert store.parts("e/kept", kept) == []


def test_what_lies_elsewhere_is_not_given_up(store: S3Store, proxy: FaultyHttp) -> None:
    uploads = "".join(
        f"<Upload><Key>{key}</Key><UploadId>u</UploadId><Initiated>2020-01-01T00:00:00Z</Initiated></Upload>"
        for key in ("pre fix%20/ü/t/it&#39;s", "pre fix%20/ü/u/other", "t/elsewhere")
    )
    said = f"<ListMultipartUploadsResult>{uploads}<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
    proxy.fault = lambda request: Answer(200, said.encode(), XML) if request.method == "GET" else None
    assert store.tidy("t/", 10**14) == 1
    (given_up,) = (request.target for request in proxy.requests if request.method == "DELETE")
    assert "/pre%20fix%2520/%C3%BC/t/it%27s?" in given_up


@pytest.mark.parametrize(("code", "fails"), [("AccessDenied", True), ("NoSuchKey", False), ("NoSuchVersion", False)])
def test_one_of_many_that_is_not_deleted(store: S3Store, proxy: FaultyHttp, code: str, fails: bool) -> None:
    said = f"<DeleteResult><Error><Key>b</Key><Code>{code}</Code><Message>m</Message></Error></DeleteResult>"
    proxy.fault = lambda request: Answer(200, said.encode(), XML)
    if fails:
        with pytest.raises(StoreError, match=code):
            store.delete(["a", "b"])
    else:
        store.delete(["a", "b"])


def test_a_deletion_that_fails_as_a_whole_and_says_200(store: S3Store, proxy: FaultyHttp) -> None:
    proxy.fault = lambda request: Answer(200, b"<Error><Code>NoSuchBucket</Code></Error>", XML)
    with pytest.raises(FailedPrecondition, match="no bucket"):
        store.delete(["a"])


def test_a_part_that_changes_on_its_way_is_refused(store: S3Store, proxy: FaultyHttp) -> None:
    upload = store.begin_parts("k")
    proxy.plan(1, Fault.FLIPPED, where=lambda request: request.method == "PUT")
    with pytest.raises(InvalidArgument, match="are not those declared"):
        store.put_part("k", upload, 1, io.BytesIO(b"sent"), 4, md5(b"sent"))
    assert store.parts("k", upload) == []


def test_a_copy_is_asked_for_again_while_the_store_is_busy(store: S3Store, proxy: FaultyHttp) -> None:
    put(store, "k", b"x")
    for fault in (Fault.SLOW_DOWN, Fault.INTERNAL, Fault.REFUSED, Fault.LOST):
        proxy.plan(1, fault, times=2, where=lambda request: "x-amz-copy-source" in request.headers)
        assert store.copy("k", fault.name).size_bytes == 1
