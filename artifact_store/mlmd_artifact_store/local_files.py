"""Files of a local store: written under a temporary name, synced, renamed."""

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from mlmd_schemas.counting import counted
from mlmd_schemas.errors import (
    InvalidArgument,
)

from mlmd_artifact_store.blob_store import CHUNK_BYTES, Digests, Guard, HandedFile, md5_hash
from mlmd_artifact_store.local_copies import copied
from mlmd_artifact_store.local_errors import explained
from mlmd_artifact_store.local_syncs import ALONE, Batch, JointSync

_NAMING_ATTEMPTS = 20
_BUFFER_BYTES = 8192
_NO_TIMES = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What is answered where times are not a writer's to set: shares whose files are all another user's."""


def write_file(
    target: Path,
    scratch: Path,
    fill: Callable[[BinaryIO], None],
    note: Callable[[os.stat_result], object] | None = None,
    batch: Batch = ALONE,
    guard: Guard = nullcontext,
) -> os.stat_result:
    """Let `fill` write a file, sync it and give it its name; nothing is left when that fails.

    `note` is called just before the file has its name: whoever finds it finds what was noted of it too. `batch` are the
    files that it is synced with; `guard` holds until its name is on the disk.
    """
    temporary = f"{scratch}/{secrets.token_hex(12)}"
    try:
        with open(_created(temporary, os.O_WRONLY), "wb", _BUFFER_BYTES) as file:
            fill(file)
            file.flush()
            _stamp(file.fileno())
            state = os.fstat(file.fileno())
            batch.sync_files([file.fileno()])
        _give_name(temporary, target, state, note, batch, guard)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong is told; `tidy` deletes what is left in a day
            os.unlink(temporary)
        raise
    return state


def _created(temporary: str, access: int) -> int:
    """Make a file that is not there, and the folder that it is in when that is not; return its descriptor."""
    flags = access | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(temporary, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(temporary), exist_ok=True)
        return os.open(temporary, flags, 0o666)


def bring_in(
    root: Path, scratch: Path, files: Sequence[tuple[str, HandedFile]], syncs: JointSync, guard: Guard
) -> list[tuple[os.stat_result, Digests]]:
    """Copy files of this machine, sync them all, and then give each its name; what has none by then is gone.

    Keys are checked already. Raises what the disk says, as ours, and what the files say.

    The disk writes many of them at once that way.
    """
    with explained("", root), syncs.batch(len(files)) as batch:
        return _brought_in(root, scratch, files, batch, guard)


def _brought_in(
    root: Path, scratch: Path, files: Sequence[tuple[str, HandedFile]], batch: Batch, guard: Guard
) -> list[tuple[os.stat_result, Digests]]:
    arriving: list[_Arriving] = []
    try:
        for key, file in files:
            with explained(key, root):
                arriving.append(_Arriving(f"{root}/{key}", f"{scratch}/{secrets.token_hex(12)}"))
                arriving[-1].fill(file)
        with explained("", root):
            batch.sync_files([one.descriptor for one in arriving])
        with guard():
            folders: dict[str, None] = {}
            for one, (key, _) in zip(arriving, files, strict=True):
                with explained(key, root):
                    folders |= dict.fromkeys(one.name())
            with explained("", root):
                batch.sync_folders(folders)
        return [(one.state, one.digests) for one in arriving]
    finally:
        for one in arriving:
            one.close()


class _Arriving:
    """A file in the making."""

    def __init__(self, target: str, temporary: str) -> None:
        self._target = target
        self.digests = Digests(b"", b"")
        self._temporary = temporary
        self._named = False
        self.descriptor = _created(temporary, os.O_RDWR)

    def fill(self, file: HandedFile) -> None:
        """Copy the file."""
        with file.opened() as source:
            self.digests = copied(source, self.descriptor, file.size_bytes, file.moved, file.start)
        _stamp(self.descriptor)
        self.state = os.fstat(self.descriptor)

    def name(self) -> list[str]:
        """Give it its name; return the folders that got a new entry by it."""
        folders = _name(self._temporary, self._target)
        self._named = True
        return folders

    def close(self) -> None:
        """Close it, and throw it away when it has no name."""
        os.close(self.descriptor)
        if not self._named:
            with contextlib.suppress(OSError):  # as in `write_file`
                os.unlink(self._temporary)


def name_file(
    temporary: Path,
    target: Path,
    note: Callable[[os.stat_result], object] | None = None,
    guard: Guard = nullcontext,
) -> os.stat_result:
    """Give a file that is on the disk its name, and see that the name is there too; return the file's state.

    That is looked up before: a moment later the name may be another writer's file already.
    """
    state = temporary.stat()
    _give_name(str(temporary), target, state, note, ALONE, guard)
    return state


def _give_name(
    temporary: str,
    target: Path,
    state: os.stat_result,
    note: Callable[[os.stat_result], object] | None,
    batch: Batch,
    guard: Guard,
) -> None:
    with guard():
        if note is not None:
            note(state)
        batch.sync_folders(_name(temporary, str(target)))


def _stamp(descriptor: int) -> None:
    """Give a file a time to the nanosecond.

    The kernel's own moves in ticks of milliseconds: two files that replaced each other within one, the second in the
    inode that the first gave back, could not be told apart by size, time and inode.
    """
    now = time.time_ns()
    try:
        os.utime(descriptor, ns=(now, now))
    except OSError as error:
        if error.errno not in _NO_TIMES:
            raise


def _name(temporary: str, target: str) -> list[str]:
    """Rename a file; return the folders that got a new entry by it."""
    folder = os.path.dirname(target)
    try:
        os.replace(temporary, target)
    except (FileNotFoundError, NotADirectoryError):  # its folder is not there yet, or cannot be
        return [folder, *_name_anew(temporary, target, folder)]
    return [folder]


def _name_anew(temporary: str, target: str, folder: str) -> list[str]:
    for left in range(_NAMING_ATTEMPTS, -1, -1):
        made = make_folders(Path(folder))
        try:
            os.replace(temporary, target)
            return list(map(str, made))
        except FileNotFoundError:  # somebody deleted the folder, empty as it was, between the two
            if not left:
                raise
    raise AssertionError("unreachable")


def make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; return the folders that got a new entry."""
    changed: list[Path] = []
    if folder.is_dir():
        return changed
    for parent in (folder, *folder.parents):
        if parent.is_dir():
            break
        changed.append(parent.parent)
    folder.mkdir(parents=True, exist_ok=True)
    return changed


class CheckedCopy:
    """What fills a file with exactly so many bytes of a source, and holds them against the MD5 that was declared."""

    def __init__(self, source: BinaryIO, size_bytes: int, declared: bytes | None) -> None:
        self._source, self._size_bytes, self._declared = source, size_bytes, declared
        self.md5 = b""
        """That of the bytes that came, once they did."""

    def __call__(self, target: BinaryIO) -> None:
        """Copy; raises InvalidArgument when there are fewer bytes or more, or other ones."""
        digest, left = md5_hash(), self._size_bytes
        while chunk := self._source.read(min(CHUNK_BYTES, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise InvalidArgument(f"size_bytes: more bytes came than the {self._size_bytes} declared.")
            digest.update(chunk)
            target.write(chunk)
        if left:
            came = counted(self._size_bytes - left, "byte")
            raise InvalidArgument(f"size_bytes: {came} came of the {self._size_bytes} declared.")
        self.md5 = digest.digest()
        check_md5(self.md5, self._declared)


def check_md5(found: bytes, declared: bytes | None) -> None:
    """Raise InvalidArgument when an MD5 was declared and is another."""
    if declared is not None and found != declared:
        raise InvalidArgument(
            f"md5: the bytes that came have the MD5 {found.hex()}, and {declared.hex()} was declared; the file changed "
            "or was damaged on its way, send it again."
        )
