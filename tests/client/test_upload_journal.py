"""Notes of uploads where none can be kept: the upload goes on without."""

import pwd
from pathlib import Path

import pytest
from mlmd_client.upload_journal import UploadNote


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's notes are."""
    monkeypatch.setenv("MLMD_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def note(*, kept: bool = True) -> UploadNote:
    return UploadNote("store", Path("/data"), "churn", b"artifact", kept=kept)


def test_what_was_noted_is_found_until_it_is_forgotten(state_home: Path) -> None:
    with note() as first:
        assert first.found() == (0, "", "")
        first.note(7, "digest", "s3://b/7")
        first.note(8, "d", "s3://b/8")
    with note() as second:
        assert second.found() == (8, "d", "s3://b/8")
        second.forget()
    assert list((state_home / "uploads").iterdir()) == []


def test_one_process_has_a_note_at_a_time() -> None:
    with note() as first, note() as second:
        assert (first.kept, second.kept) == (True, False)
        second.note(7, "digest", "uri")
        assert first.found() == second.found() == (0, "", "")


def test_a_note_that_broke_off_counts_as_none(state_home: Path) -> None:
    with note() as first:
        first.note(7, "digest", "s3://b/7")
    (path,) = (state_home / "uploads").iterdir()
    path.write_bytes(path.read_bytes()[:-5] + b"\xff")
    with note() as second:
        assert second.found() == (0, "", "")


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("MLMD_STATE_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with note() as blank:
        assert not blank.kept
        blank.note(7, "digest", "uri")
        blank.forget()


def test_on_a_full_disk_nothing_is_kept(state_home: Path) -> None:
    with note() as first:
        first.note(7, "digest", "uri")
    (path,) = (state_home / "uploads").iterdir()
    path.unlink()
    path.symlink_to("/dev/full")
    with note() as second:
        assert second.kept
        second.note(7, "digest", "uri")
        assert not second.kept
        assert second.found() == (0, "", "")
    assert not path.is_symlink()
