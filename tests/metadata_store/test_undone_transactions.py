"""No connection goes back into its pool in the middle of a transaction, whatever failed and wherever it did."""

from collections.abc import Callable
from typing import Any

import pytest
from mlmd_metadata_store.leases import take_lease
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.tables.own import LEASE

_NAMES = ("name", "holder", "until_ms")


@pytest.fixture
def store(database_url: str) -> Any:
    """A store with a connection to read with and one to write with."""
    opened = Store.open(database_url, StoreOptions(pool_size=1))
    yield opened
    opened.close()


def _works(store: Store, name: str) -> None:
    assert store.database.write(LOCAL, lambda tx: take_lease(tx, name, "me", 60))
    assert not store.database.write(LOCAL, lambda tx: take_lease(tx, name, "me", 60))
    store.database.ping()


def _once(call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Let a method do what it does and then find no memory, once."""

    def failing(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(owner, name, call)
        call(*arguments, **named)
        raise MemoryError

    monkeypatch.setattr(owner, name, failing)


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_what_fails_behind_the_beginning_is_undone(store: Store, monkeypatch: pytest.MonkeyPatch, write: bool) -> None:
    dialect = store.database.dialect
    _once(dialect.begin, monkeypatch, dialect, "begin")
    with pytest.raises(MemoryError):
        (store.database.write if write else store.database.read)(LOCAL, lambda tx: None)
    _works(store, "a")


def test_a_connection_that_cannot_undo_is_thrown_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    dialect = store.database.dialect
    monkeypatch.setattr(dialect, "roll_back", _refused)

    def body(tx: Any) -> None:
        tx.insert_ignore(LEASE, _NAMES, [("a", "me", 1 << 60)])
        raise LookupError

    with pytest.raises(LookupError):
        store.database.write(LOCAL, body)
    monkeypatch.undo()
    _works(store, "a")


def _refused(connection: Any) -> None:
    raise MemoryError
