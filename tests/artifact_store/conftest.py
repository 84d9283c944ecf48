"""An S3 server for the run, a bucket for each test, and blob stores on both back ends."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from minio import Minio
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_metadata_store.store import Store

from tests.services import ceph, keeper
from tests.services.ceph import S3Address
from tests.services.missing import missing

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def s3(run_folder: Path) -> S3Address:
    """The run's S3 server."""
    if (sentence := ceph.absence()) is not None:
        missing(sentence)
    told = keeper.shared_details("ceph", run_folder)
    return S3Address(told["port"], told["tls_port"], Path(told["authority"]))


@pytest.fixture(scope="session")
def s3_admin(s3: S3Address) -> Minio:
    """MinIO's client on the run's S3 server, to look and to meddle from outside."""
    host = s3.endpoint.removeprefix("http://")
    return Minio(host, s3.access_key, s3.secret_key, secure=False, region="us-east-1")


@pytest.fixture
def bucket(s3_admin: Minio, worker_id: str) -> str:
    """An empty bucket of the test's own."""
    name = f"test-{worker_id}-{next(NUMBERS)}"
    s3_admin.make_bucket(name)
    return name


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store, on SQLite and on MariaDB."""
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture(params=["local", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """An empty store of blobs."""
    if request.param == "local":
        return LocalStore(tmp_path / "artifacts")
    s3: S3Address = request.getfixturevalue("s3")
    bucket: str = request.getfixturevalue("bucket")
    return S3Store(S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key), "pre/")


@pytest.fixture
def requests(store: Store, blobs: BlobStore) -> Requests:
    """The artifact store of the default tenant."""
    return Requests(Artifacts(store, blobs))
