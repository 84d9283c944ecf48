"""Syncs that files of several writers share."""

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlmd_artifact_store import local_syncs
from mlmd_artifact_store.local_syncs import FEWEST_FILES, JointSync


class Counted:
    """Syncs of the file system that are counted; the first waits until it is let go, and one can fail."""

    def __init__(self, then: Callable[[int], None]) -> None:
        self.count = 0
        self.failing = 0
        self.first_begun, self.let_go = threading.Event(), threading.Event()
        self._then = then

    def __call__(self, descriptor: int) -> None:
        self.count += 1
        if self.count == 1:
            self.first_begun.set()
            assert self.let_go.wait(60)
        if self.count == self.failing:
            raise OSError(errno.EIO, "the disk is ill")
        self._then(descriptor)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """The real thing, counted: a disk that fails when it is asked to is not to be had."""
    found = Counted(local_syncs._syncfs)
    monkeypatch.setattr(local_syncs, "_syncfs", found)
    monkeypatch.setattr(local_syncs, "_waiting_kib", lambda: 0)  # whatever else this machine writes
    return found


def written(folder: Path) -> int:
    descriptor = os.open(folder / os.urandom(8).hex(), os.O_RDWR | os.O_CREAT, 0o600)
    os.write(descriptor, b"x")
    return descriptor


def save(syncs: JointSync, folder: Path) -> None:
    with syncs.batch(FEWEST_FILES) as batch:
        descriptor = written(folder)
        batch.sync_files([descriptor])
        os.close(descriptor)


def test_those_who_come_during_a_sync_share_the_next(tmp_path: Path, counted: Counted) -> None:
    syncs = JointSync(tmp_path)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(save, syncs, tmp_path)
        assert counted.first_begun.wait(60)
        others = [pool.submit(save, syncs, tmp_path) for _ in range(8)]
        while len(syncs._turn._waiters) < len(others):  # type: ignore[attr-defined]
            pass
        counted.let_go.set()
        for one in [first, *others]:
            one.result()
    assert counted.count == 2


def test_a_failure_is_told_to_all_who_were_writing(tmp_path: Path, counted: Counted) -> None:
    syncs, counted.failing = JointSync(tmp_path), 1
    counted.let_go.set()
    with syncs.batch(FEWEST_FILES) as early, syncs.batch(FEWEST_FILES) as failing:
        descriptor = written(tmp_path)
        with pytest.raises(OSError, match="Input/output error"):
            failing.sync_files([descriptor])
        with pytest.raises(OSError, match="Input/output error"):
            early.sync_files([descriptor])  # the system tells of it once: it may have been one of these
        os.close(descriptor)
    save(syncs, tmp_path)
    assert counted.count == 3


def test_few_files_wait_for_nobody_else(tmp_path: Path, counted: Counted) -> None:
    with JointSync(tmp_path).batch(FEWEST_FILES - 1) as batch:
        descriptor = written(tmp_path)
        batch.sync_files([descriptor])
        batch.sync_folders([tmp_path])
        os.close(descriptor)
    assert counted.count == 0


def test_much_that_others_wrote_is_not_waited_for(
    tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_syncs, "_waiting_kib", lambda: 1 << 20)
    save(JointSync(tmp_path), tmp_path)
    assert counted.count == 0


def test_a_fork_during_a_sync_has_syncs_of_its_own(tmp_path: Path, counted: Counted) -> None:
    syncs = JointSync(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(save, syncs, tmp_path)
        assert counted.first_begun.wait(60)
        child = os.fork()
        if not child:
            try:
                save(syncs, tmp_path)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        counted.let_go.set()
        under_way.result()
    assert os.waitstatus_to_exitcode(status) == 0


def test_nothing_stays_open(tmp_path: Path) -> None:
    syncs = JointSync(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    save(syncs, tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before
