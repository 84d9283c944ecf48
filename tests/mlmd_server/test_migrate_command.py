"""`mlmd-server migrate`, on databases that are not what it hopes for."""

import hashlib
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from mlmd_metadata_store.addresses import parse_url

from tests.migrations.databases import DUMPS
from tests.services.server import PROGRAMS


def _migrate(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAMS / "mlmd-server"), "migrate", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_a_plan_makes_no_file_and_no_folder(tmp_path: Path) -> None:
    planned = _migrate(tmp_path, "--plan")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "Create table Type" in planned.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_plan_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "google.db"
    with closing(sqlite3.connect(file)) as connection:  # with SQLite's own journal, as Google's server keeps it
        connection.execute("CREATE TABLE Other (id INT)")
        connection.commit()
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    planned = _migrate(tmp_path, "--plan", "--database", f"sqlite:///{file}")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "Create table Type" in planned.stdout
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("options", [("--plan",), ()])
def test_what_is_no_database_of_sqlite_is_told(options: tuple[str, ...], tmp_path: Path) -> None:
    folder = _migrate(tmp_path, *options, "--database", f"sqlite:///{tmp_path}")
    assert folder.stderr == f"mlmd-server: database: '{tmp_path}' is a folder; name a file in it.\n"
    (tmp_path / "text.db").write_text("no database" * 100)
    text = _migrate(tmp_path, *options, "--database", "sqlite:///text.db")
    assert (folder.returncode, text.returncode) == (1, 1)
    assert text.stderr.startswith("mlmd-server: The database file is damaged or is no SQLite database")


def test_a_mysql_that_lets_nobody_in_is_told_in_the_words_of_serve(tmp_path: Path, mariadb_url: str) -> None:
    url = parse_url(mariadb_url)
    place = f"{url.host}:{url.port}"
    login = f"{url.username}:{url.password}"
    refused = _migrate(tmp_path, "--database", f"mysql://nobody:wrong@{place}/{url.database}")
    assert refused.returncode == 1
    assert refused.stderr == (
        "mlmd-server: The database cannot be used: user or password is wrong, or the user may not connect from this "
        f"host. It was sought at mysql://nobody:***@{place}/{url.database}.\n"
    )
    absent = _migrate(tmp_path, "--plan", "--database", f"mysql://{login}@{place}/{url.database}_absent")
    assert absent.returncode == 1
    assert absent.stderr == (
        "mlmd-server: The database cannot be used: there is no database of that name; create it or let the server "
        f"create it. It was sought at mysql://{url.username}:***@{place}/{url.database}_absent.\n"
    )
    planned = _migrate(tmp_path, "--plan", "--database", mariadb_url)
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "Create table Type" in planned.stdout


@pytest.mark.parametrize("options", [("--plan",), ()])
def test_what_others_made_is_told_with_its_mend(options: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "google.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((DUMPS / "sqlite_v4.sql").read_text(encoding="utf-8"))
        connection.execute("CREATE VIEW dashboard AS SELECT id FROM Artifact")
    told = _migrate(tmp_path, *options, "--database", f"sqlite:///{file}")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("mlmd-server: What others made in this database is in the way: view dashboard ")
    assert "; drop it, and make it afterwards. Nothing was changed." in told.stderr
