"""What writes files of an upload, held against what ends it.

Whoever gives a file its name does so within a lock of the upload that it shares with others of its kind, and looks at
the database within that lock whether the file is still wanted. Whoever changes what is wanted (a commit, an abort)
says so in the database and then waits until the lock was everybody's for a moment: whoever looked before has named its
file by then, and whoever looks later sees the change. So nobody names a file by what was true a moment ago.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.locations import encoded_segment


class UploadHolds:
    """The locks of a tenant's uploads; in an object store nothing is held, and its own conditions have to do."""

    def __init__(self, blobs: BlobStore, tenant: str) -> None:
        """Take the store of blobs whose locks they are, and the tenant, which is a part of their names."""
        self._blobs = blobs
        self._tenant = encoded_segment(tenant)

    @contextmanager
    def naming(self, artifact_id: int, look: Callable[[], object] | None = None) -> Iterator[None]:
        """Hold an upload as one of those that name its files; `look` is called within. Raises Aborted."""
        with self._blobs.held(self._name(artifact_id)):
            if look is not None:
                look()
            yield

    def ending(self, artifact_id: int) -> AbstractContextManager[None]:
        """Hold an upload alone, while nobody names a file of it; raises Aborted."""
        return self._blobs.held(self._name(artifact_id), alone=True)

    def settle(self, artifact_id: int) -> None:
        """Wait until all who are naming files of an upload at this moment have done so; raises Aborted."""
        self._blobs.settle(self._name(artifact_id))

    def drop(self, artifact_id: int) -> None:
        """Forget the lock of an upload that has ended."""
        self._blobs.drop_lock(self._name(artifact_id))

    def _name(self, artifact_id: int) -> str:
        return f"{self._tenant}.{artifact_id}"
