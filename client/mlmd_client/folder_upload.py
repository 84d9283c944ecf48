"""The way into a folder that this process writes itself: no requests, each byte read, hashed and written once.

The folder calculates the SHA-256 of what it writes, so files are first copied and then declared with that. Files that
an earlier artifact may have, or that may have arrived already, are hashed and declared first.
"""

import mimetypes
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import filterfalse, islice, repeat

from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.bounded_work import ahead
from mlmd_client.earlier_files import EarlierFiles
from mlmd_client.file_doors import FileDoor, HandedFile
from mlmd_client.file_listing import Listing, LocalFile
from mlmd_client.hashing import OpenFile, digests, sha256_of
from mlmd_client.packed_sequence import Packed
from mlmd_client.progress import Meter
from mlmd_client.transfer_errors import ChangedFile, Stopped

_BATCH_FILES = 32
_MOST_THREADS = 8
"""Each holds a batch of files open at most, and a process has a thousand."""
_LITTLE_BATCH_FILES = 128
_LITTLE_THREADS = 2
"""One copies little files while another waits for the disk; more of them wait for each other, and gain nothing."""
_BATCH_BYTES = 32 << 20
_DECLARED_AT_ONCE = 500
_LITTLE_BYTES = 64 * 1024
"""Up to this the folder knows files by their MD5 too."""

ToldFiles = Packed[v1.UploadFile]
"""What the server is told of every file of a listing, in its order, when all were hashed before anything is sent."""


@dataclass(frozen=True, slots=True)
class FolderUpload:
    """An upload under way. `resumed`: some of it may be there already; `again`: all of it was counted before."""

    artifact_id: int
    unchanged_from: int
    resumed: bool
    again: bool


class FolderSending:
    """Copies a listing into the folder as the files of an upload."""

    def __init__(
        self,
        calls: ArtifactCalls,
        door: FileDoor,
        listing: Listing,
        meter: Meter,
        stop: threading.Event,
        upload: FolderUpload,
    ) -> None:
        self._calls = calls
        self._door = door
        self._listing = listing
        self._meter = meter
        self._stop = stop
        self._upload = upload
        self._earlier = EarlierFiles()
        self._is_little = listing.size_bytes <= _LITTLE_BYTES * len(listing.files)

    def run(self, told: ToldFiles | None, workers: int) -> None:
        """Copy everything; `told` are all files when they were hashed before. Raises the first failure."""
        done: list[v1.UploadFile] = []
        threads = min(workers, _LITTLE_THREADS if self._is_little else _MOST_THREADS)
        with ThreadPoolExecutor(threads, thread_name_prefix="copy") as pool:
            try:
                for copied in ahead(pool, self._works(told), 2 * threads):
                    done += copied
                    if len(done) >= _DECLARED_AT_ONCE:
                        self._declare(done)
                        done = []
            except BaseException:
                self._stop.set()
                raise
        if done:
            self._declare(done)

    def _works(self, told: ToldFiles | None) -> Iterator[Callable[[], list[v1.UploadFile]]]:
        self._earlier = self._calls.earlier(self._upload.unchanged_from)
        if told is not None:
            yield from self._asking(self._listing.files, iter(told))
            return

        def is_asked(file: LocalFile) -> bool:
            return self._upload.resumed or self._earlier.may_have_size(file.size_bytes)

        yield from (partial(self._copied, batch) for batch in self._batches(filterfalse(is_asked, self._listing.files)))
        yield from self._asking(filter(is_asked, self._listing.files), repeat(None))

    def _asking(
        self, files: Iterable[LocalFile], known: Iterator[v1.UploadFile | None]
    ) -> Iterator[Callable[[], list[v1.UploadFile]]]:
        for batch in self._batches(files):
            yield partial(self._asked, batch, list(islice(known, len(batch))))

    def _batches(self, files: Iterable[LocalFile]) -> Iterator[list[LocalFile]]:
        """Yield what is synced together: where few threads copy, more each, or there would be more to wait for."""
        most = _LITTLE_BATCH_FILES if self._is_little else _BATCH_FILES
        batch: list[LocalFile] = []
        room = _BATCH_BYTES
        for file in files:
            batch.append(file)
            room -= file.size_bytes
            if room < 0 or len(batch) >= most:
                yield batch
                batch, room = [], _BATCH_BYTES
        if batch:
            yield batch

    def _copied(self, files: Sequence[LocalFile]) -> list[v1.UploadFile]:
        """Copy files and return what there is to declare."""
        Stopped.check(self._stop)
        found = self._door.take_in(self._upload.artifact_id, [self._handed(file) for file in files])
        for file in files:
            self._finished(file)
        return [_said(file, sha256, md5) for file, (sha256, md5) in zip(files, found, strict=True)]

    def _asked(self, files: Sequence[LocalFile], known: Sequence[v1.UploadFile | None]) -> list[v1.UploadFile]:
        """Declare files and copy those that are wanted; nothing is left to declare. `known` is said of them already."""
        told = [self._hashed(file, said) for file, said in zip(files, known, strict=True)]
        paths: set[str] = set()
        for some, unchanged_from in by_source(told, self._earlier, self._upload.unchanged_from):
            urls = self._declare(some, unchanged_from, unsigned=False, only_missing=self._upload.resumed)
            paths |= {url.path for url in urls}
        wanted = [file for file in files if file.path in paths]
        for file in files:
            if file.path not in paths:
                self._moved(file, file.size_bytes)
                self._finished(file)
        if wanted:
            declared = {said.path: said.sha256 for said in told}
            for said in self._copied(wanted):
                if said.sha256 != declared[said.path]:
                    raise ChangedFile.saying(f"The file {said.path!r} changed during the upload; upload again.")
        return []

    def _hashed(self, file: LocalFile, known: v1.UploadFile | None) -> v1.UploadFile:
        Stopped.check(self._stop)
        if file.size_bytes <= _LITTLE_BYTES:
            return _said(file, known.sha256, known.md5s[0]) if known else _said(file, *digests(self._listing, file))
        if known:
            return _said(file, known.sha256, b"")
        with OpenFile(self._listing, file) as opened:
            return _said(file, sha256_of(opened, partial(Stopped.check, self._stop)), b"")

    def _declare(
        self,
        files: Sequence[v1.UploadFile],
        unchanged_from: int = 0,
        *,
        unsigned: bool = True,
        only_missing: bool = False,
    ) -> list[v1.UploadUrl]:
        request = v1.DeclareFilesRequest(
            artifact_id=self._upload.artifact_id,
            files=files,
            unchanged_from_artifact_id=unchanged_from,
            only_missing=only_missing,
            unsigned=unsigned,
        )
        return self._calls.declare(request)

    def _handed(self, file: LocalFile) -> HandedFile:
        opened = partial(_Opened, self._listing, file)
        return HandedFile(file.path, file.size_bytes, opened, partial(self._moved, file), file.offset)

    def _moved(self, file: LocalFile, size_bytes: int) -> None:
        Stopped.check(self._stop)
        if not self._upload.again:
            self._meter.moved(file.path, size_bytes)

    def _finished(self, file: LocalFile) -> None:
        if not self._upload.again:
            self._meter.finished(file.path)


class _Opened(AbstractContextManager[int]):
    """The descriptor of a listed file, which is the one that was listed from the beginning to the end of the block."""

    def __init__(self, listing: Listing, file: LocalFile) -> None:
        self._source = OpenFile(listing, file)

    def __enter__(self) -> int:
        return self._source.descriptor

    def __exit__(self, *error: object) -> None:
        try:
            self._source.check()
        finally:
            self._source.close()


def by_source(
    told: Sequence[v1.UploadFile], earlier: EarlierFiles, unchanged_from: int
) -> list[tuple[list[v1.UploadFile], int]]:
    """Return files apart that the artifact `unchanged_from` may have, and those that it has not, with 0."""
    known = [said for said in told if earlier.may_have(said.sha256)]
    new = [said for said in told if not earlier.may_have(said.sha256)]
    return [(files, source) for files, source in ((known, unchanged_from), (new, 0)) if files]


def packed_told(files: Iterable[v1.UploadFile]) -> ToldFiles:
    """Keep what is told of files in little memory."""
    return Packed(
        files,
        lambda block: v1.DeclareFilesRequest(files=block).SerializeToString(),
        lambda packed: v1.DeclareFilesRequest.FromString(packed).files,
    )


def _said(file: LocalFile, sha256: bytes, md5: bytes) -> v1.UploadFile:
    return v1.UploadFile(
        path=file.path,
        size_bytes=file.size_bytes,
        media_type=media_type(file.path),
        sha256=sha256,
        md5s=[md5] if md5 else [],
    )


def media_type(path: str) -> str:
    """Return what a file's name says of its content, "" when nothing."""
    name = path.rpartition("/")[2]
    stem, dot, end = name.partition(".")
    return _guessed(f"_.{end}") if stem and dot else _guessed(name)


@lru_cache(256)
def _guessed(name: str) -> str:
    """Look it up; of thousands of files, most have the same few ends."""
    return mimetypes.guess_type(name)[0] or ""
