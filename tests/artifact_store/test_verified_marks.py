"""What was read whole is noted, that of many readers at once in few transactions."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.verified_marks import VerifiedMarks
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import DeadlineExceeded, ResourceExhausted

from tests.artifact_store.uploads import begin, send, upload_file
from tests.services.disks import mounted

MANY = 24


def uploaded(store: Store, folder: Path) -> tuple[Artifacts, int]:
    """Return an artifact of many files, none of them verified."""
    requests = Requests(Artifacts(store, LocalStore(folder)))
    contents = {f"{number:02}": b"%d" % number for number in range(MANY)}
    files = [upload_file(path, content) for path, content in contents.items()]
    artifact_id = requests.artifacts.begin_upload(begin(store, *files)).artifact_id
    send(requests, artifact_id, contents)
    requests.artifacts.commit_upload(artifact_id)
    return requests.artifacts, artifact_id


def test_many_readers_are_noted_in_few_transactions(database_url: str, tmp_path: Path) -> None:
    with closing(Store.open(database_url)) as store:
        artifacts, artifact_id = uploaded(store, tmp_path)
        marks, writes = VerifiedMarks(store.database), list[str]()
        writing, go_on = threading.Event(), threading.Event()

        def watch(statement: str) -> None:
            if statement.startswith("UPDATE"):
                writes.append(statement)
                writing.set()
                assert go_on.wait(60)

        store.database.watch = watch
        with ThreadPoolExecutor(MANY) as pool:
            noted = [pool.submit(marks.note, artifact_id, "00", LOCAL)]
            assert writing.wait(60)
            noted += [pool.submit(marks.note, artifact_id, f"{number:02}", LOCAL) for number in range(1, MANY)]
            while marks.waiting < MANY - 1:
                time.sleep(0.01)
            go_on.set()
            for one in noted:
                one.result()
        assert len(writes) == 2, "the first, and one for all who came while it was written"
        assert all(file.verified_ms > 0 for file in artifacts.files(artifact_id)[1])


def test_what_is_read_whole_is_noted(database_url: str, tmp_path: Path) -> None:
    with closing(Store.open(database_url)) as store:
        artifacts, artifact_id = uploaded(store, tmp_path)
        with ThreadPoolExecutor(MANY) as pool:
            read = pool.map(lambda number: b"".join(artifacts.read(artifact_id, f"{number:02}")), range(MANY))
            assert list(read) == [b"%d" % number for number in range(MANY)]
        assert all(file.verified_ms > 0 for file in artifacts.files(artifact_id)[1])


def test_what_cannot_be_noted_fails_no_reader_and_is_logged_once(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Store.open(database_url)) as store:
        artifacts, artifact_id = uploaded(store, tmp_path)
        together, ill = threading.Barrier(MANY), threading.Event()
        ill.set()

        def watch(statement: str) -> None:
            if ill.is_set() and statement.startswith("UPDATE"):
                raise ResourceExhausted("The disk of the database is full.")

        store.database.watch = watch

        def read(number: int) -> bytes:
            together.wait(60)
            return b"".join(artifacts.read(artifact_id, f"{number:02}"))

        with ThreadPoolExecutor(MANY) as pool:
            assert list(pool.map(read, range(MANY))) == [b"%d" % number for number in range(MANY)]
        assert not any(file.verified_ms for file in artifacts.files(artifact_id)[1])
        told = [record.getMessage() for record in caplog.records if record.name == "mlmd.artifacts"]
        assert len(told) == 1
        assert f"of artifact {artifact_id}: The disk of the database is full. They are noted when" in told[0]
        ill.clear()
        assert b"".join(artifacts.read(artifact_id, "00")) == b"0"
        assert [file.path for file in artifacts.files(artifact_id)[1] if file.verified_ms] == ["00"]
        ill.set()
        assert b"".join(artifacts.read(artifact_id, "01")) == b"1"
        assert len([record for record in caplog.records if record.name == "mlmd.artifacts"]) == 2, "it is news again"


def test_a_fault_is_raised_in_all_who_waited(sqlite_url: str, tmp_path: Path) -> None:
    with closing(Store.open(sqlite_url)) as store:
        _, artifact_id = uploaded(store, tmp_path)
        marks, together, told = VerifiedMarks(store.database), threading.Barrier(MANY), list[str]()

        def watch(statement: str) -> None:
            if statement.startswith("UPDATE"):
                raise ZeroDivisionError("nobody foresaw it")

        store.database.watch = watch

        def note(number: int) -> None:
            together.wait(60)
            try:
                marks.note(artifact_id, f"{number:02}", LOCAL)
            except ZeroDivisionError as error:
                told.append(str(error))

        with ThreadPoolExecutor(MANY) as pool:
            list(pool.map(note, range(MANY)))
        assert told == ["nobody foresaw it"] * MANY


def test_a_download_beside_a_database_whose_disk_is_full(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "-t", "tmpfs", "-o", "size=4m", "tmpfs"), closing(Store.open(f"sqlite:///{disk}/f.db")) as store:
        artifacts, artifact_id = uploaded(store, tmp_path / "artifacts")
        with closing(sqlite3.connect(disk / "f.db")) as beside:
            beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # or there may be room in it
        with suppress(OSError), open(disk / "more", "wb", buffering=0) as more:
            while True:
                more.write(bytes(4096))
        assert b"".join(artifacts.read(artifact_id, "07")) == b"7"
        assert artifacts.file(artifact_id, "07")[1].verified_ms == 0
        assert "could not be noted" in caplog.text


def test_nobody_waits_beyond_their_time(sqlite_url: str, tmp_path: Path) -> None:
    with closing(Store.open(sqlite_url)) as store:
        artifacts, artifact_id = uploaded(store, tmp_path)
        marks, writing, go_on = VerifiedMarks(store.database), threading.Event(), threading.Event()

        def watch(statement: str) -> None:
            if statement.startswith("UPDATE"):
                writing.set()
                go_on.wait(60)

        store.database.watch = watch
        first = threading.Thread(target=marks.note, args=(artifact_id, "00", LOCAL))
        first.start()
        assert writing.wait(60)
        with pytest.raises(DeadlineExceeded):
            marks.note(artifact_id, "01", Caller(deadline=time.monotonic() + 0.1))
        go_on.set()
        first.join()
        marks.note(artifact_id, "02", LOCAL)
        assert [file.path for file in artifacts.files(artifact_id)[1] if file.verified_ms] == ["00", "01", "02"]
