"""How often a call is tried that fails, by how it failed."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlmd_metadata_store import database as module
from mlmd_metadata_store.database import Contradicted, Database
from mlmd_metadata_store.dialects import ConnectionLost, NotReached, Unanswered
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import Aborted, DeadlineExceeded, NotFound, StoreError, Unavailable

ATTEMPTS = 5


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database in a SQLite file, on which a write that loses waits hardly at all."""
    monkeypatch.setattr(module, "BACKOFF_SECONDS", 1e-6)
    store = Store.open(f"sqlite:///{tmp_path}/metadata.db", StoreOptions(attempts=ATTEMPTS))
    yield store.database
    store.close()


class Failing:
    """What is done in a transaction: it fails so many times, and tells then how often it was tried."""

    def __init__(self, error: StoreError, times: int = 99, *, setwise: bool = False) -> None:
        self.error = error
        self.times = times
        self.setwise = setwise
        self.tried: list[bool] = []

    def __call__(self, tx: Transaction) -> int:
        """Fail, or tell."""
        self.tried.append(tx.careful)
        tx.setwise = self.setwise
        if len(self.tried) <= self.times:
            raise self.error
        return len(self.tried)


@pytest.mark.parametrize(
    ("error", "written", "read"),
    [
        (Aborted("another write was faster"), ATTEMPTS, 3),
        (ConnectionLost("gone"), ATTEMPTS, 3),
        (NotReached("nobody listens"), 3, 3),
        (Unanswered(), 1, 1),
        (NotFound("no such node"), 1, 1),
        (Unavailable("something else"), 1, 1),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, StoreError) else "",
)
def test_how_often_it_is_tried(database: Database, error: StoreError, written: int, read: int) -> None:
    for run, most in ((database.write, written), (database.read, read)):
        body = Failing(error)
        with pytest.raises(type(error)) as caught:
            run(LOCAL, body)
        assert caught.value is error
        assert body.tried == [False] * most
        if most > 1:
            assert run(LOCAL, Failing(error, most - 1)) == most


def test_what_trying_again_cannot_help_is_told_at_once(database: Database) -> None:
    body = Failing(Contradicted("the same request is under way"))
    with pytest.raises(Contradicted):
        database.write(LOCAL, body)
    assert body.tried == [False]


@pytest.mark.parametrize("error", [NotFound("no such node"), Contradicted("taken meanwhile")])
def test_an_error_of_many_at_once_is_looked_for_one_by_one(database: Database, error: StoreError) -> None:
    assert database.write(LOCAL, Failing(error, 1, setwise=True)) == 2
    body = Failing(error, setwise=True)
    with pytest.raises(type(error)):
        database.write(LOCAL, body)
    assert body.tried == [False, True]


def test_looking_one_by_one_is_no_attempt_of_its_own(database: Database) -> None:
    body = Failing(NotFound("no such node"), 1, setwise=True)

    def lost(tx: Transaction) -> int:
        tried = body(tx)
        if tried < 1 + ATTEMPTS:
            raise Aborted("another write was faster")
        return tried

    assert database.write(LOCAL, lost) == 1 + ATTEMPTS
    assert body.tried == [False] + [True] * ATTEMPTS


def test_what_is_not_of_the_request_is_not_looked_for_one_by_one(database: Database) -> None:
    body = Failing(Aborted("another write was faster"), setwise=True)
    with pytest.raises(Aborted):
        database.write(LOCAL, body)
    assert body.tried == [False] * ATTEMPTS


def test_nobody_waits_beyond_the_deadline(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_SECONDS", 1.0)
    monkeypatch.setattr(module, "CHANCE", SimpleNamespace(uniform=lambda least, most: 1000.0))
    body = Failing(Aborted("another write was faster"))
    with pytest.raises(DeadlineExceeded, match="while it waited for other writes; nothing was written"):
        database.write(Caller(deadline=time.monotonic() + 600), body)
    assert body.tried == [False]


def test_waits_grow_up_to_a_second(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = list[float]()
    monkeypatch.setattr(module, "BACKOFF_SECONDS", 0.125)
    monkeypatch.setattr(module, "CHANCE", SimpleNamespace(uniform=lambda least, most: (least + most) / 2))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=time.monotonic, sleep=waits.append))
    with pytest.raises(Aborted):
        database.write(LOCAL, Failing(Aborted("another write was faster")))
    assert waits == [0.25, 0.5, 1.0, 1.0]


def test_a_write_that_took_longer_than_its_turn_is_not_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller is told while it still waits."""
    passed = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + passed[-1], sleep=lambda seconds: None)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "CHANCE", SimpleNamespace(uniform=lambda least, most: 0.0))
    body = Failing(Aborted("another write was faster"))

    def slow(tx: Transaction) -> int:
        passed.append(len(body.tried) * module.TURN_SECONDS * 0.6)
        return body(tx)

    with pytest.raises(Aborted):
        database.write(LOCAL, slow)
    assert len(body.tried) == 3
