"""An S3 server for the run, a bucket for each test, and blob stores on both back ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_metadata_store.store import Store

from tests.services.ceph import S3Address


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
