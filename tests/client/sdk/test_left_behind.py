"""What earlier processes left behind: sent within the time that was given, whatever the server and the disk do."""

import errno
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlmd_client.calls import CallError
from mlmd_client.delivery import deliver_left_behind, journal_folder
from mlmd_client.failures import Refused
from mlmd_client.journal import Journal, Record, left_behind
from mlmd_client.journals import kept_journals
from mlmd_client.store import Store
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from tests.services.waiting import wait_for

LOG_SCALARS = "/mlmd.v1.Metrics/LogScalars"


class Hanging:
    """A service that nobody answers, on a clock that only it and sleeping move."""

    def __init__(self) -> None:
        self.now = 100.0

    def once(self, *_: Any, timeout_seconds: float, **__: Any) -> None:
        self.now += timeout_seconds
        raise CallError(Code.DEADLINE_EXCEEDED, "nobody answers")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def time(self) -> SimpleNamespace:
        """What stands in the place of the module of that name."""
        return SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep)


def leave(folder: Path, *requests: v1.LogScalarsRequest, **facts: Any) -> Path:
    """Leave a journal in a folder as a process that is gone does."""
    journal = Journal.create(folder, {"token": "t" * 16, **facts})
    journal.append([Record(LOG_SCALARS, f"key-{place}", one.SerializeToString()) for place, one in enumerate(requests)])
    journal.close()
    return journal.path


@pytest.fixture
def hanging(local_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    """A server that hangs, and three journals of two calls each that are for it."""
    for _ in range(3):
        leave(journal_folder(local_store.address), v1.LogScalarsRequest(), v1.LogScalarsRequest())
    with monkeypatch.context() as patched:
        service = Hanging()
        patched.setattr("mlmd_client.delivery.time", service.time)
        patched.setattr("mlmd_client.store.time", service.time)
        patched.setattr("mlmd_client.backlog.time", service.time)
        patched.setattr(local_store, "service", service)
        yield service


@pytest.mark.parametrize("seconds", [0, 5, 30])
def test_a_server_that_hangs_is_waited_for_as_long_as_was_said(
    local_store: Store, hanging: Hanging, seconds: float
) -> None:
    assert local_store.sync(seconds) == 6
    assert hanging.now == pytest.approx(100 + seconds, abs=0.1)


def test_what_is_delivered_in_the_background_is_not_waited_for_longer(local_store: Store, hanging: Hanging) -> None:
    with ThreadPoolExecutor(1) as pool, local_store._backlog._sending:
        assert pool.submit(local_store.sync, 0.05).result(60) == 6


def test_a_disk_that_takes_no_refused_calls_keeps_nothing_else_from_being_sent(
    local_store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = journal_folder(local_store.address)
    with local_store.run("away/full") as run:
        said = v1.LogScalarsRequest(scalars={"auc": 0.5})
        refused = leave(folder, v1.LogScalarsRequest(), execution_id=run.id)
        leave(folder, said, execution_id=run.id)
        refused = refused.rename(refused.with_name("20200101T000000Z.journal"))  # it comes first

        def full(*_: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr("mlmd_client.journal._write", full)
            assert deliver_left_behind(local_store.service, folder) == (1, 1)
            assert f"{refused} cannot be let go: No space left on device" in caplog.text
        assert refused in left_behind(folder)
        assert not list(folder.glob("*.new")), "what was begun is gone"
        assert local_store.sync() == 0
    assert local_store.run_facts(run.id).metrics == {"auc": 0.5}
    assert not refused.exists()
    assert refused.with_name(f"{refused.name}.undeliverable").exists()


def test_a_folder_that_cannot_be_looked_through_is_told_and_not_taken_for_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLMD_JOURNAL", str(tmp_path / ("x" * 300)))  # a name that no file system has, whoever asks
    with Store(tmp_path / "data") as opened:
        wait_for(lambda: "could not be looked through" in caplog.text)
        folder = re.escape(str(journal_folder(opened.address)))
        said = rf"^MLMD_JOURNAL: .* kept in '{folder}', which cannot be looked through \(.*too long\); let the user"
        with pytest.raises(Refused, match=said):
            opened.sync()
        with pytest.raises(Refused, match=said):
            kept_journals(journal_folder(opened.address))
