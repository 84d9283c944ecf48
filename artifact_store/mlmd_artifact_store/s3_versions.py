"""Older versions of blobs, in a bucket that keeps them: what was deleted there is hidden and no more.

Deleting an object in such a bucket puts a delete marker on it. Whoever wants it gone lists all its versions, markers
among them, and deletes each by its id.
"""

from collections.abc import Callable, Iterator
from typing import Any

from minio import Minio
from minio.deleteobjects import DeleteError, DeleteObject
from minio.error import S3Error
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import FailedPrecondition, StoreError, Unavailable

from mlmd_artifact_store.s3_errors import Refusal, Whereabouts

_MOST_PASSES = 5
_NONE_KEPT = ("NotImplemented", "MethodNotAllowed")
_ABSENT = ("NoSuchKey", "NoSuchVersion")
_DENIED = ("AccessDenied", "AllAccessDisabled", "Forbidden")
_LOCKS = ("lock", "retention", "hold", "worm")
"""What servers say of a version that may not be deleted yet; there is no code of its own for it."""


class S3Versions:
    """All versions of the objects of one bucket; keys and prefixes are whole."""

    def __init__(self, minio: Minio, bucket: str, where: Whereabouts) -> None:
        self._minio = minio
        self._bucket = bucket
        self._where = where

    def check(self, prefix: str) -> None:
        """Find out whether versions can be listed; raises FailedPrecondition naming what is not permitted."""
        with self._where.explained(prefix):
            next(self._listed(prefix), None)

    def delete(self, prefix: str, is_ours: Callable[[str], bool]) -> None:
        """Delete every version of the objects below a prefix whose keys are ours.

        What may be deleted is; then FailedPrecondition says how many are left, and why.
        """
        with self._where.explained(prefix):
            for _ in range(_MOST_PASSES):
                found, left = self._pass(prefix, is_ours)
                if left:
                    raise self._left(prefix, left)
                if not found:
                    return
        raise Unavailable(
            f"The object store at {self._where.endpoint} says that it deletes versions of blobs below {prefix!r}, and "
            "lists them again; see that it knows versions, and look into its log."
        )

    def _pass(self, prefix: str, is_ours: Callable[[str], bool]) -> tuple[bool, list[DeleteError]]:
        """Delete what is listed as it is listed; return whether that was anything, and an error for each that stays."""
        found = False

        def listed() -> Iterator[DeleteObject]:
            nonlocal found
            for name, version in self._listed(prefix):
                if is_ours(name):
                    found = True
                    yield DeleteObject(name, version)

        errors = self._minio.remove_objects(self._bucket, listed())  # it takes a thousand at a time
        left = [error for error in errors if error.code not in _ABSENT]
        return found, left

    def _listed(self, prefix: str) -> Iterator[tuple[str, str | None]]:
        """Yield key and version of everything below a prefix; nothing in a bucket that keeps no versions.

        Keys are asked for as they are: Ceph 16 encodes them when asked to, but not the key that the next page begins
        after, which minio-py decodes then, so that pages are lost or repeated.
        """
        try:
            for found in self._minio.list_objects(
                self._bucket, prefix, True, include_version=True, use_url_encoding_type=False
            ):
                yield found.object_name or "", found.version_id
        except S3Error as error:
            if error.code in _NONE_KEPT or self._keeps_none(error):
                return
            raise

    def _keeps_none(self, error: S3Error) -> bool:
        """Whether the bucket keeps no versions, so that not to be allowed to list them does no harm; or raises why."""
        if error.code not in _DENIED:
            return False
        try:
            status = self._minio.get_bucket_versioning(self._bucket).status
        except S3Error as other:
            if other.code not in _DENIED:
                raise
            status = "unknown: s3:GetBucketVersioning is not permitted either"
        if status in ("Off", None):
            return True
        raise FailedPrecondition(
            f"artifacts: the object store at {self._where.endpoint} does not let our user find older versions of blobs "
            f"in the bucket {self._bucket!r} (versioning: {status}); grant it s3:ListBucketVersions and "
            "s3:DeleteObjectVersion there."
        ) from error

    def _left(self, prefix: str, left: list[DeleteError]) -> StoreError:
        """Return the error that says what is left and how it is mended."""
        first = left[0]
        said = self._said(first)
        shown = (
            f"the bucket still has {counted(len(left), 'version')} of blobs below 's3://{self._bucket}/{prefix}', "
            f"first {first.name!r} in its version {first.version_id} ({said})"
        )
        if any(word in said.lower() for word in _LOCKS):
            return FailedPrecondition(
                f"artifacts: {shown}. The bucket keeps them by a retention or a legal hold (object lock): they can be "
                "deleted when the one has ended, or the other was lifted."
            )
        if first.code in _DENIED:
            return FailedPrecondition(
                f"artifacts: {shown}. Grant our user s3:DeleteObjectVersion there. If it has that, the bucket keeps "
                "them by a retention, a legal hold or MFA delete."
            )
        told = self._where.error(Refusal(200, first.code), first.name or "")
        return type(told)(f"artifacts: {shown}. {told.message}")

    def _said(self, error: DeleteError) -> str:
        """Return what the server says of one version; of many at once some servers give no reason."""
        try:
            self._minio.remove_object(self._bucket, error.name or "", error.version_id)
        except S3Error as alone:
            words: Any = alone.message or error.message
            return f"{alone.code}: {words}" if words and words != alone.code else str(alone.code)
        return str(error.code)
