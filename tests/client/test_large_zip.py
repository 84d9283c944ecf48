"""An archive of very many entries is what `zipfile` would write and read, in little memory."""

import json
import random
import zipfile
from pathlib import Path

import pytest
from mlmd_client.archive_bytes import INDEX, BytesReader
from mlmd_client.large_zip import LargeZipReader, LargeZipWriter
from mlmd_schemas import set_aside, sorted_runs

from tests.services.memory import most


@pytest.fixture(autouse=True)
def _little_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "IN_MEMORY", 100)
    monkeypatch.setattr(set_aside, "TOGETHER", 10)
    monkeypatch.setattr(sorted_runs, "RUN", 200)


def entry(name: str, size_bytes: int = 0) -> zipfile.ZipInfo:
    """Return an entry that is stored as it is."""
    made = zipfile.ZipInfo(name)
    made.file_size, made.external_attr = size_bytes, 0o644 << 16
    return made


def write(archive: zipfile.ZipFile, many: int) -> None:
    """Write rows, and files of artifact 7 in the order of their paths."""
    archive.writestr(zipfile.ZipInfo("archive.json"), b"{}", zipfile.ZIP_DEFLATED)
    with archive.open(entry("files/7/0 large", 5), "w") as file:
        file.write(b"large")
    for number in range(many):
        archive.writestr(entry(f"files/7/ü/a picture of something, number {number:06}.jpeg"), b"%d" % number)


@pytest.mark.parametrize("limit", [zipfile.ZIP_FILECOUNT_LIMIT, 100])
def test_it_is_written_as_zipfile_writes_it(limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", limit)
    with zipfile.ZipFile(tmp_path / "theirs", "w", zipfile.ZIP_DEFLATED, compresslevel=6) as theirs:
        write(theirs, 350)
    with LargeZipWriter(tmp_path / "ours") as ours:
        write(ours, 350)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_what_is_not_kept_is_not_named(tmp_path: Path) -> None:
    with LargeZipWriter(tmp_path / "some") as archive:
        for name, keep in (("a", True), ("b", False), ("c", True)):
            archive.writestr(entry(name), name.encode())
            archive.settle(keep=keep)
        archive.writestr(entry("d"), b"d")
    with zipfile.ZipFile(tmp_path / "some") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"a": b"a", "c": b"c", "d": b"d"}
        assert archive.testzip() is None


def test_files_are_apart_from_what_is_asked_for_by_name(tmp_path: Path) -> None:
    with LargeZipWriter(tmp_path / "some") as written:
        write(written, 350)
    with LargeZipReader(tmp_path / "some") as archive:
        assert (archive.namelist(), archive.read("archive.json")) == (["archive.json"], b"{}")
        names = [name for name, *_ in archive.files]
    with zipfile.ZipFile(tmp_path / "some") as theirs:
        assert ["archive.json", *names] == theirs.namelist()


def test_files_that_were_packed_again_in_another_order_come_by_their_paths(tmp_path: Path) -> None:
    contents = {(artifact_id, f"{letter}/b"): b"%d" % artifact_id for artifact_id in (1, 2, 10) for letter in "a-ü"}
    order = list(contents)
    random.Random(1).shuffle(order)
    with zipfile.ZipFile(tmp_path / "some", "w") as archive:
        for artifact_id, path in order:
            archive.writestr(f"files/{artifact_id}/{path}", contents[artifact_id, path])
        archive.writestr("files/1/folder/", b"")
        archive.writestr(f"files/{'9' * 30}/x", b"of no artifact")
        lines = [{"artifact_id": one, "files": 3, "size_bytes": 3 * len(str(one))} for one in (1, 2, 10)]
        archive.writestr(INDEX, "".join(json.dumps(line) + "\n" for line in lines))
    with LargeZipReader(tmp_path / "some") as opened:
        reader = BytesReader(tmp_path / "some", opened)
    content = (tmp_path / "some").read_bytes()
    for carried in reader.carried:
        files = list(reader.listing(carried).files)
        assert [file.path for file in files] == ["-/b", "a/b", "ü/b"]
        found = {content[file.offset : file.offset + file.size_bytes] for file in files}
        assert found == {str(carried.artifact_id).encode()}


def test_ten_times_as_many_take_little_more_memory(tmp_path: Path) -> None:
    def written(many: int) -> None:
        with LargeZipWriter(tmp_path / str(many)) as archive:
            write(archive, many)
            size_bytes = 5 + sum(len(str(number)) for number in range(many))
            index = {"artifact_id": 7, "files": many + 1, "size_bytes": size_bytes}
            archive.writestr(INDEX, json.dumps(index) + "\n")

    def read(many: int) -> None:
        with LargeZipReader(tmp_path / str(many)) as archive:
            reader = BytesReader(tmp_path / str(many), archive)
        assert len(reader.listing(reader.carried[0]).files) == many + 1

    most(lambda: written(400))  # what is imported then
    most(lambda: read(400))
    few, many = most(lambda: written(500)), most(lambda: written(5_000))
    assert many - few < 100 * 4_500, "zipfile takes 800"
    few, many = most(lambda: read(500)), most(lambda: read(5_000))
    assert many - few < 250 * 4_500, "the directory itself is read at once; zipfile takes 1,100"
