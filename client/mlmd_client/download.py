"""An artifact's files come back: many at a time, large ones in pieces, each verified while it is read.

download(transport, 17, Path("model"))
content = read_range(transport, 17, "weights.bin", 0, 4096)
with open_file(transport, 17, "data.csv") as file: ...
"""

import contextlib
import hashlib
import io
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_schemas.errors import Code

from mlmd_client.bounded_work import Crew
from mlmd_client.calls import Transport
from mlmd_client.download_target import DownloadTarget
from mlmd_client.fetching import Fetching, Source
from mlmd_client.folder_download import damaged
from mlmd_client.local_paths import uri_in
from mlmd_client.obstacles import clear
from mlmd_client.progress import Meter, ProgressCallback
from mlmd_client.signed_http import PATIENCE, Patience, Span
from mlmd_client.transfer_errors import TransferError, UnfitFiles

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

DEFAULT_WORKERS = 8
_WAITING = 64
_STREAM_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Downloaded:
    """Files that are in a folder now. `files_reused` of them were there before; `only_path` is that of a single one."""

    root: Path
    file_count: int
    size_bytes: int
    files_reused: int
    only_path: str = ""


def download(
    transport: Transport,
    artifact_id: int,
    target: Path,
    *,
    prefix: str = "",
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    workers: int = DEFAULT_WORKERS,
    patience: Patience = PATIENCE,
) -> Downloaded:
    """Download an artifact's files, those whose paths begin with `prefix`, into a folder under their own paths.

    Each file is written under another name, verified against the manifest's SHA-256, and then named. A file that is
    there already with the same bytes is left as it is, one of another version of the same name is replaced, and for
    any other nothing is fetched, unless `overwrite` gives it up. Raises DamagedBytes, UnfitFiles, CallError; files that
    were complete by then stay.
    """
    if uri := uri_in(target):
        raise UnfitFiles.saying(
            f"target: {uri[:200]!r} is a URI, and files are fetched into a folder of this machine; name a folder, and "
            "copy them on from there with a client of that place."
        )
    with Source(transport, patience) as source:
        meter, place = Meter(progress), DownloadTarget(Path(target), overwrite=overwrite)
        if not overwrite:
            clear(source.calls, artifact_id, prefix, place)
        fetching = Fetching(source, artifact_id, place, meter)
        with contextlib.closing(fetching), Crew(workers, _WAITING, source.stop, "fetch") as crew:
            for url in source.calls.download_urls(artifact_id, prefix):
                meter.expect(1, url.file.size_bytes)
                fetching.submit(crew, url)
            fetching.finish(crew)
        if not fetching.file_count:
            raise _nothing(artifact_id, prefix)
        meter.end()
        only = fetching.last_path if fetching.file_count == 1 else ""
        return Downloaded(place.root, fetching.file_count, fetching.size_bytes, fetching.files_reused, only)


def _nothing(artifact_id: int, prefix: str) -> TransferError:
    """Return the error for a download of no file; only what others keep, at the artifact's uri, can be gone whole."""
    if prefix:
        return TransferError(Code.NOT_FOUND, f"prefix: artifact {artifact_id} has no file that begins with {prefix!r}.")
    return TransferError(
        Code.NOT_FOUND,
        f"artifact {artifact_id}: there is nothing where its uri says that its files are; whoever keeps them there has "
        "moved or deleted them, or the uri is wrong.",
    )


def read_range(transport: Transport, artifact_id: int, path: str, start: int, length: int) -> bytes:
    """Return bytes of a file, fewer when it ends before; raises CallError. A part cannot be verified."""
    if start < 0 or length < 0:
        raise ValueError(f"start and length have to be 0 or more, and {start} and {length} were given.")
    with Source(transport, PATIENCE) as source:
        url = source.url(artifact_id, path)
        size = url.file.size_bytes
        found = bytearray()
        source.fetch(artifact_id, url, Span(min(start, size), min(start + length, size), size), found.extend)
        return bytes(found)


def stream_file(transport: Transport, artifact_id: int, path: str) -> Generator[bytes, None, None]:
    """Yield a file's bytes; raises DamagedBytes before the last of them when they are not those of the manifest."""
    with Source(transport, PATIENCE) as source:
        url = source.url(artifact_id, path)
        digest, held, size = hashlib.sha256(), b"", url.file.size_bytes
        for start in range(0, size, _STREAM_BYTES):
            chunk = bytearray()
            source.fetch(artifact_id, url, Span(start, min(start + _STREAM_BYTES, size), size), chunk.extend)
            digest.update(chunk)
            if held:
                yield held
            held = bytes(chunk)
        if url.file.sha256 and digest.digest() != url.file.sha256:
            raise damaged(artifact_id, path)
        if held:
            yield held


def open_file(transport: Transport, artifact_id: int, path: str) -> io.BufferedReader:
    """Open a file to be read from its beginning to its end, verified as `stream_file` does."""
    return io.BufferedReader(_Stream(stream_file(transport, artifact_id, path)), 1 << 20)


class _Stream(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Generator[bytes, None, None]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer with what comes next."""
        room = memoryview(buffer).cast("B")
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        size = min(len(room), len(self._rest))
        room[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        """End the transfer."""
        self._chunks.close()
        super().close()
