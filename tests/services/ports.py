"""Free TCP ports on the loopback interface, for servers that are started a moment later.

A port is given to one test process of the machine at a time, by a lock on a file; and it is none of those from which
the kernel takes the ports of connections, so that nothing takes it between being found and being used.
"""

import fcntl
import os
import random
import socket
import tempfile
import threading
from collections import deque
from io import TextIOWrapper
from pathlib import Path

_FIRST = 15_000
_FEWEST = 1_000
_MOST_HELD = 200
"""Locks that are kept: by the time that a test process has asked for so many more, the server is there, or was."""
_HELD: deque[TextIOWrapper] = deque()
_TURN = threading.Lock()


def free_port() -> int:
    """Return a port that nobody listens on, and that no other test process is given meanwhile."""
    with _TURN:
        for port in random.sample(_candidates(), _FEWEST):
            lock = _locked(port)
            if lock is None:
                continue
            _HELD.append(lock)
            if len(_HELD) > _MOST_HELD:
                _HELD.popleft().close()
            return port
    raise RuntimeError(f"{_FEWEST} ports were tried, and all are taken")


def _candidates() -> range:
    """Return the ports below those that the kernel gives to connections, or above them where there are too few."""
    told = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    first, last = int(told[0]), int(told[1])
    below = range(_FIRST, first)
    return below if len(below) >= _FEWEST else range(last + 1, 65_536)


def _locked(port: int) -> TextIOWrapper | None:
    folder = Path(tempfile.gettempdir()) / f"mlmd-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    lock = (folder / str(port)).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:  # another test process has it, or somebody listens
        lock.close()
        return None
    return lock
