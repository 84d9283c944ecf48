"""The threads beside the answers: each store has its turn, and none keeps the process from ending."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlmd_api.tenants import StoreLike, TenantStores
from mlmd_metadata_store.store import Store
from mlmd_model_registry import courier

from mlmd_server import couriers, reaper
from tests.mlmd_server.processes import wait_for
from tests.model_registry.conftest import Registry
from tests.model_registry.test_webhooks import Receiver, hook


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes what is posted."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_store_with_slow_receivers_leaves_the_others_their_turn(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "_TURN_SECONDS", 0.2)
    post = courier.post

    def post_slowly(*given: Any) -> int:
        time.sleep(0.1)
        return post(*given)

    monkeypatch.setattr(courier, "post", post_slowly)
    stores = TenantStores({name: f"sqlite:///{tmp_path}/{name}.db" for name in ("loud", "quiet")}, Store.open)
    with contextlib.closing(stores):
        for tenant, moves in (("loud", 20), ("quiet", 1)):
            store = stores.of(tenant)
            assert isinstance(store, Store)
            registry = Registry(store)
            registry.version(tenant)
            hook(registry, receiver.url)
            for number in range(moves):
                registry("MoveModelAlias", model=tenant, alias=f"a{number}", version="1")
        thread = couriers.Couriers(stores, private_too=True)
        while len(receiver.heard) < 21:
            thread.post_due()
    posted = [b'"model": "quiet"' in body for _, body in receiver.heard]
    assert posted.index(True) < 20


def test_the_thread_posts_what_comes_until_it_is_stopped(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "EVERY_SECONDS", 0.02)
    stores = TenantStores({"": f"sqlite:///{tmp_path}/one.db"}, Store.open)
    with contextlib.closing(stores):
        store = stores.of("")
        assert isinstance(store, Store)
        registry = Registry(store)
        registry.version("fraud")
        hook(registry, receiver.url)
        thread = couriers.Couriers(stores, private_too=True)
        thread.start()
        registry("MoveModelAlias", model="fraud", alias="first", version="1")
        wait_for(lambda: len(receiver.heard) == 1)
        registry("MoveModelAlias", model="fraud", alias="second", version="1")
        wait_for(lambda: len(receiver.heard) == 2)
        assert thread.stop()
        registry("MoveModelAlias", model="fraud", alias="late", version="1")
        thread.post_due()
        assert len(receiver.heard) == 2, "what comes when it has been stopped is another's to post"


class _Stuck(TenantStores):
    """Stores whose database does not answer and does not go away either."""

    def __init__(self) -> None:
        super().__init__({}, Store.open)
        self.asked, self.answered = threading.Event(), threading.Event()

    def opened(self) -> list[StoreLike]:
        """Wait for an answer that does not come."""
        self.asked.set()
        self.answered.wait(60)
        return []


def test_a_database_that_hangs_does_not_keep_the_watch_over_runs_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper, "_LONGEST_END_SECONDS", 0.1)
    stores = _Stuck()
    watch = reaper.Reaper(stores, every_seconds=0.01)
    watch.start()
    assert stores.asked.wait(60)
    assert watch.stop() is False
    stores.answered.set()
    assert reaper.Reaper(stores).stop() is True
