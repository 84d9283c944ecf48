"""The fetching of files: where their bytes come from, and how pieces become files."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import BinaryIO

from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.bounded_work import Crew
from mlmd_client.calls import CallError, Transport
from mlmd_client.download_target import DownloadTarget, disk_explained
from mlmd_client.file_doors import door_of, own_headers, own_tls
from mlmd_client.folder_download import FolderFetching, damaged, gone
from mlmd_client.http_connections import Connections
from mlmd_client.progress import Meter
from mlmd_client.sending import no_way
from mlmd_client.signed_http import Bytes, Patience, SignedHttp, Span
from mlmd_client.tls import Tls
from mlmd_client.transfer_errors import DamagedBytes, Stopped, TransferError, UnfitFiles
from mlmd_client.unfinished_files import begin_file

PIECE_BYTES = 16 << 20
"""Files above this are fetched in pieces of this size."""
_HASHED_AT_ONCE = 256 * 1024


class Source:
    """Where an artifact's bytes come from: the object store, the server over HTTP, or this process."""

    def __init__(self, transport: Transport, patience: Patience) -> None:
        """Find out how bytes are had; asks a server with a token or TLS for its HTTP address, and raises CallError."""
        self.stop = threading.Event()
        self.calls = ArtifactCalls(transport, self.stop, patience)
        self._connections = Connections(patience.silent_seconds)
        self.door = door_of(transport)
        headers = own_headers(transport)
        tls = own_tls(transport)
        own_address = self.calls.info().http_address if headers or tls != Tls() else ""
        self._http = SignedHttp(self._connections, self.stop, own_address, headers, patience, tls)
        self._looking = threading.Lock()
        self._place: str | None = None

    def __enter__(self) -> "Source":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._connections.close()

    def url(self, artifact_id: int, path: str) -> v1.DownloadUrl:
        """Return what fetches one file; raises TransferError when the artifact has none of that path."""
        for url in self.calls.download_urls(artifact_id, path):
            if url.file.path == path:
                return url
            break  # the path itself would come before all that begin with it
        raise TransferError(Code.NOT_FOUND, f"path: artifact {artifact_id} has no file {path[:80]!r}.")

    def fetch(self, artifact_id: int, url: v1.DownloadUrl, span: Span, sink: Callable[[Bytes], None]) -> None:
        """Fetch a part of a file into `sink`, each byte once and in order; raises DamagedBytes, CallError."""
        try:
            self._fetch(artifact_id, url, span, sink)
        except CallError as error:
            if error.code == Code.NOT_FOUND and url.request.expires_ms:
                self._check_place()
            if error.code == Code.DATA_LOSS:  # found by the server, or by this process
                raise DamagedBytes(error.code, error.message, error.request_id) from None
            raise gone(artifact_id, error) from None

    def _check_place(self) -> None:
        """Raise what the server finds wrong with the place of its bytes; asked once, when the first file is missed.

        An object store knows what it has not, and only the server whether the bucket is still the one that had it.
        """
        with self._looking:
            if self._place is None:
                self._place = self.calls.look_at_place()
        if self._place:
            raise TransferError(Code.UNAVAILABLE, self._place)

    def _fetch(self, artifact_id: int, url: v1.DownloadUrl, span: Span, sink: Callable[[Bytes], None]) -> None:
        path = url.file.path
        if url.request.url:
            # Without a digest nothing but the ETag tells a file that others replaced; our server looks by itself.
            etag = url.file.etag if url.request.expires_ms and not url.file.sha256 else ""
            self._http.get(url.request, span, path, lambda: self.url(artifact_id, path).request, sink, etag)
        elif self.door is not None:
            for chunk in self.door.read_file(artifact_id, path, span.start, span.end - span.start):
                sink(chunk)
        else:
            raise no_way(self.calls.transport.target)


class Fetching:
    """The download of one artifact's files into a folder."""

    def __init__(self, source: Source, artifact_id: int, target: DownloadTarget, meter: Meter) -> None:
        self._source = source
        self._artifact_id = artifact_id
        self._target = target
        self._meter = meter
        self._lock = threading.Lock()
        self._under_way: set[_LargeFile] = set()
        self._folder = source.door and FolderFetching(source.door, artifact_id, target, meter, source.stop)
        self._reused_count = self.file_count = self.size_bytes = 0
        self.last_path = ""

    @property
    def files_reused(self) -> int:
        """How many of the files were there before."""
        return self._reused_count + (self._folder.files_reused if self._folder else 0)

    def submit(self, crew: Crew, url: v1.DownloadUrl) -> None:
        """Hand a file to the crew, a large one in pieces; some wait for `finish`."""
        self.file_count += 1
        self.size_bytes += url.file.size_bytes
        self.last_path = url.file.path
        if self._folder and not url.request.url:
            self._folder.submit(crew, url.file)
            return
        if url.file.size_bytes <= PIECE_BYTES:
            crew.submit(partial(self._small, url))
            return
        with disk_explained(self._target.root):
            place = self._target.place(url.file.path)
            if self._reused(place, url.file):
                return
            large = _LargeFile(self._artifact_id, url.file, self._target, place)
        with self._lock:
            self._under_way.add(large)
        for number in range(large.pieces):
            crew.submit(partial(self._piece, url, large, number))

    def finish(self, crew: Crew) -> None:
        """Hand over what is left, and wait until all is there."""
        if self._folder:
            self._folder.flush(crew)
        crew.finish()

    def _reused(self, place: str, file: v1.File) -> bool:
        if not self._target.has(place, file.size_bytes, file.sha256):
            return False
        with self._lock:
            self._reused_count += 1
        self._meter.moved(file.path, file.size_bytes)
        self._meter.finished(file.path)
        return True

    def _small(self, url: v1.DownloadUrl) -> None:
        file = url.file
        with disk_explained(self._target.root):
            place = self._target.place(file.path)
            if self._reused(place, file):
                return
            with self._target.written(place) as written:
                if not self._fetched(url, written) and not self._fetched(url, written):
                    raise damaged(self._artifact_id, file.path)  # twice the same is no accident on the way
        self._meter.finished(file.path)

    def _fetched(self, url: v1.DownloadUrl, written: BinaryIO) -> bool:
        """Fetch a whole file; returns whether its bytes are those of the manifest."""
        file, digest, size = url.file, hashlib.sha256(), 0
        written.seek(0)
        written.truncate()

        def sink(chunk: Bytes) -> None:
            nonlocal size
            Stopped.check(self._source.stop)
            digest.update(chunk)
            size += len(chunk)
            with disk_explained(self._target.root):
                written.write(chunk)
            self._meter.moved(file.path, len(chunk))

        self._source.fetch(self._artifact_id, url, Span(0, file.size_bytes, file.size_bytes), sink)
        same = size == file.size_bytes and (not file.sha256 or digest.digest() == file.sha256)
        if not same:
            self._meter.moved(file.path, -size)
        return same

    def _piece(self, url: v1.DownloadUrl, large: "_LargeFile", number: int) -> None:
        span = large.span(number)
        position = span.start

        def sink(chunk: Bytes) -> None:
            nonlocal position
            Stopped.check(self._source.stop)
            with disk_explained(self._target.root):
                large.write(chunk, position)
            position += len(chunk)
            self._meter.moved(url.file.path, len(chunk))

        self._source.fetch(self._artifact_id, url, span, sink)
        with disk_explained(self._target.root):
            completed = large.arrived(number)
        if completed:
            with self._lock:
                self._under_way.discard(large)
            self._meter.finished(url.file.path)

    def close(self) -> None:
        """Throw away what is not complete, when nobody writes any more."""
        for large in self._under_way:
            large.close()


class _LargeFile:
    """A file that comes in pieces, in any order; hashed in order as they come, by whoever brought the next."""

    def __init__(self, artifact_id: int, file: v1.File, target: DownloadTarget, place: str) -> None:
        self._artifact_id = artifact_id
        self._file = file
        self._target = target
        self._place = place
        self._temporary, self._descriptor = begin_file(os.path.dirname(place))
        self._lock = threading.Lock()
        self._hashing = threading.Lock()
        self._writing = threading.Lock()
        self._there: set[int] = set()
        self._hashed = 0
        self._completed = False
        self._digest = hashlib.sha256()
        self.pieces = -(-file.size_bytes // PIECE_BYTES)

    def span(self, number: int) -> Span:
        """Return the bytes of a piece, counted from 0."""
        size = self._file.size_bytes
        return Span(number * PIECE_BYTES, min((number + 1) * PIECE_BYTES, size), size)

    def write(self, chunk: Bytes, position: int) -> None:
        """Write bytes where they belong, one thread at a time: the kernel lets others wait for a file spinning."""
        view = memoryview(chunk)
        with self._writing:
            while view:
                size = os.pwrite(self._descriptor, view, position)
                view, position = view[size:], position + size

    def arrived(self, number: int) -> bool:
        """Note that a piece is there and hash what can be; returns whether that completed the file."""
        with self._lock:
            self._there.add(number)
        while self._hashing.acquire(blocking=False):
            try:
                while self._next_is_there():
                    self._hash(self._hashed)
                    self._hashed += 1
                if self._hashed == self.pieces and not self._completed:
                    self._complete()
                    return True
            finally:
                self._hashing.release()
            if not self._next_is_there():
                return False
        return False

    def _next_is_there(self) -> bool:
        with self._lock:
            return self._hashed in self._there

    def _hash(self, number: int) -> None:
        span = self.span(number)
        position, buffer = span.start, memoryview(bytearray(_HASHED_AT_ONCE))
        while position < span.end:
            size = os.preadv(self._descriptor, [buffer[: span.end - position]], position)
            if not size:
                raise UnfitFiles.saying(f"target: {self._place!r} was shortened while it was written; fetch it again.")
            self._digest.update(buffer[:size])
            position += size

    def _complete(self) -> None:
        if self._file.sha256 and self._digest.digest() != self._file.sha256:
            raise damaged(self._artifact_id, self._file.path)
        self._target.name(self._temporary, self._place)
        self._completed = True
        self.close()

    def close(self) -> None:
        """Close the file, and throw it away when it is not complete; nobody may be writing any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if not self._completed:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._temporary)
