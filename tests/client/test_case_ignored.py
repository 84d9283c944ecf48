"""Files whose paths differ only in case are not written over each other where a file system takes them for one."""

from pathlib import Path

import pytest
from mlmd_client import download_target
from mlmd_client.download import download
from mlmd_client.download_target import ignores_case
from mlmd_client.transfer_errors import UnfitFiles
from mlmd_client.transport import Transport
from mlmd_client.upload import upload

from tests.client.places import artifact, read_files, write_files

TWINS = {"deep/Data.csv": b"upper", "deep/data.csv": b"lower", "model": b"m"}
LARGE_TWINS = {"Data.bin": b"u" * (17 << 20), "data.bin": b"l" * (17 << 20)}


@pytest.fixture
def caseless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every folder is one that ignores case, as far as a download can tell."""
    monkeypatch.setattr(download_target, "ignores_case", lambda folder: True)


def test_the_folders_of_linux_tell_case_apart(tmp_path: Path) -> None:
    assert not ignores_case(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("caseless")
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("contents", [TWINS, LARGE_TWINS], ids=["small", "large"])
def test_twins_are_refused(store: Transport, tmp_path: Path, contents: dict[str, bytes], overwrite: bool) -> None:
    made = upload(store, artifact(store), write_files(tmp_path / "source", contents)).artifact_id
    with pytest.raises(UnfitFiles, match=r"takes '.*[Dd]ata\..*' and '.*[Dd]ata\..*' for one; choose a target"):
        download(store, made, tmp_path / "target", overwrite=overwrite)


@pytest.mark.usefixtures("caseless")
def test_one_of_the_twins_can_be_fetched_and_what_has_none(store: Transport, tmp_path: Path) -> None:
    made = upload(store, artifact(store), write_files(tmp_path / "source", TWINS)).artifact_id
    for _ in range(2):
        download(store, made, tmp_path / "target", prefix="deep/d")
        download(store, made, tmp_path / "target", prefix="model")
    assert read_files(tmp_path / "target") == {path: TWINS[path] for path in ("deep/data.csv", "model")}


def test_where_case_is_told_apart_both_come(store: Transport, tmp_path: Path) -> None:
    made = upload(store, artifact(store), write_files(tmp_path / "source", TWINS)).artifact_id
    download(store, made, tmp_path / "target")
    assert read_files(tmp_path / "target") == TWINS
