"""Locks of uploads where the file system has none, or fails."""

import errno
import fcntl
from pathlib import Path

import pytest
from mlmd_artifact_store.local_locks import Locks


def _answer(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def flock(descriptor: int, kind: int) -> None:
        raise OSError(number, "told by a test")

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_nothing_is_held_where_a_file_system_has_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    _answer(monkeypatch, number)
    locks = Locks(tmp_path)
    with locks.held("t.1"), locks.held("t.1", alone=True):
        locks.settle("t.1")


def test_a_file_system_that_fails_is_no_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answer(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="told by a test"), Locks(tmp_path).held("t.1"):
        pass
