"""Many files of a folder brought to the disk at once, for all who wait for it.

An fsync of each file lets the disk empty its cache for each. `syncfs` does it once for everything that a file system
has not written yet, and since Linux 5.8 tells when something could not be written. It waits for what other programs
wrote too, so it is used only where several of our files wait and little else does.
"""

import ctypes
import errno
import os
import platform
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

FEWEST_FILES = 4
"""How many files have to be under way: with fewer, an fsync for each costs no more."""
_MOST_WAITING_KIB = 64 << 10
_LOOK_SECONDS = 0.1
_FIRST_TO_TELL = (5, 8)
_FILE_SYSTEMS = frozenset((0xEF53, 0x58465342, 0x9123683E, 0xF2F52010, 0x01021994, 0x794C7630))
"""ext2 to ext4, XFS, btrfs, F2FS, tmpfs, overlays of them: where `syncfs` does what fsync does."""
_NO_SYNC_OF_FOLDERS = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
_WAITING = re.compile(r"^(?:Dirty|Writeback): +(\d+) kB$", re.MULTILINE)


class JointSync:
    """Syncs of one folder's files; safe to use from many threads."""

    def __init__(self, root: Path) -> None:
        """Take the folder; it is made when a batch begins and it is not there."""
        self._root = root
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._turn = threading.Condition()
        self._descriptor = -1
        self._joint = False
        self._batches = self._files = 0
        self._begun = self._ended = self._failures = 0
        self._errno = errno.EIO
        self._looked, self._is_crowded = float("-inf"), False

    @contextmanager
    def batch(self, files: int) -> Iterator["Batch"]:
        """Begin a batch of so many files, before the first of them is written; raises OSError."""
        if self._pid != os.getpid():  # threads of the parent may have been in the middle of it
            self._start()
        with self._turn:
            if not self._batches:  # from here on the system remembers for us what it could not write
                self._descriptor = _opened(self._root)
                self._joint = _is_trusted(self._descriptor)
            self._batches += 1
            self._files += files
            failures = self._failures
        try:
            yield Batch(self, failures)
        finally:
            with self._turn:
                self._batches -= 1
                self._files -= files
                if not self._batches:
                    os.close(self._descriptor)

    def is_worth_it(self) -> bool:
        """Whether one sync for all is cheaper now than an fsync for each file."""
        return self._joint and self._files >= FEWEST_FILES and not self._has_company()

    def _has_company(self) -> bool:
        """Whether other programs have written much that waits for the disk, or had a moment ago.

        Asking the kernel takes longer than writing a small file.
        """
        now = time.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked, self._is_crowded = now, _waiting_kib() > _MOST_WAITING_KIB
        return self._is_crowded

    def sync(self, failures: int) -> None:
        """Wait for a sync that begins from now on; raises OSError when one failed since there were `failures`."""
        with self._turn:
            wanted = self._begun + 1
            while self._ended < wanted and self._begun > self._ended:
                self._turn.wait()
            is_mine = self._ended < wanted
            self._begun += is_mine
        if is_mine:
            self._sync()
        if self._failures != failures:
            raise OSError(self._errno, os.strerror(self._errno))

    def _sync(self) -> None:
        failed = True
        try:
            _syncfs(self._descriptor)
            # Without a journal, ext4 empties the disk's cache before the last of its own blocks are written.
            os.fsync(self._descriptor)
            failed = False
        except OSError as error:  # told to everybody whose files it may have been
            self._errno = error.errno or errno.EIO
        finally:
            with self._turn:
                self._failures += failed
                self._ended = self._begun
                self._turn.notify_all()


class Batch:
    """Files that are written together. A failure to write any file meanwhile counts as one of theirs."""

    def __init__(self, syncs: JointSync | None, failures: int) -> None:
        """Take what syncs the files, None for each by itself, and how many writes had failed when the batch began."""
        self._syncs = syncs
        self._failures = failures

    def sync_files(self, descriptors: Sequence[int]) -> None:
        """See that written files are on the disk; raises OSError."""
        if self._syncs is not None and self._syncs.is_worth_it():
            self._syncs.sync(self._failures)
            return
        for descriptor in descriptors:
            os.fsync(descriptor)

    def sync_folders(self, folders: Iterable[str | Path]) -> None:
        """See that what folders contain is on the disk; raises OSError."""
        if self._syncs is not None and self._syncs.is_worth_it():
            self._syncs.sync(self._failures)
            return
        for folder in folders:
            sync_folder(folder)


def _opened(root: Path) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(root, flags)
    except FileNotFoundError:
        os.makedirs(root, exist_ok=True)
        return os.open(root, flags)


ALONE = Batch(None, 0)
"""A batch whose files are synced one by one."""


def sync_folder(folder: str | Path) -> None:
    """See that a folder's entries are on the disk; where folders cannot be synced (SMB) they are when they are made."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC_OF_FOLDERS:
            raise
    finally:
        os.close(descriptor)


def _waiting_kib() -> int:
    """Return how much all programs have written that is not on the disk yet."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return sum(int(amount) for amount in _WAITING.findall(file.read()))


@cache
def _library() -> ctypes.CDLL | None:
    """Return the C library where its `syncfs` can be relied upon."""
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    if platform.system() != "Linux" or release is None or (int(release[1]), int(release[2])) < _FIRST_TO_TELL:
        return None
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None, use_errno=True)
        _ = library.syncfs, library.fstatfs
        return library
    return None


def _is_trusted(descriptor: int) -> bool:
    """Whether the file system is one whose `syncfs` does what fsync does."""
    library = _library()
    if library is None or not os.access("/proc/meminfo", os.R_OK):
        return False
    facts = (ctypes.c_ulong * 64)()  # the kind comes first; 120 bytes are the most that Linux tells
    return library.fstatfs(descriptor, facts) == 0 and facts[0] & 0xFFFFFFFF in _FILE_SYSTEMS


def _syncfs(descriptor: int) -> None:
    library = _library()
    if library is None or library.syncfs(descriptor):
        raise OSError(ctypes.get_errno(), "syncfs")
