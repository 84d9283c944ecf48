"""What a folder has to be to become an artifact: links with an end, files with bytes, names in UTF-8."""

import os
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from mlmd_client import file_listing
from mlmd_client.file_listing import list_files
from mlmd_client.transfer_errors import ChangedFile, UnfitFiles


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(path.parent)  # a socket's path has at most 108 characters
        listener.bind(path.name)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link to its own folder": (lambda path: path.symlink_to(path.parent), "is in, so that its files would have no"),
    "a link to the folder above": (lambda path: path.symlink_to(path.parent.parent), "its files would have no end"),
    "a link to itself": (lambda path: path.symlink_to(path), "leads to itself"),
    "a link to nothing": (lambda path: path.symlink_to(path.parent / "absent"), "leads nowhere"),
    "a pipe": (os.mkfifo, "which has no bytes to keep"),
    "a socket": (_socket, "which has no bytes to keep"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "which has no bytes to keep"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named_with_its_mend(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make, why = REFUSED[name]
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "good").write_bytes(b"good")
    make(source / "deep" / "odd")
    with pytest.raises(UnfitFiles, match=why) as refused:
        list_files(source)
    assert "deep/odd" in refused.value.message
    assert "remove" in refused.value.message


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9"), "wb"):
        pass
    with pytest.raises(UnfitFiles, match="not UTF-8; rename the file"):
        list_files(tmp_path)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["a", "new\nline"], r"^path: 'new\\nline' has the character U\+000A.*rename the file"),
        (["back\\slash"], r"^path: 'back.*slash' has a backslash"),
        (["caf\u00e9", "cafe\u0301"], "Unicode normalisation; keep one of them"),
        (["/".join(["x" * 200] * 4)], "at most 700 are kept; shorten it"),
    ],
)
def test_names_that_no_store_takes_are_refused_before_anything_is_sent(
    names: list[str], why: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UnfitFiles, match=why):
        list_files(tmp_path)


def test_the_name_of_one_file_is_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "tab\t").write_bytes(b"x")
    with pytest.raises(UnfitFiles, match=r"U\+0009"):
        list_files(tmp_path / "tab\t")


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnfitFiles, match="has no files"):
        list_files(tmp_path)
    with pytest.raises(UnfitFiles, match="cannot be read"):
        list_files(tmp_path / "absent")
    with pytest.raises(UnfitFiles, match=r"^path: 's3://bucket/new' is a URI, .*name a file or a folder here"):
        list_files(Path("s3://bucket/new"))


def test_links_with_an_end_are_followed_as_often_as_they_are_there(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "f").write_bytes(b"far")
    source.mkdir()
    for name in ("one", "two"):
        (source / name).symlink_to(tmp_path / "elsewhere")
    listing = list_files(source)
    assert [(file.path, file.size_bytes) for file in listing.files] == [("one/f", 3), ("two/f", 3)]


def test_files_come_by_the_bytes_of_their_paths_wherever_their_folders_are(tmp_path: Path) -> None:
    names = ["a.b", "a/c", "a/a/z", "a-b", "a0", "b/\u00fc", "b/z", "\U0001f600", "\uffe0", "z"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a.a").symlink_to(tmp_path / "a")
    linked = ["a.a/c", "a.a/a/z"]
    found = [file.path for file in list_files(tmp_path).files]
    assert found == sorted(names + linked, key=str.encode)


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_file_that_becomes_a_folder_meanwhile_is_told_and_the_other_way_round(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "odd")
    monkeypatch.setattr(file_listing, "_is_folder", lambda entry: not entry.is_dir())
    with pytest.raises(ChangedFile, match="The file 'odd' was deleted or renamed"):
        list_files(tmp_path)


def test_many_files_take_some_ten_bytes_each(tmp_path: Path) -> None:
    for number in range(6_000):
        folder = tmp_path / f"part-{number // 500:03}"
        folder.mkdir(exist_ok=True)
        (folder / f"a-picture-of-something-{number:07}.jpeg").touch()
    tracemalloc.start()
    try:
        listing = list_files(tmp_path)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(listing.files) == 6_000
    assert kept < 40 * 6_000
    assert most < 150 * 6_000, "one folder's names, and a block, at a time"
