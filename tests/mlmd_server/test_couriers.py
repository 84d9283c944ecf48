"""Posting to webhooks beside the answers: each store has its turn."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlmd_api.tenants import TenantStores
from mlmd_metadata_store.store import Store
from mlmd_server.chores import Chores

from mlmd_server import couriers
from tests.model_registry.conftest import Registry
from tests.model_registry.test_webhooks import hook
from tests.services.receiver import Receiver, receiving
from tests.services.waiting import wait_for


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes what is posted."""
    with receiving() as server:
        yield server


def test_a_store_with_slow_receivers_leaves_the_others_their_turn(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_second_a_post = SimpleNamespace(monotonic=lambda: float(len(receiver.heard)))
    monkeypatch.setattr(couriers, "time", a_second_a_post)
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
        posting = couriers.Couriers(stores, threading.Event(), private_too=True)
        while len(receiver.heard) < 21:
            posting.post_due()
    posted = [b'"model": "quiet"' in body for _, body in receiver.heard]
    assert posted.index(True) < 20


def test_what_comes_is_posted_until_it_is_stopped(tmp_path: Path, receiver: Receiver) -> None:
    stores = TenantStores({"": f"sqlite:///{tmp_path}/one.db"}, Store.open)
    with contextlib.closing(stores):
        store = stores.of("")
        assert isinstance(store, Store)
        registry = Registry(store)
        registry.version("fraud")
        hook(registry, receiver.url)
        chores = Chores()
        posting = couriers.Couriers(stores, chores.stopped, private_too=True)
        chores.begin("couriers", posting.post_due, 0.02)
        registry("MoveModelAlias", model="fraud", alias="first", version="1")
        wait_for(lambda: len(receiver.heard) == 1)
        registry("MoveModelAlias", model="fraud", alias="second", version="1")
        wait_for(lambda: len(receiver.heard) == 2)
        assert chores.stop()
        registry("MoveModelAlias", model="fraud", alias="late", version="1")
        posting.post_due()
        assert len(receiver.heard) == 2, "what comes when it has been stopped is another's to post"
