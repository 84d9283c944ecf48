"""The store of the recorded cases on SQLite and on MariaDB, filled once for all filters."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from mlmd_metadata_store.store import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from tests.metadata_store.calls import Calls
from tests.metadata_store.fixture import build
from tests.services.sql_server import Address

Find = Callable[[Kind, str], list[int]]
NUMBERS = itertools.count(1)
LISTS = {Kind.ARTIFACT: "Artifacts", Kind.EXECUTION: "Executions", Kind.CONTEXT: "Contexts"}


def plain(text: str) -> str:
    """Text as a utf8mb4 database holds it."""
    return text


def _filled(url: str) -> Iterator[Store]:
    store = Store.open(url)
    build(Calls(store))
    yield store
    store.close()


@pytest.fixture(scope="package")
def sqlite_facts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The recorded store in a SQLite file."""
    yield from _filled(f"sqlite:///{tmp_path_factory.mktemp('filter') / 'facts.db'}")


@pytest.fixture(scope="package")
def mariadb_facts(mariadb: Address, worker_id: str) -> Iterator[Store]:
    """The recorded store in a MariaDB database."""
    with mariadb.database(f"filter_{worker_id}_{next(NUMBERS)}") as url:
        yield from _filled(url)


@pytest.fixture(scope="package")
def mysql9_facts(mysql9: Address, worker_id: str) -> Iterator[Store]:
    """The recorded store in a MySQL 9 database."""
    with mysql9.database(f"filter_{worker_id}_{next(NUMBERS)}") as url:
        yield from _filled(url)


@pytest.fixture(params=["sqlite", "mariadb", "mysql9"])
def facts(request: pytest.FixtureRequest) -> Store:
    """The recorded store, on each database."""
    store: Store = request.getfixturevalue(f"{request.param}_facts")
    return store


def finder(store: Store) -> Find:
    """Return a function that lists the ids of the nodes that match, in order of id and of time alike."""
    call = Calls(store)
    fields = pb.ListOperationOptions.OrderByField

    def find(kind: Kind, text: str) -> list[int]:
        found = []
        for field in (fields.ID, fields.LAST_UPDATE_TIME):
            order = pb.ListOperationOptions.OrderByField(field=field)
            options = pb.ListOperationOptions(max_result_size=100, filter_query=text, order_by_field=order)
            answer = call(f"Get{LISTS[kind]}", options=options)
            found.append([node.id for node in getattr(answer, LISTS[kind].lower())])
        assert sorted(found[0]) == sorted(found[1])
        assert found[0] == sorted(found[0])
        return found[0]

    return find


@pytest.fixture
def find(facts: Store) -> Find:
    """The ids of the nodes that match a filter, ascending; a node that came twice is there twice."""
    return finder(facts)
