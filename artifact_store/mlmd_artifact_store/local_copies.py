"""Bytes copied from file to file by the kernel, while a thread of its own calculates their digest.

What is hashed is what was written: the copy is read behind the copying, from memory. A large one that is to be kept
goes to the disk meanwhile, in a second thread.
"""

import errno
import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from mlmd_schemas.counting import counted
from mlmd_schemas.errors import Cancelled, InvalidArgument

from mlmd_artifact_store.blob_store import CHUNK_BYTES, Digests, md5_hash

LITTLE_BYTES = 64 * 1024
"""Up to this a file is read as fast as what could be noted of it; it has its MD5 too."""
_ALONE_BYTES = 4 << 20
"""Up to this a thread costs more than it saves."""
_SLICE_BYTES = 4 << 20
_SYNC_BYTES = 64 << 20
"""So much of a file is worth an fsync of its own."""
_NOT_SO = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)

Moved = Callable[[int], None]
"""Hears how many bytes went; what it raises ends the copying."""


def copied(source: int, target: int, size_bytes: int, moved: Moved, start: int = 0, *, kept: bool = True) -> Digests:
    """Copy a file, which begins at `start`, into an empty one, both open; return the digests of what is in it now.

    Of one that is to be `kept` the disk has most by then, if it is large (whoever keeps it syncs it all the same), and
    a little one has its MD5, which takes twice as long as its SHA-256. Raises InvalidArgument when the file has fewer
    bytes, and OSError.
    """
    if size_bytes <= LITTLE_BYTES:
        content = _at_once(source, target, size_bytes, moved, start)
        return Digests(hashlib.sha256(content).digest(), _md5(content) if kept else b"")
    if size_bytes <= _ALONE_BYTES:
        return _piecewise(source, target, size_bytes, moved, start)
    behind = _HashedBehind(target)
    with ThreadPoolExecutor(2, thread_name_prefix="copy") as pool:
        digest = pool.submit(behind.digest, size_bytes)
        disk = _SyncedBehind(target, pool)
        try:
            position = 0
            while position < size_bytes:
                size = _copy(source, target, start, position, min(_SLICE_BYTES, size_bytes - position))
                if not size:
                    raise _short(position, size_bytes)
                position += size
                behind.reach(position)
                if kept:
                    disk.reach(position)
                moved(size)
            disk.finish()
        except BaseException:  # or the pool's end would wait for bytes that never come
            behind.stop()
            raise
        return Digests(digest.result(), b"")


def _at_once(source: int, target: int, size_bytes: int, moved: Moved, start: int) -> bytes:
    content = os.pread(source, size_bytes, start) if size_bytes else b""
    while len(content) < size_bytes:
        more = os.pread(source, size_bytes - len(content), start + len(content))
        if not more:
            raise _short(len(content), size_bytes)
        content += more
    _write(target, memoryview(content), 0)
    moved(size_bytes)
    return content


def _md5(content: bytes) -> bytes:
    md5 = md5_hash()
    md5.update(content)
    return md5.digest()


def _piecewise(source: int, target: int, size_bytes: int, moved: Moved, start: int) -> Digests:
    digest, buffer, position = hashlib.sha256(), memoryview(bytearray(CHUNK_BYTES)), 0
    while position < size_bytes:
        size = os.preadv(source, [buffer[: min(CHUNK_BYTES, size_bytes - position)]], start + position)
        if not size:
            raise _short(position, size_bytes)
        _write(target, buffer[:size], position)
        digest.update(buffer[:size])
        position += size
        moved(size)
    return Digests(digest.digest(), b"")


def _copy(source: int, target: int, start: int, position: int, size_bytes: int) -> int:
    """Copy a piece and return how much that was: in the kernel, shared rather than copied where file systems can."""
    if hasattr(os, "copy_file_range"):
        try:
            return os.copy_file_range(source, target, size_bytes, start + position, position)
        except OSError as error:  # two file systems, or one that cannot
            if error.errno not in _NOT_SO:
                raise
    content = os.pread(source, min(size_bytes, CHUNK_BYTES), start + position)
    _write(target, memoryview(content), position)
    return len(content)


def _write(target: int, content: memoryview, position: int) -> None:
    while content:
        size = os.pwrite(target, content, position)
        content, position = content[size:], position + size


def _short(size_bytes: int, declared: int) -> InvalidArgument:
    return InvalidArgument(f"size_bytes: {counted(size_bytes, 'byte')} came of the {declared} declared.")


class _SyncedBehind:
    """The disk, which takes a file while it grows, a good piece at a time."""

    def __init__(self, descriptor: int, pool: ThreadPoolExecutor) -> None:
        self._descriptor = descriptor
        self._pool = pool
        self._asked = 0
        self._running: Future[None] | None = None

    def reach(self, end: int) -> None:
        """Say that the file is written up to there; raises what the disk said of the piece before.

        The kernel tells of a write that failed once and never again, so no answer may go unheard.
        """
        if end - self._asked < _SYNC_BYTES or (self._running is not None and not self._running.done()):
            return
        self.finish()
        self._asked = end
        self._running = self._pool.submit(os.fdatasync, self._descriptor)

    def finish(self) -> None:
        """Wait for the piece that is on its way; raises what the disk says."""
        if self._running is not None:
            self._running.result()


class _HashedBehind:
    """The digest of a file that grows."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._grown = threading.Condition()
        self._end = 0
        self._stopped = False

    def reach(self, end: int) -> None:
        """Say that the file is written up to there."""
        with self._grown:
            self._end = end
            self._grown.notify()

    def stop(self) -> None:
        """Say that no more comes."""
        with self._grown:
            self._stopped = True
            self._grown.notify()

    def digest(self, size_bytes: int) -> bytes:
        """Return the SHA-256 of the file, whose bytes come meanwhile."""
        digest, buffer, position = hashlib.sha256(), memoryview(bytearray(CHUNK_BYTES)), 0
        while position < size_bytes:
            end = self._wait(position)
            while position < end:
                size = os.preadv(self._descriptor, [buffer[: min(CHUNK_BYTES, end - position)]], position)
                if not size:
                    raise _short(position, size_bytes)
                digest.update(buffer[:size])
                position += size
        return digest.digest()

    def _wait(self, position: int) -> int:
        with self._grown:
            while self._end <= position and not self._stopped:
                self._grown.wait()
            if self._stopped:
                raise Cancelled("The copying was stopped.")
            return self._end
