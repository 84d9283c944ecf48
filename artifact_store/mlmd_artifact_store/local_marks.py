"""Marks of a folder: small files of the store's own that one writer sets and all others find."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mlmd_artifact_store.local_errors import explained
from mlmd_artifact_store.local_files import write_file


def read_mark(file: Path, root: Path) -> bytes:
    """Return a mark, empty when there is none."""
    with explained("", root):
        try:
            return file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return b""


def make_mark(file: Path, scratch: Path, root: Path, content: bytes, *, replace: bool) -> bytes:
    """Set a mark, whole or not at all, unless there is one that is not to be replaced; return what is there now."""
    with explained("", root):
        if replace:
            write_file(file, scratch, _writing(content))
        else:
            _link(file, scratch, content)
    return read_mark(file, root)


def _writing(content: bytes) -> Callable[[BinaryIO], None]:
    def fill(file: BinaryIO) -> None:
        file.write(content)

    return fill


def _link(file: Path, scratch: Path, content: bytes) -> None:
    """Let the file appear under its name, which is nobody's, at once; where links cannot be, the last writer wins."""
    written = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    write_file(written, scratch, _writing(content))
    try:
        os.link(written, file)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not file.exists():
            os.replace(written, file)
    finally:
        written.unlink(missing_ok=True)
