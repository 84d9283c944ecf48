"""The way out of a folder that this process reads itself: files are copied as they are, and the copies verified."""

import contextlib
import os
import threading
from functools import partial

from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_client.bounded_work import Crew
from mlmd_client.calls import CallError
from mlmd_client.download_target import DownloadTarget, disk_explained
from mlmd_client.file_doors import FileDoor, HandedFile
from mlmd_client.progress import Meter
from mlmd_client.transfer_errors import DamagedBytes, Stopped
from mlmd_client.unfinished_files import begin_file

_BATCH_FILES = 32
_BATCH_BYTES = 16 << 20
_LITTLE_BYTES = 64 * 1024
_LITTLE_AT_ONCE = 2
"""So many batches of little files at a time: more threads wait for each other, and gain nothing."""
_LOOK_SECONDS = 0.5


class FolderFetching:
    """Copies files of one artifact, several small ones in one piece of work; `files_reused` were there before."""

    def __init__(
        self, door: FileDoor, artifact_id: int, target: DownloadTarget, meter: Meter, stop: threading.Event
    ) -> None:
        self._door = door
        self._artifact_id = artifact_id
        self._target = target
        self._meter = meter
        self._stop = stop
        self._lock = threading.Lock()
        self._batch: list[v1.File] = []
        self._room = _BATCH_BYTES
        self._little = threading.BoundedSemaphore(_LITTLE_AT_ONCE)
        self.files_reused = 0

    def submit(self, crew: Crew, file: v1.File) -> None:
        """Take a file; it is copied with others, by `flush` at the latest."""
        self._batch.append(file)
        self._room -= file.size_bytes
        if self._room <= 0 or len(self._batch) >= _BATCH_FILES:
            self.flush(crew)

    def flush(self, crew: Crew) -> None:
        """Hand what was taken to the crew."""
        if not self._batch:
            return
        if _BATCH_BYTES - self._room > _LITTLE_BYTES * len(self._batch):
            crew.submit(partial(self._copy, self._batch))
        else:
            while not self._little.acquire(timeout=_LOOK_SECONDS) and not self._stop.is_set():
                pass  # what was handed over ends soon, or is never begun when the transfer stops
            crew.submit(partial(self._copy_little, self._batch))
        self._batch, self._room = [], _BATCH_BYTES

    def _copy_little(self, files: list[v1.File]) -> None:
        try:
            self._copy(files)
        finally:
            self._little.release()

    def _copy(self, files: list[v1.File]) -> None:
        with disk_explained(self._target.root):
            places = {file.path: self._target.place(file.path) for file in files}
            wanted = [file for file in files if not self._is_there(places[file.path], file)]
            begun: list[tuple[str, int]] = []
            named: set[int] = set()
            try:
                for file in wanted:
                    begun.append(begin_file(os.path.dirname(places[file.path])))
                self._copied(wanted, begun, [places[file.path] for file in wanted], named)
            finally:
                for temporary, descriptor in begun:
                    os.close(descriptor)
                    if descriptor not in named:
                        with contextlib.suppress(OSError):  # or else the next download deletes it
                            os.unlink(temporary)

    def _is_there(self, place: str, file: v1.File) -> bool:
        if not self._target.has(place, file.size_bytes, file.sha256):
            return False
        with self._lock:
            self.files_reused += 1
        self._meter.moved(file.path, file.size_bytes)
        self._meter.finished(file.path)
        return True

    def _copied(self, files: list[v1.File], begun: list[tuple[str, int]], places: list[str], named: set[int]) -> None:
        """Copy files and name those that are what they should be; raises DamagedBytes when one is not.

        `named` gets the descriptors of those that have their names.
        """
        handed = [self._handed(file, descriptor) for file, (_, descriptor) in zip(files, begun, strict=True)]
        try:
            found = self._door.give_out(self._artifact_id, handed) if handed else []
        except CallError as error:
            raise gone(self._artifact_id, error) from None
        bad: v1.File | None = None
        for file, (temporary, descriptor), place, (sha256, _) in zip(files, begun, places, found, strict=True):
            if sha256 == file.sha256 if file.sha256 else os.stat(temporary).st_size == file.size_bytes:
                self._target.name(temporary, place)
                named.add(descriptor)
                self._meter.finished(file.path)
            else:
                bad = bad or file
        if bad is not None:
            raise damaged(self._artifact_id, bad.path)

    def _handed(self, file: v1.File, descriptor: int) -> HandedFile:
        return HandedFile(
            file.path, file.size_bytes, lambda: contextlib.nullcontext(descriptor), partial(self._moved, file.path)
        )

    def _moved(self, path: str, size_bytes: int) -> None:
        Stopped.check(self._stop)
        self._meter.moved(path, size_bytes)


def damaged(artifact_id: int, path: str) -> DamagedBytes:
    """Return the error for bytes that are not those of the manifest."""
    return DamagedBytes.saying(
        f"The file {path!r} of artifact {artifact_id} has changed in the store, or was never what its manifest says; "
        "restore it from a copy."
    )


def gone(artifact_id: int, error: CallError) -> CallError:
    """Return the error of a transfer, with its mend where the bytes of a manifest are not there."""
    if error.code != Code.NOT_FOUND:
        return error
    return type(error)(
        error.code,
        f"{error.message.rstrip('.')}, which artifact {artifact_id} has by its manifest: it was moved or deleted "
        "behind the store's back; put it back from a copy.",
        error.request_id,
        error.facts,
    )
