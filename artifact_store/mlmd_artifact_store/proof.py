"""The proof that what was declared is what has arrived: size and ETag of each blob, without reading it.

A blob whose ETag is no MD5 (encrypted buckets, odd stores) is read once instead.
"""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, replace
from typing import Any

from mlmd_schemas.caller import Caller
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.set_aside import SetAside

from mlmd_artifact_store.blob_store import Blob, BlobStore, Guard, Part, md5_hash
from mlmd_artifact_store.local_watch import carried
from mlmd_artifact_store.manifests import StoredFile
from mlmd_artifact_store.upload_rows import PendingFile

READ_NOW = 1
"""`verified_ms` of a file that the proof has read; the commit writes down when, by the clock of all servers."""
_AT_ONCE = 16
_SHOWN = 5


Others = SetAside[tuple[Any, ...]]
"""Fields of files; all of them, where the store's ETags say nothing."""


class NotProven(Exception):
    """One file is not as declared; the sentence says how."""


def prove_files(
    blobs: BlobStore,
    prefix: str,
    pages: Iterable[list[PendingFile]],
    caller: Caller,
    guard: Guard,
    others: Others,
) -> None:
    """Complete, copy and prove every file of an upload; `others` gets those that the manifest has not as declared.

    `pages` come by the bytes of the paths. What lies in the store under its declared size and ETag is found by listing
    the prefix once; only the rest is looked at one by one, several at a time. Raises FailedPrecondition naming the
    files that are missing or other than declared. Safe to repeat: what was completed or copied before is found. `guard`
    is held while one that was gets its name.
    """
    there = Arrivals(blobs, prefix)
    shown: list[str] = []
    count = failed = 0

    def prove(file: PendingFile) -> StoredFile | NotProven | None:
        caller.check_deadline()
        try:
            stored = _prove(blobs, prefix + file.path, file, guard)
        except NotProven as failure:
            return failure
        return stored if stored.verified_ms or stored.etag != file.expected_etag else None

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="prove") as pool:
        for page in pages:
            count += len(page)
            caller.check_deadline()
            for answer in pool.map(carried(prove), [file for file in page if not there.as_declared(file)]):
                if isinstance(answer, NotProven):
                    failed += 1
                    shown += [str(answer)] * (failed <= _SHOWN)
                elif answer is not None:
                    others.append(astuple(answer))
    if failed:
        more = f"; and {failed - _SHOWN} more" if failed > _SHOWN else ""
        raise FailedPrecondition(
            f"{failed} of {counted(count, 'file')} {'is' if failed == 1 else 'are'} not as declared: "
            f"{'; '.join(shown)}{more}. Send them again (ListUploadUrls with only_missing), then commit again."
        )


class Arrivals:
    """A listing of what lies below a prefix, walked along with files that are asked for by the bytes of their paths."""

    def __init__(self, blobs: BlobStore, prefix: str, after: str = "") -> None:
        """Begin a listing; `after` is a path."""
        self._prefix = prefix
        self._listed = blobs.list(prefix, prefix + after if after else "")
        self._next: Blob | None = next(self._listed, None)

    def find(self, path: str) -> Blob | None:
        """Return the blob of a path that comes after all those asked for before."""
        wanted = (self._prefix + path).encode()
        while self._next is not None and self._next.key.encode() < wanted:
            self._next = next(self._listed, None)
        return self._next if self._next is not None and self._next.key.encode() == wanted else None

    def as_declared(self, file: PendingFile) -> bool:
        """Whether a file has arrived with the size and the ETag that it should have."""
        blob = self.find(file.path)
        return blob is not None and (blob.size_bytes, blob.etag) == (file.size_bytes, file.expected_etag)


def _prove(blobs: BlobStore, key: str, file: PendingFile, guard: Guard) -> StoredFile:
    if file.source_key:
        return _stored(file, _copied(blobs, key, file, guard))
    blob = _found(blobs, key)
    if file.in_parts and not _is_whole(blob, file):
        blob = _completed(blobs, key, file, guard) or blob
    if blob is None:
        raise NotProven(f"{file.path!r} has not arrived")
    if blob.size_bytes != file.size_bytes:
        raise NotProven(f"{file.path!r} has {counted(blob.size_bytes, 'byte')}, declared were {file.size_bytes}")
    if blob.etag == file.etag:
        return _stored(file, blob)
    return _read(blobs, key, file, blob)


def _is_whole(blob: Blob | None, file: PendingFile) -> bool:
    """Whether a file sent in parts has become one blob with the declared size and ETag."""
    return blob is not None and (blob.size_bytes, blob.etag) == (file.size_bytes, file.etag)


def _found(blobs: BlobStore, key: str) -> Blob | None:
    try:
        return blobs.stat(key)
    except NotFound:
        return None


def _copied(blobs: BlobStore, key: str, file: PendingFile, guard: Guard) -> Blob:
    there = _found(blobs, key)
    if there is not None and (there.size_bytes, there.etag) == (file.size_bytes, file.source_etag):
        return there
    source = _found(blobs, file.source_key)
    if source is None or not _is_source(blobs, source, file):
        raise NotProven(f"{file.path!r} was to be copied from an earlier artifact whose file is gone")
    copy = blobs.copy(file.source_key, key, guard)
    if copy.size_bytes != file.size_bytes:
        raise NotProven(f"{file.path!r} was not copied whole")
    return copy


def _is_source(blobs: BlobStore, blob: Blob, file: PendingFile) -> bool:
    """Whether a blob is what a file is copied from; read when its ETag is another, as in a folder that was restored."""
    if blob.size_bytes != file.size_bytes:
        return False
    if blob.etag == file.source_etag:
        return True
    return sha256_of_blob(blobs, blob.key) == file.sha256


def sha256_of_blob(blobs: BlobStore, key: str) -> bytes:
    """Return the SHA-256 of what is read of a blob; raises what reading it does."""
    sha256 = hashlib.sha256()
    for chunk in blobs.read(key):
        sha256.update(chunk)
    return sha256.digest()


def _completed(blobs: BlobStore, key: str, file: PendingFile, guard: Guard) -> Blob | None:
    if not file.parts_name:
        return None
    try:
        there: dict[int, Part] = {part.number: part for part in blobs.parts(key, file.parts_name)}
    except NotFound:  # another commit completed it a moment ago
        return _found(blobs, key)
    missing = [part.number for part in file.parts() if there.get(part.number) != part]
    if len(missing) == len(file.md5s) and _sizes_fit(there, file):
        missing = []  # a store with other ETags, as all of them differ; the whole is read below
    if missing:
        whole = _found(blobs, key)
        if _is_whole(whole, file):  # completed while the parts were counted
            return whole
        numbers = ", ".join(map(str, missing[:_SHOWN])) + (" …" if len(missing) > _SHOWN else "")
        raise NotProven(f"{file.path!r} lacks {len(missing)} of {counted(len(file.md5s), 'part')} ({numbers})")
    try:
        return blobs.complete_parts(key, file.parts_name, [there[part.number] for part in file.parts()], guard)
    except NotFound:
        return _found(blobs, key)
    except InvalidArgument as error:
        whole = _found(blobs, key)
        if _is_whole(whole, file):
            return whole
        raise NotProven(f"{file.path!r} cannot be made of its parts: {error.message}") from error


def _sizes_fit(there: dict[int, Part], file: PendingFile) -> bool:
    """Whether parts that differ from those declared are all there and differ in their ETags alone."""
    return all(part.number in there and there[part.number].size_bytes == part.size_bytes for part in file.parts())


def _read(blobs: BlobStore, key: str, file: PendingFile, blob: Blob) -> StoredFile:
    """Read a blob whose ETag says nothing: it has to have the declared MD5s, and being read, the SHA-256 too."""
    sha256 = hashlib.sha256()
    for number, md5 in enumerate(file.md5s or (b"",), 1):
        digest = md5_hash()
        for chunk in blobs.read(key, *file.span(number)):
            if md5:
                digest.update(chunk)
            sha256.update(chunk)
        if md5 and digest.digest() != md5:
            raise NotProven(f"{file.path!r} has other bytes than declared (MD5)")
    if sha256.digest() != file.sha256:
        raise NotProven(f"{file.path!r} has other bytes than declared (SHA-256)")
    return replace(_stored(file, blob), verified_ms=READ_NOW)


def _stored(file: PendingFile, blob: Blob) -> StoredFile:
    return StoredFile(file.path, file.size_bytes, file.sha256, 0, blob.etag, file.media_type)
