"""The throwaway servers are what the suite takes them for."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.dialect_choice import make_dialect
from mlmd_metadata_store.options import StoreOptions

from tests.services.mariadb import MariaDB
from tests.services.missing import missing
from tests.services.sql_server import SQL_MODE, Address

NAMES = "SELECT schema_name FROM information_schema.schemata"


def test_mariadb_behaves_like_a_default_mysql(mariadb: Address) -> None:
    mode, wait, packet = mariadb.execute("SELECT @@sql_mode, @@lock_wait_timeout, @@max_allowed_packet")[0]
    assert mode == SQL_MODE
    assert wait == 10
    assert packet == 128 * 2**20


def test_mysql9_is_a_mysql_with_default_settings(mysql9: Address) -> None:
    version, mode = mysql9.execute("SELECT version(), @@sql_mode")[0]
    assert int(version.split(".")[0]) >= 9
    assert set(mode.split(",")) == set(SQL_MODE.split(","))


def test_a_database_is_dropped_though_a_transaction_is_open_in_it(mariadb: Address, database_name: str) -> None:
    with mariadb.database(database_name):
        mariadb.execute("CREATE TABLE kept (id INT)", database_name)
        holder = mariadb.connect(database_name, autocommit=False)
        holder.cursor().execute("SELECT * FROM kept")
    assert (database_name,) not in mariadb.execute(NAMES)
    with contextlib.suppress(Exception):  # the server ended it
        holder.close()


def test_an_own_server_keeps_port_and_data_over_kill_and_restart(own_mariadb: MariaDB) -> None:
    port = own_mariadb.port
    own_mariadb.create("facts")
    own_mariadb.kill()
    own_mariadb.start()
    own_mariadb.restart()
    assert own_mariadb.port == port
    assert ("facts",) in own_mariadb.execute(NAMES)


def test_a_server_that_cannot_start_says_why(own_mariadb: MariaDB, tmp_path: Path) -> None:
    broken = MariaDB(tmp_path / "broken", options=("--no-such-option",))
    with pytest.raises(RuntimeError, match="no-such-option"):
        broken.start()
    broken.discard()


def test_each_test_gets_an_empty_database(database_url: str, new_database: Callable[[], str]) -> None:
    for url in (database_url, new_database(), new_database()):
        engine = make_dialect(url, StoreOptions()).engine(writer=True)
        with engine.begin() as connection:
            assert sa.inspect(connection).get_table_names() == []
            connection.execute(sa.text("CREATE TABLE mine (id INT)"))
        engine.dispose()


def test_a_missing_part_skips_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_STRICT", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such server"):
        missing("no such server")
    monkeypatch.setenv("CI_STRICT", "1")
    with pytest.raises(pytest.fail.Exception, match="no such server"):
        missing("no such server")
    with pytest.raises(pytest.skip.Exception):
        missing("no such server", tolerated=True)
