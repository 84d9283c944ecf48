"""Blobs in the making: parts as files, in a folder for each undertaking, beside the file that says what it makes."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mlmd_schemas.errors import InvalidArgument, NotFound

from mlmd_artifact_store.blob_store import CHUNK_BYTES, MOST_PARTS, Guard, Part, etag_of_md5s
from mlmd_artifact_store.local_errors import explained
from mlmd_artifact_store.local_files import CheckedCopy, name_file, write_file

_HEX = frozenset("0123456789abcdef")


class LocalParts:
    """The parts of blobs of one folder; keys are checked already, `upload` is the name that `begin` gave."""

    def __init__(self, root: Path, folder: Path, scratch: Path) -> None:
        """Take the root of the blobs, and below it where parts are kept, and files made before they get a name."""
        self._root = root
        self._folder = folder
        self._scratch = scratch

    def begin(self, key: str) -> str:
        """Make a folder for the parts."""
        upload = secrets.token_hex(16)
        with explained(key, self._root):
            folder = self._folder / upload
            folder.mkdir(parents=True)
            (folder / "key").write_text(key)
        return upload

    def put(
        self, key: str, upload: str, number: int, source: BinaryIO, size_bytes: int, md5: bytes | None = None
    ) -> Part:
        """Write a part as a file of its own, named by number, size and MD5."""
        folder, copying = self._of(key, upload), CheckedCopy(source, size_bytes, md5)
        with explained(key, self._root):
            arrived = folder / f"arrived-{secrets.token_hex(8)}"
            write_file(arrived, self._scratch, copying)
            part = Part(number, copying.md5.hex(), size_bytes)
            name = _part_name(part)
            os.replace(arrived, folder / name)
            for older in folder.glob(f"{number:05}-*"):
                if older.name != name:
                    older.unlink(missing_ok=True)
        return part

    def list(self, key: str, upload: str, first: int = 1, last: int = MOST_PARTS) -> Sequence[Part]:
        """Return the parts by the names of their files."""
        folder = self._of(key, upload)
        names = sorted(path.name for path in folder.glob("?????-*") if first <= int(path.name[:5]) <= last)
        self._of(key, upload)  # or another deletes them by now, and these are not all that there were
        pieces = [name.split("-") for name in names]
        return [Part(int(number), etag, int(size)) for number, size, etag in pieces]

    def complete(
        self,
        key: str,
        upload: str,
        parts: Sequence[Part],
        target: Path,
        note: Callable[[os.stat_result, str], object],
        guard: Guard,
    ) -> tuple[os.stat_result, str]:
        """Write the parts one after the other into a file; return its state and ETag, which `note` is told before.

        Who comes second raises NotFound.
        """
        with _held(self._of(key, upload)):
            folder = self._of(key, upload)
            there = set(self.list(key, upload))
            for part in parts:
                if part not in there:
                    raise InvalidArgument(
                        f"parts: part {part.number} of {key!r} is missing or other than said; send it."
                    )
            etag = etag_of_md5s([bytes.fromhex(part.etag) for part in parts], in_parts=True)

            def noted(state: os.stat_result) -> None:
                note(state, etag)

            def fill(file: BinaryIO) -> None:
                for part in parts:
                    with (folder / _part_name(part)).open("rb") as piece:
                        shutil.copyfileobj(piece, file, CHUNK_BYTES)

            with explained(key, self._root):
                if len(parts) == 1:  # it is the blob already
                    state = name_file(folder / _part_name(parts[0]), target, noted, guard)
                else:
                    state = write_file(target, self._scratch, fill, noted, guard=guard)
                _drop(folder)
            return state, etag

    def abort(self, key: str, upload: str) -> None:
        """Delete the parts."""
        if upload and set(upload) <= _HEX:
            with explained(key, self._root):
                _drop(self._folder / upload)

    def tidy(self, prefix: str, before_ms: float, nameless_before_ms: float) -> int:
        """Delete what was begun before a time below a prefix, and what is old and nobody's; return how many."""
        count = 0
        for folder in self._folder.glob("*"):
            nameless = not (folder / "key").exists() and is_older(folder, nameless_before_ms)
            if nameless or is_older(folder / "key", before_ms, prefix):
                _drop(folder)
                count += 1
        return count

    def _of(self, key: str, upload: str) -> Path:
        """Return the folder of an undertaking; raises NotFound unless it makes this key."""
        folder = self._folder / upload
        try:
            made = (folder / "key").read_text() if upload and set(upload) <= _HEX else None
        except FileNotFoundError:
            made = None
        if made is None:
            raise NotFound(f"upload: nothing is being made of parts for {key!r} under that name; begin again.")
        if made != key:
            raise NotFound(f"upload: that upload makes another blob than {key!r}.")
        return folder


def is_older(file: Path, before_ms: float, beginning: str = "") -> bool:
    """Say whether a file was last written before a time, and begins so; one that is gone meanwhile was not."""
    try:
        return file.stat().st_mtime * 1000 < before_ms and (not beginning or file.read_text().startswith(beginning))
    except FileNotFoundError:
        return False


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the parts of a blob, in every process; where the file system has no locks, nothing is held."""
    with ExitStack() as held:
        with suppress(FileNotFoundError):  # completed a moment ago, which the caller sees when it looks again
            file = held.enter_context((folder / "key").open("r+b"))
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _drop(folder: Path) -> None:
    """Delete parts; the file that says whose they are goes first, so that nobody takes those left for all.

    What is left of a folder without that file is nobody's, and `tidy` deletes it a day later.
    """
    (folder / "key").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _part_name(part: Part) -> str:
    return f"{part.number:05}-{part.size_bytes}-{part.etag}"
