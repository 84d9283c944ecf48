"""A crew does what it is handed, no more of it waits than was said, and its first failure ends it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from mlmd_client.bounded_work import Crew, ahead
from mlmd_client.transfer_errors import Stopped

SECONDS = 30
"""What a thread waits at most for another one, when something is wrong."""


@pytest.fixture
def stop() -> threading.Event:
    """What is set when the work stops."""
    return threading.Event()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What holds up a piece of work; open at the end, so that none is waited for."""
    made = threading.Event()
    yield made
    made.set()


def fail(error: Exception, after: threading.Event) -> Callable[[], None]:
    """Return a piece of work that fails, once it may."""

    def work() -> None:
        after.wait(SECONDS)
        raise error

    return work


def test_everything_is_done_by_threads_of_its_name(stop: threading.Event) -> None:
    done: list[str] = []
    crew = Crew(2, 1, stop, "fetch")
    for _ in range(20):
        crew.submit(lambda: done.append(threading.current_thread().name))
    crew.finish()
    assert len(done) == 20
    assert {name.rpartition("_")[0] for name in done} == {"fetch"}
    assert not stop.is_set()


def test_so_many_pieces_wait_and_no_more(stop: threading.Event, gate: threading.Event) -> None:
    def work() -> None:
        gate.wait(SECONDS)

    crew = Crew(2, 3, stop, "fetch")
    for _ in range(2 + 3):
        assert crew._room.acquire(blocking=False)
        crew._room.release()
        crew.submit(work)
    assert not crew._room.acquire(blocking=False)
    gate.set()
    crew.finish()


def test_a_failure_ends_it_and_is_raised_whoever_asks(stop: threading.Event, gate: threading.Event) -> None:
    done: list[int] = []
    crew = Crew(1, 3, stop, "fetch")
    crew.submit(fail(ValueError("first"), gate))
    for number in range(3):
        crew.submit(partial(done.append, number))
    gate.set()
    with pytest.raises(ValueError, match="first"):
        crew.finish()
    assert (done, stop.is_set()) == ([], True)
    for _ in range(10):
        with pytest.raises(ValueError, match="first"):
            crew.submit(lambda: done.append(9))


def test_what_stops_from_outside_takes_nothing_more(stop: threading.Event) -> None:
    done: list[int] = []
    crew = Crew(1, 3, stop, "fetch")
    stop.set()
    for _ in range(10):
        with pytest.raises(Stopped):
            crew.submit(lambda: done.append(1))
    crew.finish()
    assert done == []


@pytest.mark.parametrize(
    ("one", "two"),
    [(ValueError("told"), ValueError("later")), (Stopped.saying("It was stopped."), ValueError("told"))],
)
def test_the_first_failure_that_is_none_of_stopping_is_told(
    stop: threading.Event, gate: threading.Event, one: Exception, two: Exception
) -> None:
    crew = Crew(2, 0, stop, "fetch")
    crew.submit(fail(one, gate))
    crew.submit(fail(two, stop))
    gate.set()
    with pytest.raises(ValueError, match="told"):
        crew.finish()


def test_the_end_of_the_block_waits_for_all(stop: threading.Event) -> None:
    done: list[int] = []
    with Crew(1, 9, stop, "fetch") as crew:
        for number in range(5):
            crew.submit(partial(done.append, number))
    assert (done, stop.is_set()) == (list(range(5)), False)


def broken_off(crew: Crew, error: Exception, until: threading.Event) -> None:
    """Have a block end in an error."""
    with crew:
        assert until.wait(SECONDS)
        raise error


def test_a_block_that_fails_stops_and_waits_for_what_is_under_way(stop: threading.Event) -> None:
    begun, seen, crew = threading.Event(), list[bool](), Crew(1, 9, stop, "fetch")

    def work() -> None:
        begun.set()
        seen.append(stop.wait(SECONDS))

    for _ in range(3):
        crew.submit(work)
    with pytest.raises(KeyError):
        broken_off(crew, KeyError("body"), begun)
    assert seen == [True]


@pytest.mark.parametrize(("error", "told"), [(KeyError("body"), KeyError), (Stopped.saying("It was."), ValueError)])
def test_a_failure_is_told_in_place_of_the_stop_that_it_brought_about(
    stop: threading.Event, gate: threading.Event, error: Exception, told: type[Exception]
) -> None:
    crew = Crew(1, 0, stop, "fetch")
    crew.submit(fail(ValueError("piece"), gate))
    gate.set()
    with pytest.raises(told):
        broken_off(crew, error, stop)


def test_a_stop_without_a_failure_is_told(stop: threading.Event) -> None:
    stop.set()
    with pytest.raises(Stopped):
        broken_off(Crew(1, 0, stop, "fetch"), Stopped.saying("It was."), stop)


def test_results_come_in_order_and_so_many_are_begun_before() -> None:
    begun: list[int] = []

    def works() -> Iterator[Callable[[], int]]:
        for number in range(6):
            begun.append(number)
            yield partial(int, number)

    with ThreadPoolExecutor(2) as pool:
        found = ahead(pool, works(), 2)
        seen = [(result, len(begun)) for result in found]
    assert seen == [(0, 3), (1, 4), (2, 5), (3, 6), (4, 6), (5, 6)]


def test_what_nobody_asks_for_any_more_is_not_begun(gate: threading.Event) -> None:
    begun: list[int] = []
    held = threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if number == 1:
            held.set()
            gate.wait(SECONDS)

    with ThreadPoolExecutor(1) as pool:
        found = ahead(pool, (partial(work, number) for number in range(9)), 3)
        next(found)
        assert held.wait(SECONDS)
        found.close()  # type: ignore[attr-defined]
        gate.set()
    assert begun == [0, 1]
