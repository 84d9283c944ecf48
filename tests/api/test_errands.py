"""Work handed to threads that may never come back: who waits for it is told, and what it was is ended."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlmd_api import errands as module
from mlmd_api.errands import Errands
from mlmd_artifact_store import local_watch
from mlmd_artifact_store.local_watch import FolderWatch
from mlmd_schemas.errors import NotFound, Unavailable

from tests.services.waiting import wait_for

WAYS: dict[str, Callable[[Errands, Callable[[], object]], object]] = {
    "in a thread": lambda errands, work: errands.done(work),
    "in the event loop": lambda errands, work: asyncio.run(_awaited(errands, work)),
}


async def _awaited(errands: Errands, work: Callable[[], object]) -> object:
    return await errands.awaited(work)


@pytest.fixture(params=WAYS)
def done(request: pytest.FixtureRequest) -> Callable[[Errands, Callable[[], object]], object]:
    """How work is waited for."""
    return WAYS[request.param]


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A file system that does not answer until the event is set, and nobody who is patient."""
    back = threading.Event()
    monkeypatch.setattr(local_watch, "look_into", lambda root: back.wait(60))
    monkeypatch.setattr(local_watch, "ANSWER_SECONDS", 0.0)
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.01)
    yield back
    back.set()


Done = Callable[[Errands, Callable[[], object]], object]


def test_answers_and_errors_are_those_of_the_work(done: Done, away: threading.Event) -> None:
    def late() -> str:
        raise TimeoutError("the work's own")

    def missing() -> str:
        raise NotFound("There is none.")

    errands = Errands()
    assert done(errands, lambda: "found") == "found"
    with pytest.raises(TimeoutError, match="the work's own"):
        done(errands, late)
    with pytest.raises(NotFound, match="There is none"):
        done(errands, missing)
    assert errands.given_up == 0


def test_work_that_takes_long_in_no_folder_is_waited_for(done: Done, away: threading.Event) -> None:
    going_on, asked = threading.Event(), threading.Timer(0.1, lambda: going_on.set())
    asked.start()
    assert done(Errands(), lambda: going_on.wait(60)) is True
    asked.join()


def test_work_in_a_silent_folder_is_given_up_and_ends_when_that_answers(done: Done, away: threading.Event) -> None:
    errands, watch, ended = Errands(), FolderWatch(Path("/the/folder")), list[str]()

    def work() -> None:
        with watch:
            assert away.wait(60)
        ended.append("nobody waits for this")

    with pytest.raises(Unavailable, match="'/the/folder' has not answered"):
        done(errands, work)
    assert errands.given_up == 1
    assert done(errands, lambda: "other work goes on") == "other work goes on"
    away.set()
    wait_for(lambda: errands.given_up == 0)
    assert not ended


def test_nothing_is_handed_over_where_nobody_is_served() -> None:
    errands = Errands(handing_over=False)
    assert errands.done(threading.get_ident) == threading.get_ident()
    assert Errands().done(threading.get_ident) != threading.get_ident()


def test_what_has_not_begun_when_its_caller_leaves_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_THREADS", 1)
    errands, release, did = Errands(), threading.Event(), list[str]()

    async def leave() -> None:
        first = asyncio.ensure_future(errands.awaited(lambda: release.wait(60)))
        second = asyncio.ensure_future(errands.awaited(lambda: did.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        release.set()
        assert await first

    asyncio.run(leave())
    assert errands.done(lambda: "the next") == "the next"
    assert not did
