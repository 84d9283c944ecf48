"""docs/databases.md: its addresses are understood, its tables are all of ours, its command does what it says."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlmd_metadata_store.addresses import parse_url
from mlmd_metadata_store.store import Store

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "databases.md").read_text()
MIGRATE = [str(Path(sys.executable).parent / "mlmd-server"), "migrate"]


def tables(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database that was just made."""
    Store.open(f"sqlite:///{tmp_path / 'metadata.db'}").close()
    return tmp_path / "metadata.db"


def test_every_table_of_ours_is_told_and_no_other(file: Path) -> None:
    section = PAGE.partition("## Our tables")[2]
    told = {name for line in section.splitlines() for name in re.findall(r"`(mlmd_\w+)`", line.partition(" | ")[0])}
    assert told == {name for name in tables(file) if name.startswith("mlmd_")}


def test_the_addresses_are_understood() -> None:
    relative, absolute, mysql = re.findall(r"`((?:sqlite|mysql)://[^`]+)`", PAGE)
    assert (parse_url(relative).database, parse_url(absolute).database) == ("relative/path.db", "/absolute/path.db")
    found = parse_url(mysql)
    assert (found.username, found.password, found.host, found.port, found.database) == (
        "user",
        "password",
        "host",
        3306,
        "database",
    )
    assert parse_url("mysql://user:p@ss/w@rd@host:3306/database").password == "p@ss/w@rd"


def test_a_new_database_has_version_10_and_nine_types(file: Path) -> None:
    assert "schema version 10 and the nine built-in types" in PAGE
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT schema_version FROM MLMDEnv").fetchall() == [(10,)]
        names = {name for (name,) in connection.execute("SELECT name FROM Type")}
        assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    built_in = {"Dataset", "Model", "Metrics", "Statistics", "Train", "Transform", "Process", "Evaluate", "Deploy"}
    assert {f"mlmd.{name}" for name in built_in} <= names


def test_a_plan_prints_the_steps_and_alters_nothing(tmp_path: Path) -> None:
    file = tmp_path / "metadata.db"
    planned = subprocess.run([*MIGRATE, "--database", f"sqlite:///{file}", "--plan"], capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr
    assert {"Create table Artifact", "Create table Event"} <= set(planned.stdout.splitlines())
    assert not file.exists()
    done = subprocess.run([*MIGRATE, "--database", f"sqlite:///{file}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"Artifact", "mlmd_versions"} <= tables(file)
    with closing(sqlite3.connect(file)) as connection:
        indexes = {
            (table, column)
            for table in ("Attribution", "Association")
            for _, index, *_ in connection.execute(f"PRAGMA index_list({table})")
            for _, _, column in connection.execute(f"PRAGMA index_info({index})").fetchmany(1)
        }
    named = set(re.findall(r"`(\w+)\((\w+)\)`", PAGE))
    assert named == {("Attribution", "artifact_id"), ("Association", "execution_id")}
    assert named <= indexes
