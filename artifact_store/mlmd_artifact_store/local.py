"""Blobs as files of a folder, each under its own key, readable by whoever reads files.

The store's own files are under `.mlmd`: `scratch` (files in the making), `parts` (blobs in the making) and `etags`
(what a blob's ETag was when its file had a certain size and time; whatever is missing there is calculated again, and
nothing is noted of little files), and the marks that say whose the folder is.
"""

import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from mlmd_schemas.errors import DataLoss, NotFound
from mlmd_schemas.sorted_runs import in_order

from mlmd_artifact_store.blob_store import (
    CHUNK_BYTES,
    MOST_PARTS,
    Blob,
    Digests,
    Guard,
    HandedFile,
    Part,
    Presigner,
    md5_hash,
)
from mlmd_artifact_store.keys import LONGEST_KEY_BYTES, RESERVED, check_key
from mlmd_artifact_store.local_copies import LITTLE_BYTES, copied
from mlmd_artifact_store.local_errors import explained
from mlmd_artifact_store.local_files import CheckedCopy, bring_in, write_file
from mlmd_artifact_store.local_locks import Locks
from mlmd_artifact_store.local_marks import make_mark, read_mark
from mlmd_artifact_store.local_notes import Notes
from mlmd_artifact_store.local_parts import LocalParts, is_older
from mlmd_artifact_store.local_syncs import JointSync
from mlmd_artifact_store.local_watch import FolderWatch, inside

_STALE_MS = 86_400_000
_NAMES = ("utf-8", "surrogateescape")
"""How names are encoded: as keys are, and with what is no UTF-8 as it is."""


class LocalStore:
    """A folder of blobs. Several processes may use one folder."""

    presigner: Presigner | None = None
    longest_key_bytes = LONGEST_KEY_BYTES

    def __init__(self, root: Path) -> None:
        """Take the folder; it is made when the first blob comes."""
        self.root = root.absolute()
        self._own = self.root / RESERVED
        self._scratch = self._own / "scratch"
        self.watch = FolderWatch(self.root)
        self._syncs = JointSync(self.root)
        self._notes = Notes(f"{self._own}/etags")
        self._parts = LocalParts(self.root, self._own / "parts", self._scratch)
        self._locks = Locks(self._own / "locks")

    def uri(self, key: str = "") -> str:
        """Return a `file://` URI, percent-encoded as RFC 8089 has it."""
        return (self.root / key).as_uri() + ("/" if key.endswith("/") else "")

    @inside
    def make(self) -> None:
        """Make the folder."""
        with explained("", self.root):
            self.root.mkdir(parents=True, exist_ok=True)

    @inside
    def check(self) -> None:
        """Make the folder and try to write in it."""
        with explained("", self.root):
            write_file(self._own / "writable", self._scratch, lambda file: None)

    @inside
    def put(
        self,
        key: str,
        source: BinaryIO,
        size_bytes: int,
        md5: bytes | None = None,
        guard: Guard = nullcontext,
        only_new: bool = False,
    ) -> Blob:
        """Write a file and sync it to disk before it gets its name."""
        target, copying = self._path(key), CheckedCopy(source, size_bytes, md5)
        with explained(key, self.root):
            with self._syncs.batch(1) as batch:
                state = write_file(target, self._scratch, copying, None, batch, guard)
            self._notes.wrote(key, state, copying.md5.hex())
        return _blob(key, state, copying.md5.hex())

    @inside
    def take_in(self, files: Sequence[tuple[str, HandedFile]], guard: Guard = nullcontext) -> list[Digests]:
        """Copy files into the folder; see `bring_in`."""
        for key, _ in files:
            self._path(key)
        arrived = bring_in(self.root, self._scratch, files, self._syncs, guard)
        with explained("", self.root):
            for (key, _), (state, digests) in zip(files, arrived, strict=True):
                self._notes.wrote(key, state, digests.md5.hex() or digests.sha256.hex())
        return [digests for _, digests in arrived]

    @inside
    def give_out(self, key: str, target: HandedFile) -> Digests:
        """Copy a file out of the folder."""
        with explained(key, self.root):
            source = self._open(key)
        try:
            state = os.fstat(source)
            if stat.S_ISDIR(state.st_mode):
                raise NotFound(f"There is no blob {key!r} in the artifact folder.")
            with target.opened() as descriptor:
                return copied(source, descriptor, state.st_size, target.moved, kept=False)
        finally:
            os.close(source)

    @inside
    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Open the file now and read it as the iterator is consumed."""
        with explained(key, self.root):
            try:
                file = FileIO(self._open(key))
            except IsADirectoryError:
                raise NotFound(f"There is no blob {key!r} in the artifact folder.") from None
            wanted = max(0, os.fstat(file.fileno()).st_size - start)
        return self._read(key, file, start, wanted if length is None else min(length, wanted))

    def _read(self, key: str, file: FileIO, start: int, wanted: int) -> Iterator[bytes]:
        with file:  # which may be refused before its first chunk
            yield from self.watch.along(self._chunks(key, file, start, wanted))

    def _open(self, key: str) -> int:
        return os.open(f"{self.root}/{check_key(key)}", os.O_RDONLY | os.O_CLOEXEC)

    def _chunks(self, key: str, file: FileIO, start: int, wanted: int) -> Iterator[bytes]:
        with file, explained(key, self.root):
            if start:
                file.seek(start)
            while wanted:
                chunk = file.read(min(CHUNK_BYTES, wanted))
                if not chunk:
                    raise DataLoss(f"The blob {key!r} became shorter while it was read.")
                wanted -= len(chunk)
                yield chunk

    @inside
    def stat(self, key: str) -> Blob:
        """Return size and ETag; the ETag is calculated when the file is not the one that we wrote."""
        return self._found(key, self._state(key))

    @inside
    def look(self, key: str) -> Blob:
        """Return size and ETag, "" for that of a file which is not the one that we wrote."""
        state = self._state(key)
        return _blob(key, state, self._notes.find(key, state) or "")

    def _state(self, key: str) -> os.stat_result:
        path = self._path(key)
        with explained(key, self.root):
            if path.is_dir():
                raise NotFound(f"There is no blob {key!r} in the artifact folder.")
            return path.stat()

    def _found(self, key: str, state: os.stat_result) -> Blob:
        noted = self._notes.find(key, state)
        if noted is not None:
            return _blob(key, state, noted)
        digest = md5_hash()
        if state.st_size <= LITTLE_BYTES:
            with explained(key, self.root), open(f"{self.root}/{key}", "rb", buffering=0) as file:
                digest.update(file.read())
        else:
            for chunk in self.read(key):
                digest.update(chunk)
        with suppress(OSError):  # a disk that is full or may only be read is still read; it is calculated again
            self._notes.read(key, state, digest.hexdigest())
        return _blob(key, state, digest.hexdigest())

    def list(self, prefix: str = "", after: str = "") -> Iterator[Blob]:
        """Walk the folder in the order of keys, past symbolic links and what is deleted meanwhile."""
        return self.watch.along(self._listed(prefix, after))

    def _listed(self, prefix: str, after: str) -> Iterator[Blob]:
        folder = prefix.rpartition("/")[0]
        if prefix:
            check_key(prefix.rstrip("/"))
        start = self.root / folder if folder else self.root
        for key, path in self._walk(start, f"{folder}/" if folder else ""):
            if key.startswith(prefix) and key.encode() > after.encode():
                try:
                    with explained(key, self.root):
                        blob = self._found(key, os.stat(path))
                except NotFound:
                    continue
                yield blob

    def _walk(self, folder: str | Path, prefix: str) -> Iterator[tuple[str, str]]:
        for encoded in in_order(_names(folder)):
            name = encoded.decode(*_NAMES)
            if not prefix and name.rstrip("/") == RESERVED:
                continue
            if name.endswith("/"):
                yield from self._walk(f"{folder}/{name[:-1]}", prefix + name)
            else:
                yield prefix + name, f"{folder}/{name}"

    @inside
    def delete(self, keys: Iterable[str]) -> None:
        """Delete files and the folders that they leave empty."""
        for key in keys:
            path = self._path(key)
            with explained(key, self.root):
                if path.is_file():
                    path.unlink(missing_ok=True)
                self._notes.forget(key)
            self._drop_empty(path.parent)

    @property
    def deletes_versions(self) -> bool:
        """A folder keeps none."""
        return False

    def check_versions(self, prefix: str) -> None:
        """Look for nothing."""

    def delete_versions(self, prefix: str) -> None:
        """Delete nothing."""

    def delete_hidden_versions(self, prefix: str) -> None:
        """Delete nothing."""

    def _drop_empty(self, folder: Path) -> None:
        while folder != self.root and self.root in folder.parents:
            try:
                folder.rmdir()
            except OSError:  # most often it is not empty; one that stays is in nobody's way
                return
            folder = folder.parent

    @inside
    def copy(self, source: str, target: str, guard: Guard = nullcontext) -> Blob:
        """Copy a file, by the file system where it can."""
        origin = self._path(source)
        etag = self.stat(source).etag
        with explained(source, self.root), origin.open("rb") as file:
            copied = partial(shutil.copyfileobj, file, length=CHUNK_BYTES)
            noted = partial(self._notes.wrote, target, etag=etag)
            state = write_file(self._path(target), self._scratch, copied, noted, guard=guard)
        return _blob(target, state, etag)

    @inside
    def begin_parts(self, key: str, media_type: str = "") -> str:
        """Make a folder for the parts."""
        self._path(key)
        return self._parts.begin(key)

    @inside
    def put_part(
        self, key: str, upload: str, number: int, source: BinaryIO, size_bytes: int, md5: bytes | None = None
    ) -> Part:
        """Write a part as a file of its own."""
        return self._parts.put(key, upload, number, source, size_bytes, md5)

    @inside
    def parts(self, key: str, upload: str, first: int = 1, last: int = MOST_PARTS) -> Sequence[Part]:
        """Return the parts that are there."""
        return self._parts.list(key, upload, first, last)

    @inside
    def complete_parts(self, key: str, upload: str, parts: Sequence[Part], guard: Guard = nullcontext) -> Blob:
        """Write the parts one after the other into the blob; who comes second raises NotFound."""
        noted = partial(self._notes.wrote, key)
        return _blob(key, *self._parts.complete(key, upload, parts, self._path(key), noted, guard))

    @inside
    def abort_parts(self, key: str, upload: str) -> None:
        """Delete the parts."""
        self._parts.abort(key, upload)

    @inside
    def tidy(self, prefix: str, before_ms: int) -> int:
        """Delete old parts, and files in the making to which nobody has written for a day."""
        stale_ms = min(before_ms, time.time() * 1000 - _STALE_MS)
        with explained("", self.root):
            count = self._parts.tidy(prefix, before_ms, stale_ms)
            for file in self._scratch.glob("*"):
                if is_older(file, stale_ms):
                    file.unlink(missing_ok=True)
                    count += 1
            for name in self._locks.older(stale_ms):
                self._locks.drop(name)
        return count

    @contextmanager
    def held(self, name: str, *, alone: bool = False) -> Iterator[None]:
        """Hold a lock within the block."""
        with ExitStack() as held:
            with self.watch, explained("", self.root):
                held.enter_context(self.watch.leaving())
                held.enter_context(self._locks.held(name, alone=alone))
            yield

    @inside
    def settle(self, name: str) -> None:
        """Wait until nobody holds a lock who holds it now."""
        with explained("", self.root):
            self._locks.settle(name)

    @inside
    def drop_lock(self, name: str) -> None:
        """Delete the file of a lock."""
        self._locks.drop(name)

    @inside
    def read_mark(self, name: str) -> bytes:
        """Read a file of the store's own."""
        return read_mark(self._own / name, self.root)

    @inside
    def make_mark(self, name: str, content: bytes, *, replace: bool = False) -> bytes:
        """Link a file of the store's own to its name, which one of several can."""
        return make_mark(self._own / name, self._scratch, self.root, content, replace=replace)

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)


def _blob(key: str, state: os.stat_result, etag: str) -> Blob:
    return Blob(key, state.st_size, etag, state.st_mtime_ns // 1_000_000)


def _names(folder: str | Path) -> Iterator[bytes]:
    """Yield the files and folders of a folder, the latter with a slash, by which their keys sort among the files."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield f"{entry.name}/".encode(*_NAMES)
            elif entry.is_file(follow_symlinks=False):
                yield entry.name.encode(*_NAMES)
