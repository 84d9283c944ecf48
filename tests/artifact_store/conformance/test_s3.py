"""The suite on a real S3 server: path-style, below a prefix, and with TLS."""

import pytest
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings

from tests.artifact_store.conformance.suite import BlobStoreSuite
from tests.services.ceph import S3Address


class TestS3Store(BlobStoreSuite):
    """Blobs in a bucket, below an odd prefix."""

    @pytest.fixture
    def store(self, s3: S3Address, bucket: str) -> BlobStore:
        """Return a store on an empty bucket."""
        settings = S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)
        return S3Store(settings, "pre fix%20/ü/")
