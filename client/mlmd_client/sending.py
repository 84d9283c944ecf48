"""The sending of a listing: hashing, telling and sending of different files at the same time.

Two threads calculate the MD5s and one the SHA-256s of large files, the caller's thread tells what they found to the
server, and the crew sends what the server signed.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.bounded_work import Crew, ahead
from mlmd_client.earlier_files import EarlierFiles
from mlmd_client.file_doors import FileDoor
from mlmd_client.file_listing import Listing, LocalFile
from mlmd_client.folder_upload import FolderSending, FolderUpload, ToldFiles, by_source, media_type, packed_told
from mlmd_client.hashing import OpenFile, digests, part_md5s, sha256_of
from mlmd_client.http_connections import Body
from mlmd_client.progress import Meter
from mlmd_client.signed_http import Renew, SignedHttp
from mlmd_client.transfer_errors import Stopped, TransferError

DEFAULT_PART_BYTES = 16 << 20
_MOST_PARTS = 10_000
_BATCH_FILES = 250
_FIRST_BATCH_FILES = 50
_BATCH_BYTES = 32 << 20
_WINDOW_PARTS = 4
_MD5_THREADS = 2
_AHEAD = 3
_TOLD_AT_ONCE = 500
_WAITING = 64

_Told = tuple[LocalFile, v1.UploadFile]
"""A file and what the server is told of it."""


@dataclass(frozen=True, slots=True)
class _Window:
    """The MD5s of a few parts of a file, counted from 0."""

    file: LocalFile
    first: int
    md5s: list[bytes]


class _Large:
    """A file that is sent in parts: what is known of its digests; without a future they are told already."""

    def __init__(self, sha256: "Future[bytes] | None", parts: int) -> None:
        self.sha256 = sha256
        self.md5s: list[bytes] = []
        self.left = parts


class Sending:
    """Sends a listing as the files of an upload."""

    def __init__(
        self,
        calls: ArtifactCalls,
        http: SignedHttp,
        door: FileDoor | None,
        listing: Listing,
        meter: Meter,
        stop: threading.Event,
        workers: int,
        part_size: int,
        unchanged_from: int,
    ) -> None:
        """Take how the bytes go: into a folder by `door`, else by `workers` threads over `http`.

        Files above `part_size` bytes go in parts of that size. Those that the artifact `unchanged_from` has are
        copied in the store; 0 is none.
        """
        self.listing = listing
        self.meter = meter
        self._calls = calls
        self._http = http
        self._door = door
        self._stop = stop
        self._workers = workers
        self._part_size = part_size
        self._unchanged_from = unchanged_from
        self._artifact_id = 0
        self._resumed = False
        self._again = False
        self._uri = ""
        self._lock = threading.Lock()
        self._large: dict[str, _Large] = {}
        self._earlier = EarlierFiles()

    def begin(self, artifact_id: int, uri: str, *, resumed: bool) -> None:
        """Say whose files they are, where they go, and whether some may have arrived already."""
        self._again = self._artifact_id != 0
        self._artifact_id, self._resumed = artifact_id, resumed
        self._uri = uri

    def hashed(self) -> ToldFiles:
        """Return what is told of every file, with its digests, before anything is sent."""
        works = (partial(self._told_whole, file) for file in self.listing.files)
        with ThreadPoolExecutor(2, thread_name_prefix="hash") as pool:
            return packed_told(said for _, said in ahead(pool, works, 2 * _AHEAD))

    def run(self, told: ToldFiles | None) -> None:
        """Send everything; `told` are all files when they were hashed before. Raises the first failure."""
        if self._door is not None and self._uri.startswith("file:"):
            upload = FolderUpload(self._artifact_id, self._unchanged_from, self._resumed, self._again)
            sending = FolderSending(self._calls, self._door, self.listing, self.meter, self._stop, upload)
            sending.run(told, self._workers)
            return
        self._earlier = self._calls.earlier(self._unchanged_from)
        with Crew(self._workers, _WAITING, self._stop, "send") as crew:
            if told is not None:
                self._send_told(crew, told)
            else:
                self._hash_and_send(crew)
            crew.finish()
            self._tell_large()

    # --- files whose digests are all known

    def _send_told(self, crew: Crew, told: ToldFiles) -> None:
        """Send files that were all hashed before."""
        files = zip(self.listing.files, told, strict=True)
        while batch := list(islice(files, _TOLD_AT_ONCE)):
            self._send_batch(crew, batch)

    def _send_batch(self, crew: Crew, batch: Sequence[_Told]) -> None:
        """Tell files of their digests and send those that are wanted."""
        urls: dict[str, list[v1.UploadUrl]] = {}
        for files, unchanged_from in by_source([said for _, said in batch], self._earlier, self._unchanged_from):
            for url in self._calls.declare(self._declaration(files, unchanged_from, only_missing=self._resumed)):
                urls.setdefault(url.path, []).append(url)
        for file, said in batch:
            wanted = urls.get(file.path, [])
            self._count(file.path, file.size_bytes - sum(url.size_bytes for url in wanted))
            if not wanted:
                self._finished(file.path)
            elif wanted[0].part_number:  # one that replaces another is sent as a part, however small
                self._large[file.path] = _Large(None, len(wanted))
            for url in wanted:
                self._submit(crew, file, url, self._renewal(said, url))

    # --- files that are told as they are hashed

    def _hash_and_send(self, crew: Crew) -> None:
        with (
            ThreadPoolExecutor(_MD5_THREADS, thread_name_prefix="md5") as md5_pool,
            ThreadPoolExecutor(1, thread_name_prefix="sha256") as sha256_pool,
        ):
            try:
                for found in ahead(md5_pool, self._works(sha256_pool), _AHEAD):
                    if isinstance(found, _Window):
                        self._send_window(crew, found)
                    else:
                        self._send_batch(crew, found)
            except BaseException:
                self._stop.set()
                raise

    def _works(self, sha256_pool: ThreadPoolExecutor) -> Iterator[Callable[[], _Window | list[_Told]]]:
        """Yield the work of the hashing thread, in the order of paths."""
        batch: list[LocalFile] = []
        room, most = _BATCH_BYTES, _FIRST_BATCH_FILES
        for file in self.listing.files:
            if file.size_bytes > self._part_size and not self._earlier.may_have_size(file.size_bytes):
                yield from self._windows(file, sha256_pool)
                continue
            batch.append(file)
            room -= file.size_bytes
            if room < 0 or len(batch) >= most:
                yield partial(self._batch, batch)
                batch, room, most = [], _BATCH_BYTES, _BATCH_FILES
        if batch:
            yield partial(self._batch, batch)

    def _windows(self, file: LocalFile, sha256_pool: ThreadPoolExecutor) -> Iterator[Callable[[], _Window]]:
        """Yield the work on a large file: one part first, so that there is something to send, then several."""
        size = self._size_of_parts(file)
        parts = -(-file.size_bytes // size)
        self._large[file.path] = _Large(sha256_pool.submit(self._sha256, file), parts)
        first, width = 0, 1
        while first < parts:
            last = min(first + width, parts)
            yield partial(self._window, file, first, last, size)
            first, width = last, _WINDOW_PARTS

    def _batch(self, files: list[LocalFile]) -> list[_Told]:
        return [self._told_whole(file) for file in files]

    def _window(self, file: LocalFile, first: int, last: int, size: int) -> _Window:
        Stopped.check(self._stop)
        with OpenFile(self.listing, file) as opened:
            return _Window(file, first, part_md5s(opened, first, last, size))

    def _sha256(self, file: LocalFile) -> bytes:
        with OpenFile(self.listing, file) as opened:
            return sha256_of(opened, partial(Stopped.check, self._stop))

    def _told_whole(self, file: LocalFile) -> _Told:
        Stopped.check(self._stop)
        told = v1.UploadFile(path=file.path, size_bytes=file.size_bytes, media_type=media_type(file.path))
        if file.size_bytes > self._part_size:
            told.part_size_bytes = self._size_of_parts(file)
            with OpenFile(self.listing, file) as opened:
                parts = -(-file.size_bytes // told.part_size_bytes)
                told.md5s.extend(part_md5s(opened, 0, parts, told.part_size_bytes))
                told.sha256 = sha256_of(opened, partial(Stopped.check, self._stop))
        else:
            told.sha256, md5 = digests(self.listing, file)
            told.md5s.append(md5)
        return file, told

    def _send_window(self, crew: Crew, window: _Window) -> None:
        file, large = window.file, self._large[window.file.path]
        if not window.first:
            self._calls.declare(self._declaration([self._open(file)]))
        large.md5s += window.md5s
        numbers = range(window.first + 1, window.first + 1 + len(window.md5s))
        parts = [v1.PartDigest(part_number=number, md5=md5) for number, md5 in zip(numbers, window.md5s, strict=True)]
        request = v1.SignPartsRequest(
            artifact_id=self._artifact_id, path=file.path, parts=parts, only_missing=self._resumed
        )
        urls = {url.part_number: url for url in self._calls.sign_parts(request)}
        for part in parts:
            url = urls.get(part.part_number)
            if url is None:
                size = self._size_of_parts(file)
                self._count(file.path, min(size, file.size_bytes - (part.part_number - 1) * size))
                self._part_done(file.path)
            else:
                self._submit(crew, file, url, self._part_renewal(file.path, part))

    def _tell_large(self) -> None:
        """Tell the digests of files that were sent in parts, once all of them are known."""
        told: list[v1.UploadFile] = []
        for file in self.listing.files:
            large = self._large.get(file.path)
            if large is None or large.sha256 is None:
                continue
            told.append(self._open(file))
            told[-1].sha256 = large.sha256.result()
            told[-1].md5s.extend(large.md5s)
            if len(told) == _TOLD_AT_ONCE:
                self._calls.declare(self._declaration(told, unsigned=True))
                told = []
        if told:
            self._calls.declare(self._declaration(told, unsigned=True))

    # --- one piece

    def _submit(self, crew: Crew, file: LocalFile, url: v1.UploadUrl, renew: Renew) -> None:
        crew.submit(partial(self._send, file, url, renew))

    def _send(self, file: LocalFile, url: v1.UploadUrl, renew: Renew) -> None:
        moved = partial(self._moved, file.path)
        with OpenFile(self.listing, file) as source:
            body = Body(source, url.offset_bytes, url.size_bytes, moved)
            if not url.request.url:
                raise no_way(self._calls.transport.target)
            self._http.put(url.request, body, file.path, renew)
        if url.part_number:
            self._part_done(file.path)
        else:
            self._finished(file.path)

    def _moved(self, path: str, size_bytes: int) -> None:
        Stopped.check(self._stop)
        self._count(path, size_bytes)

    def _count(self, path: str, size_bytes: int) -> None:
        if not self._again:
            self.meter.moved(path, size_bytes)

    def _finished(self, path: str) -> None:
        if not self._again:
            self.meter.finished(path)

    def _part_done(self, path: str) -> None:
        with self._lock:
            large = self._large[path]
            large.left -= 1
            done = large.left == 0
        if done:
            self._finished(path)

    # --- what is said to the server

    def _declaration(
        self,
        files: Sequence[v1.UploadFile],
        unchanged_from: int = 0,
        *,
        only_missing: bool = False,
        unsigned: bool = False,
    ) -> v1.DeclareFilesRequest:
        return v1.DeclareFilesRequest(
            artifact_id=self._artifact_id,
            files=files,
            unchanged_from_artifact_id=unchanged_from,
            only_missing=only_missing,
            unsigned=unsigned,
        )

    def _renewal(self, file: v1.UploadFile, url: v1.UploadUrl) -> Renew:
        """Return how a request for a file that is told is signed anew."""

        def renew() -> v1.SignedRequest | None:
            request = self._declaration([file], only_missing=True)
            found = (again for again in self._calls.declare(request) if again.part_number == url.part_number)
            fresh = next(found, None)
            return None if fresh is None else fresh.request

        return renew

    def _part_renewal(self, path: str, part: v1.PartDigest) -> Renew:
        request = v1.SignPartsRequest(artifact_id=self._artifact_id, path=path, parts=[part], only_missing=True)

        def renew() -> v1.SignedRequest | None:
            urls = self._calls.sign_parts(request)
            return urls[0].request if urls else None

        return renew

    def _open(self, file: LocalFile) -> v1.UploadFile:
        """Return a file in parts without its digests."""
        return v1.UploadFile(
            path=file.path,
            size_bytes=file.size_bytes,
            part_size_bytes=self._size_of_parts(file),
            media_type=media_type(file.path),
        )

    def _size_of_parts(self, file: LocalFile) -> int:
        return size_of_parts(file.size_bytes, self._part_size)


def size_of_parts(size_bytes: int, asked_bytes: int) -> int:
    """Return the size of a file's parts: what is asked for, or as many whole MiB as 10,000 parts need.

    >>> size_of_parts(1 << 30, 5 << 20) >> 20, size_of_parts(1 << 40, 5 << 20) >> 20
    (5, 105)
    """
    least = -(-size_bytes // _MOST_PARTS)
    return max(asked_bytes, -(-least // (1 << 20)) << 20)


def no_way(target: str) -> TransferError:
    """Return the error for a store that keeps files in a folder and takes them over no network."""
    return TransferError(
        Code.FAILED_PRECONDITION,
        f"The server at {target} keeps files in a folder, which it serves over HTTP, and has no HTTP port; start it "
        "with --http-port, or with --artifacts s3://…",
    )
