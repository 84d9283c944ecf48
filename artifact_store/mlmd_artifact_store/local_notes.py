"""What a folder's blobs have for ETags, without reading them again.

A note holds as long as the file has the size, the time and the inode that it had. Of larger files, and of those with
an ETag that is no MD5, notes are kept in files; of what this very process wrote a moment ago in memory too, which
spares reading little files once more when they are proven.
"""

import contextlib
import hashlib
import json
import os
import secrets
import threading
from pathlib import Path

from mlmd_artifact_store.local_copies import LITTLE_BYTES

MOST_IN_MEMORY = 8192
"""Some 4 MB of them; the oldest are forgotten."""
_MD5_DIGITS = 32
_Note = tuple[int, int, int, str]


class Notes:
    """Notes of one folder; safe to use from many threads and processes."""

    def __init__(self, folder: str) -> None:
        """Take the folder of the files of notes; it is made when it is needed."""
        self._folder = folder
        self._lock = threading.Lock()
        self._fresh: dict[str, _Note] = {}

    def wrote(self, key: str, state: os.stat_result, etag: str) -> None:
        """Note a blob that this process has written."""
        with self._lock:
            self._fresh[key] = _note(state, etag)
            if len(self._fresh) > MOST_IN_MEMORY:
                del self._fresh[next(iter(self._fresh))]
        self.read(key, state, etag)

    def read(self, key: str, state: os.stat_result, etag: str) -> None:
        """Note what was calculated of a blob; nothing is kept of what is as fast to calculate again."""
        if state.st_size <= LITTLE_BYTES and len(etag) == _MD5_DIGITS:
            return
        path = Path(self._path(key))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            partial.write_text(json.dumps(_note(state, etag)))
            os.replace(partial, path)
        except BaseException:  # a disk that is full would be filled with what nobody reads
            with contextlib.suppress(OSError):
                partial.unlink()
            raise

    def find(self, key: str, state: os.stat_result) -> str | None:
        """Return a blob's ETag; what was in memory is forgotten, because few ask twice."""
        with self._lock:
            note = self._fresh.pop(key, None)
        if note is not None and note == _note(state, note[3]):
            return note[3]
        try:
            with open(self._path(key), encoding="utf-8") as file:
                size, modified, inode, etag = json.load(file)
        except (OSError, ValueError, TypeError):  # none, or one that a dying disk garbled: it is calculated again
            return None
        return str(etag) if (size, modified, inode) == _note(state, "")[:3] else None

    def forget(self, key: str) -> None:
        """Forget a blob that is deleted; raises OSError."""
        with self._lock:
            self._fresh.pop(key, None)
        Path(self._path(key)).unlink(missing_ok=True)

    def _path(self, key: str) -> str:
        name = hashlib.sha256(key.encode()).hexdigest()
        return f"{self._folder}/{name[:2]}/{name[2:]}"


def _note(state: os.stat_result, etag: str) -> _Note:
    return state.st_size, state.st_mtime_ns, state.st_ino, etag
