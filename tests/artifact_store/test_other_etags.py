"""A bucket whose ETags look like MD5s and are none, as AWS's are where a key service encrypts: read once, and kept."""

import io
from collections.abc import Iterator, Mapping

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Aborted, FailedPrecondition
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.conformance.suite import md5
from tests.artifact_store.uploads import FIVE, begin, send, upload_file, upload_urls
from tests.services.ceph import S3Address
from tests.services.faulty_http import FaultyHttp

LARGE = b"1" * FIVE + b"end"
CONTENTS = {"large": LARGE, "small": b"small", "empty": b""}
FILES = [upload_file(path, content, FIVE if content is LARGE else 0) for path, content in CONTENTS.items()]


@pytest.fixture
def proxy(s3: S3Address) -> Iterator[FaultyHttp]:
    """What tells other ETags than the store behind it."""
    with FaultyHttp(s3.port) as between:
        between.veils = True
        yield between


@pytest.fixture
def blobs(proxy: FaultyHttp, s3: S3Address, bucket: str) -> S3Store:
    """The bucket."""
    return S3Store(S3Settings(bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key))


@pytest.fixture
def requests(sqlite_url: str, blobs: S3Store) -> Iterator[Requests]:
    """Artifacts with their bytes there."""
    store = Store.open(sqlite_url)
    yield Requests(Artifacts(store, blobs))
    store.close()


def begun(requests: Requests) -> int:
    return requests.artifacts.begin_upload(begin(requests.artifacts.store, *FILES)).artifact_id


def declare(requests: Requests, artifact_id: int, *files: v1.UploadFile) -> None:
    declare_files(requests, v1.DeclareFilesRequest(artifact_id=artifact_id, files=files, unsigned=True), LOCAL)


def is_whole(requests: Requests, artifact_id: int, contents: Mapping[str, bytes] = CONTENTS) -> bool:
    """Whether the files are these, and known to be."""
    _, files = requests.artifacts.files(artifact_id)
    assert {file.path for file in files} == set(contents)
    read = {path: b"".join(requests.artifacts.read(artifact_id, path)) for path in contents}
    return read == contents and all(file.verified_ms > 0 for file in files)


def test_what_is_sent_is_read_and_kept(requests: Requests) -> None:
    artifact_id = begun(requests)
    assert set(send(requests, artifact_id, CONTENTS)) == {200}
    requests.artifacts.commit_upload(artifact_id)
    assert is_whole(requests, artifact_id)


def test_an_upload_goes_on(requests: Requests) -> None:
    artifact_id = begun(requests)
    assert set(send(requests, artifact_id, CONTENTS)) == {200}
    assert set(send(requests, artifact_id, CONTENTS, only_missing=True)) <= {200}
    requests.artifacts.commit_upload(artifact_id)
    assert is_whole(requests, artifact_id)


def test_parts_of_another_file_are_no_file(requests: Requests) -> None:
    artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
    other = b"2" * FIVE + b"END"
    declare(requests, artifact_id, upload_file("large", other, FIVE))
    assert set(send(requests, artifact_id, {"large": other})) == {200}
    declare(requests, artifact_id, upload_file("large", LARGE, FIVE))
    with pytest.raises(FailedPrecondition, match="'large' has other bytes than declared"):
        requests.artifacts.commit_upload(artifact_id)
    assert set(send(requests, artifact_id, {"large": LARGE}, only_missing=True)) == {200}
    requests.artifacts.commit_upload(artifact_id)
    assert is_whole(requests, artifact_id, {"large": LARGE})


def test_a_part_that_is_missing_is_named(requests: Requests) -> None:
    artifact_id = begun(requests)
    urls = {(url.path, url.part_number): url for url in upload_urls(requests, artifact_id)}
    assert ("large", 2) in urls
    upload, file = requests.artifacts.pending(artifact_id, "large")
    requests.artifacts.blobs.put_part(
        f"{upload.key_prefix}large", file.parts_name, 2, io.BytesIO(b"end"), 3, md5(b"end")
    )
    with pytest.raises(FailedPrecondition, match=r"'large' lacks 2 of 2 parts \(1, 2\)"):
        requests.artifacts.commit_upload(artifact_id)


def test_a_lie_about_the_digest_of_the_whole_is_caught(requests: Requests) -> None:
    store = requests.artifacts.store
    for content, part_size in ((LARGE, FIVE), (b"small", 0)):
        file = upload_file("a", content, part_size, sha256=b"\1" * 32)
        artifact_id = requests.artifacts.begin_upload(begin(store, file)).artifact_id
        assert set(send(requests, artifact_id, {"a": content})) == {200}
        with pytest.raises(FailedPrecondition, match=r"'a' has other bytes than declared \(SHA-256\)"):
            requests.artifacts.commit_upload(artifact_id)


def test_copies(requests: Requests) -> None:
    source = begun(requests)
    send(requests, source, CONTENTS)
    requests.artifacts.commit_upload(source)
    copy = requests.artifacts.begin_upload(
        begin(requests.artifacts.store, *FILES, unchanged_from_artifact_id=source)
    ).artifact_id
    requests.artifacts.commit_upload(copy)
    for path, content in CONTENTS.items():
        assert b"".join(requests.artifacts.read(copy, path)) == content


def test_the_same_file_again_is_as_good_as_stored(blobs: S3Store) -> None:
    first, again = (blobs.put("k", io.BytesIO(b"same"), 4, md5(b"same"), only_new=True) for _ in range(2))
    assert (again.size_bytes, again.etag) == (4, first.etag)
    assert first.etag != md5(b"same").hex()
    with pytest.raises(Aborted, match="other bytes"):
        blobs.put("k", io.BytesIO(b"else"), 4, md5(b"else"), only_new=True)
    blobs.put("without", io.BytesIO(b"same"), 4)
