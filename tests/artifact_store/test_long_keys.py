"""Paths that are too long for an object store, with all that is before them: refused before anything is sent."""

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.uploads import begin, type_id, upload_file, upload_urls
from tests.metadata_store.calls import Calls
from tests.services.ceph import S3Address

PREFIX = "p" * 470 + "/"


@pytest.fixture
def requests(store: Store, s3: S3Address, bucket: str) -> Requests:
    """Requests to a bucket in which the store's own prefix is long."""
    settings = S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)
    return Requests(Artifacts(store, S3Store(settings, PREFIX)))


def _longest() -> str:
    """Return the longest path that a file of an unnamed artifact with an id of one digit may have."""
    room = 1024 - len(PREFIX) - len("_/system.Model/_/1/")
    path = (f"{'ü' * 100}/" * 3).encode()[:room].decode(errors="ignore")
    return path + "x" * (room - len(path.encode()))


def test_a_key_that_is_too_long_is_refused_when_the_upload_begins(store: Store, requests: Requests) -> None:
    type_id(store)
    fits = _longest()
    for long in (fits + "x", "d/" + fits):
        with pytest.raises(
            InvalidArgument, match=r"files\['(?:d/)?ü+'\]\.path: \d+ bytes of UTF-8, .* shorten it, or the prefix"
        ):
            requests.artifacts.begin_upload(begin(store, upload_file("a", b"a"), upload_file(long, b"b")))
    assert not Calls(store)("GetArtifacts").artifacts
    begun = requests.artifacts.begin_upload(begin(store, upload_file(fits, b"b")))
    assert [url.path for url in upload_urls(requests, begun.artifact_id)] == [fits]


def test_a_key_that_is_too_long_is_refused_when_its_file_is_told(store: Store, requests: Requests) -> None:
    begun = requests.artifacts.begin_upload(begin(store, more_files=True))
    long = _longest() + "x"
    for unsigned in (True, False):
        asked = v1.DeclareFilesRequest(
            artifact_id=begun.artifact_id, files=[upload_file(long, b"b")], unsigned=unsigned
        )
        with pytest.raises(InvalidArgument, match=r"\.path: \d+ bytes of UTF-8, .* shorten it, or the prefix"):
            declare_files(requests, asked, LOCAL)
