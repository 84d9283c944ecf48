"""Ctrl-C in the middle of logging, threads that log while a run ends, forks that begin with a model."""

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType

import pytest
from mlmd_client.failures import Refused
from mlmd_client.run import Run
from mlmd_client.store import Store

from tests.client.sdk.test_away import points


class Interrupt(BaseException):
    """What the signal raises, in the main thread, anywhere."""


@contextmanager
def interruptions() -> Iterator[None]:
    """Let SIGALRM raise in the main thread."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_points_are_sent_once_wherever_logging_is_broken_off(local_store: Store) -> None:
    returned: list[int] = []
    with local_store.run("broken/points") as run, interruptions():
        run.confusion_matrix("first", counts=[[1]], labels=["a"])  # imports what it needs
        for turn in range(150):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + turn % 7 * 0.0007)
                for step in range(turn * 10_000, (turn + 1) * 10_000):
                    run.metric("loss", step / 7, step=step)
                    returned.append(step)
                    if step % 500 == 499:
                        run.metrics(last=step)
                        run.confusion_matrix(f"at/{turn}", counts=[[1, 0], [0, 1]], labels=["a", "b"])
                        run.flush(0.01)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupt:
                continue
        signal.setitimer(signal.ITIMER_REAL, 0)
    found = points(local_store, run.id, "loss")
    assert all(value == step / 7 for step, value in found)
    steps = [step for step, _ in found]
    assert len(steps) == len(set(steps)), "each once"
    assert set(returned) <= set(steps), "none that was logged is lost"
    assert len(steps) <= len(returned) + 150, "and of what was broken off one at most each time"
    assert local_store.run_facts(run.id).state == "COMPLETE"


def test_what_a_thread_logs_while_the_run_ends_is_sent_or_refused(local_store: Store) -> None:
    run = local_store.run("broken/ending").start()
    begun = threading.Barrier(5)

    def log(number: int) -> int:
        for step in range(10**9):
            if step == 100:
                begun.wait(60)
            try:
                run.metric(f"loss/{number}", step, step=step)
            except Refused:
                return step
        raise AssertionError("it ends")

    with ThreadPoolExecutor(4) as pool:
        counts = [pool.submit(log, number) for number in range(4)]
        begun.wait(60)
        run.finish()
        taken = [count.result(60) for count in counts]
    for number, count in enumerate(taken):
        assert points(local_store, run.id, f"loss/{number}") == [(step, float(step)) for step in range(count)]


def _in_fork(run: Run) -> None:
    run.log_model("forked", {"w": 1})


@pytest.mark.parametrize("is_joined", [False, True])
def test_a_forked_process_may_begin_with_a_model(store: Store, is_joined: bool) -> None:
    with store.run("broken/fork") as run:
        if is_joined:  # and knows the run by its token alone
            run._addressee.execution_id = 0
        child = multiprocessing.get_context("fork").Process(target=_in_fork, args=(run,))
        child.start()
        child.join(240)
        assert child.exitcode == 0
    assert store["forked"].run is not None
    assert store["forked"].run.name == "broken/fork/1"
