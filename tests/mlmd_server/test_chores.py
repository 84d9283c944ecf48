"""The threads beside the answers: each works again and again, and none keeps the process from ending."""

import queue
import threading

import pytest
from mlmd_server.chores import Chores

from mlmd_server import chores


def test_work_is_done_again_and_again_until_it_is_stopped() -> None:
    done: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()
    some = Chores()
    some.begin("count", lambda: done.put(threading.current_thread()), 0.001)
    workers = {done.get(timeout=60) for _ in range(3)}
    assert some.stop() is True
    (worker,) = workers
    assert (worker.name, worker.daemon, worker.is_alive()) == ("count", True, False)


def test_work_that_fails_is_told_once_and_done_again(caplog: pytest.LogCaptureFixture) -> None:
    tried: queue.SimpleQueue[None] = queue.SimpleQueue()

    def fail() -> None:
        tried.put(None)
        raise ZeroDivisionError("a defect")

    some = Chores()
    some.begin("faulty", fail, 0.001)
    for _ in range(3):
        tried.get(timeout=60)
    assert some.stop() is True
    assert [record.getMessage() for record in caplog.records] == [
        "what is done beside answering failed for the thread 'faulty', and is tried again"
    ]
    assert "a defect" in caplog.text


def test_work_that_hangs_keeps_neither_the_end_nor_other_work_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "LONGEST_END_SECONDS", 0.1)
    begun, answered, other = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        answered.wait(60)

    some = Chores()
    some.begin("stuck", hang, 0.001)
    some.begin("other", other.set, 0.001)
    assert begun.wait(60)
    assert other.wait(60)
    assert some.stop() is False
    answered.set()
    monkeypatch.setattr(chores, "LONGEST_END_SECONDS", 60)
    assert some.stop() is True


def test_what_never_began_has_ended() -> None:
    some = Chores()
    assert some.stop() is True
    assert some.stopped.is_set()
