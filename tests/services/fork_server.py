"""A process that has our modules loaded and forks for each program that `tests.services.forked` asks it for.

A program begins with a session, a working folder, an environment and standard streams of its own, and ends as Python
ends. Run as `python tests/services/fork_server.py SOCKET`, the number of an open descriptor; ends when the other end of
it is closed, and all that it forked ends with it, however it ends.
"""

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import sys
from typing import Any

PRELOADED = (
    *("mlmd_server.cli", "mlmd_server.care", "mlmd_server.serve", "mlmd_server.lifecycle", "mlmd_server.wiring"),
    *("mlmd_api.grpc.server", "mlmd_api.rest.server", "mlmd_api.graphql.engine", "mlmd_api.graphql.endpoint"),
    *("sqlalchemy.dialects.sqlite", "uvicorn.protocols.http.httptools_impl", "uvicorn.lifespan.on"),
)
NUMBER = struct.Struct("i")
"""How the number of a process, and then its exit status, is written to the descriptor that came with a request."""
LONGEST_REQUEST = 1 << 17
DESCRIPTORS = 3
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


class ForkServer:
    """The loop: a request, a process; the end of a process, its status."""

    def __init__(self, requests: socket.socket) -> None:
        """Hear of the ends of processes from here on."""
        self._requests = requests
        self._statuses: dict[int, int] = {}
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> dict[str, Any]:
        """Fork for each request. Returns it, in the process that is forked alone; this one ends with its client."""
        while True:
            ready, _, _ = select.select([self._requests.fileno(), self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 1 << 16)
                self._tell_statuses()
            if self._requests.fileno() in ready:
                message, descriptors, _, _ = socket.recv_fds(self._requests, LONGEST_REQUEST, DESCRIPTORS)
                if not message:
                    sys.exit(0)
                if self._fork(descriptors):
                    request: dict[str, Any] = json.loads(message)
                    return request

    def _fork(self, descriptors: list[int]) -> bool:
        """Whether this is the new process."""
        *streams, status = descriptors
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_program(streams, status, parent)
            return True
        self._statuses[pid] = status
        for stream in streams:
            os.close(stream)
        return False

    def _become_program(self, streams: list[int], status: int, parent: int) -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.setsid()
        os.write(status, NUMBER.pack(os.getpid()))  # only now, so that whoever knows it can signal its group
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._requests.close()
        for descriptor in (self._woken, self._wake, status, *self._statuses.values()):
            os.close(descriptor)
        for number, stream in enumerate(streams, 1):
            os.dup2(stream, number)
            os.close(stream)

    def _tell_statuses(self) -> None:
        while self._statuses:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            told = self._statuses.pop(pid)
            os.write(told, NUMBER.pack(os.waitstatus_to_exitcode(status)))
            os.close(told)


def run_program(request: dict[str, Any]) -> object:
    """Call what a console script calls, as it does."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if os.environ.get("PYTHONFAULTHANDLER"):
        faulthandler.enable()
    sys.argv[:] = request["arguments"]
    ctypes.CDLL(None).prctl(_PR_SET_NAME, os.path.basename(sys.argv[0]).encode())
    return pkgutil.resolve_name(request["entry"])()


def open_descriptors() -> set[str]:
    """Return what this process has open."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found.add(f"{name}: {os.readlink(f'/proc/self/fd/{name}')}")
    return found


def refuse_if_begun(before: set[str]) -> None:
    """Raise RuntimeError if loading began more than it loaded: threads, as gRPC core's, or files shared by a fork."""
    if (threads := len(os.listdir("/proc/self/task"))) != 1:
        raise RuntimeError(f"a process of {threads} threads cannot be forked")
    if opened := open_descriptors() - before:
        raise RuntimeError(f"what is loaded has these open, and all that is forked would share them: {opened}")


def main(requests: socket.socket) -> object:
    """Load the modules and serve; returns what a program returned, in its process."""
    sys.path[0] = os.path.dirname(sys.executable)  # as a console script has it, instead of this file's folder
    before = open_descriptors()
    for module in PRELOADED:
        importlib.import_module(module)
    refuse_if_begun(before)
    gc.collect()
    gc.freeze()  # what is loaded stays, and is looked at by nobody, so that it is not copied
    return run_program(ForkServer(requests).run())


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1]))))  # type: ignore[arg-type]
