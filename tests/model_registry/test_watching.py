"""The bell of watchers goes on ringing, whatever its one look failed of; and what is told without a move."""

import threading
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from mlmd_metadata_store.store import Store
from mlmd_model_registry import watching
from mlmd_model_registry.watching import Bell
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Unavailable
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from tests.model_registry.conftest import Registry
from tests.services.waiting import wait_for


class Looks:
    """In the place of a look at the database: what comes of each, and how many there were."""

    def __init__(self, *outcomes: Exception | dict[int, int]) -> None:
        self.outcomes = list(outcomes)
        self.count = 0

    def read(self, caller: object, body: object) -> dict[int, int]:
        """Return or raise the next outcome, the last one again and again."""
        self.count += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look around as often as can be."""
    monkeypatch.setattr(watching, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(watching, "_TICK_SECONDS", 0.001)


def bell_of(looks: Any) -> Bell:
    """Return the bell of a store whose database is these looks."""
    return Bell(Store(looks, "a store"))


def test_it_rings_after_looks_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    looks = Looks({7: 1}, RuntimeError("the cause"), Unavailable("The database is away."), {7: 2})
    bell = bell_of(looks)
    bell.join([7])
    wait_for(lambda: looks.count > 4)
    bell.leave([7])
    assert bell.rings >= 2
    assert "the cause" in caplog.text
    wait_for(lambda: not any(thread.name == "registry-bell" for thread in threading.enumerate()))


def test_a_look_that_fails_alike_again_and_again_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    looks = Looks({7: 1}, RuntimeError("the cause"))
    bell = bell_of(looks)
    bell.join([7])
    wait_for(lambda: looks.count > 5)
    bell.leave([7])
    wait_for(lambda: not any(thread.name == "registry-bell" for thread in threading.enumerate()))
    assert caplog.text.count("RuntimeError: the cause") == 1


def test_a_thread_that_cannot_be_had_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks({7: 1})
    bell, start = bell_of(looks), threading.Thread.start

    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    with pytest.raises(RuntimeError):
        bell.join([7])
    monkeypatch.setattr(threading.Thread, "start", start)
    assert looks.count == 0
    bell.join([7])
    wait_for(lambda: looks.count > 0)
    bell.leave([7])
    wait_for(lambda: not any(thread.name == "registry-bell" for thread in threading.enumerate()))


def test_who_goes_on_from_a_cursor_hears_at_once_that_the_watch_is_on(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ALIVE_SECONDS", 3600.0)
    registry("CreateModel", name="m")
    bell, caller = Bell(registry.store), replace(LOCAL, deadline=time.monotonic() + 60)

    def first(cursor: str) -> v1.WatchModelsResponse:
        watch = watching.watch(registry.store, bell, caller, v1.WatchModelsRequest(models=["m"], cursor=cursor))
        with closing(watch):  # type: ignore[type-var]  # it is a generator
            return next(watch)

    cursor = first("").cursor
    assert first(cursor) == v1.WatchModelsResponse(cursor=cursor)
