"""What a test run started ends with it, though the run was killed.

Every process of a run has the run's mark in the environment that it began with. A process beside the run waits for the
end of the run, however that comes, and ends whoever has the mark. Run as `python -m tests.services.leftovers RUN MARK`.
"""

import contextlib
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

MARKS = "TEST_RUNS_OF_MLMD"
"""The variable with the marks of the run, and of the run that a test of which started it, a comma behind each."""
REPOSITORY = Path(__file__).resolve().parents[2]


def end_with_this_run() -> None:
    """Mark this process's children, and have them ended when it has ended itself."""
    mark = secrets.token_hex(8)
    outside = dict(os.environ)
    os.environ[MARKS] = f"{outside.pop(MARKS, '')}{mark},"
    subprocess.Popen(
        [sys.executable, "-m", "tests.services.leftovers", str(os.getpid()), mark],
        cwd=REPOSITORY,
        env=outside,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ).returncode = 0  # it outlives this process on purpose


def await_end(pid: int) -> None:
    """Wait until a process has ended."""
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        select.select([process], [], [])
        os.close(process)


def marked(mark: str) -> list[int]:
    """Return the processes that began with this mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # ended, or somebody else's
            if _is_marked(path.read_bytes(), mark):
                found.append(int(path.parent.name))
    return found


def _is_marked(environment: bytes, mark: str) -> bool:
    marks = next((one for one in environment.split(b"\0") if one.startswith(f"{MARKS}=".encode())), b"")
    return f"{mark},".encode() in marks


def end(mark: str) -> None:
    """End the processes with this mark at once, and those that they fork meanwhile."""
    while pids := marked(mark):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


if __name__ == "__main__":
    await_end(int(sys.argv[1]))
    end(sys.argv[2])
