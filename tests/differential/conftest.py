"""Both servers on new databases, as often as a session wants, and a count of what was compared."""

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.text import TEXT_CODECS

from tests.differential.comparison import Comparison
from tests.differential.sides import (
    MariaDatabase,
    Side,
    SqliteDatabase,
    alternating_side,
    close_gaps,
    google_side,
    our_side,
)
from tests.reference import client as reference_client
from tests.reference.client import Reference
from tests.reference.databases import MEMORY, MariaDatabases, mysql_config, sqlite_config
from tests.services.missing import missing
from tests.services.sql_server import Address

Counts = Counter[tuple[str, str]]
COUNTS: Counts = Counter()


class SqlitePairs:
    """Pairs of SQLite files: empty stores of ours and Google's, copied from a first one of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._first = {name: folder / f"{name}_first.db" for name in ("ours", "google")}
        Store.open(f"sqlite:///{self._first['ours']}").close()
        self.reference = Reference(lambda: sqlite_config(self._first["google"]))
        self.reference.release()

    @contextlib.contextmanager
    def comparison(self) -> Iterator[Comparison]:
        """Yield two empty stores to compare."""
        files = {name: Path(shutil.copy(first, self.folder / f"{name}.db")) for name, first in self._first.items()}
        self.reference.open(sqlite_config(files["google"]))
        database = SqliteDatabase(str(files["google"]))
        try:
            with self._our_side(files["ours"]) as ours:
                yield Comparison(ours, google_side(self.reference, database), mysql=False, counts=COUNTS)
        finally:
            database.close()
            self.reference.release()
            for name in files:
                for file in self.folder.glob(f"{name}.db*"):
                    file.unlink()

    @contextlib.contextmanager
    def _our_side(self, file: Path) -> Iterator[Side]:
        store, database = Store.open(f"sqlite:///{file}"), SqliteDatabase(str(file))
        try:
            yield our_side(store, database)
        finally:
            database.close()
            store.close()

    def close(self) -> None:
        """End the reference."""
        self.reference.close()


class SharedPairs(SqlitePairs):
    """Pairs of SQLite files that Google's core made; one of each pair is ours and a second core's by turns."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._first["ours"] = self._first["google"]
        self._second = Reference(lambda: sqlite_config(folder / "second.db"))
        self._second.release()

    @contextlib.contextmanager
    def _our_side(self, file: Path) -> Iterator[Side]:
        with super()._our_side(file) as ours:
            self._second.open(sqlite_config(file))
            try:
                yield alternating_side(ours, google_side(self._second, ours.database))
            finally:
                self._second.release()

    def close(self) -> None:
        """End both references."""
        self._second.close()
        super().close()


class MariaPairs:
    """Two databases on one MariaDB, emptied for every comparison."""

    def __init__(self, server: Address, prefix: str, options: StoreOptions) -> None:
        self.url, self._options = server.url(f"{prefix}_ours"), options
        self._databases = MariaDatabases(server, prefix)
        self.reference = Reference(self._databases)
        store = Store.open(self.url, options)
        self._ours = MariaDatabase(server, f"{prefix}_ours", store.database.text)
        self._google = MariaDatabase(server, self._databases.name, TEXT_CODECS["google"])
        store.close()
        self._server = server

    @contextlib.contextmanager
    def comparison(self) -> Iterator[Comparison]:
        """Yield two empty stores to compare."""
        for database in (self._ours, self._google):
            database.empty()
        store = Store.open(self.url, self._options)
        try:
            ours, google = self._our_side(store), google_side(self.reference, self._google)
            close_gaps(ours)
            close_gaps(google)
            yield Comparison(ours, google, mysql=True, counts=COUNTS)
        finally:
            store.close()

    def _our_side(self, store: Store) -> Side:
        return our_side(store, self._ours)

    def close(self) -> None:
        """End the reference and drop the databases."""
        self.reference.close()
        self._ours.close()
        self._google.close()
        self._databases.discard()
        self._server.drop(self.url.rsplit("/", 1)[1])


class SharedMariaPairs(MariaPairs):
    """Two databases that Google's core made; one is ours and a second core's by turns, and in latin1 as MySQL 5.7's."""

    def __init__(self, server: Address, prefix: str) -> None:
        name = f"{prefix}_ours"
        server.create(name)
        server.execute(f"ALTER DATABASE `{name}` CHARACTER SET latin1 COLLATE latin1_bin")
        self._second = Reference(lambda: mysql_config(server, name))
        super().__init__(server, prefix, StoreOptions())

    def _our_side(self, store: Store) -> Side:
        return alternating_side(super()._our_side(store), google_side(self._second, self._ours))

    def close(self) -> None:
        """End both references and drop the databases."""
        self._second.close()
        super().close()


Pairs = Callable[[], contextlib.AbstractContextManager[Comparison]]


@pytest.fixture(scope="session")
def sqlite_pairs() -> Iterator[Pairs]:
    """Call it for two empty stores on SQLite."""
    yield from _in_folder(SqlitePairs)


@pytest.fixture(scope="session")
def shared_pairs() -> Iterator[Pairs]:
    """Call it for two empty stores on SQLite, one of them ours and Google's by turns."""
    yield from _in_folder(SharedPairs)


def _in_folder(made: type[SqlitePairs]) -> Iterator[Pairs]:
    if (sentence := reference_client.absence()) is not None:
        missing(sentence)
    with tempfile.TemporaryDirectory(prefix="mlmd-differential-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        pairs = made(Path(folder))
        yield pairs.comparison
        pairs.close()


@pytest.fixture(scope="session", params=[False, True], ids=["utf8", "google_text"])
def maria_pairs(request: pytest.FixtureRequest, mariadb: Address, worker_id: str) -> Iterator[Pairs]:
    """Call it for two empty stores on MariaDB; ours keeps text as utf8mb4, and as Google's does."""
    yield from _on(mariadb, f"differential_{worker_id}_{int(request.param)}", StoreOptions(google_text=request.param))


@pytest.fixture(scope="session")
def utf8_pairs(mariadb: Address, worker_id: str) -> Iterator[Pairs]:
    """Call it for two empty stores on MariaDB, where it is all one how text is kept."""
    yield from _on(mariadb, f"differences_{worker_id}", StoreOptions())


@pytest.fixture(scope="session")
def shared_maria_pairs(mariadb: Address, worker_id: str) -> Iterator[Pairs]:
    """Call it for two empty stores on MariaDB, one of them ours and Google's by turns."""
    yield from _made(lambda: SharedMariaPairs(mariadb, f"shared_{worker_id}"))


def _on(server: Address, prefix: str, options: StoreOptions) -> Iterator[Pairs]:
    yield from _made(lambda: MariaPairs(server, prefix, options))


def _made(make: Callable[[], MariaPairs]) -> Iterator[Pairs]:
    if (sentence := reference_client.absence()) is not None:
        missing(sentence)
    pairs = make()
    yield pairs.comparison
    pairs.close()
