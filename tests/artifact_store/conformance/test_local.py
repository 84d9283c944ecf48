"""The suite on a folder."""

from pathlib import Path

import pytest
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.local import LocalStore

from tests.artifact_store.conformance.suite import BlobStoreSuite


class TestLocalStore(BlobStoreSuite):
    """Blobs as files."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        """Return a store on a folder that is not there yet."""
        return LocalStore(tmp_path / "deep" / "artifacts")
