"""Both servers on new databases, as often as a session wants, and a count of what was compared."""

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlmd_metadata_store.store import Store

from tests.differential.comparison import Comparison
from tests.differential.sides import SqliteDatabase, google_side, our_side
from tests.reference import client as reference_client
from tests.reference.client import Reference
from tests.reference.databases import MEMORY, sqlite_config
from tests.services.missing import missing

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
        files = {name: str(shutil.copy(first, self.folder / f"{name}.db")) for name, first in self._first.items()}
        store = Store.open(f"sqlite:///{files['ours']}")
        self.reference.open(sqlite_config(Path(files["google"])))
        ours, google = SqliteDatabase(files["ours"]), SqliteDatabase(files["google"])
        try:
            yield Comparison(our_side(store, ours), google_side(self.reference, google), mysql=False, counts=COUNTS)
        finally:
            for database in (ours, google, store):
                database.close()
            self.reference.release()
            for name in files:
                for file in self.folder.glob(f"{name}.db*"):
                    file.unlink()

    def close(self) -> None:
        """End the reference."""
        self.reference.close()


Pairs = Callable[[], contextlib.AbstractContextManager[Comparison]]


@pytest.fixture(scope="session")
def sqlite_pairs() -> Iterator[Pairs]:
    """Call it for two empty stores on SQLite."""
    if (sentence := reference_client.absence()) is not None:
        missing(sentence)
    with tempfile.TemporaryDirectory(prefix="mlmd-differential-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        pairs = SqlitePairs(Path(folder))
        yield pairs.comparison
        pairs.close()
