"""Whose turn it is when a server looks through its stores."""

import contextlib
from pathlib import Path

import pytest
from mlmd_api.tenants import TenantStores
from mlmd_metadata_store.store import Store
from mlmd_server.rounds import FEW, Rounds

from mlmd_server import rounds
from tests.metadata_store.calls import Calls


def stores_of(count: int, folder: Path) -> tuple[TenantStores, list[Store]]:
    """Return the stores of so many tenants, opened."""
    stores = TenantStores({f"t{n}": f"sqlite:///{folder}/{n}.db" for n in range(count)}, Store.open)
    opened = [stores.of(name) for name in stores.names]
    return stores, [store for store in opened if isinstance(store, Store)]


def test_few_stores_are_looked_at_each_time(tmp_path: Path) -> None:
    stores, opened = stores_of(FEW, tmp_path)
    with contextlib.closing(stores):
        turns = Rounds()
        for _ in range(3):
            assert turns.due(stores) == opened


def test_of_many_those_are_looked_at_that_were_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores, opened = stores_of(FEW + 1, tmp_path)
    monkeypatch.setattr(rounds, "ASLEEP_SECONDS", 1e9)
    monkeypatch.setattr(rounds, "AWAKE_SECONDS", 1e9)
    with contextlib.closing(stores):
        turns = Rounds()
        assert turns.due(stores) == opened
        assert turns.due(stores) == []
        Calls(opened[0])("GetArtifactTypes")
        Calls(opened[3])("PutArtifactType", artifact_type={"name": "T"})
        for _ in range(2):
            assert turns.due(stores) == [opened[3]]
        monkeypatch.setattr(rounds, "AWAKE_SECONDS", 0.0)
        assert turns.due(stores) == []


def test_of_many_the_others_are_looked_at_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores, opened = stores_of(FEW + 1, tmp_path)
    with contextlib.closing(stores):
        turns = Rounds()
        assert turns.due(stores) == opened
        monkeypatch.setattr(rounds, "ASLEEP_SECONDS", 0.0)
        assert turns.due(stores) == opened
