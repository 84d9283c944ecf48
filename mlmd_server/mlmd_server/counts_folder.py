"""The folder that the workers count in: one for each server, in the place for temporary files, while the server lives.

Every process of a server has it open and locked, through the one opening that all of them inherit. So a lock that is
free tells that none of them lives, on any machine's namespace of processes, where a process id would tell nothing.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlmd_schemas.errors import Unavailable

_LOG = logging.getLogger("mlmd.serve")
_PREFIX = "mlmd-metrics-"
_MEMORY = "/dev/shm"  # in a container also where the root file system is read-only


@contextlib.contextmanager
def folder_of_counts() -> Iterator[Path]:
    """Make the folder, and take it away at the end, with those of servers that could not (SIGKILL).

    Raises Unavailable where no usual place can be written.
    """
    try:
        folder, lock = _made()
    except OSError as error:
        raise Unavailable(
            f"metrics: the workers have no place to count in ({error.strerror or error}); mount a volume on /tmp, or "
            "set TMPDIR to a folder that can be written and has room."
        ) from error
    try:
        take_away_left(folder.parent)
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)  # in the folder for such things; how the server ended counts more


def _made() -> tuple[Path, int]:
    """Make the folder and lock it; systemd-tmpfiles too passes over what is locked, however old it is."""
    while True:
        try:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        except FileNotFoundError:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_MEMORY))
        with contextlib.suppress(FileNotFoundError):  # a server that starts too took it before it was locked
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_SH)
            if folder.exists():
                return folder, lock
            os.close(lock)


def take_away_left(place: Path) -> None:
    """Take away the folders of this user's servers of which no process lives any more."""
    for folder in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, no folder, or gone by now
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                _take_away(folder, lock)
            finally:
                os.close(lock)


def _take_away(folder: Path, lock: int) -> None:
    """Take a folder away; raises OSError when a process lives that has it, or the place knows no locks."""
    if os.fstat(lock).st_uid != os.geteuid():
        return
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        _LOG.info("took away %s, which a server that was killed had left", folder)
