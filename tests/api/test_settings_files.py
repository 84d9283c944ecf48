"""Files of settings in every state a disk holds them in."""

import os
from pathlib import Path

import pytest
from mlmd_api.settings_files import LARGEST_BYTES, read_bytes, read_text, read_toml
from mlmd_schemas.errors import InvalidArgument


@pytest.mark.parametrize(
    "content",
    [b"a = 1\nb = 2\n", b"\xef\xbb\xbfa = 1\r\nb = 2\r\n", b"a = 1\r\nb = 2"],
    ids=["unix", "windows", "mixed"],
)
def test_a_file_of_any_editor_is_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.toml"
    path.write_bytes(content)
    assert read_toml(path, "config") == {"a": 1, "b": 2}


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    for content in (b"", b"\xef\xbb\xbf", b"\r\n", b"# nothing"):
        path.write_bytes(content)
        assert read_toml(path, "config") == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a = 1\nb = \xff\n", "line 2 is not UTF-8"),
        ("a = 1".encode("utf-16"), "line 1 is not UTF-8"),
        (b"a = 1\na = 2\n", "no TOML"),
        (b"a = 'x\n", "Expected"),
        (b"a = \x00\n", "line 1"),
        (b"a = " + b"[" * 200_000, "nested too deeply"),
    ],
    ids=["latin-1", "utf-16", "twice", "open", "nul", "deep"],
)
def test_what_is_no_toml_is_told_with_its_place(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "file.toml"
    path.write_bytes(content)
    with pytest.raises(InvalidArgument, match=r"^config: the file '.*file\.toml' cannot be read: ") as caught:
        read_toml(path, "config")
    assert reason in caught.value.message
    assert len(caught.value.message) < 400


def test_a_file_of_100_megabytes_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    for read in (read_bytes, read_text, read_toml):
        with pytest.raises(InvalidArgument, match=f"more than {LARGEST_BYTES} bytes"):
            read(path, "config")
    with pytest.raises(InvalidArgument, match="more than"):
        read_bytes(Path("/dev/zero"), "tls-key")


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    places = {
        tmp_path: "Is a directory",
        tmp_path / "none": "No such file",
        tmp_path / "none" / "file": "No such file",
        loop: "symbolic links",
        Path("a\0b"): "NUL",
        tmp_path / ("x" * 300): "too long",
    }
    for path, reason in places.items():
        with pytest.raises(InvalidArgument, match=r"^tenants: the file ") as caught:
            read_text(path, "tenants")
        assert reason in caught.value.message
        assert "Errno" not in caught.value.message


def test_a_file_without_leave_is_told(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x")
    path.chmod(0)
    if os.geteuid():
        with pytest.raises(InvalidArgument, match="Permission denied"):
            read_text(path, "tenants")
    else:  # root reads everything
        assert read_text(path, "tenants") == "x"


def test_a_pipe_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a = 1\n")
    os.close(writing)
    assert read_toml(Path(f"/dev/fd/{reading}"), "config") == {"a": 1}
    os.close(reading)
