"""SHA-256 and MD5 of files, in threads of their own: hashlib lets other threads run while it works."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mlmd_client.file_listing import Listing, LocalFile
from mlmd_client.transfer_errors import ChangedFile, UnfitFiles

CHUNK_BYTES = 256 * 1024
_HASHED_AT_ONCE = 256 * 1024
"""Stays in the cache of a core between being read and being hashed."""


def md5_hash() -> "hashlib._Hash":
    """Return an MD5 to feed; it proves transport, not authorship."""
    return hashlib.md5(usedforsecurity=False)


class OpenFile:
    """A listed file, opened to be read at any place from any thread."""

    def __init__(self, listing: Listing, file: LocalFile) -> None:
        """Open it; raises UnfitFiles when that cannot be done, ChangedFile when it is no longer the one listed."""
        self.file = file
        try:
            self.descriptor = os.open(listing.location(file), os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ChangedFile.gone(file.path) from error
        except OSError as error:
            raise UnfitFiles.saying(
                f"path: {file.path!r} cannot be read ({error.strerror}); make it readable or leave it out."
            ) from error
        try:
            self.check()
        except BaseException:
            os.close(self.descriptor)
            raise

    def check(self) -> None:
        """Raise ChangedFile when the file changed since it was listed."""
        self.file.check(os.fstat(self.descriptor))

    def chunks(self, start: int, length: int) -> Iterator[bytes]:
        """Yield a part of the file; raises ChangedFile when it is shorter than it was."""
        while length:
            try:
                chunk = os.pread(self.descriptor, min(CHUNK_BYTES, length), self.file.offset + start)
            except OSError as error:
                raise UnfitFiles.saying(f"path: {self.file.path!r} cannot be read ({error.strerror}).") from error
            if not chunk:
                raise ChangedFile.saying(f"The file {self.file.path!r} became shorter during the upload; upload again.")
            start += len(chunk)
            length -= len(chunk)
            yield chunk

    def feed(self, take: Callable[[memoryview], object], start: int, length: int) -> None:
        """Give a part of the file to `take` in pieces, in one buffer; raises ChangedFile when it became shorter."""
        buffer = memoryview(bytearray(min(_HASHED_AT_ONCE, max(1, length))))
        while length:
            try:
                size = os.preadv(self.descriptor, [buffer[: min(len(buffer), length)]], self.file.offset + start)
            except OSError as error:
                raise UnfitFiles.saying(f"path: {self.file.path!r} cannot be read ({error.strerror}).") from error
            if not size:
                raise ChangedFile.saying(f"The file {self.file.path!r} became shorter during the upload; upload again.")
            take(buffer[:size])
            start += size
            length -= size

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)

    def __enter__(self) -> "OpenFile":
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()


def digests(listing: Listing, file: LocalFile) -> tuple[bytes, bytes]:
    """Return SHA-256 and MD5 of a file; raises ChangedFile when it changed meanwhile."""
    sha256, md5 = hashlib.sha256(), md5_hash()
    with OpenFile(listing, file) as opened:

        def take(chunk: memoryview) -> None:
            sha256.update(chunk)
            md5.update(chunk)

        opened.feed(take, 0, file.size_bytes)
        opened.check()
    return sha256.digest(), md5.digest()


def part_md5s(opened: OpenFile, first: int, last: int, part_size: int) -> list[bytes]:
    """Return the MD5s of the parts from `first` to before `last`, counted from 0."""
    found = []
    for number in range(first, last):
        md5 = md5_hash()
        start = number * part_size
        opened.feed(md5.update, start, min(part_size, opened.file.size_bytes - start))
        found.append(md5.digest())
    opened.check()
    return found


def sha256_of(opened: OpenFile, check: Callable[[], None]) -> bytes:
    """Return the SHA-256 of a whole file; raises ChangedFile when it changed meanwhile, and what `check` raises."""
    sha256 = hashlib.sha256()

    def take(chunk: memoryview) -> None:
        check()
        sha256.update(chunk)

    opened.feed(take, 0, opened.file.size_bytes)
    opened.check()
    return sha256.digest()


def sha256_of_path(path: Path) -> bytes:
    """Return the SHA-256 of a file on this machine; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
