"""What a meter counts, how often it tells it, and that nobody waits for who is told."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from mlmd_client.progress import Meter, Progress


@dataclass
class Clock:
    """Seconds that stand still."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


def test_what_moved_is_told_five_times_a_second_and_at_the_end() -> None:
    clock, seen = Clock(), list[Progress]()
    meter = Meter(seen.append, clock)
    meter.expect(2, 10)
    meter.expect(1, 5)
    meter.moved("a", 3)
    clock.now = 0.19
    meter.moved("a", 4)
    clock.now = 0.2
    meter.moved("b", -1)
    clock.now = 0.3
    meter.finished("a")
    clock.now = 0.4
    meter.finished("c")
    meter.end()
    assert seen == [
        Progress(3, 15, 0, 3, "a"),
        Progress(6, 15, 0, 3, "b"),
        Progress(6, 15, 2, 3, "c"),
        Progress(6, 15, 2, 3, ""),
    ]


def test_before_anything_moved_no_file_is_told() -> None:
    seen = list[Progress]()
    Meter(seen.append).end()
    assert seen == [Progress(0, 0, 0, 0, "")]


def test_nobody_need_be_told() -> None:
    meter = Meter(None)
    meter.moved("a", 1)
    meter.end()


def test_who_counts_does_not_wait_for_who_is_told_and_the_end_does() -> None:
    entered, leave, seen = threading.Event(), threading.Event(), list[Progress]()

    def told(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 1:
            entered.set()
            assert leave.wait(20)

    meter = Meter(told)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(meter.moved, "a", 1)
        assert entered.wait(20)
        meter.moved("b", 2)
        assert len(seen) == 1
        later = threading.Timer(0.3, leave.set)
        later.start()
        meter.end()
        first.result()
    assert seen == [Progress(1, 0, 0, 0, "a"), Progress(3, 0, 0, 0, "")]


def test_a_callback_that_fails_is_told_again() -> None:
    seen = list[Progress]()

    def told(progress: Progress) -> None:
        seen.append(progress)
        raise LookupError("nobody looks")

    meter = Meter(told)
    with pytest.raises(LookupError):
        meter.moved("a", 1)
    with pytest.raises(LookupError):
        meter.end()
    assert [one.path for one in seen] == ["a", ""]
