"""Files that a download has not completed, beside those that they will be.

Whoever writes one holds a lock on it, which ends with the process. So what a dead process left can be told from what a
living one writes, on this machine or on another that shares the folder; the next download into the folder deletes it.
"""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

_BEGINNING = ".mlmd-"
_RANDOM_BYTES = 8
_NAME_LENGTH = len(_BEGINNING) + 2 * _RANDOM_BYTES


def begin_file(folder: str | Path) -> tuple[str, int]:
    """Make an empty file and return its path and its descriptor, which has to be open until the file is renamed."""
    while True:
        path = f"{folder}/{_BEGINNING}{secrets.token_hex(_RANDOM_BYTES)}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        if _is_ours(descriptor):
            return path, descriptor
        os.close(descriptor)


def _is_ours(descriptor: int) -> bool:
    """Lock a new file; False when somebody took it for a dead process's in the moment before."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: nobody else can lock it either, and it stays
        return True
    return os.fstat(descriptor).st_nlink > 0


def is_unfinished(name: str) -> bool:
    """Whether a file's name is one that only files in the making have."""
    return name.startswith(_BEGINNING) and len(name) == _NAME_LENGTH


def discard_abandoned(folder: Path) -> None:
    """Delete the files of a folder that nobody writes any more; what cannot be deleted is left."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_unfinished(entry.name):
                _discard(entry.path)


def _discard(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # deleted meanwhile, or somebody else's
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except OSError:  # somebody writes it, or it may not be deleted
        return
    finally:
        os.close(descriptor)
