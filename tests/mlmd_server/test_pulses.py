"""A worker that does not move is told of, and ended when it is sure that it does nothing; nobody else is."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mlmd_server.pulses import BEAT_SECONDS, GIVEN_UP_SECONDS, SILENT_SECONDS, Onlooker, Pulses, processor_ticks

from tests.mlmd_server.processes import processes_of, put_types, said
from tests.services.server import Server
from tests.services.waiting import wait_for

PID, NUMBER = 4711, 2


class Watched:
    """Three workers and the parent's eye on them, at a time of the test's own."""

    def __init__(self) -> None:
        self.pulses = Pulses(3)
        self.now = 1_000.0
        self.ticks: int | None = 7
        self.works = 0
        self.asked = 0
        self.onlooker = Onlooker(self.pulses, lambda: self.now, self.use)
        self.beat()

    def use(self, pid: int) -> int | None:
        assert pid == PID
        self.asked += 1
        if self.ticks is not None:
            self.ticks += self.works
        return self.ticks

    def beat(self) -> None:
        self.pulses._places[2 * NUMBER] += 1
        self.onlooker.look({PID: NUMBER})

    def looked(self, seconds: float, gap: float = BEAT_SECONDS) -> list[int]:
        """Let the parent look for so long, once in each gap; return what it gave up."""
        ended: list[int] = []
        until = self.now + seconds
        while self.now < until:
            self.now += gap
            ended += self.onlooker.look({PID: NUMBER})
        return ended


def test_who_does_not_move_is_told_then_given_up_once(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()
    assert watched.looked(SILENT_SECONDS - 2) == []
    assert watched.pulses.trouble() == ""
    assert watched.looked(4) == []
    assert set(watched.pulses.silent()) == {NUMBER}
    assert watched.pulses.trouble().startswith(f"worker {NUMBER} has not moved for 1")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert watched.looked(3 * GIVEN_UP_SECONDS) == [PID]
    assert "used no processor; it is killed" in caplog.text
    assert len(caplog.records) == 2
    watched.pulses.forget(NUMBER)
    assert watched.pulses.trouble() == ""


def test_who_moves_again_is_forgiven(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()
    for _ in range(5):
        assert watched.looked(GIVEN_UP_SECONDS - 10) == []
        assert watched.pulses.silent()
        watched.beat()
        watched.looked(BEAT_SECONDS)
        watched.beat()
        watched.now += BEAT_SECONDS
        watched.onlooker.look({PID: NUMBER})
        assert not watched.pulses.silent()
    assert caplog.text.count("moves again") == 5


@pytest.mark.parametrize("state", ["computes", "cannot be asked"])
def test_who_may_be_busy_is_told_and_not_ended(state: str) -> None:
    """One call that lets no other thread on, a debugger, a system without /proc."""
    watched = Watched()
    watched.works = 1 if state == "computes" else 0
    watched.ticks = 7 if state == "computes" else None
    assert watched.looked(20 * GIVEN_UP_SECONDS) == []
    assert watched.pulses.silent()


def test_time_in_which_the_parent_stood_still_itself_counts_little() -> None:
    watched = Watched()
    assert watched.looked(3 * 3600, gap=3600) == []
    assert not watched.pulses.silent()
    watched.beat()
    assert not watched.pulses.silent()


def test_looks_within_a_beat_see_nothing() -> None:
    watched = Watched()
    watched.looked(10 * BEAT_SECONDS, gap=BEAT_SECONDS / 8)
    assert watched.asked <= 10


def test_each_worker_has_places_of_its_own() -> None:
    watched = Watched()
    for number in range(3):
        watched.pulses.note(number, 10.0 + number)
    assert watched.pulses.silent() == {0: 10, 1: 11, 2: 12}
    watched.pulses.forget(NUMBER)
    assert watched.pulses.silent() == {0: 10, 1: 11}


def test_who_has_not_begun_is_not_missed() -> None:
    watched = Watched()
    watched.pulses.forget(NUMBER)
    assert watched.looked(20 * GIVEN_UP_SECONDS) == []
    assert not watched.pulses.silent()


def test_the_worker_that_follows_begins_anew() -> None:
    watched = Watched()
    assert watched.looked(GIVEN_UP_SECONDS + 5) == [PID]
    watched.pulses.forget(NUMBER)
    watched.onlooker.look({PID + 1: NUMBER})
    watched.pulses._places[2 * NUMBER] += 1
    watched.now += BEAT_SECONDS
    assert watched.onlooker.look({PID + 1: NUMBER}) == []
    assert not watched.pulses.silent()


@contextlib.contextmanager
def _forked() -> Iterator[int]:
    """A process that computes until it is stopped."""
    pid = os.fork()
    if pid == 0:
        while True:
            pass
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_what_a_process_uses_grows_while_it_computes_and_not_while_it_is_stopped() -> None:
    with _forked() as pid:
        first = processor_ticks(pid)
        assert first is not None
        wait_for(lambda: (processor_ticks(pid) or 0) > first)
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)
        stopped = processor_ticks(pid)
        assert stopped is not None
        assert {processor_ticks(pid) for _ in range(1000)} == {stopped}
    assert processor_ticks(pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_what_a_process_uses_is_what_the_system_counts_for_it() -> None:
    def counted() -> int:
        times = os.times()
        return round((times.user + times.system) * os.sysconf("SC_CLK_TCK"))

    before, ticks, after = counted(), processor_ticks(os.getpid()), counted()
    assert ticks is not None
    assert before <= ticks <= after


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_whom_a_debugger_holds_cannot_be_asked() -> None:
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).ptrace(0, 0, None, None)  # PTRACE_TRACEME
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    try:
        os.waitpid(pid, os.WUNTRACED)
        assert processor_ticks(pid) is None
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


SOON = (
    "import sys, mlmd_server.pulses as pulses; from mlmd_server.cli import main\n"
    "pulses.BEAT_SECONDS, pulses.SILENT_SECONDS, pulses.GIVEN_UP_SECONDS = 0.2, 2.0, 15.0\n"
    "sys.exit(main())"
)


def _page(server: Server, path: str, wanted: int = 200) -> str:
    """Ask a worker, whichever of them gets the connection; "" when it does not answer, or with another status."""
    with contextlib.suppress(httpx.TransportError):
        answer = httpx.get(f"{server.http_url}{path}", timeout=1, trust_env=False)
        return answer.text if answer.status_code == wanted else ""
    return ""


def test_a_worker_that_was_stopped_is_told_of_and_replaced(tmp_path: Path, sqlite_url: str) -> None:
    server = Server(sqlite_url, tmp_path, http=True, options=("--workers", "2"))
    server.words = [sys.executable, "-c", SOON, *server.command()[1:]]
    with server:
        wait_for(lambda: said(server, "ready"))
        assert "mlmd_workers_silent 0.0" in wait_for(lambda: _page(server, "/metrics"))
        stopped = processes_of(server)[0]
        os.kill(stopped, signal.SIGSTOP)
        told = wait_for(lambda: _page(server, "/readyz", wanted=503))
        assert told.startswith("worker ")
        assert "has not moved for " in told
        assert "mlmd_workers_silent 1.0" in wait_for(lambda: _page(server, "/metrics"))
        wait_for(lambda: stopped not in processes_of(server) and len(processes_of(server)) == 2)
        wait_for(lambda: _page(server, "/readyz"))
        assert f"(pid {stopped}) has not moved for " in server.output()
        assert f"(pid {stopped}) was ended by SIGKILL" in server.output()
        for _ in range(10):
            put_types(server, 1)
        assert server.stop() == 0
