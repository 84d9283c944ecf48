"""The folder that workers count in goes with its server, and with the next one where its own was killed."""

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mlmd_server import counts_folder
from tests.mlmd_server.processes import processes_of, put_types, said
from tests.services.server import Server
from tests.services.waiting import wait_for


def folders(place: Path) -> set[Path]:
    return set(place.glob("mlmd-metrics-*"))


def opened_below(place: Path) -> list[str]:
    """Return what this process has open there; nothing on a system without /proc."""
    opened = []
    for one in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another thread closed it meanwhile
            opened.append(os.readlink(one))
    return [one for one in opened if one.startswith(str(place))]


def started(place: Path, name: str) -> Server:
    """Start a server with two workers whose place for temporary files is `place`."""
    environment = {"TMPDIR": str(place)}
    server = Server(f"sqlite:///{place / name}.db", place / name, options=("--workers", "2"), environment=environment)
    server.start()
    wait_for(lambda: said(server, "ready"))
    return server


def test_what_a_killed_server_left_goes_at_the_next_start(tmp_path: Path) -> None:
    killed = started(tmp_path, "killed")
    (left,) = folders(tmp_path)
    killed.kill()
    assert folders(tmp_path) == {left}, "or this test shows nothing"
    following = started(tmp_path, "following")
    try:
        (own,) = folders(tmp_path)
        assert own != left
        assert f"took away {left}" in following.output()
    finally:
        assert following.stop() == 0
    assert folders(tmp_path) == set()


def test_what_a_server_or_a_worker_without_one_counts_in_stays(tmp_path: Path) -> None:
    living, orphaning = started(tmp_path, "living"), started(tmp_path, "orphaning")
    both = folders(tmp_path)
    assert len(both) == 2
    assert orphaning.process is not None
    orphan = processes_of(orphaning)[0]
    os.kill(orphan, signal.SIGSTOP)  # a worker that ends late
    os.kill(orphaning.process.pid, signal.SIGKILL)
    try:
        following = started(tmp_path, "following")
        assert folders(tmp_path) > both
        put_types(living, 3)
        assert following.stop() == 0
        assert folders(tmp_path) == both
    finally:
        os.kill(orphan, signal.SIGCONT)
        orphaning.kill()
        assert living.stop() == 0


@pytest.mark.parametrize(("module", "call"), [(os, "open"), (fcntl, "flock")], ids=["opened", "locked"])
def test_a_folder_that_another_start_took_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, call: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    really = getattr(module, call)
    taken: list[set[Path]] = []

    def late(*arguments: Any, **named: Any) -> Any:
        if not taken:
            taken.append(folders(tmp_path))
            counts_folder.take_away_left(tmp_path)
        return really(*arguments, **named)

    monkeypatch.setattr(module, call, late)
    with counts_folder.folder_of_counts() as folder:
        assert folders(tmp_path) == {folder}
        assert len(taken[0]) == 1
        assert folder not in taken[0]
    assert folders(tmp_path) == set()
    assert opened_below(tmp_path) == []


def test_what_cannot_be_taken_away_is_not_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mlmd.serve")
    left = tmp_path / "mlmd-metrics-left"
    left.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as where the user may not write in the place
        counts_folder.take_away_left(tmp_path)
    assert "took away" not in caplog.text
    counts_folder.take_away_left(tmp_path)
    assert f"took away {left}" in caplog.text


def test_what_is_no_folder_of_counts_of_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "mlmd-metrics-file").write_text("no folder")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("theirs")
    (tmp_path / "mlmd-metrics-link").symlink_to(tmp_path / "kept")
    counts_folder.take_away_left(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"mlmd-metrics-file", "mlmd-metrics-link", "kept"}
    assert (tmp_path / "kept" / "file").read_text() == "theirs"


def test_only_what_nobody_counts_in_and_is_this_users_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, user = tmp_path / "mlmd-metrics-left", os.geteuid()
    (left / "deep").mkdir(parents=True)
    with counts_folder.folder_of_counts() as own:
        assert folders(tmp_path) == {own}
        left.mkdir()
        monkeypatch.setattr(os, "geteuid", lambda: user + 1)
        counts_folder.take_away_left(tmp_path)
        assert folders(tmp_path) == {own, left}
        monkeypatch.setattr(os, "geteuid", lambda: user)
        counts_folder.take_away_left(tmp_path)
        assert folders(tmp_path) == {own}


def test_a_folder_that_is_gone_at_the_end_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may empty the place for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with counts_folder.folder_of_counts() as own:
        own.rmdir()
    assert folders(tmp_path) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_every_lock_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "mlmd-metrics-left").mkdir()
    with counts_folder.folder_of_counts() as own:
        counts_folder.take_away_left(tmp_path)
        assert opened_below(tmp_path) == [str(own)]
    assert opened_below(tmp_path) == []
