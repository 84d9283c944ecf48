"""A file of calls that are still to be made: appended, never rewritten in the middle, whole up to where it broke off.

    MLMDJRN1 record*        record := length (4 bytes), CRC-32 (4 bytes), content
                            content := method path NUL idempotency key NUL request

All numbers are little-endian. The first record is no call: it has an empty path, and its request is JSON that says
whose calls they are. A process holds a lock on its file while it lives, so that others know what is left behind.
"""

import contextlib
import fcntl
import json
import logging
import os
import secrets
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mlmd_client.failures import refused

LOG = logging.getLogger("mlmd")
MAGIC = b"MLMDJRN1"
SUFFIX = ".journal"
UNDELIVERABLE = ".undeliverable"
"""Behind the name of a journal of which nothing is left but what was refused, or what is no whole call."""
_BEGUN = ".new"
_BEGUN_SECONDS = 3600.0
"""What is being begun for so long, and locked by nobody, is of a process that was killed in that moment."""
_HEAD = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Record:
    """One call: the path of its method, the key that makes it happen once, the serialized request.

    >>> Record("/mlmd.v1.Metrics/LogSeries", "4f0c-1", b"").path
    '/mlmd.v1.Metrics/LogSeries'
    """

    path: str
    key: str
    request: bytes

    def packed(self) -> bytes:
        """Return the record as it is in the file."""
        content = b"\0".join((self.path.encode(), self.key.encode("ascii"), self.request))
        return _HEAD.pack(len(content), zlib.crc32(content)) + content


class Journal:
    """A journal file that this process writes, or has taken over from one that is gone.

    >>> import tempfile
    >>> journal = Journal.create(Path(tempfile.mkdtemp()), {"token": "t"})
    >>> places = journal.append([Record("/a.B/C", "key-1", b"request")])
    >>> journal.read(places[0]).request
    b'request'
    >>> journal.discard()
    """

    def __init__(self, path: Path, file: BinaryIO, facts: dict[str, Any], start: int) -> None:
        """Take a file, open and locked, and the byte at which its records begin; see `create` and `take_over`."""
        self.path = path
        self.facts = facts
        """Whose calls they are."""
        self._file = file
        self._start = start
        self._end = start

    @classmethod
    def create(cls, folder: Path, facts: dict[str, Any]) -> "Journal":
        """Make a new file in a folder, which is made too; raises OSError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        path = folder / name
        first = MAGIC + Record("", "", json.dumps(facts).encode()).packed()
        # Under its name, others who look for what is left behind would lock it in the moment before this process does.
        begun = folder / f"{name}{_BEGUN}"
        # Unbuffered, so that a process which dies between two writes leaves nothing of ours behind in its memory.
        file = begun.open("x+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(file.fileno(), first)
            begun.rename(path)
        except BaseException:
            file.close()
            begun.unlink(missing_ok=True)
            raise
        return cls(path, file, facts, len(first))

    @classmethod
    def take_over(cls, path: Path, *, quietly: bool = False) -> "Journal | None":
        """Open a file that nobody holds; None when its process lives, or the file is gone or none of ours.

        None too when it cannot be read; then the log says so, unless `quietly`, for what is in it is not sent.
        """
        try:
            file = path.open("r+b", buffering=0)
        except FileNotFoundError:
            return None
        except OSError as error:
            if not quietly:
                LOG.warning("the calls in %s cannot be sent: %s; mend that, or delete the file", path, error.strerror)
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if file.read(len(MAGIC)) == MAGIC and path.exists():
                first = _next(file)
                if first is not None and not first.path:
                    return cls(path, file, json.loads(first.request), file.tell())
        except BlockingIOError:
            pass  # its process lives
        except (OSError, ValueError) as error:
            if not quietly:
                LOG.warning("the calls in %s cannot be sent: %s; mend that, or delete the file", path, error)
        file.close()
        return None

    def append(self, records: Sequence[Record]) -> list[int]:
        """Write records and have them on the disk before returning; return where each is. Raises OSError."""
        places, packed = [], bytearray()
        for record in records:
            places.append(self._end + len(packed))
            packed += record.packed()
        os.lseek(self._file.fileno(), self._end, os.SEEK_SET)
        _write(self._file.fileno(), packed)
        os.fdatasync(self._file.fileno())
        self._end += len(packed)
        return places

    def read(self, place: int) -> Record:
        """Return the record at a place; raises ValueError when there is none."""
        self._file.seek(place)
        record = _next(self._file)
        if record is None:
            raise ValueError(f"{self.path} has no record at {place}")
        return record

    def records(self) -> Iterator[tuple[int, Record]]:
        """Yield every whole record and its place; where the file broke off, it ends."""
        place = self._start
        while True:
            self._file.seek(place)
            record = _next(self._file)
            if record is None:
                self._end = place
                return
            following = self._file.tell()
            yield place, record
            place = following

    @property
    def broken_bytes(self) -> int:
        """How many bytes lie behind the last whole record, once `records` was read to its end."""
        return os.fstat(self._file.fileno()).st_size - self._end

    def empty(self) -> None:
        """Forget every record."""
        self._file.truncate(self._start)
        self._end = self._start

    def set_aside(self, records: Sequence[Record], facts: dict[str, Any]) -> Path:
        """Keep these records, and what behind the last one is none, in the place of the file, which is let go.

        Returns where: beside it, as undeliverable, or in its place when it was that already. `records` was read to its
        end before. Raises OSError; then the file is as it was.
        """
        self._file.seek(self._end)
        rest = self._file.read()
        kept = self.path.with_name(self.path.name.removesuffix(UNDELIVERABLE) + UNDELIVERABLE)
        begun = kept.with_name(f"{kept.name}-{secrets.token_hex(4)}{_BEGUN}")
        packed = b"".join(record.packed() for record in (Record("", "", json.dumps(facts).encode()), *records))
        with begun.open("xb", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _write(file.fileno(), MAGIC + packed + rest)
                os.fdatasync(file.fileno())
                begun.rename(kept)
            except BaseException:
                begun.unlink(missing_ok=True)
                raise
        if kept != self.path:
            self.path.unlink(missing_ok=True)
        self._file.close()
        return kept

    def close(self) -> None:
        """Let the file go; what is in it stays."""
        self._file.close()

    def discard(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)
        self._file.close()


def _next(file: BinaryIO) -> Record | None:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    content = bytearray()
    while len(content) < length:
        more = file.read(length - len(content))
        if not more:
            return None
        content += more
    if zlib.crc32(content) != checksum:
        return None
    pieces = bytes(content).split(b"\0", 2)
    if len(pieces) < 3:  # zeros have their own checksum; a crash of the machine may leave them where writing was
        return None
    path, key, request = pieces
    return Record(path.decode(), key.decode("ascii"), request)


def _write(descriptor: int, content: bytes | bytearray) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def left_behind(folder: Path) -> list[Path]:
    """Return the journals in a folder, oldest first, those of living processes too; raises as `journal_files` does.

    >>> left_behind(Path("/nowhere"))
    []
    """
    return journal_files(folder, SUFFIX)


def journal_files(folder: Path, *endings: str) -> list[Path]:
    """Return the files in a folder with these endings, by their names; raises Refused when it cannot be looked through.

    >>> journal_files(Path("/nowhere"), SUFFIX)
    []
    """
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise refused(
            f"MLMD_JOURNAL: what could not be sent is kept in {str(folder)!r}, which cannot be looked through "
            f"({error.strerror}); let the user of this process read and write it, or name another folder."
        ) from error
    return sorted(folder / name for name in names if name.endswith(endings))


def discard_begun(folder: Path) -> None:
    """Delete what processes left that were killed while they began a journal; no call is only there.

    >>> discard_begun(Path("/nowhere"))
    """
    for path in journal_files(folder, _BEGUN):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its process lives, when this fails
            if time.time() - os.fstat(file.fileno()).st_mtime > _BEGUN_SECONDS:
                path.unlink()
