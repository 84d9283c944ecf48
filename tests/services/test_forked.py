"""A forked program is a process like one that is started afresh."""

import contextlib
import itertools
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlmd_schemas.pb.v1 import server_pb2, server_pb2_grpc

from tests.services.forked import Forked, start_forked
from tests.services.leftovers import REPOSITORY
from tests.services.server import PROGRAMS, Server
from tests.services.waiting import wait_for

PROGRAM = str(PROGRAMS / "mlmd-server")


def fork(folder: Path, *arguments: str, **environment: str) -> Forked | None:
    """Fork `mlmd-server` with its output in two files of a folder."""
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return start_forked([PROGRAM, *arguments], out, err, folder, os.environ | environment)


def test_it_says_and_ends_as_one_that_is_started(tmp_path: Path) -> None:
    for arguments in (["--version"], [], ["serve", "--no-such-option"], ["migrate", "--database", "nonsense"]):
        started = subprocess.run([PROGRAM, *arguments], cwd=tmp_path, capture_output=True)
        forked = fork(tmp_path, *arguments)
        assert forked is not None
        assert forked.wait(60) == forked.poll() == started.returncode
        assert ((tmp_path / "out").read_bytes(), (tmp_path / "err").read_bytes()) == (started.stdout, started.stderr)


def test_it_has_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLMD_DATABASE", "sqlite:///mine.db")
    assert (made := fork(tmp_path, "migrate", MLMD_LOG_FORMAT="json")) is not None
    assert made.wait(60) == 0, (tmp_path / "err").read_text()
    assert (tmp_path / "mine.db").exists()


def open_in(pid: int | str) -> list[tuple[str, str]]:
    """Return the numbers of the descriptors that a process holds, and what they are of."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append((path.name, os.readlink(path)))
    return found


def held(pid: int | str) -> set[str]:
    """Return the pipes and sockets that a process holds."""
    return {place for _, place in open_in(pid) if place.startswith(("pipe:", "socket:"))}


def test_it_is_a_session_of_its_own_that_holds_nothing_of_another(tmp_path: Path) -> None:
    with (
        Server(f"sqlite:///{tmp_path}/1.db", tmp_path / "1") as first,
        Server(f"sqlite:///{tmp_path}/2.db", tmp_path / "2") as second,
    ):
        assert isinstance(first.process, Forked)
        assert isinstance(second.process, Forked)
        for process in (first.process, second.process):
            assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
        of_each = held(first.process.pid), held(second.process.pid), held("self")
        assert all(of_each)
        assert [one & other for one, other in itertools.combinations(of_each, 2)] == [set()] * 3


_OF_A_PROCESS = ("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "Cap", "NoNewPrivs", "Seccomp")
"""How the lines of /proc/PID/status begin that tell what a process was given and what signals it heeds."""


def names_of_threads(pid: int) -> set[str]:
    """Return the names of the threads of a process beside the first, those of Python by the program's."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
            if task.name != str(pid):
                found.add((task / "comm").read_text())
    return found


def known_of(pid: int) -> dict[str, object]:
    """Return what the system knows of a process."""
    of = Path(f"/proc/{pid}")
    return {
        "status": [line for line in (of / "status").read_text().splitlines() if line.startswith(_OF_A_PROCESS)],
        "limits": (of / "limits").read_text(),
        "threads": names_of_threads(pid),
        "descriptors": {(name if name in "012" else "", place.partition("[")[0]) for name, place in open_in(pid)},
        "program": os.readlink(of / "exe"),
    }


def at_rest(server: Server) -> dict[str, object]:
    """Return what the system knows of a server that has done nothing yet, once that stays the same."""
    process = server.process
    assert process is not None
    wait_for(lambda: "ready" in server.stdout.read_text())
    seen: list[dict[str, object]] = [{}]

    def stays() -> bool:
        time.sleep(0.2)  # nothing tells that a server has begun its last thread and opened its last file
        seen.append(known_of(process.pid))
        return seen[-1] == seen[-2]

    wait_for(stays)
    return seen[-1]


def test_the_system_knows_the_same_of_it_as_of_one_that_is_started(tmp_path: Path) -> None:
    found = []
    for fresh in (True, False):
        with Server(f"sqlite:///{tmp_path}/1.db", tmp_path / "server", http=True, fresh=fresh) as server:
            found.append(at_rest(server))
            assert isinstance(server.process, Forked) is not fresh
        server.stderr.unlink()
        server.stdout.unlink()
    assert found[0] == found[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_signal_that_ended_it_is_told(tmp_path: Path, number: int) -> None:
    server = Server(f"sqlite:///{tmp_path}/1.db", tmp_path)
    server.start()
    process = server.process
    assert isinstance(process, Forked)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(number)
    assert process.wait(60) == (0 if number == signal.SIGTERM else -number)
    process.kill()


def test_it_can_be_ended_with_its_group_as_soon_as_it_is_known(tmp_path: Path) -> None:
    for number in range(20):
        server = Server(f"sqlite:///{tmp_path}/{number}.db", tmp_path)
        server.launch()
        process = server.process
        assert isinstance(process, Forked)
        server.kill()
        assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONDEVMODE": "1"},
        {"LC_ALL": "POSIX.none"},
        {"LD_PRELOAD": ""},
        {"TZ": "Asia/Tokyo"},
        {"GRPC_VERBOSITY": "debug"},
        {"PROMETHEUS_MULTIPROC_DIR": "/tmp"},
        {"TMPDIR": "/tmp"},
        {"MLMD_WORKERS": "1"},
    ],
    ids=lambda environment: "".join(environment),
)
def test_what_is_looked_at_while_loading_needs_a_process_of_its_own(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    assert fork(tmp_path, "--version", **environment) is None


@pytest.mark.parametrize("options", ["--workers 2", "--workers=1", "--config with.toml", "--config=with.toml"])
def test_workers_need_a_process_of_its_own(tmp_path: Path, options: str) -> None:
    (tmp_path / "with.toml").write_text("workers = 2")
    assert fork(tmp_path, "serve", *options.split(), "--no-such-option") is None


def test_a_config_without_workers_does_not(tmp_path: Path) -> None:
    (tmp_path / "without.toml").write_text('database = "sqlite:///mine.db"')
    assert (made := fork(tmp_path, "migrate", "--config", "without.toml")) is not None
    assert made.wait(60) == 0, (tmp_path / "err").read_text()
    assert (tmp_path / "mine.db").exists()


def test_what_a_process_inherits_needs_one_of_its_own(tmp_path: Path) -> None:
    assert (before := fork(tmp_path, "--version")) is not None
    assert before.wait(60) == 0
    umask = os.umask(0o077)
    try:
        assert fork(tmp_path, "--version") is None
    finally:
        os.umask(umask)
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (4096 if soft == 0 else 0, hard))
    try:
        assert fork(tmp_path, "--version") is None
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert fork(tmp_path, "--version") is None
    finally:
        signal.signal(signal.SIGHUP, usual)


def test_another_program_is_started(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        for program in ("mlmd-server", "/opt/other/bin/mlmd-server", sys.executable, "bash"):
            assert start_forked([program, "--version"], out, out, tmp_path, os.environ) is None


def test_what_one_draws_by_chance_another_does_not(tmp_path: Path) -> None:
    found = set()
    for number in range(3):
        with Server(f"sqlite:///{tmp_path}/{number}.db", tmp_path / f"{number}") as server, server.channel() as channel:
            assert isinstance(server.process, Forked)
            found.add(server_pb2_grpc.ServerStub(channel).GetInfo(server_pb2.GetInfoRequest()).store_uuid)
    assert len(found) == 3


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        ("import grpc; begun = grpc.insecure_channel('127.0.0.1:1')", "threads cannot be forked"),
        ("import os; begun = os.pipe()", "all that is forked would share them"),
    ],
    ids=["gRPC core", "a pipe"],
)
def test_nothing_is_forked_from_what_has_begun_more_than_it_loaded(begun: str, said: str) -> None:
    program = (
        "from tests.services.fork_server import open_descriptors, refuse_if_begun\n"
        f"before = open_descriptors()\nrefuse_if_begun(before)\n{begun}\nrefuse_if_begun(before)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]


_ONE_THAT_DIES = """
import os, pathlib, signal, sys, tempfile
from tests.services.leftovers import REPOSITORY
from tests.services.server import Server
server = Server(sys.argv[1], pathlib.Path(sys.argv[2]))
server.start()
print(server.process.pid, type(server.process).__name__, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_does_not_outlive_the_tests(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ONE_THAT_DIES, f"sqlite:///{tmp_path}/1.db", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    pid, kind = done.stdout.split()
    assert kind == "Forked"
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
