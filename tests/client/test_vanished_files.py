"""Files that are deleted or renamed between being listed and being sent, and uploads that Ctrl-C breaks off."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlmd_client import ChangedFile, Store
from mlmd_client.file_listing import Listing, list_files
from mlmd_client.transport import Transport
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.client.places import every_artifact, write_files

CONTENTS = {"a": b"first", "folder/b": b"second", "folder/large": b"l" * (17 << 20)}
GONE = r"The file 'folder/{}' was deleted or renamed during the upload; upload again"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes and journals of the test's own."""
    monkeypatch.setenv("MLMD_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MLMD_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("MLMD_CAPTURE", "off")


def after_listing(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something happen between the listing of a folder and the opening of its files."""

    def listed(path: Path) -> Listing:
        found = list_files(path)
        act()
        return found

    monkeypatch.setattr("mlmd_client.upload.list_files", listed)


@pytest.mark.parametrize("name", ["b", "large"])
def test_a_file_that_vanishes_is_named_and_nothing_is_recorded(
    store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    source = write_files(tmp_path / "source", CONTENTS)
    opened = Store.over(store, "here")
    for log in ("log_model", "log_dataset"):
        with opened.run("vanished/run") as run:
            with monkeypatch.context() as patched:
                after_listing(patched, (source / "folder" / name).unlink)
                with pytest.raises(ChangedFile, match=GONE.format(name)):
                    getattr(run, log)("m", source)
            assert {one.state for one in every_artifact(store)} == {pb.Artifact.ABANDONED}
            assert run.state == "RUNNING"
        write_files(source, CONTENTS)
    with opened.run("vanished/run") as run:
        assert run.log_model("m", source).number == 1
    assert not list((tmp_path / "state").rglob("*.json"))


def test_a_folder_that_vanishes_while_it_is_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_files(tmp_path / "source", CONTENTS)
    scandir = os.scandir

    def scanned(folder: str | int) -> object:
        if folder == str(source / "folder"):
            shutil.rmtree(folder)
        return scandir(folder)

    monkeypatch.setattr("mlmd_client.file_listing.os.scandir", scanned)
    with pytest.raises(ChangedFile, match="The file 'folder' was deleted or renamed"):
        list_files(source)


def test_ctrl_c_in_the_middle_of_a_model_leaves_no_upload_behind(
    store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Store.over(store, "here")
    unary = store.unary
    with opened.run("broken/off") as run:
        for method in ("DeclareFiles", "CommitUpload"):

            def interrupted(path: str, *arguments: Any, method: str = method, **options: Any) -> Any:
                if path.endswith(method):
                    raise KeyboardInterrupt
                return unary(path, *arguments, **options)

            monkeypatch.setattr(store, "unary", interrupted)
            with pytest.raises(KeyboardInterrupt):
                run.log_model("m", {"w": 1})
            monkeypatch.setattr(store, "unary", unary)
        assert {one.state for one in every_artifact(store)} == {pb.Artifact.ABANDONED}
        assert run.log_model("m", {"w": 1}).number == 1
    assert not list((tmp_path / "state").rglob("*.json")), "no note of what can never be gone on with"
