"""One server for a whole test run, shared by all its workers.

The first test that asks starts a keeper process, which starts the server, says where it listens and discards it when
the run's own process is gone, however that ended. Run as `python -m tests.services.keeper KIND ANSWER OWNER MARKS`.
"""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.services.ceph import Ceph
from tests.services.leftovers import MARKS, REPOSITORY, await_end
from tests.services.mariadb import MariaDB
from tests.services.mysql import MySQL
from tests.services.sql_server import Address


class Kept(Protocol):
    """What a keeper keeps."""

    def start(self) -> None:
        """Start and wait until it answers."""

    def told(self) -> dict[str, object]:
        """Return where it listens."""

    def discard(self) -> None:
        """End it and delete its data."""


KINDS: dict[str, Callable[[Path], Kept]] = {"mariadb": MariaDB, "mysql9": MySQL, "ceph": Ceph}


def owner() -> int:
    """Return the process id of the run: the parent of an xdist worker, this process without workers."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def shared(kind: str, folder: Path) -> Address:
    """Return the run's SQL server of that kind; `folder` is common to the run's workers."""
    return Address(port=shared_details(kind, folder)["port"])


def shared_details(kind: str, folder: Path) -> dict[str, Any]:
    """Return where the run's server of that kind listens, started at the first call."""
    answer = folder / f"{kind}.json"
    with (folder / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.exists():
            _keep(kind, answer)
    told: dict[str, Any] = json.loads(answer.read_text())
    if "error" in told:
        raise RuntimeError(told["error"])
    return told


def _keep(kind: str, answer: Path) -> None:
    outside = dict(os.environ)
    marks = outside.pop(MARKS, "")  # the keeper ends after the run, and its server with the run
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.services.keeper", kind, str(answer), str(owner()), marks],
        cwd=REPOSITORY,
        env=outside,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal must not end the server under tests that still clean up
    )
    while not answer.exists():
        if keeper.poll() is not None:
            raise RuntimeError(f"the keeper of {kind} ended with exit code {keeper.returncode}")
        time.sleep(0.02)
    keeper.returncode = 0  # it outlives this process on purpose


def _tell(answer: Path, told: dict[str, object]) -> None:
    partial = answer.with_suffix(".partial")
    partial.write_text(json.dumps(told))
    partial.rename(answer)


def main(kind: str, answer: Path, run: int, marks: str) -> None:
    """Start the server, tell, wait for the end of the run, discard the server."""
    os.environ[MARKS] = marks
    server = KINDS[kind](Path(tempfile.mkdtemp(prefix=f"mlmd-{kind}-")))
    try:
        server.start()
    except Exception:
        server.discard()
        _tell(answer, {"error": traceback.format_exc()})
        raise
    try:
        _tell(answer, server.told())
        await_end(run)
    finally:
        server.discard()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
