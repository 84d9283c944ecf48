"""The folder that workers count in goes with its server, and with the next one where its own was killed."""

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from mlmd_server import counts_folder
from tests.mlmd_server.processes import processes_of, put_types, said
from tests.services.server import Server
from tests.services.waiting import wait_for


def folders(place: Path) -> set[Path]:
    return set(place.glob("mlmd-metrics-*"))


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


def test_a_folder_that_another_start_took_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    really = os.open
    taken: list[Path] = []

    def late(path: Any, *arguments: Any, **named: Any) -> int:
        if not taken:
            taken.append(path)
            counts_folder.take_away_left(tmp_path)
        return really(path, *arguments, **named)

    monkeypatch.setattr(os, "open", late)
    with counts_folder.folder_of_counts() as folder:
        assert folders(tmp_path) == {folder}
        assert taken[0] != folder
    assert folders(tmp_path) == set()


def test_what_is_no_folder_of_counts_of_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "mlmd-metrics-file").write_text("no folder")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("theirs")
    (tmp_path / "mlmd-metrics-link").symlink_to(tmp_path / "kept")
    counts_folder.take_away_left(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"mlmd-metrics-file", "mlmd-metrics-link", "kept"}
    assert (tmp_path / "kept" / "file").read_text() == "theirs"
