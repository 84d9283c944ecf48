"""A database that is damaged, or that others took tables from: each call that meets it says so, with what to do."""

import os
import sqlite3
from pathlib import Path

import httpx
import pytest
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import DataLoss
from mlmd_schemas.pb import metadata_store_pb2 as pb
from sqlalchemy import create_engine, text

from tests.metadata_store.calls import Calls
from tests.services.server import Server

DAMAGED = "The database file is damaged or is no SQLite database; stop the server, restore the file"
CHANGED = "A table or column of the database is gone or was changed by others; `mlmd doctor` says which"


def filled(url: str) -> Store:
    """Return a store that holds more than a few pages, all of them in the file."""
    store = Store.open(url)
    calls = Calls(store)
    kind = calls("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
    calls("PutArtifacts", artifacts=[pb.Artifact(type_id=kind, uri="x" * 500) for _ in range(500)])
    return store


def emptied_log(store: Store, url: str) -> Path:
    """Bring everything into the file of a store and forget what was read of it; return its path."""
    path = Path(url.removeprefix("sqlite:///"))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    store.database.reader.dispose()
    return path


def refusal(store: Store, method: str, **fields: object) -> str:
    """Return what a call says that is refused for lost data."""
    with pytest.raises(DataLoss) as told:
        Calls(store)(method, **fields)
    return told.value.message


def change(url: str, *statements: str) -> None:
    """Do to a database what nobody should."""
    engine = create_engine(url.replace("mysql://", "mysql+mysqldb://"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_pages_that_were_wiped_are_told_by_the_calls_that_need_them(sqlite_url: str) -> None:
    store = filled(sqlite_url)
    path = emptied_log(store, sqlite_url)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size * 3 // 4)
        file.write(bytes(size // 8))
    assert refusal(store, "GetArtifacts").startswith(DAMAGED)
    store.ping()  # most calls are answered, and no other server would answer more
    assert Calls(store)("GetArtifactTypes").artifact_types
    store.close()


def test_a_file_that_was_cut_off_is_not_ready(sqlite_url: str) -> None:
    store = filled(sqlite_url)
    path = emptied_log(store, sqlite_url)
    os.truncate(path, 4096)
    with pytest.raises(DataLoss, match=DAMAGED):
        store.ping()
    assert refusal(store, "GetArtifacts").startswith(DAMAGED)
    store.close()


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE Artifact",),
        ("ALTER TABLE Artifact RENAME TO Artefact", "CREATE TABLE Artifact (id INTEGER PRIMARY KEY, flower INTEGER)"),
        ("ALTER TABLE Artifact RENAME TO Artefact", "CREATE VIEW Artifact AS SELECT 1 AS id"),
    ],
    ids=["dropped", "another of its name", "a view of its name"],
)
def test_a_table_that_others_took_is_told_of(database_url: str, statements: tuple[str, ...]) -> None:
    store = filled(database_url)
    kind = Calls(store)("GetArtifactType", type_name="Data").artifact_type.id
    change(database_url, *statements)
    assert refusal(store, "GetArtifacts").startswith(CHANGED)
    assert refusal(store, "PutArtifacts", artifacts=[pb.Artifact(type_id=kind)]).startswith(CHANGED)
    store.ping()
    store.close()


def test_a_database_without_the_table_of_types_is_not_ready(database_url: str) -> None:
    store = filled(database_url)
    change(database_url, "DROP TABLE Type")
    with pytest.raises(DataLoss, match=CHANGED):
        store.ping()
    store.close()


def test_a_file_of_a_table_that_mariadb_cannot_read_is_told_of(mariadb_url: str) -> None:
    store = filled(mariadb_url)
    change(mariadb_url, "ALTER TABLE Artifact DISCARD TABLESPACE")
    assert refusal(store, "GetArtifacts").startswith("A table of the database is damaged")
    store.close()


def test_a_server_whose_tables_were_dropped_says_so_to_probes(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path / "server", http=True) as server:
        change(sqlite_url, "DROP TABLE Type")
        for path in ("/readyz", "/readyz/health"):
            answer = httpx.get(server.http_url + path, timeout=60, trust_env=False)
            assert answer.status_code == 503
            assert CHANGED in answer.text
