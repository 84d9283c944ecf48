"""Threads that go on: what fails is told once, and done when it can be done again."""

import logging
import sqlite3
import threading
from pathlib import Path

import pytest
from mlmd_schemas.errors import Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_server.couriers import Couriers
from mlmd_server.embedded import EmbeddedTransport, open_connection
from mlmd_server.reaper import reap_opened
from mlmd_server.troubles import Troubles


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
