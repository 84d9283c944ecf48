"""Engines on new databases, and Google's core for the same one."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from tests.migrations.databases import engine_of
from tests.reference.client import Reference

NewEngine = Callable[[], sa.Engine]


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on an empty database, SQLite and MariaDB."""
    made = engine_of(database_url)
    yield made
    made.dispose()


@pytest.fixture
def mariadb_engine(mariadb_url: str) -> sa.Engine:
    """An engine on an empty MariaDB database."""
    return engine_of(mariadb_url)


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> sa.Engine:
    """An engine on a SQLite file that does not exist yet."""
    return engine_of(sqlite_url)


@pytest.fixture
def new_engine(new_database: Callable[[], str]) -> NewEngine:
    """A function that returns an engine on another empty database of the same kind at each call."""
    return lambda: engine_of(new_database())


@pytest.fixture
def google(reference: Reference) -> Iterator[Reference]:
    """Google's core, to be told which database to open; lets go of it at the end."""
    yield reference
    reference.release()
