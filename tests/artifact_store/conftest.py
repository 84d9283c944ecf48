"""Stores of facts and of bytes on every back end, and servers of them."""

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from minio import Minio
from minio.versioningconfig import VersioningConfig
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_metadata_store.store import Store

from tests.artifact_store.care import Admin
from tests.artifact_store.versions import Settings
from tests.conftest import StartServer
from tests.metadata_store.calls import Calls
from tests.services.ceph import S3Address
from tests.services.faulty_http import FaultyHttp
from tests.services.server import Server


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


@pytest.fixture
def admin(requests: Requests) -> Admin:
    """The administration of the test's artifact store."""
    return Admin(requests)


@pytest.fixture
def call(requests: Requests) -> Calls:
    """MLMD's calls on the test's artifact store."""
    return Calls(requests.artifacts.store)


@pytest.fixture
def proxy(s3: S3Address) -> Iterator[FaultyHttp]:
    """What is between a server and the object store: it passes on, until it is told otherwise."""
    with FaultyHttp(s3.port) as between:
        yield between


@pytest.fixture
def make_settings(proxy: FaultyHttp, s3: S3Address, bucket: str) -> Settings:
    """A function that makes settings for the test's bucket behind the proxy."""
    return functools.partial(S3Settings, bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key, busy_seconds=0.0)


@pytest.fixture
def versioned(s3_admin: Minio, bucket: str) -> str:
    """The bucket, keeping versions."""
    s3_admin.set_bucket_versioning(bucket, VersioningConfig("Enabled"))
    return bucket


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    """A plain HTTP client."""
    with urllib3.PoolManager() as pool:
        yield pool


@pytest.fixture(params=["local", "s3"])
def server(request: pytest.FixtureRequest, start_server: StartServer, sqlite_url: str, tmp_path: Path) -> Server:
    """A server with its artifacts in a folder or in a bucket."""
    if request.param == "local":
        return start_server(sqlite_url, http=True, options=("--artifacts", (tmp_path / "a b").as_uri()))
    s3: S3Address = request.getfixturevalue("s3")
    bucket: str = request.getfixturevalue("bucket")
    credentials = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    options = ("--artifacts", f"s3://{bucket}/pre/fix", "--artifacts-endpoint", s3.endpoint)
    return start_server(sqlite_url, http=True, options=options, environment=credentials)


@pytest.fixture
def local(start_server: StartServer, sqlite_url: str) -> Server:
    """A server with the default folder."""
    return start_server(sqlite_url, http=True)
