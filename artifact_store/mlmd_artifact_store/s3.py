"""Blobs in a bucket of MinIO, SeaweedFS, Ceph, AWS or any other S3, through minio-py's public interface."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, BinaryIO

import urllib3
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.helpers import check_bucket_name
from mlmd_schemas.errors import (
    Aborted,
    DataLoss,
    InvalidArgument,
    NotFound,
    StoreError,
    Unavailable,
)

from mlmd_artifact_store import s3_marks
from mlmd_artifact_store.blob_store import (
    CHUNK_BYTES,
    LARGEST_PART_BYTES,
    MOST_PARTS,
    Blob,
    Guard,
    Part,
    content_md5,
    md5_hash,
)
from mlmd_artifact_store.keys import LONGEST_KEY_BYTES, RESERVED, check_key, is_key
from mlmd_artifact_store.late_streams import rechecked
from mlmd_artifact_store.s3_bodies import Body
from mlmd_artifact_store.s3_clients import client_of, connections_of
from mlmd_artifact_store.s3_copies import S3Copies
from mlmd_artifact_store.s3_credentials import credentials_of
from mlmd_artifact_store.s3_errors import Refusal, Taken, Whereabouts, is_s3
from mlmd_artifact_store.s3_parts import S3Parts
from mlmd_artifact_store.s3_requests import S3Presigner, S3Requests
from mlmd_artifact_store.s3_settings import S3Settings, completed
from mlmd_artifact_store.s3_versions import S3Versions

_TIMES_RESUMED = 3


class S3Store:
    """The keys of a bucket below a prefix (`""` or with a slash at its end)."""

    def __init__(self, settings: S3Settings, prefix: str = "", clock: Callable[[], float] = time.time) -> None:
        """Take the settings, completed from the environment; nothing is sent yet. Raises InvalidArgument."""
        _check_name(settings.bucket)
        self.settings = completed(settings)
        self.prefix = prefix
        self.longest_key_bytes = LONGEST_KEY_BYTES - len(prefix.encode())
        self._where = Whereabouts(self.settings.endpoint, self.settings.bucket, clock, self.settings.virtual_host)
        self._http = connections_of(self.settings)
        provider = credentials_of(self.settings)
        self._requests = S3Requests(self.settings, provider, self._http, self._where, clock)
        self._minio = client_of(self.settings, provider, self._http)
        self._parts = S3Parts(self._requests)
        self._copies = S3Copies(self._requests, self._parts, self.settings.bucket)
        self._versions = S3Versions(self._minio, self.settings.bucket, self._where)
        self._keeps_first: bool | None = None
        self.presigner = S3Presigner(self._requests, self.settings.public_endpoint, self._key, self._conditions)

    @property
    def _bucket(self) -> str:
        return self.settings.bucket

    def _key(self, key: str) -> str:
        whole = f"{self.prefix}{check_key(key)}"
        size = len(whole.encode())
        if size > LONGEST_KEY_BYTES:
            raise InvalidArgument(
                f"path: …{key[-60:]!r} has {size} bytes of UTF-8 as a key, with all that is before it in the bucket, "
                f"and an object store takes {LONGEST_KEY_BYTES}; shorten it, or the prefix of --artifacts."
            )
        return whole

    def _conditions(self) -> dict[str, str]:
        """Return the header by which a PUT replaces nothing, where the store knows it; it is asked once."""
        if self._keeps_first is None:
            self._keeps_first = s3_marks.keeps_first(self._requests, f"{self.prefix}{RESERVED}/conditions")
        return s3_marks.ABSENT if self._keeps_first else {}

    def uri(self, key: str = "") -> str:
        """Return `s3://bucket/key`, the key as it is."""
        return f"s3://{self._bucket}/{self.prefix}{key}"

    def make(self) -> None:
        """Make the bucket; several servers may do so at the same time."""
        _check_name(self._bucket, strict=True)
        with self._where.explained(""):
            try:
                if not self._minio.bucket_exists(self._bucket):
                    self._minio.make_bucket(self._bucket, self.settings.region)
            except S3Error as error:
                if error.code != "BucketAlreadyOwnedByYou":
                    raise

    def check(self) -> None:
        """List at most one key."""
        with self._where.explained(""):
            next(iter(self._minio.list_objects(self._bucket, prefix=self.prefix)), None)

    def put(
        self,
        key: str,
        source: BinaryIO,
        size_bytes: int,
        md5: bytes | None = None,
        guard: Guard = nullcontext,
        only_new: bool = False,
    ) -> Blob:
        """Send the bytes in one request; the store refuses them when they have another MD5 than was declared."""
        if size_bytes > LARGEST_PART_BYTES:
            raise InvalidArgument(f"size_bytes: {size_bytes} is more than one request carries; send the blob in parts.")
        whole = self._key(key)
        headers = content_md5(md5) if md5 is not None else {}
        headers |= self._conditions() if only_new else {}
        with ExitStack() as held:
            body = Body(rechecked(source, size_bytes, lambda: held.enter_context(guard())), size_bytes, md5)
            request = self._requests.signed("PUT", whole, headers=headers)
            try:
                said, _ = self._requests.send(key, request, body, size_bytes)
            except Taken:
                return self._same(key, size_bytes, body.md5)
        etag = said.get("etag", "").strip('"')
        if md5 is None and etag != body.md5.hex() and self._md5(key) != body.md5:  # else a store with other ETags
            raise DataLoss(f"The store kept other bytes of {key!r} than were sent; send it again.")
        return Blob(key, size_bytes, etag, int(time.time() * 1000))

    def _same(self, key: str, size_bytes: int, md5: bytes) -> Blob:
        """Return the blob that is there when it has these bytes; raises Aborted."""
        try:
            found = self.stat(key)
            if found.size_bytes == size_bytes and (found.etag == md5.hex() or self._md5(key) == md5):
                return found
        except NotFound as error:
            raise Aborted(f"The blob {key!r} is being written or deleted at this moment; send it again.") from error
        raise Aborted(
            f"There are other bytes under {key!r}, and nothing is replaced; ask what is missing (ListUploadUrls with "
            "only_missing) and send it as that says."
        )

    def _md5(self, key: str) -> bytes:
        digest = md5_hash()
        for chunk in self.read(key):
            digest.update(chunk)
        return digest.digest()

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Ask for the range now; a stream that breaks off is taken up again where it did."""
        whole = self._key(key)
        if length == 0:
            self.stat(key)
            return iter(())
        try:
            answer = self._get(key, whole, start, length, {})
        except _BeyondEnd:
            return iter(())
        return self._chunks(key, whole, answer, start, length)

    def _get(self, key: str, whole: str, start: int, length: int | None, headers: dict[str, str]) -> Any:
        try:
            with self._where.explained(key):
                answer = self._minio.get_object(self._bucket, whole, start, length or 0, dict(headers))
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, S3Error) and cause.code == "InvalidRange":
                raise _BeyondEnd from error
            if isinstance(cause, S3Error) and cause.code == "PreconditionFailed":
                raise Unavailable(f"The blob {key!r} was replaced while it was read; read it again.") from error
            raise
        if not is_s3(answer.headers):
            answer.close()
            raise self._where.no_s3()
        if (start or length) and answer.status != 206:
            answer.close()
            raise Unavailable(
                f"{self.settings.endpoint} answered a range of {key!r} with the whole of it; see what is between here "
                "and the object store."
            )
        return answer

    def _chunks(self, key: str, whole: str, answer: Any, start: int, length: int | None) -> Iterator[bytes]:
        position, left, resumed = start, length, 0
        etag = answer.headers.get("etag", "").strip('"')
        same = {"If-Match": etag} if etag else {}
        while True:
            began = position
            try:
                for chunk in answer.stream(CHUNK_BYTES, decode_content=False):  # the bytes as they are stored
                    position += len(chunk)
                    left = None if left is None else left - len(chunk)
                    yield chunk
                return
            except urllib3.exceptions.HTTPError as error:
                resumed = resumed + 1 if position == began else 1  # what gets on may break off as often as it likes
                if resumed > _TIMES_RESUMED:
                    with self._where.explained(key):
                        raise error
            finally:
                answer.close()
                answer.release_conn()
            if left == 0:
                return
            try:
                answer = self._get(key, whole, position, left, same)
            except _BeyondEnd:  # it broke off after the last byte
                return

    def stat(self, key: str) -> Blob:
        """Ask for the headers, and for the reason when they are refused, which has no place in them."""
        return _blob(key, self._head(key))

    def look(self, key: str) -> Blob:
        """Ask for the headers, as `stat` does."""
        return self.stat(key)

    def _head(self, key: str) -> Any:
        whole = self._key(key)
        try:
            with self._where.explained(key):
                found = self._minio.stat_object(self._bucket, whole)
        except StoreError as error:
            if isinstance(error.__cause__, S3Error):
                self._requests.send(key, self._requests.signed("GET", whole, {}, {"Range": "bytes=0-0"}))
            raise
        if not is_s3(found.metadata or {}):
            raise self._where.no_s3()
        return found

    def list(self, prefix: str = "", after: str = "") -> Iterator[Blob]:
        """List page by page as the iterator is consumed."""
        start = f"{self.prefix}{after}" if after else None
        with self._where.explained(prefix):
            for found in self._minio.list_objects(self._bucket, f"{self.prefix}{prefix}", True, start):
                key = (found.object_name or "")[len(self.prefix) :]
                if not key.startswith(f"{RESERVED}/"):
                    yield _blob(key, found)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete in requests of a thousand keys."""
        wanted = [DeleteObject(self._key(key)) for key in keys]
        with self._where.explained(""):
            failures = list(self._minio.remove_objects(self._bucket, wanted)) if wanted else []
        for failure in failures:
            if failure.code not in ("NoSuchKey", "NoSuchVersion"):
                refusal = Refusal(200, failure.code or "", message=failure.message or "")
                raise self._where.error(refusal, failure.name or "")

    @property
    def deletes_versions(self) -> bool:
        """As the settings say."""
        return self.settings.delete_versions

    def check_versions(self, prefix: str) -> None:
        """List at most one version."""
        self._versions.check(f"{self.prefix}{prefix}")

    def delete_versions(self, prefix: str) -> None:
        """List all versions and delete a thousand of them at a time."""
        self._versions.delete(f"{self.prefix}{prefix}", lambda key: is_key(key[len(self.prefix) :]))

    def delete_hidden_versions(self, prefix: str) -> None:
        """List what is to be read, then delete all versions beside it."""
        whole = f"{self.prefix}{prefix}"
        readable = {_folder(blob.key[len(prefix) :]) for blob in self.list(prefix)}

        def is_hidden(key: str) -> bool:
            folder = _folder(key[len(whole) :])
            return bool(folder) and folder not in readable and is_key(key[len(self.prefix) :])

        self._versions.delete(whole, is_hidden)

    def copy(self, source: str, target: str, guard: Guard = nullcontext) -> Blob:
        """Copy without the bytes leaving the store."""
        whole, goal = self._key(source), self._key(target)
        found = self._head(source)
        with guard():
            made = self._copies.copy(whole, goal, _blob(source, found), found.content_type or "", self._check_same)
        copy = self.stat(target)
        if made not in ("", copy.etag) and self._md5(source) != self._md5(target):
            raise Unavailable(f"The object store at {self.settings.endpoint} did not copy {source!r}; try again.")
        return copy

    def _check_same(self, before: Blob) -> None:
        if self.stat(before.key) != before:
            raise Unavailable(f"The blob {before.key!r} was replaced while it was copied; try again.")

    def begin_parts(self, key: str, media_type: str = "") -> str:
        """Begin a multipart upload."""
        return self._parts.begin(self._key(key), media_type)

    def put_part(
        self, key: str, upload: str, number: int, source: BinaryIO, size_bytes: int, md5: bytes | None = None
    ) -> Part:
        """Send a part."""
        return self._parts.put(self._key(key), upload, number, Body(source, size_bytes, md5), md5)

    def parts(self, key: str, upload: str, first: int = 1, last: int = MOST_PARTS) -> Sequence[Part]:
        """List the parts that are there, no more of them than are asked for."""
        return self._parts.list(self._key(key), upload, first, last)

    def complete_parts(self, key: str, upload: str, parts: Sequence[Part], guard: Guard = nullcontext) -> Blob:
        """Make the object; the answer is a stat, so that size and ETag are what the store has."""
        with guard():
            self._parts.complete(self._key(key), upload, parts)
        return self.stat(key)

    def abort_parts(self, key: str, upload: str) -> None:
        """Abort a multipart upload."""
        self._parts.abort(self._key(key), upload)

    def tidy(self, prefix: str, before_ms: int) -> int:
        """Abort old multipart uploads."""
        found = list(self._parts.begun(f"{self.prefix}{prefix}", before_ms))
        failures: list[StoreError] = []
        for key, upload in found:
            try:
                self._parts.abort(key, upload)
            except StoreError as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return len(found)

    def held(self, name: str, *, alone: bool = False) -> AbstractContextManager[None]:
        """Hold nothing."""
        return nullcontext()

    def settle(self, name: str) -> None:
        """Wait for nobody."""

    def drop_lock(self, name: str) -> None:
        """Forget nothing."""

    def read_mark(self, name: str) -> bytes:
        """Get an object of the store's own."""
        return s3_marks.read_mark(lambda: self._marked(name))

    def make_mark(self, name: str, content: bytes, *, replace: bool = False) -> bytes:
        """Put an object of the store's own where there is none, which one of several can."""
        key = f"{self.prefix}{RESERVED}/{name}"
        return s3_marks.make_mark(self._requests, key, lambda: self._marked(name), content, replace=replace)

    def _marked(self, name: str) -> bytes:
        key = f"{self.prefix}{RESERVED}/{name}"
        return b"".join(self._chunks(name, key, self._get(name, key, 0, None, {}), 0, None))


class _BeyondEnd(Exception):
    """The range begins after the last byte."""


def _blob(key: str, found: Any) -> Blob:
    modified = int(found.last_modified.timestamp() * 1000) if found.last_modified else 0
    return Blob(key, found.size or 0, (found.etag or "").strip('"'), modified)


def _check_name(bucket: str, *, strict: bool = False) -> None:
    """Raise InvalidArgument for what no bucket is called; `strict` also for what a new one may not be called."""
    try:
        check_bucket_name(bucket, strict)
        if bucket.endswith("\n"):  # which its expression lets pass
            raise ValueError(bucket)
    except ValueError:
        letters = "small letters, digits, '-' and '.'" if strict else "letters, digits, '-', '_', ':' and '.'"
        raise InvalidArgument(
            f"artifacts: no {'new ' if strict else ''}bucket can be called {bucket!r}; a name has 3 to 63 {letters}, "
            "begins and ends with a letter or a digit, has no '..', '.-' or '-.', and is no IP address."
        ) from None


def _folder(rest: str) -> str:
    folder, slash, _ = rest.partition("/")
    return f"{folder}{slash}" if slash else ""
