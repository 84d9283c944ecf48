"""The process where it is started badly: without streams, without a reader, on a terminal that goes away."""

import os
import resource
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from mlmd_server.pulses import Pulses
from mlmd_server.workers import Supervisor

from tests.mlmd_server.processes import processes_of, put_types, said
from tests.services.missing import missing
from tests.services.server import Server
from tests.services.waiting import wait_for


class Shell(Server):
    """A server that a shell starts, after what is to be so before."""

    def __init__(self, database: str, folder: Path, before: str, options: tuple[str, ...] = ()) -> None:
        super().__init__(database, folder, options=options)
        self.before = before

    def command(self) -> list[str]:
        """Return the command line of the shell, which becomes the server."""
        return ["bash", "-c", f'{self.before} exec "$@"', "bash", *super().command()]


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("output", ["> >(exit)", ">/dev/full"], ids=["no-reader", "full"])
def test_an_output_that_cannot_be_written_is_no_reason_to_end(
    tmp_path: Path, sqlite_url: str, output: str, workers: str
) -> None:
    server = Shell(sqlite_url, tmp_path, f"exec {output}; sleep 0.2;", ("--workers", workers))
    with server:
        put_types(server, 3)
        wait_for(lambda: "standard output cannot be written" in server.output())
        assert server.stop() == 0
    assert "Traceback" not in server.output()
    assert "BrokenPipeError" not in server.output()


def test_streams_that_are_closed_are_given_to_no_connection(tmp_path: Path, mariadb_url: str) -> None:
    with Shell(mariadb_url, tmp_path, "exec <&- >&- 2>&-;") as server:
        put_types(server, 3)
        assert server.process is not None
        streams = [os.readlink(f"/proc/{server.process.pid}/fd/{number}") for number in range(3)]
        assert streams == ["/dev/null"] * 3


def test_it_asks_for_as_many_descriptors_as_it_may_have(tmp_path: Path, sqlite_url: str) -> None:
    with Shell(sqlite_url, tmp_path, "ulimit -S -n 100;") as server:
        assert server.process is not None
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (most, most)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_terminal_that_goes_away_ends_it_in_order(tmp_path: Path, sqlite_url: str, workers: str) -> None:
    with Server(sqlite_url, tmp_path, options=("--workers", workers), fresh=True) as server:
        put_types(server, 1)
        assert server.process is not None
        for _ in range(2):  # shells say it twice
            os.killpg(server.process.pid, signal.SIGHUP)
        assert server.process.wait(60) == 0
        assert server.output().count("draining for at most") == int(workers)
        assert "SIGHUP came" in server.output()
        server.process = None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nohup_keeps_it(tmp_path: Path, sqlite_url: str, workers: str) -> None:
    with Shell(sqlite_url, tmp_path, "trap '' HUP;", ("--workers", workers)) as server:
        assert server.process is not None
        os.killpg(server.process.pid, signal.SIGHUP)
        put_types(server, 3)
        assert server.stop() == 0


def test_workers_are_heard_of_where_sigchld_was_ignored(tmp_path: Path, sqlite_url: str) -> None:
    with Shell(sqlite_url, tmp_path, "trap '' CHLD;", ("--workers", "2")) as server:
        wait_for(lambda: said(server, "ready"))
        worker = processes_of(server)[0]
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: len(processes_of(server)) == 2 and worker not in processes_of(server))
        assert server.stop() == 0


def test_a_worker_that_cannot_be_forked_is_forked_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []
    supervisor = Supervisor(1, lambda when_ready, parent: 0, 1.0, lambda pid: None, Pulses(1))

    def fork(number: int) -> None:
        tries.append(number)
        if len(tries) < 3:
            raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(supervisor, "_fork", fork)
    monkeypatch.setattr(supervisor, "_rest", lambda seconds: None)
    supervisor._replace(0)
    assert tries == [0, 0, 0]
    assert [record.message for record in caplog.records] == [
        "worker 0 cannot be started, and is tried again: Resource temporarily unavailable"
    ]


class Few(Server):
    """A server whose user, who is nobody else's, may have so many processes and threads."""

    def __init__(self, database: str, folder: Path, threads: int, user: int, options: tuple[str, ...] = ()) -> None:
        super().__init__(database, folder, http=True, options=options)
        self.threads, self.user = threads, user

    def command(self) -> list[str]:
        """Return the command line; the user may read what root may, since Python may be root's."""
        reads = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        become = ["setpriv", "--reuid", str(self.user), "--regid", str(self.user), "--clear-groups", *reads]
        return [*become, "bash", "-c", f'ulimit -u {self.threads}; exec "$@"', "bash", *super().command()]


@pytest.mark.parametrize(
    ("threads", "workers", "told"),
    [
        (1, "1", "threads: the system gives "),
        (12, "1", "threads: the system gives "),
        (1, "2", "workers: the system refuses 2 processes"),
        (12, "2", "threads: the system gives "),
    ],
)
def test_a_start_without_threads_ends_with_a_sentence(threads: int, workers: str, told: str) -> None:
    if os.geteuid():
        missing("only root can become somebody who has no processes yet")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:  # pytest's own folders are root's alone
        folder = Path(name)
        folder.chmod(0o777)
        server = Few(f"sqlite:///{folder}/metadata.db", folder, threads, 54_321 + threads, ("--workers", workers))
        done = subprocess.run(server.command(), cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert f"mlmd-server: {told}" in done.stderr
    assert "raise ulimit -u" in done.stderr
    assert "Traceback" not in done.stderr
    assert "pthread_create" not in done.stderr
