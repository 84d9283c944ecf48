"""What is left of a write that does not come to its end: whose time is over, whose COMMIT or ROLLBACK fails."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlmd_metadata_store import database as module
from mlmd_metadata_store.database import Database
from mlmd_metadata_store.dialects import ConnectionLost
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas import caller as callers
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import Aborted, DeadlineExceeded, NotFound, StoreError, Unavailable
from mlmd_schemas.tables.v10 import TYPE

ATTEMPTS = 3
LOST, BUSY = ConnectionLost("gone"), Aborted("another write was faster")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store in a SQLite file, on which a write that loses waits hardly at all."""
    monkeypatch.setattr(module, "BACKOFF_SECONDS", 1e-6)
    opened = Store.open(f"sqlite:///{tmp_path}/metadata.db", StoreOptions(attempts=ATTEMPTS))
    yield opened
    opened.close()


@pytest.fixture
def database(store: Store) -> Database:
    """Its database."""
    return store.database


def names(database: Database) -> set[str]:
    """Return the names of the types that this test wrote."""
    rows = database.read(LOCAL, lambda tx: tx.rows(TYPE.select().with_only_columns(TYPE.c.name)))
    return {name for (name,) in rows if name.startswith("written")}


def writing(name: str, then: Callable[[], object] = lambda: None) -> Callable[[Transaction], None]:
    """Return what writes a type and does something else then."""

    def body(tx: Transaction) -> None:
        tx.insert(TYPE, ("name", "type_kind"), [(name, 1)])
        tx.topics.add("types")
        then()

    return body


def raising(error: Exception) -> Callable[[], object]:
    """Return what raises the error."""

    def fail() -> object:
        raise error

    return fail


@pytest.fixture
def commits(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[StoreError | None]:
    """What each COMMIT that follows comes to, the last of them for good; what is lost was committed."""
    dialect, outcomes = database.dialect, list[StoreError | None]()
    commit, translate = dialect.commit, dialect.translate

    def failing(connection: Any) -> None:
        ours = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
        if ours is None or ours is LOST:
            commit(connection)
        if ours is not None:
            raise sqlite3.OperationalError(ours)

    def told(error: Exception) -> StoreError:
        ours = error.args[0] if error.args else None
        return ours if isinstance(ours, StoreError) else translate(error)

    monkeypatch.setattr(dialect, "commit", failing)
    monkeypatch.setattr(dialect, "translate", told)
    return outcomes


def test_nothing_is_written_for_whom_waits_no_more(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [0.0]
    monkeypatch.setattr(callers, "time", SimpleNamespace(monotonic=lambda: times[-1]))
    with pytest.raises(DeadlineExceeded, match="nothing was written"):
        database.write(Caller(deadline=60.0), writing("written late", lambda: times.append(61.0)))
    assert names(database) == set()


@pytest.mark.parametrize("way", ["read", "write"])
def test_nothing_is_begun_for_whom_waits_no_more(database: Database, way: str) -> None:
    tried = list[Transaction]()
    with pytest.raises(DeadlineExceeded):
        getattr(database, way)(Caller(deadline=time.monotonic() - 1), tried.append)
    assert tried == []


def test_a_commit_that_loses_is_made_again(database: Database, commits: list[StoreError | None]) -> None:
    commits += [BUSY, BUSY, None]
    database.write(LOCAL, writing("written"))
    assert names(database) == {"written"}


@pytest.mark.parametrize("repeatable", [False, True])
def test_a_commit_that_loses_each_time_leaves_nothing(
    database: Database, commits: list[StoreError | None], repeatable: bool
) -> None:
    commits += [BUSY]
    with pytest.raises(Aborted) as caught:
        database.write(LOCAL, writing("written"), repeatable=repeatable)
    assert caught.value is BUSY
    assert names(database) == set()


def test_a_commit_whose_connection_is_lost_is_not_made_again(
    database: Database, commits: list[StoreError | None]
) -> None:
    commits += [LOST, None]
    with pytest.raises(Unavailable, match=r"the outcome is unknown\. Read back what the call would have written"):
        database.write(LOCAL, writing("written"))
    assert names(database) == {"written"}


def test_the_outcome_stays_unknown_whatever_further_attempts_come_to(
    database: Database, commits: list[StoreError | None]
) -> None:
    """They find no receipt here; what the first one did is known to nobody."""
    commits += [LOST, BUSY]
    numbers = iter(range(ATTEMPTS))
    with pytest.raises(Unavailable, match=r"the outcome is unknown\. Send the call again under the same"):
        database.write(LOCAL, lambda tx: writing(f"written {next(numbers)}")(tx), repeatable=True)
    assert names(database) == {"written 0"}


@pytest.mark.parametrize(("outcome", "told"), [(None, 1), (LOST, 1), (BUSY, ATTEMPTS)], ids=["done", "lost", "busy"])
def test_who_keeps_answers_hears_of_every_commit_that_may_have_been_done(
    database: Database, commits: list[StoreError | None], outcome: StoreError | None, told: int
) -> None:
    commits += [outcome]
    heard = list[set[str]]()
    database.committed = heard.append
    try:
        database.write(LOCAL, writing("written"))
    except StoreError:
        assert outcome is not None
    assert heard == [{"types"}] * told


def test_who_keeps_answers_hears_nothing_of_what_was_undone(database: Database) -> None:
    heard = list[set[str]]()
    database.committed = heard.append
    with pytest.raises(NotFound):
        database.write(LOCAL, writing("written", raising(NotFound("no such node"))))
    database.write(LOCAL, lambda tx: None)
    assert heard == []


@pytest.mark.parametrize("way", ["read", "write"])
def test_a_connection_that_cannot_be_rolled_back_serves_nobody_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    used = list[Any]()

    def ill(connection: Any) -> None:
        used.append(connection)
        raise sqlite3.OperationalError("the disk is ill")

    with monkeypatch.context() as patched:
        patched.setattr(database.dialect, "roll_back", ill)
        with pytest.raises(NotFound, match="no such node"):
            getattr(database, way)(LOCAL, lambda tx: raising(NotFound("no such node"))())
    (connection,) = used
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    database.write(LOCAL, writing("written"))
    assert names(database) == {"written"}
