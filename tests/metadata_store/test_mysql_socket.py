"""A Unix socket of MySQL counts instead of host and port, whatever the URL names."""

from pathlib import Path

import pytest
from mlmd_metadata_store.addresses import parse_url, place_of
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store

from tests.services.sql_server import Address


@pytest.mark.parametrize("place", ["localhost", "127.0.0.1:1", "db.invalid:3307"])
def test_the_socket_counts_and_not_the_host(mariadb: Address, mariadb_url: str, place: str) -> None:
    ((folder, name),) = mariadb.execute("SELECT @@datadir, @@socket")
    mariadb.execute("CREATE USER IF NOT EXISTS 'by_socket'@'localhost' IDENTIFIED BY 'secret'")
    mariadb.execute("GRANT ALL PRIVILEGES ON *.* TO 'by_socket'@'localhost'")
    url = f"mysql://by_socket:secret@{place}/{parse_url(mariadb_url).database}"
    store = Store.open(url, StoreOptions(socket=str(Path(folder, name))))
    store.ping()
    store.close()


def test_a_place_is_told_by_the_socket_without_the_password() -> None:
    url = "mysql://mlmd:hunter2@db.example:3307/facts"
    assert place_of(url) == "It was sought at mysql://mlmd:***@db.example:3307/facts."
    told = place_of(url, "/run/m.sock")
    assert told == "It was sought at the socket '/run/m.sock', as mysql://mlmd:***@/facts."
    assert place_of("sqlite:///m.db", "/run/m.sock") == "It was sought at sqlite:///m.db."
