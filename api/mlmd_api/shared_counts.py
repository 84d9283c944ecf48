"""The files in which the workers of a server count, one of each kind for a process.

prometheus_client makes them as holes and maps them into memory: on a disk or tmpfs that is full by the time a count
falls into a hole, the system ends the process (SIGBUS). So they are there, with their blocks, before the first count.
"""

import contextlib
import errno
import fcntl
import logging
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from mlmd_schemas.errors import Unavailable

_LOG = logging.getLogger("mlmd.server")
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SIZES = {"counter": 1 << 20, "gauge_livesum": 1 << 16, "gauge_livemin": 1 << 16, "histogram": 4 << 20}
"""Bytes by kind: each pair of a method and a wire has some 4 KB in the histogram, and there are some 1,000 of them."""
_USED = struct.Struct("i")
"""How a file begins: with the number of its bytes that are used."""
_HEAD_BYTES = 8
_FULL = (errno.ENOSPC, errno.EDQUOT)


def make_room(folder: Path) -> None:
    """Make the files of this process; raises Unavailable where there is no room for them."""
    unnamed = folder / f"{os.getpid()}.new"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)  # somebody may clean up where it is
        for kind, size_bytes in SIZES.items():
            unnamed.write_bytes(bytes(size_bytes))
            unnamed.replace(folder / f"{kind}_{os.getpid()}.db")  # at once, since who sums up reads them meanwhile
    except OSError as error:
        with contextlib.suppress(OSError):
            unnamed.unlink()
        mend = "make room there" if error.errno in _FULL else "make it writable"
        raise Unavailable(
            f"metrics: {str(folder)!r}, where the workers count, cannot be written ({error.strerror}); {mend}, or set "
            "TMPDIR to another place."
        ) from error


@contextlib.contextmanager
def summing(folder: Path, how: int = fcntl.LOCK_SH) -> Iterator[None]:
    """Keep the files from being summed up by others, who see each count once; raises BlockingIOError with LOCK_NB."""
    lock = os.open(folder / "sums.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def add_to_gone(folder: Path, pid: int) -> bool:
    """Add what a process that ended counted to what those before it did, and take its files away.

    However many processes end, what they counted takes two files, and none of it is lost when the system gives their
    number to another one. False when that cannot be done now, as while somebody sums up; the files count as they are.
    """
    try:
        with summing(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):  # whoever sums up may have been stopped (SIGSTOP)
            for kind in ("counter", "histogram"):
                _add(folder / f"{kind}_gone.db", folder / f"{kind}_{pid}.db")
    except FileNotFoundError:  # somebody cleaned up where they were
        return True
    except OSError:
        return False
    return True


def _add(gone: Path, ended: Path) -> None:
    """Write the sum with plain writes: one into mapped memory ends the process where there is no room (SIGBUS)."""
    sums: dict[str, float] = {}
    for file in (gone, ended):
        for key, value in _counts(file):
            sums[key] = sums.get(key, 0.0) + value
    entries = b"".join(_entry(key.encode(), value) for key, value in sums.items())
    unnamed = gone.with_suffix(".new")
    try:
        unnamed.write_bytes(_USED.pack(_HEAD_BYTES + len(entries)) + bytes(_HEAD_BYTES - _USED.size) + entries)
        unnamed.replace(gone)
    except OSError:
        unnamed.unlink(missing_ok=True)
        raise
    ended.unlink(missing_ok=True)


def _counts(file: Path) -> list[tuple[str, float]]:
    from prometheus_client.mmap_dict import MmapedDict  # not before the folder is in the environment

    try:
        return [(key, value) for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file))]
    except FileNotFoundError:
        return []
    except (RuntimeError, ValueError, struct.error):
        _LOG.exception("what was counted in %s cannot be read, and is lost", file.name)
        return []


def _entry(key: bytes, value: float) -> bytes:
    padded = key + b" " * (8 - (len(key) + _USED.size) % 8)
    return struct.pack(f"i{len(padded)}sdd", len(key), padded, value, 0.0)
