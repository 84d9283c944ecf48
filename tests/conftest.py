"""Fixtures that every component's tests share: databases, the servers behind them, the reference.

`database_url` is an empty database of its own for each test, once on SQLite and once on MariaDB. Servers are real, on
free ports of the loopback interface, with their data in temporary folders; one of each kind serves the whole run.
"""

import contextlib
import importlib.util
import itertools
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import hypothesis
import pytest
from minio import Minio
from mlmd_metadata_store import clock

from tests.packaging import wheels
from tests.reference import client as reference_client
from tests.reference.client import Reference
from tests.reference.databases import MariaDatabases, SqliteDatabases
from tests.services import ceph, keeper
from tests.services import mariadb as mariadb_service
from tests.services import mysql as mysql_service
from tests.services.ceph import S3Address
from tests.services.leftovers import end_with_this_run
from tests.services.mariadb import MariaDB
from tests.services.missing import MYSQLCLIENT, missing, strict
from tests.services.scratch import use_memory
from tests.services.server import Server
from tests.services.sql_server import Address

use_memory()

# How long an example takes says nothing on a busy machine; and what CI tries is not to change from run to run.
_QUIET = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("here", deadline=None, suppress_health_check=_QUIET)
hypothesis.settings.register_profile("strict", hypothesis.settings.get_profile("ci"))
hypothesis.settings.load_profile("strict" if strict() else "here")

NUMBERS = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Have everything that the run starts end with it; a worker of pytest-xdist is such a thing itself."""
    if not hasattr(config, "workerinput"):
        end_with_this_run()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip for a missing part or module into a failure when CI is strict, whoever skipped."""
    report = yield
    if strict() and report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        if "could not import" in reason or ("make test-deps" in reason and "MySQL 9" not in reason):
            report.outcome, report.longrepr = "failed", f"CI_STRICT: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it loudly when nothing ran on Oracle's MySQL, which CI tolerates."""
    if mysql_service.absence() is not None:
        terminalreporter.section("NOT TESTED ON MYSQL 9", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{mysql_service.absence()}")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A temporary folder that all workers of the run share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def our_wheel(run_folder: Path) -> Path:
    """A folder for the path of modules with our packages and their entry points in it, as they are installed."""
    return wheels.shared(run_folder)


@pytest.fixture(scope="session", autouse=True)
def _state_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep notes about uploads that were interrupted out of the home of whoever runs the tests."""
    os.environ["MLMD_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


def _need_mysqlclient() -> None:
    if importlib.util.find_spec("MySQLdb") is None:
        missing(MYSQLCLIENT)


@pytest.fixture(scope="session")
def mariadb(run_folder: Path) -> Address:
    """The run's MariaDB, MySQL's default sql_mode; not to be stopped (see `own_mariadb`)."""
    _need_mysqlclient()
    if (sentence := mariadb_service.absence()) is not None:
        missing(sentence)
    return keeper.shared("mariadb", run_folder)


@pytest.fixture(scope="session")
def mysql9(run_folder: Path) -> Address:
    """The run's Oracle MySQL 9; skips where it cannot be had, in CI too, because Debian's sid moves."""
    _need_mysqlclient()
    if (sentence := mysql_service.absence()) is not None:
        missing(sentence, tolerated=True)
    return keeper.shared("mysql9", run_folder)


@pytest.fixture
def own_mariadb(tmp_path: Path) -> Iterator[MariaDB]:
    """A MariaDB of the test's own (a second to start), to be stopped, killed and restarted at will."""
    _need_mysqlclient()
    if (sentence := mariadb_service.absence()) is not None:
        missing(sentence)
    server = MariaDB(tmp_path / "mariadb")
    server.start()
    yield server
    server.discard()


@pytest.fixture
def database_name(worker_id: str) -> str:
    """A database name that nobody else uses on the run's servers."""
    return f"test_{worker_id}_{next(NUMBERS)}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'metadata.db'}"


@pytest.fixture
def mariadb_url(mariadb: Address, database_name: str) -> Iterator[str]:
    """The URL of an empty MariaDB database of the test's own."""
    with mariadb.database(database_name) as url:
        yield url


@pytest.fixture
def mysql9_url(mysql9: Address, database_name: str) -> Iterator[str]:
    """The URL of an empty MySQL 9 database of the test's own."""
    with mysql9.database(database_name) as url:
        yield url


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of the test's own, on SQLite and on MariaDB (and `mysql9` by indirect parameter)."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "mariadb"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path, worker_id: str) -> Iterator[Callable[[], str]]:
    """A function that returns the URL of another empty database at each call, for tests that want several."""
    with contextlib.ExitStack() as made:

        def new() -> str:
            number = next(NUMBERS)
            if request.param == "sqlite":
                return f"sqlite:///{tmp_path / f'metadata_{number}.db'}"
            server: Address = request.getfixturevalue(request.param)
            return made.enter_context(server.database(f"test_{worker_id}_{number}"))

        yield new


@pytest.fixture(scope="session")
def s3(run_folder: Path) -> S3Address:
    """The run's S3 server."""
    if (sentence := ceph.absence()) is not None:
        missing(sentence)
    told = keeper.shared_details("ceph", run_folder)
    return S3Address(told["port"], told["tls_port"], Path(told["authority"]))


@pytest.fixture(scope="session")
def s3_admin(s3: S3Address) -> Minio:
    """MinIO's client on the run's S3 server, to look and to meddle from outside."""
    host = s3.endpoint.removeprefix("http://")
    return Minio(host, s3.access_key, s3.secret_key, secure=False, region="us-east-1")


@pytest.fixture
def bucket(s3_admin: Minio, worker_id: str) -> str:
    """An empty bucket of the test's own."""
    name = f"test-{worker_id}-{next(NUMBERS)}"
    s3_admin.make_bucket(name)
    return name


@pytest.fixture(scope="session")
def _reference_worker() -> Iterator[Reference]:
    """One worker process on SQLite for all tests of this process."""
    if (sentence := reference_client.absence()) is not None:
        missing(sentence)
    databases = SqliteDatabases()
    reference = Reference(databases)
    yield reference
    reference.close()
    databases.discard()


@pytest.fixture
def reference(_reference_worker: Reference) -> Reference:
    """Google's core on a new, empty SQLite file."""
    _reference_worker.reset()
    return _reference_worker


@pytest.fixture(scope="session")
def _reference_mariadb_worker(mariadb: Address, worker_id: str) -> Iterator[Reference]:
    if (sentence := reference_client.absence()) is not None:
        missing(sentence)
    databases = MariaDatabases(mariadb, f"reference_{worker_id}")
    reference = Reference(databases)
    yield reference
    reference.close()
    databases.discard()


@pytest.fixture
def reference_mariadb(_reference_mariadb_worker: Reference) -> Reference:
    """Google's core on a new, empty MariaDB database."""
    _reference_mariadb_worker.reset()
    return _reference_mariadb_worker


@pytest.fixture(params=["reference", "reference_mariadb"], ids=["sqlite", "mariadb"])
def any_reference(request: pytest.FixtureRequest) -> Reference:
    """Google's core on each database."""
    reference: Reference = request.getfixturevalue(request.param)
    return reference


class StartServer(Protocol):
    """How `start_server` is called: the arguments of `Server`, less the folder."""

    def __call__(
        self,
        database: str,
        *,
        http: bool = False,
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> Server:
        """Start one more server and return it, ready."""


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start our server as a process, as often as the test wants; all of them are killed at its end."""
    started: list[Server] = []

    def start(
        database: str,
        *,
        http: bool = False,
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> Server:
        folder = tmp_path / f"server_{len(started) + 1}"
        server = Server(database, folder, http=http, options=options, environment=environment, fresh=fresh)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.kill()


Clock = Callable[[int], contextlib.AbstractContextManager[None]]


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Be a server whose clock is so many seconds ahead, or behind, within a block."""

    @contextlib.contextmanager
    def turned(seconds: int) -> Iterator[None]:
        with monkeypatch.context() as patched:
            patched.setattr(clock, "time_ns", lambda: time.time_ns() + seconds * 1_000_000_000)
            yield

    return turned
