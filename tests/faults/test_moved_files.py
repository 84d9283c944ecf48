"""A SQLite file that somebody takes from under an open store: no write is acknowledged that goes nowhere."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code, StoreError

from tests.metadata_store.calls import Calls


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "facts" / "metadata.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{path}")
    yield store
    store.close()


def put(store: Store, name: str) -> None:
    """Write an artifact and read it."""
    calls = Calls(store)
    type_id = calls("PutArtifactType", artifact_type={"name": "T"}).type_id
    made = calls("PutArtifacts", artifacts=[{"type_id": type_id, "name": name}]).artifact_ids
    assert [artifact.name for artifact in calls("GetArtifactsByID", artifact_ids=made).artifacts] == [name]


def check_refused(store: Store, reason: str) -> None:
    """Check that nothing is read or written, and that the probe says why."""
    for attempt in (lambda: put(store, "refused"), lambda: Calls(store)("GetArtifacts"), store.database.ping):
        with pytest.raises(StoreError, match=reason) as caught:
            attempt()
        assert caught.value.code is Code.UNAVAILABLE


def moved(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))


def deleted(path: Path) -> None:
    os.link(path, path.with_suffix(".moved"))
    path.unlink()


def without_its_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_suffix(".away"))


@pytest.mark.parametrize("take", [moved, deleted, without_its_folder])
def test_a_file_that_is_gone_is_missed_at_once(store: Store, path: Path, take: Callable[[Path], None]) -> None:
    put(store, "before")
    take(path)
    check_refused(store, "was deleted or moved away. Nothing was written. Put it back, or restart")
    store.database.reader.dispose()  # the next ones need a new connection
    check_refused(store, "was deleted or moved away")
    assert not path.exists(), "nothing was made in its place"
    if take is without_its_folder:
        path.parent.with_suffix(".away").rename(path.parent)
    else:
        path.with_suffix(".moved").rename(path)
    put(store, "after")
    assert sorted(a.name for a in Calls(store)("GetArtifacts").artifacts) == ["after", "before"]


def test_a_file_that_was_replaced_is_left_alone(store: Store, path: Path, tmp_path: Path) -> None:
    put(store, "before")
    copy = tmp_path / "copy.db"
    other = Store.open(f"sqlite:///{copy}")
    put(other, "of the copy")
    other.close()
    told = copy.read_bytes()
    shutil.move(copy, path)
    check_refused(store, "was replaced by another one. Nothing was written. Put it back, or restart")
    store.database.writer.dispose()
    check_refused(store, "was replaced by another one")
    assert path.read_bytes() == told


def test_a_file_that_was_emptied_is_missed(store: Store, path: Path) -> None:
    put(store, "before")
    os.truncate(path, 0)
    check_refused(store, "was emptied. Restore it from a copy")


def log_deleted(log: Path) -> None:
    log.unlink()


def log_replaced(log: Path) -> None:
    shutil.copy(log, log.with_suffix(".copy"))
    log.with_suffix(".copy").rename(log)


@pytest.mark.parametrize("take", [log_deleted, log_replaced])
def test_a_log_that_is_gone_is_missed_at_once(store: Store, path: Path, take: Callable[[Path], None]) -> None:
    put(store, "before")
    take(Path(f"{path}-wal"))
    check_refused(store, r"metadata.db-wal\) was deleted or replaced. Nothing was written. End the server in order")
    store.database.writer.dispose()  # the next one needs a new connection, and would make another log
    check_refused(store, "was deleted or replaced")
    store.close()
    again = Store.open(f"sqlite:///{path}")
    assert [artifact.name for artifact in Calls(again)("GetArtifacts").artifacts] == ["before"]
    put(again, "after")
    again.close()


def test_connections_that_come_and_go_miss_nothing(store: Store) -> None:
    """With the last of them SQLite deletes the log, and makes another one for the next."""
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            store.database.reader.dispose()
            store.database.writer.dispose()

    def write(number: int) -> None:
        for count in range(20):
            put(store, f"{number}-{count}")

    with ThreadPoolExecutor(5) as pool:
        going = pool.submit(come_and_go)
        writers = [pool.submit(write, number) for number in range(4)]
        for writer in writers:
            writer.result(120)
        ended.set()
        going.result(60)
    assert len(Calls(store)("GetArtifacts").artifacts) == 80


def test_another_working_folder_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store.open("sqlite:///facts/metadata.db")
    monkeypatch.chdir("/")
    put(store, "elsewhere")
    store.close()
