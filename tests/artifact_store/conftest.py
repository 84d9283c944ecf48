"""An S3 server for the run, a bucket for each test, and blob stores on both back ends."""

import itertools
from pathlib import Path

import pytest
from minio import Minio

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
