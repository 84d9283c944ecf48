"""Servers that tests treat badly."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.contents import contents
from tests.faults.target import LIMIT, Target
from tests.services.server import Server
from tests.services.sql_server import Address


def _started(database: str, folder: Path) -> Iterator[Target]:
    options = ("--max-message-bytes", str(LIMIT), "--log-level", "error")
    with Server(database, folder, http=True, options=options) as server:
        target = Target(server, database)
        yield target
        target.remote.close()


@pytest.fixture(scope="session")
def _sqlite_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("bad_input")
    yield from _started(f"sqlite:///{folder / 'metadata.db'}", folder)


@pytest.fixture(scope="session")
def _mariadb_target(tmp_path_factory: pytest.TempPathFactory, mariadb: Address, worker_id: str) -> Iterator[Target]:
    with mariadb.database(f"bad_input_{worker_id}") as url:
        yield from _started(url, tmp_path_factory.mktemp("bad_input"))


@pytest.fixture(params=["sqlite", "mariadb"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """A server on each database, one for all tests of this file; after each of them it has to be alive and well."""
    found: Target = request.getfixturevalue(f"_{request.param}_target")
    yield found
    found.works()


@pytest.fixture
def untouched(target: Target) -> Iterator[None]:
    """Check that the test's calls wrote nothing."""
    before = contents(target.url)
    yield
    after = contents(target.url)
    assert after == before, after.differing(before)
