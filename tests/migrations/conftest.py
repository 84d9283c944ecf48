"""Engines on new databases, and Google's core for the same one."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from tests.migrations.databases import engine_of
from tests.reference.client import Reference

NewEngine = Callable[[], sa.Engine]

ON_MYSQL9 = (
    "test_write_66_an_upgrade_keeps_every_id",
    "test_write_66_old_version_is_refused_and_untouched_without_leave",
    "test_write_68_last_of_equal_events_survives_and_paths_to_nowhere_go",
    "test_write_69_artifact_types_of_version_0_have_kind_1_and_execution_types_kind_0",
    "test_write_70_downgrade_to_8_is_cancelled_and_done",
    "test_servers_that_start_together_on_an_empty_database_all_succeed",
)
"""Tests that run on Oracle's MySQL 9 too: every way to a database of version 10, and two servers at once."""


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Add MySQL 9 to the databases of these tests."""
    if metafunc.function.__name__ in ON_MYSQL9:
        databases = ["sqlite", "mariadb", pytest.param("mysql9", marks=pytest.mark.mysql9)]
        metafunc.definition.add_marker(pytest.mark.parametrize("database_url", databases, indirect=True))


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
