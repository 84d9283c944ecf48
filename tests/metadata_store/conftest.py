"""A store on each database, and calls by name."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store

from tests.metadata_store.calls import Calls
from tests.metadata_store.node_puts import ALL_KINDS, put_type
from tests.services.mysql_packets import packets
from tests.services.proxy import Proxy
from tests.services.sql_server import Address

NUMBERS = itertools.count(1)

ON_MYSQL9 = ("test_node_writes", "test_masked_writes", "test_execution_writes")
"""Modules that run on Oracle's MySQL 9 too: the writes, which have the most to do with a database's ways."""


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Add MySQL 9 to the databases of these modules."""
    if "database_url" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in ON_MYSQL9:
        databases = ["sqlite", "mariadb", pytest.param("mysql9", marks=pytest.mark.mysql9)]
        metafunc.definition.add_marker(pytest.mark.parametrize("database_url", databases, indirect=True))


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store, on SQLite and on MariaDB."""
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def call(store: Store) -> Calls:
    """Calls on the empty store: `call("PutArtifacts", artifacts=[...])`."""
    return Calls(store)


@pytest.fixture
def store_on(request: pytest.FixtureRequest, tmp_path: Any, worker_id: str) -> Iterator[Callable[..., Calls]]:
    """A function that opens an empty store on `sqlite` or `mariadb`."""
    with ExitStack() as stack:

        def opened(database: str, **options: Any) -> Calls:
            number = next(NUMBERS)
            url = f"sqlite:///{tmp_path}/{number}.db"
            if database == "mariadb":
                server: Address = request.getfixturevalue("mariadb")
                url = stack.enter_context(server.database(f"archive_{worker_id}_{number}"))
            store = Store.open(url, StoreOptions(**options))
            stack.callback(store.close)
            return Calls(store)

        yield opened


@pytest.fixture
def dataset(call: Calls) -> int:
    """The id of an artifact type with a property of each kind."""
    return put_type(call, "Artifact", "Dataset", **ALL_KINDS)


@pytest.fixture
def far(mariadb: Address, database_name: str) -> Iterator[tuple[Calls, Proxy]]:
    """Calls on a store that reaches MariaDB through a proxy, on one connection for reads and one for writes."""
    with mariadb.database(database_name), Proxy(mariadb.port, packets) as proxy:
        opened = Store.open(Address(proxy.port).url(database_name), StoreOptions(pool_size=1))
        yield Calls(opened), proxy
        opened.close()
