"""Locks of uploads in a folder: whoever names files of one shares its lock, whoever ends one waits for all of those.

`flock` on a file for each upload, which the kernel lets go of when a process dies. It counts between the threads and
processes of one machine, on NFS between machines too. Where a file system has no locks, nothing is held.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlmd_schemas.errors import Aborted

WAIT_SECONDS = 20.0
"""How long another may hold what one waits for."""
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.0005, 0.05
_TAKEN = (errno.EAGAIN, errno.EACCES)
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What file systems answer that have none."""


class Locks:
    """The locks of one folder; safe to use from many threads and processes."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of their files; it is made when it is needed."""
        self._folder = str(folder)

    @contextmanager
    def held(self, name: str, *, alone: bool = False) -> Iterator[None]:
        """Hold a lock within the block, with others or alone; raises Aborted when it is not to be had, OSError."""
        descriptor = self._locked(name, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        try:
            yield
        finally:
            _let_go(descriptor)

    def settle(self, name: str) -> None:
        """Wait until nobody holds a lock who holds it now; raises Aborted, OSError.

        Nothing is written: where there is no file, nobody holds it.
        """
        try:
            descriptor = os.open(self._path(name), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            self._take(name, descriptor, fcntl.LOCK_EX)
        finally:
            _let_go(descriptor)

    def drop(self, name: str) -> None:
        """Delete the file of a lock that nobody holds; who waits for it notices, and takes the next one."""
        with suppress(OSError):
            descriptor = os.open(self._path(name), os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_there(name, descriptor):
                    os.unlink(self._path(name))
            finally:
                _let_go(descriptor)

    def older(self, before_ms: float) -> list[str]:
        """Return the names of locks that were made before a time."""
        found: list[str] = []
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime * 1000 < before_ms:
                        found.append(entry.name)
        return found

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"

    def _locked(self, name: str, kind: int) -> int:
        while True:
            descriptor, is_ours = self._opened(name), False
            try:
                self._take(name, descriptor, kind)
                is_ours = self._is_there(name, descriptor)
            finally:
                if not is_ours:  # it was deleted before it was, say
                    _let_go(descriptor)
            if is_ours:
                return descriptor

    def _opened(self, name: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC  # NFS locks alone what is open for writing
        try:
            return os.open(self._path(name), flags, 0o666)
        except FileNotFoundError:
            os.makedirs(self._folder, exist_ok=True)
            return os.open(self._path(name), flags, 0o666)

    def _is_there(self, name: str, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.stat(self._path(name)), os.fstat(descriptor))
        except FileNotFoundError:
            return False

    def _take(self, name: str, descriptor: int, kind: int) -> None:
        until, pause = time.monotonic() + WAIT_SECONDS, _SHORTEST_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno in _WITHOUT_LOCKS:
                    return
                if error.errno not in _TAKEN:
                    raise
            if time.monotonic() > until:
                raise Aborted(
                    f"A process that writes files of this upload has not gone on for {WAIT_SECONDS:g} seconds. Try "
                    f"again; if one was stopped, let it go on or end it (fuser {self._path(name)} names it)."
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_SECONDS)


def _let_go(descriptor: int) -> None:
    """Unlock before closing: a child that was forked meanwhile has the same lock, and never lets it go."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
