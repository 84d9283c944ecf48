"""The seam between artifacts and whatever keeps their bytes.

A blob is one stored object: bytes under a key, written whole or not at all. Keys follow `paths.check_key`. The ETag of
a blob is the MD5 of its bytes in hexadecimal, or for one made of parts the MD5 of the parts' MD5s, a hyphen and their
number; a store that calculates it otherwise (encrypted buckets do) is read where it matters.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, Protocol, runtime_checkable

CHUNK_BYTES = 256 * 1024
"""How much is read at a time: what the allocator keeps for the next one, and need not fetch anew from the kernel."""
SMALLEST_PART_BYTES = 5 << 20
"""What S3 demands of every part but the last."""
LARGEST_PART_BYTES = 5 << 30
MOST_PARTS = 10_000
VALID_SECONDS = 3600
"""How long a signed request can be used; asked again, it is signed again."""


Guard = Callable[[], AbstractContextManager[object]]
"""What is entered when all bytes of a blob came, as late as can be, and left when the blob has its name.

What it raises leaves everything as it was.
"""


@dataclass(frozen=True, slots=True)
class Blob:
    """What a store knows of a blob without reading it. `modified_ms` is UTC since the epoch."""

    key: str
    size_bytes: int
    etag: str
    modified_ms: int


@dataclass(frozen=True, slots=True)
class Part:
    """A stored part of a blob in the making; parts are numbered from 1."""

    number: int
    etag: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """An HTTP request that anybody may send until it expires; the headers have to be sent as they are."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Presigner(Protocol):
    """What a store can do whose bytes need not pass through the server."""

    def put(self, key: str, md5: bytes, expires_seconds: int) -> SignedRequest:
        """Return the request that stores a whole blob; the store refuses bytes with another MD5.

        Where there is a blob already it does nothing, if the store can promise that.
        """

    def put_part(self, key: str, upload: str, number: int, md5: bytes, expires_seconds: int) -> SignedRequest:
        """Return the request that stores a part."""

    def get(self, key: str, expires_seconds: int) -> SignedRequest:
        """Return the request that reads a blob."""


class BlobStore(Protocol):
    """A place for blobs; safe to use from many threads.

    Every method raises InvalidArgument for a key that cannot be, Unavailable when the store does not answer,
    FailedPrecondition when it will not serve us (no bucket, wrong credentials, skewed clock, no permission) and
    ResourceExhausted when it is full; the sentence names the cause and the mend.
    """

    @property
    def presigner(self) -> Presigner | None:
        """How requests are signed for others; None where bytes pass through the server."""

    @property
    def longest_key_bytes(self) -> int:
        """What a key may have in UTF-8, after all that the store puts before it."""

    def uri(self, key: str = "") -> str:
        """Return the URI under which others find a key, or a prefix of keys."""

    def make(self) -> None:
        """Make the bucket or the folder when it is not there."""

    def check(self) -> None:
        """Find out whether blobs can be kept here."""

    def put(
        self,
        key: str,
        source: BinaryIO,
        size_bytes: int,
        md5: bytes | None = None,
        guard: Guard = nullcontext,
        only_new: bool = False,
    ) -> Blob:
        """Store a blob, replacing one of that key; InvalidArgument when size or MD5 are not those of the bytes.

        With `only_new` an object store that knows conditions replaces nothing: the same bytes are as good as stored,
        and Aborted says that there are others. A folder has the guard for that.
        """

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start`, at most `length`, in chunks; NotFound before the first one.

        DataLoss when the stream ends early.
        """

    def stat(self, key: str) -> Blob:
        """Return what is known of a blob; raises NotFound."""

    def look(self, key: str) -> Blob:
        """Return what is known of a blob without reading it, "" for an ETag that is not known; raises NotFound."""

    def list(self, prefix: str = "", after: str = "") -> Iterator[Blob]:
        """Yield the blobs whose key begins with `prefix` and comes after `after`, by the bytes of their keys."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete blobs; one that is not there is as good as deleted."""

    @property
    def deletes_versions(self) -> bool:
        """Whether nothing that is deleted is to stay as an older version, where a bucket keeps those."""

    def check_versions(self, prefix: str) -> None:
        """Find out whether the versions below a prefix of keys are to be found; FailedPrecondition says what lacks."""

    def delete_versions(self, prefix: str) -> None:
        """Delete every version of the blobs below a prefix, those that are hidden by their deletion too.

        FailedPrecondition says how many are left and why, when the others are gone. A store without versions has
        nothing to do; blobs are deleted before.
        """

    def delete_hidden_versions(self, prefix: str) -> None:
        """Delete every version below those folders of a prefix in which no blob is to be read, as `delete_versions`."""

    def copy(self, source: str, target: str, guard: Guard = nullcontext) -> Blob:
        """Copy a blob inside the store; raises NotFound."""

    def begin_parts(self, key: str, media_type: str = "") -> str:
        """Begin a blob made of parts and return the name of the undertaking."""

    def put_part(
        self, key: str, upload: str, number: int, source: BinaryIO, size_bytes: int, md5: bytes | None = None
    ) -> Part:
        """Store a part, replacing one of that number; NotFound when the undertaking is not there."""

    def parts(self, key: str, upload: str, first: int = 1, last: int = MOST_PARTS) -> Sequence[Part]:
        """Return the stored parts of these numbers, by number; raises NotFound."""

    def complete_parts(self, key: str, upload: str, parts: Sequence[Part], guard: Guard = nullcontext) -> Blob:
        """Make the blob of its parts; InvalidArgument when one is missing or other than said, NotFound."""

    def abort_parts(self, key: str, upload: str) -> None:
        """Give up the undertaking and its parts; nothing happens when it is not there."""

    def tidy(self, prefix: str, before_ms: int) -> int:
        """Give up what was begun under a prefix before a time and never became a blob; return how much that was."""

    def held(self, name: str, *, alone: bool = False) -> AbstractContextManager[None]:
        """Hold a lock of that name within the block, with others or alone; raises Aborted when it is not to be had.

        An object store has none, and nothing is held.
        """

    def settle(self, name: str) -> None:
        """Wait until nobody holds a lock who holds it now; raises Aborted."""

    def drop_lock(self, name: str) -> None:
        """Forget a lock that nobody needs any more."""

    def read_mark(self, name: str) -> bytes:
        """Return a small note of the store's own, which is no blob; empty when there is none of that name."""

    def make_mark(self, name: str, content: bytes, *, replace: bool = False) -> bytes:
        """Leave a note unless there is one that is not to be replaced; return what is there now."""


class Digests(NamedTuple):
    """What a store found of bytes that it wrote itself. The MD5 is b"" for larger files, which have no need of it."""

    sha256: bytes
    md5: bytes


class HandedFile(Protocol):
    """A file of this machine that is handed over."""

    @property
    def path(self) -> str:
        """Its path in the artifact."""

    @property
    def size_bytes(self) -> int:
        """How large it is."""

    @property
    def start(self) -> int:
        """Where it begins in what is opened."""

    def opened(self) -> AbstractContextManager[int]:
        """Open it as a descriptor."""

    def moved(self, size_bytes: int) -> None:
        """Hear how many bytes went; what it raises ends the copying."""


@runtime_checkable
class Folder(Protocol):
    """What a store can do whose blobs are files of this machine: take in and give out files without streams.

    The ETag of a larger file that was taken in is its SHA-256 in hexadecimal.
    """

    def take_in(self, files: Sequence[tuple[str, HandedFile]], guard: Guard = nullcontext) -> list[Digests]:
        """Store files under keys, all of them synced to disk before one gets its name."""

    def give_out(self, key: str, target: HandedFile) -> Digests:
        """Copy a blob into an empty file; return the SHA-256 of what was written, which need not be what was stored."""


def etag_of_md5s(md5s: Sequence[bytes], *, in_parts: bool) -> str:
    """Return the ETag that a store gives bytes with this MD5, or parts with these."""
    if not in_parts:
        return md5s[0].hex()
    return f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"


def part_count(size_bytes: int, part_size_bytes: int) -> int:
    """Return in how many pieces a file is sent; at least one."""
    return max(1, -(-size_bytes // part_size_bytes)) if part_size_bytes else 1


def md5_hash() -> "hashlib._Hash":
    """Return an MD5 to feed; it proves transport, not authorship."""
    return hashlib.md5(usedforsecurity=False)


def content_md5(md5: bytes) -> dict[str, str]:
    """Return the header that makes a receiver refuse other bytes."""
    return {"Content-MD5": base64.b64encode(md5).decode()}
