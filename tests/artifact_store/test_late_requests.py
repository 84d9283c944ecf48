"""Signed requests that are used late: after another file was told in the place of theirs, after the commit."""

import io

import pytest
import urllib3
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Aborted, FailedPrecondition
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.uploads import FIVE, begin, upload_file, upload_urls
from tests.services.ceph import S3Address

FIRST, SECOND, LARGE = b"the first", b"something", b"1" * FIVE + b"end"


@pytest.fixture
def requests(store: Store, s3: S3Address, bucket: str) -> Requests:
    """Its bytes, in a bucket."""
    settings = S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)
    return Requests(Artifacts(store, S3Store(settings)))


def declare(requests: Requests, artifact_id: int, content: bytes, part_size: int = 0) -> list[v1.UploadUrl]:
    file = upload_file("a", content, part_size)
    request = v1.DeclareFilesRequest(artifact_id=artifact_id, files=[file], only_missing=True)
    return list(declare_files(requests, request, LOCAL).urls)


def put(http: urllib3.PoolManager, url: v1.UploadUrl, content: bytes) -> int:
    piece = content[url.offset_bytes : url.offset_bytes + url.size_bytes]
    return http.request("PUT", url.request.url, body=piece, headers=dict(url.request.headers), retries=False).status


@pytest.mark.parametrize("told", [[FIRST, SECOND], [FIRST, b""], [b"", FIRST], [FIRST, SECOND, FIRST]])
@pytest.mark.parametrize("sent", [True, False])
def test_what_is_live_is_not_replaced(
    store: Store, requests: Requests, http: urllib3.PoolManager, told: list[bytes], sent: bool
) -> None:
    artifact_id = requests.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
    signed = []
    for content in told:
        (url,) = declare(requests, artifact_id, content)
        signed.append((url, content))
        if sent or content is told[-1]:
            assert put(http, url, content) == 200
    requests.artifacts.commit_upload(artifact_id)
    for url, content in signed:
        assert put(http, url, content) in (404, 412)
        assert b"".join(requests.artifacts.read(artifact_id, "a")) == told[-1]


@pytest.mark.parametrize("large_first", [True, False])
def test_parts_and_wholes_do_not_replace_each_other(
    store: Store, requests: Requests, http: urllib3.PoolManager, large_first: bool
) -> None:
    artifact_id = requests.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
    order = [(LARGE, FIVE), (FIRST, 0)] if large_first else [(FIRST, 0), (LARGE, FIVE)]
    signed = []
    for content, part_size in order:
        urls = declare(requests, artifact_id, content, part_size)
        assert {put(http, url, content) for url in urls} == {200}
        signed += [(url, content) for url in urls]
    requests.artifacts.commit_upload(artifact_id)
    assert {put(http, url, content) for url, content in signed} <= {404, 412}
    assert b"".join(requests.artifacts.read(artifact_id, "a")) == order[1][0]


def test_a_part_of_another_file_is_named_and_the_rest_is_kept(
    store: Store, requests: Requests, http: urllib3.PoolManager
) -> None:
    artifact_id = requests.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
    changed = LARGE[:-3] + b"END"
    assert {put(http, url, LARGE) for url in declare(requests, artifact_id, LARGE, FIVE)} == {200}
    declare(requests, artifact_id, changed, FIVE)
    with pytest.raises(FailedPrecondition, match=r"'a' lacks 1 of 2 parts \(2\)"):
        requests.artifacts.commit_upload(artifact_id)
    (url,) = upload_urls(requests, artifact_id, only_missing=True)
    assert (url.part_number, put(http, url, changed)) == (2, 200)
    requests.artifacts.commit_upload(artifact_id)
    assert b"".join(requests.artifacts.read(artifact_id, "a")) == changed


def test_a_request_that_comes_before_what_replaces_it_is_committed_is_overwritten(
    store: Store, requests: Requests, http: urllib3.PoolManager
) -> None:
    artifact_id = requests.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
    (late,) = declare(requests, artifact_id, FIRST)
    (url,) = declare(requests, artifact_id, SECOND)
    assert (url.part_number, url.size_bytes) == (1, len(SECOND))
    assert put(http, url, SECOND) == 200
    assert put(http, late, FIRST) == 200
    assert declare(requests, artifact_id, SECOND) == []
    requests.artifacts.commit_upload(artifact_id)
    assert put(http, late, FIRST) == 412
    assert b"".join(requests.artifacts.read(artifact_id, "a")) == SECOND


def test_the_same_file_told_again_goes_on(store: Store, requests: Requests, http: urllib3.PoolManager) -> None:
    artifact_id = requests.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
    (url,) = declare(requests, artifact_id, FIRST)
    (again,) = declare(requests, artifact_id, FIRST)
    assert (url.part_number, again.part_number) == (0, 0)
    assert [put(http, url, FIRST), put(http, again, FIRST)] == [200, 412]
    assert declare(requests, artifact_id, FIRST) == []
    requests.artifacts.commit_upload(artifact_id)
    assert b"".join(requests.artifacts.read(artifact_id, "a")) == FIRST


def test_what_others_put_there_is_replaced(store: Store, requests: Requests, http: urllib3.PoolManager) -> None:
    artifacts = requests.artifacts
    artifact_id = artifacts.begin_upload(begin(store, more_files=True)).artifact_id
    (url,) = declare(requests, artifact_id, FIRST)
    upload, _ = artifacts.pending(artifact_id, "a")
    artifacts.blobs.put(f"{upload.key_prefix}a", io.BytesIO(SECOND), len(SECOND))
    assert put(http, url, FIRST) == 412
    with pytest.raises(FailedPrecondition, match="'a' has"):
        artifacts.commit_upload(artifact_id)
    (url,) = upload_urls(requests, artifact_id, only_missing=True)
    assert put(http, url, FIRST) == 200
    artifacts.commit_upload(artifact_id)
    assert b"".join(artifacts.read(artifact_id, "a")) == FIRST


def test_a_stream_through_the_server_is_looked_at_once_more(store: Store, requests: Requests) -> None:
    content = b"1" * 1_000_000

    class Telling(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > len(content) // 2:
                declare(requests, artifact_id, SECOND)
            return super().read(size)

    artifact_id = requests.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
    declare(requests, artifact_id, content)
    with pytest.raises(Aborted, match="was told otherwise while it was being sent"):
        requests.artifacts.put_file(artifact_id, "a", Telling(content))
    assert list(requests.artifacts.blobs.list()) == []
