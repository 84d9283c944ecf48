"""What is no archive, or one no more, is refused in a sentence."""

import os
import zipfile
from pathlib import Path

import pytest

from tests.client.command_line.conftest import Run


@pytest.mark.parametrize("path", ["/dev/null", "pipe"])
def test_what_is_no_file_is_no_archive(run: Run, tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)
    said = run("import", path)
    os.close(writer)
    assert (said.status, said.out) == (6, "")
    assert said.err == f"mlmd: PATH: {path!r} is no file, and an archive is one; write it to a file first.\n"


def test_what_is_no_file_is_not_replaced_by_an_archive(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    said = run("export", "--force", "pipe")
    assert (said.status, said.out) == (6, "")
    assert said.err == "mlmd: PATH: 'pipe' is no file, and nothing else is replaced by one; name another path.\n"
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("damage", ["packed bytes", "way of packing"])
def test_a_damaged_archive_is_refused(run: Run, tmp_path: Path, damage: str) -> None:
    archive = tmp_path / "damaged.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("archive.json", "{}" + " " * 1000)
    content = bytearray(archive.read_bytes())
    begins = 30 + len("archive.json")
    if damage == "packed bytes":
        content[begins] = 0xFF  # a block of a kind that there is not
    else:
        for header, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            content[content.index(header) + place] = 77
    archive.write_bytes(content)
    said = run("import", str(archive))
    assert (said.status, said.out) == (6, "")
    assert "damaged.zip' is no archive of a store, or damaged (" in said.err
