"""The folder that files are downloaded into, and never outside of it."""

import contextlib
import errno
import filecmp
import hashlib
import os
import stat
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from mlmd_schemas.errors import Code

from mlmd_client.hashing import sha256_of_path
from mlmd_client.packed_keys import PackedKeys
from mlmd_client.transfer_errors import TransferError, UnfitFiles
from mlmd_client.unfinished_files import begin_file, discard_abandoned

_NAMED = 3
_KEY_BYTES = 16
_MOST_FOLDERS = 10_000
_READ_TWICE = 64 * 1024
"""Files up to this size are read again rather than remembered: there may be very many."""
_MOST_REMEMBERED = 200_000
"""Larger ones that are remembered, 100 bytes each."""


@contextlib.contextmanager
def disk_explained(root: Path) -> Iterator[None]:
    """Turn an OSError of the block, which is one of this machine's disk, into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise TransferError(Code.RESOURCE_EXHAUSTED, f"The disk of {str(root)!r} is full; make room.") from error
        reason = error.strerror or type(error).__name__
        raise UnfitFiles.saying(f"target: {str(root)!r} cannot be written ({reason}).") from error


class DownloadTarget:
    """A folder; files get their names in it when they are complete and verified, and none loses its own to them.

    With `overwrite` they do. A folder is never replaced by a file.
    """

    def __init__(self, root: Path, *, overwrite: bool = False) -> None:
        self.root = Path(os.path.abspath(root))
        self.folder = str(self.root).rstrip("/")
        """What paths are put behind, with a slash."""
        self._overwrite = overwrite
        self._replaced = PackedKeys(_KEY_BYTES, ())
        self._same: set[bytes] = set()
        self._made: set[str] = set()
        self._ignores_case: bool | None = None
        self._paths: dict[str, str] = {}
        """Of a folder that ignores case, what files have been placed, by what it takes for their names."""
        self._lock = threading.Lock()

    def place(self, path: str) -> str:
        """Return where a file goes, its folders made; raises UnfitFiles when that is outside, or another file's."""
        segments = path.split("/")
        if any(segment in ("", ".", "..") or "\0" in segment or "\\" in segment for segment in segments):
            raise UnfitFiles.saying(f"path: {path[:80]!r} would be written outside of {str(self.root)!r}.")
        self._make(segments[:-1])
        if self._ignores_case:
            self._tell_apart(path)
        return f"{self.folder}/{path}"

    def _tell_apart(self, path: str) -> None:
        with self._lock:
            other = self._paths.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if other != path:
            raise UnfitFiles.saying(
                f"target: {str(self.root)!r} is on a file system that takes {other!r} and {path!r} for one; choose "
                "a target on one that tells upper and lower case apart, or fetch each into a folder of its own."
            )

    def _make(self, folders: list[str]) -> None:
        """Make the folders of a file, one by one, so that none of them is a link that leads elsewhere."""
        key = "/".join(folders)
        with self._lock:
            if key in self._made:
                return
            self.root.mkdir(parents=True, exist_ok=True)
            if self._ignores_case is None:
                self._ignores_case = ignores_case(self.root)
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
            if len(self._made) >= _MOST_FOLDERS:
                self._made.clear()  # paths come folder by folder: one that is made twice loses nothing
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

    def may_replace(self, paths: Iterable[str]) -> None:
        """Let the files at these paths, and at no others, be replaced, because their bytes are elsewhere too."""
        self._replaced = PackedKeys(_KEY_BYTES, map(_key, paths))

    def has(self, place: str, size_bytes: int, sha256: bytes) -> bool:
        """Whether a file is there already, with these very bytes; a large one is read once, of very many some twice."""
        seen = _seen(place) if size_bytes > _READ_TWICE else b""
        if seen in self._same:
            return True
        if not is_same(place, size_bytes, sha256):
            return False
        if seen and len(self._same) < _MOST_REMEMBERED:
            self._same.add(seen)
        return True

    def _may_go(self, place: str) -> bool:
        return _key(place.removeprefix(f"{self.folder}/")) in self._replaced

    def name(self, temporary: str, place: str) -> None:
        """Give a complete file its name; raises UnfitFiles when another one has it, that may not be replaced."""
        try:
            if not self._overwrite and os.path.lexists(place) and not self._may_go(place):
                # It came meanwhile, or nobody knew before what bytes it should have.
                if not _are_alike(temporary, place):
                    raise in_the_way(self.root, [place.removeprefix(f"{self.folder}/")], 1)
                os.unlink(temporary)
                return
            os.replace(temporary, place)
        except IsADirectoryError:
            raise is_a_folder(place) from None


def _key(text: str) -> bytes:
    """Return what stands for a text in a set of a million; no two have the same."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest()


def ignores_case(folder: Path) -> bool:
    """Whether a folder takes names that differ in upper and lower case for one, as those of macOS and Windows do."""
    path, descriptor = begin_file(folder)
    try:
        return os.path.lexists(folder / os.path.basename(path).upper())
    finally:
        os.close(descriptor)
        os.unlink(path)


def is_a_folder(place: str) -> UnfitFiles:
    """Return the error for a folder where a file has to be."""
    return UnfitFiles.saying(
        f"target: {place!r} is a folder where a file has to be; remove it, or choose another target."
    )


def in_the_way(root: Path, paths: Iterable[str], count: int, looked: str = "") -> UnfitFiles:
    """Return the error for so many files that would be lost, the first of them by their paths below the folder.

    `looked` is a clause that says where their bytes are not, if that was looked up.

    >>> print(in_the_way(Path("/srv/model"), ["a.bin"], 1, ", whose bytes no version of this name has").message)
    target: '/srv/model' has another 'a.bin', whose bytes no version of this name has, and it would be lost; move it \
away, choose another target, or say overwrite=True.
    """
    named = ", ".join(map(repr, islice(paths, _NAMED)))
    others = count - _NAMED
    more = f" and {others:,} more {'file' if others == 1 else 'files'}" if others > 0 else ""
    it, them = ("it", "it") if count == 1 else ("they", "them")
    return UnfitFiles.saying(
        f"target: {str(root)!r} has another {named}{more}{looked}, and {it} would be lost; move {them} away, choose "
        "another target, or say overwrite=True."
    )


def _are_alike(path: str, other: str) -> bool:
    state = os.lstat(other)
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError
    return stat.S_ISREG(state.st_mode) and filecmp.cmp(path, other, shallow=False)


def _seen(place: str) -> bytes:
    """Return what is another one when a file is, or changes; b"" when it is not there."""
    try:
        state = os.lstat(place)
    except OSError:
        return b""
    return _key(f"{state.st_ino} {state.st_size} {state.st_mtime_ns} {place}")


def is_same(place: str, size_bytes: int, sha256: bytes) -> bool:
    """Whether a file is there already, with these very bytes."""
    try:
        state = os.lstat(place)
        if not stat.S_ISREG(state.st_mode) or state.st_size != size_bytes or not sha256:
            return False
        return sha256_of_path(Path(place)) == sha256
    except OSError:  # not there, or not to be read: either way it is written anew
        return False
