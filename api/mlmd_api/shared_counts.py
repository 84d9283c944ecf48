"""The files in which the workers of a server count, one of each kind for a process.

prometheus_client makes them as holes and maps them into memory: on a disk or tmpfs that is full by the time a count
falls into a hole, the system ends the process (SIGBUS). So they are there, with their blocks, before the first count.
"""

import contextlib
import errno
import os
import struct
from pathlib import Path

from mlmd_schemas.errors import Unavailable

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SIZES = {"counter": 1 << 20, "gauge_livesum": 1 << 16, "gauge_livemin": 1 << 16, "histogram": 4 << 20}
"""Bytes by kind: each pair of a method and a wire has some 4 KB in the histogram, and there are some 1,000 of them."""
_USED = struct.Struct("i")
"""How a file begins: with the number of its bytes that are used."""
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


def give_room_back(folder: Path, pid: int) -> None:
    """Cut the files of a process that ended to what it counted; its counts stay in the sum."""
    for file in folder.glob(f"*_{pid}.db"):
        with contextlib.suppress(OSError):  # somebody cleans up where they are
            with file.open("rb") as counts:
                used = _USED.unpack(counts.read(_USED.size))[0]
            os.truncate(file, max(used, _USED.size))
