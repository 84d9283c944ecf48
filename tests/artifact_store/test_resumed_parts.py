"""A file of very many parts that goes on: the store is asked once for each window of them, and for no others."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from mlmd_artifact_store import declarations
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.declaring import declare_files, sign_parts
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.conformance.suite import md5
from tests.artifact_store.uploads import begin, upload_file, upload_urls
from tests.services.ceph import S3Address
from tests.services.faulty_http import FaultyHttp

SIZE, WINDOW, COUNT = 4, 4, 1100
"""Bytes of a part, parts of a window as `upload` asks for them, parts of the file: more than a page of them has."""
MISSING = {1, 6, 7, 500, 1001, COUNT}
PIECES = [b"%04d" % number for number in range(1, COUNT + 1)]


@pytest.fixture
def requests(
    s3: S3Address, bucket: str, proxy: FaultyHttp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> Requests:
    """An artifact store behind the proxy that takes small parts."""
    monkeypatch.setattr(declarations, "SMALLEST_PART_BYTES", 1)
    blobs = S3Store(S3Settings(bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key))
    return Requests(Artifacts(Store.open(sqlite_url), blobs))


@pytest.fixture
def half(requests: Requests) -> int:
    """An upload of which nearly all parts have arrived; their digests are not told yet."""
    store = requests.artifacts.store
    artifact_id = requests.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
    file = v1.UploadFile(path="big", size_bytes=SIZE * COUNT, part_size_bytes=SIZE)
    declare_files(requests, v1.DeclareFilesRequest(artifact_id=artifact_id, files=[file]), LOCAL)

    def put(number: int) -> None:
        piece = PIECES[number - 1]
        requests.artifacts.put_file(artifact_id, "big", io.BytesIO(piece), number, md5=md5(piece))

    put(2)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, sorted(set(range(3, COUNT + 1)) - MISSING)))
    return artifact_id


def listed(proxy: FaultyHttp) -> int:
    """Return how often parts were listed."""
    return sum(request.method == "GET" and "uploadId=" in request.target for request in proxy.requests)


def test_each_window_is_asked_for_once(requests: Requests, half: int, proxy: FaultyHttp) -> None:
    proxy.calm()
    wanted: list[int] = []
    for first in range(1, COUNT + 1, WINDOW):
        numbers = range(first, min(first + WINDOW, COUNT + 1))
        parts = [v1.PartDigest(part_number=number, md5=md5(PIECES[number - 1])) for number in reversed(numbers)]
        request = v1.SignPartsRequest(artifact_id=half, path="big", parts=parts, only_missing=True)
        wanted += [url.part_number for url in sign_parts(requests, request, LOCAL).urls]
    assert sorted(wanted) == sorted(MISSING)
    assert listed(proxy) == -(-COUNT // WINDOW)


def test_each_page_is_asked_for_once(requests: Requests, half: int, proxy: FaultyHttp) -> None:
    told = upload_file("big", b"".join(PIECES), SIZE)
    declare_files(requests, v1.DeclareFilesRequest(artifact_id=half, files=[told], unsigned=True), LOCAL)
    for size, pages in ((0, 2), (100, 11)):
        proxy.calm()
        urls = upload_urls(requests, half, size, only_missing=True)
        assert [url.part_number for url in urls] == sorted(MISSING)
        assert listed(proxy) == pages
