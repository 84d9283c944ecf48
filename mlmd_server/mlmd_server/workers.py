"""Several processes on one port: the parent forks them, watches over them, and ends them.

The parent makes no gRPC object and no connection, so that forking is safe at any time. A worker holds the reading end
of a pipe whose writing end only the parent has: when the parent dies, however it dies, the workers see it and drain.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from mlmd_schemas.counting import counted
from mlmd_schemas.errors import Unavailable

from mlmd_server.pulses import Onlooker, Pulses
from mlmd_server.signals import Reason, how_it_ended, on_hangup, reason_of

_LOG = logging.getLogger("mlmd.workers")
_LONGEST_PAUSE_SECONDS = 5.0
_FAILURES_THAT_COUNT = 10
"""More make the pause no longer, and 2.0 to the power of 1,024 is no number."""
_STABLE_SECONDS = 10.0
_SLACK_SECONDS = 5.0
_GONE_SECONDS = 1.0
"""How long the end of the parent takes at most, from when the system closes its files."""
_PARENT_GONE = Reason("the process that started the workers is gone", logging.WARNING)
_PARENT_ENDS = Reason("the process that started the workers ends")

Work = Callable[[Callable[[], None], int], int]
"""What a worker does: gets a function to call when it is ready and the parent's pipe, returns its exit status."""


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int
    started: float = field(default_factory=time.monotonic)


def pause_seconds(failures: int) -> float:
    """Return how long to wait before another worker is started, when so many in a row have failed soon."""
    return min(_LONGEST_PAUSE_SECONDS, 0.1 * 2.0 ** min(failures, _FAILURES_THAT_COUNT)) - 0.1


class Supervisor:
    """Keeps `count` workers alive until told to end."""

    def __init__(
        self, count: int, work: Work, drain_seconds: float, on_death: Callable[[int], None], pulses: Pulses
    ) -> None:
        """Start nothing yet. Each has `drain_seconds` to end; `on_death` gets the process id of each that ended."""
        self._count = count
        self._work = work
        self._drain_seconds = drain_seconds
        self._on_death = on_death
        self._pulses = pulses
        self._onlooker = Onlooker(pulses)
        self._workers: dict[int, _Worker] = {}
        self._ending: Reason | None = None
        self._signalled = False
        self.cut_off_by: int | None = None
        """The signal that came when the workers had been told to end already."""
        self._failures = 0
        self._life_read, self._life_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()

    def run(self, when_ready: Callable[[], None]) -> int:
        """Fork the workers, call `when_ready` when all of them are, and return the exit status at the end.

        It does not show a second signal, which is in `cut_off_by`.
        """
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGHUP, on_hangup(self._ask))
        try:
            for number in range(self._count):
                self._fork(number)
        except OSError as error:
            raise Unavailable(no_process(self._count, error)) from error
        status = self._await_ready()
        if status is None and not self._ending:
            when_ready()
            self._watch()
        if self._ending:
            _LOG.log(self._ending.level, "%s; the workers drain and end", self._ending.words)
        self._end()
        return status or 0

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signalled:
            self.cut_off_by = number
        self._signalled = True
        self._ask(reason_of(number))

    def _ask(self, reason: Reason) -> None:
        self._ending = self._ending or reason

    def _fork(self, number: int) -> None:
        self._pulses.forget(number)
        pid = os.fork()
        if pid == 0:
            self._pulses.number = number
            self._be_worker()
        self._workers[pid] = _Worker(number, pid)

    def _be_worker(self) -> None:
        """Work and leave; never returns into the parent's code."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the parent hears of it too
        os.close(self._life_write)
        os.close(self._ready_read)
        status = 70
        try:
            status = self._work(self._say_ready, self._life_read)
        except Exception:  # noqa: BLE001 - the end of the process, which says why
            _LOG.exception("a worker failed")
        finally:
            logging.shutdown()
            os._exit(status)

    def _say_ready(self) -> None:
        os.write(self._ready_write, b".")

    def _await_ready(self) -> int | None:
        """Wait for every worker; returns the exit status of one that ended before it was ready."""
        os.set_blocking(self._ready_read, False)
        ready = 0
        while ready < self._count and not self._ending:
            ready += self._said_ready()
            worker, status = self._ended_worker()
            if worker is not None:
                if status < 0:  # it said nothing itself
                    _LOG.error("%s before it was ready", _told(worker, status))
                return max(status, 1)
            time.sleep(0.01)
        return None

    def _said_ready(self) -> int:
        try:
            return len(os.read(self._ready_read, 64))
        except BlockingIOError:
            return 0

    def _watch(self) -> None:
        """Replace workers that end, until told to end."""
        while not self._ending:
            self._said_ready()
            worker, status = self._ended_worker()
            if worker is None:
                self._end_the_silent()
                time.sleep(0.1)
                continue
            _LOG.error("%s; another one takes its place", _told(worker, status))
            self._pause(worker)
            self._replace(worker.number)

    def _end_the_silent(self) -> None:
        for pid in self._onlooker.look({pid: worker.number for pid, worker in self._workers.items()}):
            os.kill(pid, signal.SIGKILL)  # it would hear of nothing else; when it has ended, another takes its place

    def _replace(self, number: int) -> None:
        """Fork a worker in the place of one that ended, when the system has room for one."""
        is_told = False
        while not self._ending:
            try:
                return self._fork(number)
            except OSError as error:
                if not is_told:
                    _LOG.error("worker %d cannot be started, and is tried again: %s", number, error.strerror)
                is_told = True
                self._rest(_LONGEST_PAUSE_SECONDS)

    def _pause(self, worker: _Worker) -> None:
        stable = time.monotonic() - worker.started > _STABLE_SECONDS
        self._failures = 0 if stable else self._failures + 1
        self._rest(pause_seconds(self._failures))

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._ending:
            time.sleep(0.05)

    def _ended_worker(self) -> tuple[_Worker | None, int]:
        """Return a worker that ended and its exit status; None while all of them live.

        As the first process of a container the parent inherits what others leave behind. Their ends are no workers'.
        """
        pid, raw = os.waitpid(-1, os.WNOHANG)
        worker = self._workers.pop(pid, None)
        if worker is None:
            return None, 0
        self._on_death(pid)
        return worker, os.waitstatus_to_exitcode(raw)

    def _end(self) -> None:
        """Let the workers drain; kill those that take longer than they were given."""
        self._signal(signal.SIGTERM)
        os.close(self._life_write)  # for a worker that was forked just now, and has no ear for signals yet
        until = time.monotonic() + self._drain_seconds + _SLACK_SECONDS
        while self._workers and time.monotonic() < until and self.cut_off_by is None:
            worker, status = self._ended_worker()
            if worker is None:
                time.sleep(0.02)
            elif status:
                _LOG.error("%s while it drained", _told(worker, status))
        if self.cut_off_by is not None:
            _LOG.warning("%s again; calls in flight are cut off", reason_of(self.cut_off_by).words)
        elif self._workers:
            _LOG.warning("workers that had not ended %g seconds after their time are killed", _SLACK_SECONDS)
        self._signal(signal.SIGKILL)
        for pid in list(self._workers):
            os.waitpid(pid, 0)
            self._on_death(pid)
            del self._workers[pid]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._workers:
            os.kill(pid, number)


def no_process(count: int, error: OSError) -> str:
    """Return the sentence that says that so many processes are not to be had, and the mend."""
    return (
        f"workers: the system refuses {counted(count, 'process', 'processes')}: {error.strerror}; raise ulimit "
        "-u, the pids of its cgroup or its memory, or ask for fewer with --workers."
    )


def _told(worker: _Worker, status: int) -> str:
    return f"worker {worker.number} (pid {worker.pid}) {how_it_ended(status)}"


def watch_parent(pipe: int, ask: Callable[[Reason], None]) -> None:
    """Call `ask` when the other end of the pipe is gone; in a thread of its own."""

    parent = os.getppid()

    def watch() -> None:
        os.read(pipe, 1)
        until = time.monotonic() + _GONE_SECONDS
        while os.getppid() == parent and time.monotonic() < until:
            time.sleep(0.01)
        ask(_PARENT_ENDS if os.getppid() == parent else _PARENT_GONE)

    threading.Thread(target=watch, name="parent", daemon=True).start()
