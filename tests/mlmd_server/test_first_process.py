"""The server as the first process of a container, which is the parent of whatever others leave behind there."""

import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.mlmd_server.processes import put_types, said
from tests.services.missing import missing
from tests.services.server import PROGRAMS, Server
from tests.services.waiting import wait_for

_LEAVES_ORPHANS = "for n in $(seq {number}); do (sleep 0.1 & sleep 0.2 &); done"


def status_of(pid: int) -> dict[str, str]:
    """Return what the system tells of a process, by name; nothing once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def first_process(server: Server) -> int:
    """Wait for the process that is number 1 of its own namespace; return its number in this namespace."""
    assert server.process is not None
    unshare = server.process.pid

    def firsts() -> list[int]:
        return [child for child in children_of(unshare) if status_of(child).get("NSpid", "").split()[-1:] == ["1"]]

    return wait_for(firsts)[0]


@contextmanager
def contained(server: Server) -> Iterator[Server]:
    """Start a server as the first process of a namespace; skips where there is none to be had."""
    probe = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    if subprocess.run(probe, capture_output=True).returncode:
        missing("namespaces of processes are not allowed here")
    server.words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *server.command()]
    server.launch()
    try:
        yield server
    finally:
        server.kill()


def ended(server: Server, pid: int) -> int:
    """Send SIGTERM to the first process; return how it ended, as a container's runtime sees it."""
    assert server.process is not None
    os.kill(pid, signal.SIGTERM)
    return server.process.wait(60)


def left_behind(pid: int, number: int) -> None:
    """Have processes end in the namespace whose parents have ended before them."""
    shell = ["bash", "-c", _LEAVES_ORPHANS.format(number=number)]
    subprocess.run(["nsenter", "--target", str(pid), "--pid", *shell], check=True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_drains_on_sigterm_and_buries_the_dead(tmp_path: Path, sqlite_url: str, workers: str) -> None:
    with contained(Server(sqlite_url, tmp_path / "server", options=("--workers", workers))) as server:
        wait_for(lambda: said(server, "ready"))
        pid = first_process(server)
        serving = set(children_of(pid))
        left_behind(pid, 5)
        wait_for(lambda: set(children_of(pid)) == serving, says=lambda: [status_of(p) for p in children_of(pid)])
        assert put_types(server, 2)
        assert ended(server, pid) == 0
        assert "SIGTERM came" in server.output()
        assert "another one takes its place" not in server.output()


def listens(pipe: Path) -> int | None:
    """Return the end to write of a pipe that somebody waits to read; None while nobody does."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None


@pytest.mark.parametrize(
    "words",
    [("mlmd-server", "serve", "--config"), ("metadata_store_server", "--metadata_store_server_config_file")],
    ids=lambda words: words[0],
)
def test_sigterm_ends_it_before_it_serves(tmp_path: Path, sqlite_url: str, words: tuple[str, ...]) -> None:
    """The system gives the first process no default: without an ear for it a signal does nothing."""
    pipe = tmp_path / "config"
    os.mkfifo(pipe)
    server = Server(sqlite_url, tmp_path / "server")
    server.words = [str(PROGRAMS / words[0]), *words[1:-1], f"{words[-1]}={pipe}"]
    with contained(server):
        pid = first_process(server)
        end = wait_for(lambda: listens(pipe))  # its configuration is not there yet
        wait_for(lambda: status_of(pid)["State"].startswith("S"))  # it reads: a signal just before would wait too
        assert ended(server, pid) == 128 + signal.SIGTERM
        assert end is not None
        os.close(end)
