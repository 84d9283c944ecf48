"""Stores as people open them, on each database, by each way; journals and caches of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlmd_client.store import Store

from tests.client.conftest import WAYS
from tests.conftest import StartServer


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's environment, and nothing written outside the test's folder."""
    for name in (
        "MLMD_RUN",
        "MLMD_SERVER",
        "MLMD_TOKEN",
        "MLMD_TOKEN_FILE",
        "RANK",
        "WORLD_SIZE",
        "SLURM_PROCID",
        "XDG_STATE_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLMD_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("MLMD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLMD_CAPTURE", "command,host")


OpenStore = Callable[[str], Store]


@pytest.fixture
def open_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStore]:
    """A function that opens a store by its target; everything is closed at the end."""
    opened: list[Store] = []

    def open_it(target: str) -> Store:
        if target.startswith("mysql:"):  # whose bytes would be in ./mlmd-data
            monkeypatch.setenv("MLMD_ARTIFACTS", str(tmp_path / "bytes"))
        opened.append(Store(target))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture(params=WAYS)
def store(request: pytest.FixtureRequest, database_url: str, start_server: StartServer, open_store: OpenStore) -> Store:
    """An empty store: each database, on a server and in this process."""
    if request.param == "grpc":
        return open_store(f"grpc://{start_server(database_url, http=True).target}")
    return open_store(database_url)


@pytest.fixture
def local_store(sqlite_url: str, open_store: OpenStore) -> Store:
    """An empty store in this process, on SQLite: for what does not depend on where the store is."""
    return open_store(sqlite_url)


@pytest.fixture
def journal_folder(tmp_path: Path) -> Path:
    """Where the journals of the test are."""
    return tmp_path / "journal"
