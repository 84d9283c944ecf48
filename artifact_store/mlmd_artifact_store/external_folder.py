"""A folder that somebody else fills: read and listed, never written, and never left by a link."""

import os
from collections.abc import Iterator
from pathlib import Path

from mlmd_schemas.errors import NotFound

from mlmd_artifact_store.blob_store import Blob
from mlmd_artifact_store.local import LocalStore


class ExternalFolder(LocalStore):
    """The files below a folder. An ETag says size and time, because nothing is read for it and nothing noted."""

    def list(self, prefix: str = "", after: str = "") -> Iterator[Blob]:
        """Walk the folder in the order of keys; symbolic links are not followed."""
        folder = prefix.rpartition("/")[0]
        if folder:
            with self.watch:
                self._path(folder)
        return super().list(prefix, after)

    def _path(self, key: str) -> Path:
        path = super()._path(key)
        self._real(key, path)
        return path

    def _real(self, key: str, path: Path) -> Path:
        """Return where a path is when every link is followed; raises NotFound when that is no place in the folder."""
        real, root = Path(os.path.realpath(path)), Path(os.path.realpath(self.root))
        if root not in (real, *real.parents):
            raise NotFound(f"There is no blob {key!r} in the folder; a link there leads out of it.")
        if any(place.is_symlink() for place in (real, *real.parents)):  # what cannot be followed stays a link
            raise NotFound(f"There is no blob {key!r} in the folder; a link there leads back to itself.")
        if real.exists() and not real.is_file() and not real.is_dir():
            raise NotFound(f"{key!r} is no file and no folder in the folder, and has no bytes to keep.")
        return real

    def _open(self, key: str) -> int:
        """Open a file, which has to be the one that is in the folder: links may change between a look and the next."""
        path = self._path(key)
        descriptor = super()._open(key)
        try:
            if not os.path.samestat(os.fstat(descriptor), os.stat(self._real(key, path), follow_symlinks=False)):
                raise NotFound(f"The file {key!r} changed its place while it was opened; read it again.")
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _found(self, key: str, state: os.stat_result) -> Blob:
        return Blob(key, state.st_size, f"{state.st_mtime_ns:x}-{state.st_size:x}", state.st_mtime_ns // 1_000_000)
