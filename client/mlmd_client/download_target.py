"""The folder that files are downloaded into, and never outside of it."""

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mlmd_client.hashing import sha256_of_path
from mlmd_client.transfer_errors import RESOURCE_EXHAUSTED, TransferError, UnfitFiles
from mlmd_client.unfinished_files import begin_file, discard_abandoned


@contextlib.contextmanager
def disk_explained(root: Path) -> Iterator[None]:
    """Turn an OSError of the block, which is one of this machine's disk, into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise TransferError(RESOURCE_EXHAUSTED, f"The disk of {str(root)!r} is full; make room.") from error
        reason = error.strerror or type(error).__name__
        raise UnfitFiles.saying(f"target: {str(root)!r} cannot be written ({reason}).") from error


class DownloadTarget:
    """A folder; files get their names in it when they are complete and verified."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self._folder = str(self.root).rstrip("/")
        self._made: set[str] = set()
        self._lock = threading.Lock()

    def place(self, path: str) -> str:
        """Return where a file goes, its folders made; raises UnfitFiles when that is outside, or taken."""
        segments = path.split("/")
        if any(segment in ("", ".", "..") or "\0" in segment or "\\" in segment for segment in segments):
            raise UnfitFiles.saying(f"path: {path[:80]!r} would be written outside of {str(self.root)!r}.")
        self._make(segments[:-1])
        return f"{self._folder}/{path}"

    def _make(self, folders: list[str]) -> None:
        """Make the folders of a file, one by one, so that none of them is a link that leads elsewhere."""
        key = "/".join(folders)
        with self._lock:
            if key in self._made:
                return
            self.root.mkdir(parents=True, exist_ok=True)
            folder = self.root
            for name in folders:
                folder = folder / name
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()
                if not stat.S_ISDIR(folder.lstat().st_mode):
                    raise UnfitFiles.saying(
                        f"target: {str(folder)!r} is a link or a file where a folder has to be; remove it, or choose "
                        "another target."
                    )
            discard_abandoned(folder)
            self._made.add(key)

    @contextlib.contextmanager
    def written(self, place: str) -> Iterator[BinaryIO]:
        """Give a file to write, which gets its name when the block ends well, and is gone when it does not."""
        temporary, descriptor = begin_file(os.path.dirname(place))
        try:
            with open(descriptor, "rb+", buffering=0) as file:
                yield file
                self.name(temporary, place)
        except BaseException:
            with contextlib.suppress(OSError):  # what went wrong is told; the next download deletes what is left
                os.unlink(temporary)
            raise

    def name(self, temporary: str, place: str) -> None:
        """Give a complete file its name."""
        try:
            os.replace(temporary, place)
        except IsADirectoryError:
            raise UnfitFiles.saying(
                f"target: {place!r} is a folder where a file has to be; remove it, or choose another target."
            ) from None


def is_same(place: str, size_bytes: int, sha256: bytes) -> bool:
    """Whether a file is there already, with these very bytes."""
    try:
        state = os.lstat(place)
        if not stat.S_ISREG(state.st_mode) or state.st_size != size_bytes or not sha256:
            return False
        return sha256_of_path(Path(place)) == sha256
    except OSError:  # not there, or not to be read: either way it is written anew
        return False
