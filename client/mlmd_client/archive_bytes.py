"""The bytes of an archive: files of artifacts as entries of a ZIP file, and back.

They are stored as they are, under `files/<artifact id>/<path>`, so that any unzip gives them back, and so that they can
be sent from where they lie in the archive. `files.jsonl` has a line for each artifact that is there as a whole.
"""

import hashlib
import json
import marshal
import os
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.sorted_runs import in_order

from mlmd_client.bounded_work import ahead
from mlmd_client.calls import CallError, Transport
from mlmd_client.fetching import Source
from mlmd_client.file_listing import Listing, LocalFile
from mlmd_client.folder_download import damaged
from mlmd_client.large_zip import FILES, LargeZipReader, LargeZipWriter
from mlmd_client.packed_sequence import Packed
from mlmd_client.progress import Meter
from mlmd_client.signed_http import PATIENCE, Bytes, Span
from mlmd_client.transfer_errors import ChangedFile, UnfitFiles

INDEX = "files.jsonl"
_SMALL_BYTES = 1 << 20
"""Files up to this are fetched several at a time, and held until it is their turn."""
_AT_ONCE, _AHEAD = 8, 16
_ID_BYTES, _MOST_DIGITS = 8, 19
_FACTS = struct.Struct("<QQHH")
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_OF_THE_ARTIFACT = (Code.NOT_FOUND, Code.FAILED_PRECONDITION, Code.DATA_LOSS, Code.INVALID_ARGUMENT)
"""Failures that say something of one artifact; any other ends an export."""


@dataclass(frozen=True, slots=True)
class Carried:
    """An artifact of an archive whose files are in it, by its id where it comes from."""

    artifact_id: int
    files: int
    size_bytes: int


@dataclass(slots=True)
class _Writing:
    """One artifact on its way into the archive."""

    artifact_id: int
    files: int = 0
    size_bytes: int = 0
    failure: CallError | None = None


_Piece = tuple[int, v1.DownloadUrl | None, bytes | None, CallError | None]
"""An artifact's file with its bytes when it is small; without a file, the end of the artifact, or why it failed."""


class BytesWriter:
    """Writes the files of artifacts into an archive, each held against its SHA-256 as it comes."""

    def __init__(self, archive: LargeZipWriter, transport: Transport, meter: Meter) -> None:
        self._archive = archive
        self._transport = transport
        self._meter = meter
        self.carried: list[Carried] = []
        self.failures: list[str] = []
        """Why the files of artifacts were left out: deleted meanwhile, damaged, not to be read."""

    def write(self, artifact_ids: Iterable[int]) -> None:
        """Write the files of these artifacts and the index; raises CallError when the store does not answer."""
        self._archive.settle()
        with Source(self._transport, PATIENCE) as source, ThreadPoolExecutor(_AT_ONCE, "export") as pool:
            writing: _Writing | None = None
            for artifact_id, url, content, failure in ahead(pool, self._works(source, artifact_ids), _AHEAD):
                if writing is None:
                    writing = _Writing(artifact_id)
                if failure is not None:
                    writing.failure = writing.failure or failure
                elif url is not None and writing.failure is None:
                    self._file(source, writing, url, content)
                if url is None:
                    self._end(writing)
                    writing = None
        self._archive.writestr(INDEX, "".join(json.dumps(_index_line(one)) + "\n" for one in self.carried))

    def _works(self, source: Source, artifact_ids: Iterable[int]) -> Iterator[Callable[[], _Piece]]:
        for artifact_id in artifact_ids:
            failure: CallError | None = None
            try:
                for url in source.calls.download_urls(artifact_id, ""):
                    yield partial(_fetched, source, artifact_id, url)
            except CallError as error:
                if error.code not in _OF_THE_ARTIFACT:
                    raise
                failure = error
            yield partial(_ended, artifact_id, failure)

    def _file(self, source: Source, writing: _Writing, url: v1.DownloadUrl, content: bytes | None) -> None:
        entry = zipfile.ZipInfo(f"{FILES}{writing.artifact_id}/{url.file.path}")
        entry.file_size = url.file.size_bytes
        entry.external_attr = 0o644 << 16
        writing.files += 1
        if content is not None:
            self._archive.writestr(entry, content)
            self._meter.moved(url.file.path, len(content))
        else:
            digest = hashlib.sha256()
            with self._archive.open(entry, "w") as file:

                def sink(chunk: Bytes) -> None:
                    digest.update(chunk)
                    file.write(chunk)
                    self._meter.moved(url.file.path, len(chunk))

                try:
                    source.fetch(writing.artifact_id, url, Span(0, entry.file_size, entry.file_size), sink)
                except CallError as error:
                    if error.code not in _OF_THE_ARTIFACT:
                        raise
                    writing.failure = error
            if writing.failure is None and digest.digest() != url.file.sha256:
                writing.failure = damaged(writing.artifact_id, url.file.path)
        writing.size_bytes += url.file.size_bytes
        self._meter.finished(url.file.path)

    def _end(self, writing: _Writing) -> None:
        self._archive.settle(keep=writing.failure is None)  # what the archive does not name is nowhere
        if writing.failure is None:
            self.carried.append(Carried(writing.artifact_id, writing.files, writing.size_bytes))
        else:
            self.failures.append(f"artifact {writing.artifact_id}: {writing.failure.message}")


def _index_line(carried: Carried) -> dict[str, int]:
    return {"artifact_id": carried.artifact_id, "files": carried.files, "size_bytes": carried.size_bytes}


def _ended(artifact_id: int, failure: CallError | None) -> _Piece:
    return artifact_id, None, None, failure


def _fetched(source: Source, artifact_id: int, url: v1.DownloadUrl) -> _Piece:
    """Fetch a small file, twice when the first bytes are others than the manifest's; a large one is left for later."""
    size = url.file.size_bytes
    if size > _SMALL_BYTES:
        return artifact_id, url, None, None
    for _ in range(2):
        content = bytearray()
        try:
            source.fetch(artifact_id, url, Span(0, size, size), content.extend)
        except CallError as error:
            if error.code not in _OF_THE_ARTIFACT:
                raise
            return artifact_id, url, None, error
        if len(content) == size and hashlib.sha256(content).digest() == url.file.sha256:
            return artifact_id, url, bytes(content), None
    return artifact_id, url, None, damaged(artifact_id, url.file.path)


@dataclass(frozen=True, slots=True)
class PackedFile(LocalFile):
    """A file within an archive; what has to stay as it was is the archive."""

    start: int
    archive_bytes: int

    @property
    def offset(self) -> int:
        """Where it begins in the archive."""
        return self.start

    def check(self, state: os.stat_result) -> None:
        """Raise ChangedFile when the archive is no longer the one that was opened."""
        if (state.st_size, state.st_mtime_ns, state.st_ino) != (self.archive_bytes, self.modified_ns, self.inode):
            raise ChangedFile.saying("The archive changed while it was imported; import it again.")


@dataclass(frozen=True, slots=True)
class PackedListing(Listing):
    """Files of one artifact within an archive, by the bytes of their paths; `root` is the archive."""

    def location(self, file: LocalFile) -> str:
        """Return where the archive is on this machine."""
        return str(self.root)


class BytesReader:
    """Finds the files of artifacts in an archive."""

    def __init__(self, path: Path, archive: LargeZipReader) -> None:
        """Read what the archive says of its files; raises UnfitFiles when that is damaged."""
        self._path = path
        self.carried: list[Carried] = []
        self._entries: dict[int, Packed[bytes]] = {}
        if INDEX not in archive.NameToInfo:
            return
        try:
            lines = [json.loads(line) for line in archive.read(INDEX).splitlines()]
            self.carried = [Carried(line["artifact_id"], line["files"], line["size_bytes"]) for line in lines]
        except (ValueError, TypeError, KeyError) as error:
            raise UnfitFiles.saying(f"{path}: its {INDEX} is damaged ({error}); export again.") from None
        keys = in_order(key for key in map(_entry_key, archive.files) if key)
        for number, entries in groupby(keys, key=lambda key: key[:_ID_BYTES]):
            self._entries[int.from_bytes(number, "big")] = Packed(
                entries, lambda block: marshal.dumps(list(block)), marshal.loads
            )

    def listing(self, carried: Carried) -> PackedListing:
        """Return the files of an artifact; raises UnfitFiles when some lack, or were packed again and compressed."""
        entries = self._entries.get(carried.artifact_id, ())
        count, size_bytes = len(entries), sum(_Entry.of(key).size_bytes for key in entries)
        if (count, size_bytes) != (carried.files, carried.size_bytes):
            raise UnfitFiles.saying(
                f"{self._path}: has not all {carried.files} files of artifact {carried.artifact_id}; export again."
            )
        root = Path(os.path.abspath(self._path))
        with root.open("rb") as file:
            state = os.fstat(file.fileno())

            def packed_file(path: str, size_bytes: int, start: int) -> PackedFile:
                return PackedFile(path, size_bytes, state.st_mtime_ns, state.st_ino, start, state.st_size)

            found = map(_Entry.of, entries)
            files: Packed[PackedFile] = Packed(
                (packed_file(one.path, one.size_bytes, self._start(file.fileno(), one)) for one in found),
                lambda block: marshal.dumps([(one.path, one.size_bytes, one.start) for one in block]),
                lambda packed: (packed_file(*facts) for facts in marshal.loads(packed)),
            )
        return PackedListing(root, files)

    def _start(self, descriptor: int, entry: "_Entry") -> int:
        """Return where the bytes of an entry begin: after its own header."""
        header = os.pread(descriptor, _LOCAL_HEADER.size, entry.header_offset)
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or len(header) < _LOCAL_HEADER.size:
            raise UnfitFiles.saying(
                f"{self._path}: {entry.path[:80]!r} is not stored as it is; an archive that was packed again has "
                "to keep its files uncompressed (zip -0)."
            )
        _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        return entry.header_offset + _LOCAL_HEADER.size + int(name_bytes) + int(extra_bytes)


def _entry_key(facts: tuple[str, int, int, int, int]) -> bytes:
    """Return what sorts entries by artifact and path, with all that is known of one; b"" for what is no file."""
    name, *numbers = facts
    digits, _, path = name[len(FILES) :].partition("/")
    if not (digits.isdecimal() and len(digits) < _MOST_DIGITS) or name.endswith("/"):
        return b""
    return int(digits).to_bytes(_ID_BYTES, "big") + path.encode() + b"\0" + _FACTS.pack(*numbers)


class _Entry(NamedTuple):
    """An entry that is a file of an artifact."""

    path: str
    size_bytes: int
    header_offset: int
    compress_type: int
    flag_bits: int

    @classmethod
    def of(cls, key: bytes) -> "_Entry":
        """Return the entry of a key."""
        return cls(key[_ID_BYTES : -_FACTS.size - 1].decode(), *_FACTS.unpack(key[-_FACTS.size :]))
