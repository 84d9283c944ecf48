"""A folder that somebody else fills: read and listed, never written, and never left by a link."""

import os
from collections.abc import Iterator
from pathlib import Path

from mlmd_schemas.errors import NotFound

from mlmd_artifact_store.blob_store import Blob, Digests, HandedFile
from mlmd_artifact_store.local import LocalStore


class ExternalFolder(LocalStore):
    """The files below a folder. An ETag says size and time, because nothing is read for it and nothing noted."""

    def list(self, prefix: str = "", after: str = "") -> Iterator[Blob]:
        """Walk the folder in the order of keys; symbolic links are not followed."""
        folder = prefix.rpartition("/")[0]
        if folder:
            self._path(folder)
        return super().list(prefix, after)

    def give_out(self, key: str, target: HandedFile) -> Digests:
        """Copy a file out of the folder, unless a link leads out of it first."""
        self._path(key)
        return super().give_out(key, target)

    def _path(self, key: str) -> Path:
        path = super()._path(key)
        real, root = path.resolve(), self.root.resolve()
        if root not in (real, *real.parents):
            raise NotFound(f"There is no blob {key!r} in the folder; a link there leads out of it.")
        if real.exists() and not real.is_file() and not real.is_dir():
            raise NotFound(f"{key!r} is no file and no folder in the folder, and has no bytes to keep.")
        return path

    def _found(self, key: str, state: os.stat_result) -> Blob:
        return Blob(key, state.st_size, f"{state.st_mtime_ns:x}-{state.st_size:x}", state.st_mtime_ns // 1_000_000)
