"""Uploads that this machine began and did not finish, so that the same call goes on where a dead process was.

One small file for each, named by what is uploaded where, and locked while a process is at it. It holds the artifact's
id and a digest of the paths; what has arrived is asked of the store.
"""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO


def journal_folder() -> Path:
    """Return where the notes are: `$MLMD_STATE_HOME`, else `mlmd` in `$XDG_STATE_HOME` or `~/.local/state`.

    Raises RuntimeError when the user has no home, as in many containers.
    """
    told = os.environ.get("MLMD_STATE_HOME")
    if told:
        return Path(told)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "mlmd"


class UploadNote:
    """The note of one upload. Entered, it is locked; when another process has it, or none can be kept, it is blank."""

    def __init__(self, store_uuid: str, location: Path, collection: str, artifact: bytes, *, kept: bool = True) -> None:
        """Name the note by the store, the files' place, and the artifact that they become; it may be not `kept`."""
        self._name = hashlib.sha256(
            "\0".join((store_uuid, str(location), collection)).encode("utf-8", "surrogateescape") + b"\0" + artifact
        ).hexdigest()
        self._path = Path()
        self._file: BinaryIO | None = None
        self._wanted = kept

    def __enter__(self) -> "UploadNote":
        """Lock the note, if that can be done."""
        if not self._wanted:
            return self
        try:
            self._path = journal_folder() / "uploads" / f"{self._name}.json"
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+b", buffering=0)
        except (OSError, RuntimeError):  # no home, or one that cannot be written: uploads work, and begin anew
            return self
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another process is at the same upload, or the file system has no locks
            file.close()
            return self
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unlock it; one that nothing was noted in is deleted."""
        if self._file is not None:
            if not os.fstat(self._file.fileno()).st_size:
                self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    @property
    def kept(self) -> bool:
        """Whether it is on disk, and what it says will be found again."""
        return self._file is not None

    def found(self) -> tuple[int, str, str]:
        """Return the artifact whose upload was begun, the digest of its paths and its uri; 0 when none is noted."""
        if self._file is None:
            return 0, "", ""
        self._file.seek(0)
        try:
            said = json.loads(self._file.read())
            return int(said["artifact_id"]), str(said["paths"]), str(said["uri"])
        except (ValueError, KeyError, TypeError):
            return 0, "", ""

    def note(self, artifact_id: int, paths: str, uri: str) -> None:
        """Note that an upload of these paths was begun; on a disk that is full, the note is kept no longer."""
        if self._file is None:
            return
        content = json.dumps({"artifact_id": artifact_id, "paths": paths, "uri": uri})
        try:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(content.encode())
        except OSError:
            self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def forget(self) -> None:
        """Forget it, because it has ended."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
