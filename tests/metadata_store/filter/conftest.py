"""The recorded store on SQLite and on MariaDB, filled once for the module's tests."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.filter import compile_filter, parse_filter, running
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind
from sqlalchemy.pool import StaticPool

from tests.metadata_store.filter.facts import lay
from tests.services.sql_server import Address

Find = Callable[[Kind, str], list[int]]
NUMBERS = itertools.count(1)


def plain(text: str) -> str:
    """Text as a utf8mb4 database holds it."""
    return text


@pytest.fixture(scope="package")
def sqlite_facts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """The recorded store in a SQLite file."""
    path: Path = tmp_path_factory.mktemp("filter") / "facts.db"
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=StaticPool)
    lay(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="package")
def mariadb_facts(mariadb: Address, worker_id: str) -> Iterator[sa.Engine]:
    """The recorded store in a MariaDB database."""
    with mariadb.database(f"filter_{worker_id}_{next(NUMBERS)}") as url:
        engine = sa.create_engine(sa.make_url(url).set(drivername="mysql+mysqldb"), poolclass=StaticPool)
        lay(engine)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "mariadb"])
def facts(request: pytest.FixtureRequest) -> sa.Engine:
    """The recorded store, on each database."""
    engine: sa.Engine = request.getfixturevalue(f"{request.param}_facts")
    return engine


def finder(engine: sa.Engine) -> Find:
    """Return a function that lists the ids of the nodes that match."""

    def find(kind: Kind, text: str) -> list[int]:
        node = NODE_TABLES[kind].node
        compiled = compile_filter(parse_filter(kind, text), engine.dialect.name, plain)
        statement = compiled.select(node.c.id, node.c.create_time_since_epoch)
        statement = statement.where(node.c.id > 0).order_by(node.c.create_time_since_epoch, node.c.id).limit(101)
        with engine.connect() as connection, running():
            return sorted(connection.execute(statement).scalars())

    return find


@pytest.fixture
def find(facts: sa.Engine) -> Find:
    """The ids of the nodes that match a filter, ascending; a node that came twice is there twice."""
    return finder(facts)
