"""Our programs as processes that need not import everything again: forked by one that has it all loaded.

A program that is forked is a process like any other, but had no start of the interpreter and of its libraries. It is
forked only where that makes no difference: it has no workers, which are told to the libraries before these are loaded;
it inherits from the test process what the fork server did; and its environment is another one only in variables that
are looked at later. Whoever tests how a process starts and ends, or how much memory it takes, starts it afresh.
Each test process has one fork server, which ends with it, and all that was forked too.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.services import fork_server
from tests.services.fork_server import NUMBER

ENTRIES = {str(Path(sys.executable).parent / "mlmd-server"): "mlmd_server.cli:main"}
"""What the programs call that can be forked."""
_LOOKED_AT_LATER = ("MLMD_", "AWS_", "PYTEST_", "PYTHONFAULTHANDLER")
"""How the variables begin that nothing looks at while it is loaded; of faulthandler's the fork server takes care."""
_INHERITED = ("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "Cap", "NoNewPrivs", "Seccomp", "Cpus_allowed")
"""How the lines of /proc/PID/status begin that tell what a process hands on to its children."""


class Forked:
    """A forked program: what tests use of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], pid: int, status: int) -> None:
        """Take the descriptor on which its exit status will be told."""
        self.args, self.pid = list(arguments), pid
        self.returncode: int | None = None
        self._status = status
        self._turn = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs; minus the number of the signal that killed it."""
        return self._await(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status; raises subprocess.TimeoutExpired after `timeout` seconds."""
        status = self._await(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def _await(self, seconds: float | None) -> int | None:
        if self.returncode is None and self._told_within(seconds):
            with self._turn:
                if self.returncode is None:
                    self.returncode = self._take()
        return self.returncode

    def _told_within(self, seconds: float | None) -> bool:
        watched = select.poll()
        watched.register(self._status, select.POLLIN)
        return bool(watched.poll(None if seconds is None else seconds * 1000))

    def _take(self) -> int:
        told = os.read(self._status, NUMBER.size)
        if len(told) < NUMBER.size:
            raise RuntimeError(f"the fork server ended before {self.args[0]} (process {self.pid}) did")
        os.close(self._status)
        (status,) = NUMBER.unpack(told)
        return int(status)

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class _Client:
    def __init__(self) -> None:
        self._turn = threading.Lock()
        self.beginning = _beginning(os.environ)
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, fork_server.__file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # which is no terminal, as the programs' files are none
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._server.returncode = 0  # it ends with this process

    def fork(self, request: Mapping[str, object], streams: Sequence[int]) -> tuple[int, int]:
        """Return the new process, and the descriptor on which its exit status will be told."""
        status, theirs = os.pipe()
        try:
            with self._turn:
                socket.send_fds(self._requests, [json.dumps(request).encode()], [*streams, theirs])
        finally:
            os.close(theirs)
        told = os.read(status, NUMBER.size)
        if len(told) < NUMBER.size:
            raise RuntimeError("the fork server ended: what it said is on standard error")
        return NUMBER.unpack(told)[0], status


_CLIENTS: list[_Client] = []
_STARTING = threading.Lock()


def start_forked(
    arguments: Sequence[str], out: IO[bytes], err: IO[bytes], folder: Path, environment: Mapping[str, str]
) -> Forked | None:
    """Fork a program of ours in a session of its own; None where it has to be started afresh."""
    entry = ENTRIES.get(arguments[0])
    if entry is None or _has_workers(arguments, folder, environment):
        return None
    with _STARTING:
        if not _CLIENTS:
            _CLIENTS.append(_Client())
    (client,) = _CLIENTS
    if _beginning(environment) != client.beginning:
        return None
    request = {"entry": entry, "arguments": arguments, "folder": str(folder), "environment": dict(environment)}
    pid, status = client.fork(request, [out.fileno(), err.fileno()])
    return Forked(arguments, pid, status)


def _has_workers(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> bool:
    if "MLMD_WORKERS" in environment or any(argument.startswith("--workers") for argument in arguments):
        return True
    following = zip(arguments, [*arguments[1:], ""], strict=True)
    named = [value if option == "--config" else option.partition("--config=")[2] for option, value in following]
    files = [folder / name for name in named if name]
    return any("workers" in file.read_text(errors="replace") for file in files if file.is_file())


def _beginning(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str], str]:
    """Return what the interpreter and the libraries of a child of this thread may look at as they are loaded."""
    variables = {name: told for name, told in environment.items() if not name.startswith(_LOOKED_AT_LATER)}
    status = Path("/proc/thread-self/status").read_text().splitlines()
    return variables, [line for line in status if line.startswith(_INHERITED)], Path("/proc/self/limits").read_text()
