"""Threads that go on: what fails is told once, and done when it can be done again."""

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store import run_reaping
from mlmd_metadata_store.runs import end_run, start_run
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import DataLoss, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import runs_pb2 as v1
from mlmd_schemas.tables.own import RUN
from mlmd_schemas.troubles import Troubles
from mlmd_server.couriers import Couriers
from mlmd_server.embedded import EmbeddedTransport, open_connection
from mlmd_server.reaper import reap_opened
from mlmd_server.rounds import Rounds


def away() -> int:
    raise Unavailable("The database is away.")


def broken() -> int:
    raise ZeroDivisionError("nobody foresaw it")


def test_a_trouble_is_told_when_it_begins_and_when_it_is_another(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles(logging.getLogger("mlmd.tests"), "the work")
    for whose in ("a", "b"):
        assert [troubles.kept_off(whose, away, 0) for _ in range(3)] == [0, 0, 0]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "the work failed for b, and is tried again: The database is away." in caplog.text
    assert troubles.kept_off("a", broken, 0) == 0
    assert caplog.records[-1].levelname == "ERROR"
    assert "ZeroDivisionError: nobody foresaw it" in caplog.text
    assert troubles.kept_off("a", lambda: 7, 0) == 7
    troubles.kept_off("a", broken, 0)
    assert len(caplog.records) == 4, "it had ended, and began again"


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedTransport:
    """A store whose house nobody keeps but the test."""
    url = pb.SqliteMetadataSourceConfig(filename_uri=str(tmp_path / "metadata.db"))
    return open_connection(pb.ConnectionConfig(sqlite=url))


def renamed(folder: Path, table: str, name: str) -> None:
    with sqlite3.connect(folder / "metadata.db") as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO {name}")
    connection.close()


def test_the_watch_over_runs_goes_on_after_a_fault(
    store: EmbeddedTransport, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    renamed(tmp_path, "mlmd_runs", "away")
    for _ in range(3):
        reap_opened(store.parts.stores)
    assert len(caplog.records) == 1
    renamed(tmp_path, "away", "mlmd_runs")
    reap_opened(store.parts.stores)
    assert len(caplog.records) == 1
    store.close()


def silent_runs(store: EmbeddedTransport, count: int) -> list[int]:
    """Start runs that are silent from then on; return the ids of their executions, the first to be ended first."""
    starts = [
        v1.StartRunRequest(experiment="churn", step="train", token=f"{place:032x}", timeout_ms=60_000)
        for place in range(count)
    ]
    (opened,) = Rounds().due(store.parts.stores)

    def body(tx: Transaction) -> list[int]:
        runs = [start_run(tx, start).run.execution_id for start in starts]
        for place, run in enumerate(runs):
            tx.execute(sa.update(RUN).where(RUN.c.execution_id == run).values(lapse_ms=1 + place // 2))
        return runs

    return opened.database.write(LOCAL, body)


@pytest.mark.parametrize("error", [DataLoss("It is damaged."), ZeroDivisionError("nobody foresaw it")])
def test_runs_that_cannot_be_ended_keep_no_other_waiting(
    store: EmbeddedTransport, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(run_reaping, "_AT_ONCE", 2)
    monkeypatch.setattr(run_reaping, "_LAPSED", run_reaping._LAPSED.limit(2))  # the stuck ones fill a page
    caplog.set_level(logging.INFO, "mlmd.runs")
    *stuck, behind = silent_runs(store, 4)
    reached = list[int]()

    def failing(tx: Transaction, run: Any, *rest: Any, **named: Any) -> None:
        reached.append(run.execution_id)
        if run.execution_id in stuck:
            raise error
        end_run(tx, run, *rest, **named)

    monkeypatch.setattr("mlmd_metadata_store.run_reaping.end_run", failing)
    for _ in range(2):
        reap_opened(store.parts.stores)
    assert list(dict.fromkeys(reached)) == [*stuck, behind]
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == len(stuck), "each once"
    assert all(f"execution {run} " in message for run, message in zip(stuck, told, strict=True))
    assert f"ended 1 run not heard from: executions [{behind}]" in caplog.text


def test_a_database_that_is_away_is_not_asked_for_each_silent_run(
    store: EmbeddedTransport, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, reached = silent_runs(store, 3), list[int]()

    def failing(tx: Transaction, run: Any, *_: Any, **__: Any) -> None:
        reached.append(run.execution_id)
        raise Unavailable("The database is away.")

    monkeypatch.setattr("mlmd_metadata_store.run_reaping.end_run", failing)
    reap_opened(store.parts.stores)
    assert set(reached) == {runs[0]}
    assert len(caplog.records) == 1


def test_the_couriers_go_on_after_a_fault(
    store: EmbeddedTransport, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    couriers = Couriers(store.parts.stores, threading.Event(), private_too=False)
    renamed(tmp_path, "mlmd_deliveries", "away")
    for _ in range(3):
        couriers.post_due()
    assert len(caplog.records) == 1
    assert "posting to webhooks failed" in caplog.text
    renamed(tmp_path, "away", "mlmd_deliveries")
    couriers.post_due()
    assert len(caplog.records) == 1
    store.close()
