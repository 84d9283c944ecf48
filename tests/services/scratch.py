"""Where tests keep what they write: in memory where there is enough of it, since nobody needs it after the run.

A database waits for the disk at every table it makes and every commit; in memory making a schema on MariaDB takes a
fifth of the time. Whoever sets TMPDIR, or gives pytest --basetemp, has it there. Durability is not what is tested by
writing to a disk: processes are killed, and what they wrote is in the kernel's hands in either place.
"""

import os
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 12 << 30
"""A run writes some 5 GiB; the rest is for its processes."""


def use_memory() -> None:
    """Make temporary files of this process, and of those it starts, in memory, where nothing says otherwise."""
    if "TMPDIR" not in os.environ and _has_room():
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None


def _has_room() -> bool:
    try:
        state, meminfo = os.statvfs(_MEMORY), Path("/proc/meminfo").read_text()
    except OSError:
        return False
    available = next((line.split()[1] for line in meminfo.splitlines() if line.startswith("MemAvailable")), "0")
    return min(state.f_bavail * state.f_frsize, int(available) << 10) >= _ENOUGH_BYTES and os.access(_MEMORY, os.W_OK)
