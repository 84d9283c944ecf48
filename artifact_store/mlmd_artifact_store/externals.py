"""Bytes that are elsewhere: which of them this server may read, and how a URI becomes a reader and a key.

Only what lies below a root that the operator named is ever opened. A URI chooses neither host nor credentials: an
`endpoint` in it has to be the root's own, and what else its query says is not heard.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound

from mlmd_artifact_store.blob_store import Blob, Presigner
from mlmd_artifact_store.locations import Location, parse_location
from mlmd_artifact_store.manifests import StoredFile
from mlmd_artifact_store.opening import ReachOptions, open_others

DEFAULT_REACH = ReachOptions()


class BlobReader(Protocol):
    """The reading half of a `BlobStore`."""

    @property
    def presigner(self) -> Presigner | None:
        """How requests are signed for others."""

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of a blob."""

    def stat(self, key: str) -> Blob:
        """Return what is known of a blob; raises NotFound."""

    def list(self, prefix: str = "", after: str = "") -> Iterator[Blob]:
        """Yield the blobs of a prefix."""


@dataclass(frozen=True, slots=True)
class ExternalRoot:
    """A place whose bytes may be read, as its operator named it."""

    uri: str
    location: Location
    reader: BlobReader

    def key_of(self, location: Location) -> str | None:
        """Return the key of a location below this root, "" for the root itself, None when it is not below it."""
        ours, theirs = self.location, location
        if (ours.scheme, ours.bucket) != (theirs.scheme, theirs.bucket):
            return None
        if theirs.endpoint and _host(theirs.endpoint) != _host(ours.endpoint):
            return None
        root = f"{ours.key.strip('/')}/" if ours.key.strip("/") else ""
        key = theirs.key.lstrip("/") if ours.scheme == "file" else theirs.key
        if f"{key}/" == root:
            return ""
        return key[len(root) :] if key.startswith(root) else None


class ExternalRoots:
    """Every root of a tenant."""

    def __init__(self, uris: Sequence[str] = (), reach: ReachOptions = DEFAULT_REACH) -> None:
        """Take the roots; nothing is sent yet. Raises InvalidArgument for a URI that cannot be one."""
        self.roots = tuple(_root(uri, reach) for uri in uris)

    def find(self, uri: str) -> tuple[BlobReader, str] | None:
        """Return a reader and the key of a URI, which may be a root itself; None when no root allows it."""
        try:
            location = parse_location(uri)
        except InvalidArgument:
            return None
        for root in self.roots:
            key = root.key_of(location)
            if key is not None:
                return root.reader, key
        return None

    def place(self, uri: str, own: str) -> tuple[BlobReader, str]:
        """Return a reader and the key of a URI, as `find` does; raises FailedPrecondition when no root allows it.

        `own` is the URI below which the store keeps what is uploaded to it.
        """
        found = self.find(uri)
        if found is None:
            raise FailedPrecondition(why_unread(uri, own))
        return found


def why_unread(uri: str, own: str) -> str:
    """Return the sentence that says why a store does not read a URI, whether or not it is below the store's own."""
    if is_below(uri, own):
        return (
            f"uri: {uri[:200]!r} is below {own!r}, where this store keeps what is uploaded to it, and no upload put it "
            "there; nothing else is read there. Upload the files, or ask the operator to name that place among the "
            "roots that may be read (--artifacts-external-roots)."
        )
    return (
        f"uri: {uri[:200]!r} is not in this store, and below none of the roots that it may read "
        "(--artifacts-external-roots); fetch it from where it is, or ask the operator for that root."
    )


def is_below(uri: str, own: str) -> bool:
    """Whether a URI, in whatever scheme and with whatever query, is below a store's own, or that itself."""
    try:
        ours, theirs = parse_location(own), parse_location(uri)
    except InvalidArgument:
        return False
    same = (ours.scheme, ours.bucket) == (theirs.scheme, theirs.bucket) and not theirs.endpoint
    return same and theirs.key.startswith(ours.key)


def _root(uri: str, reach: ReachOptions) -> ExternalRoot:
    location = parse_location(uri)
    if location.scheme == "file":
        return ExternalRoot(uri, location, open_others(uri, reach))
    if location.endpoint and _host(location.endpoint) != _host(reach.endpoint):  # another object store than our own
        reach = replace(reach, public_endpoint="")
    known = Location("s3", location.bucket, location.key, endpoint=location.endpoint or reach.endpoint)
    return ExternalRoot(uri, known, open_others(uri, reach))


def _host(endpoint: str) -> str:
    return urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").netloc.lower()


def files_at(reader: BlobReader, key: str, after: str = "", prefix: str = "") -> Iterator[StoredFile]:
    """Yield what is there now under the key of an artifact's URI: one file of that name, or the files below it."""
    if key and not key.endswith("/"):
        try:
            blob = reader.stat(key)
        except NotFound:
            key = f"{key}/"
        else:
            name = key.rpartition("/")[2]
            if name.startswith(prefix) and name > after:
                yield _file(name, blob)
            return
    for blob in reader.list(f"{key}{prefix}", f"{key}{after}" if after else ""):
        if not blob.key.endswith("/"):  # what consoles make for a folder
            yield _file(blob.key[len(key) :], blob)


def file_at(reader: BlobReader, key: str, path: str) -> tuple[str, StoredFile]:
    """Return key and facts of one file of an artifact's URI as it is now; raises NotFound."""
    folder = key if not key or key.endswith("/") else f"{key}/"
    try:
        return f"{folder}{path}", _file(path, reader.stat(f"{folder}{path}"))
    except NotFound:
        if key.rpartition("/")[2] != path:
            raise
        return key, _file(path, reader.stat(key))


def _file(path: str, blob: Blob) -> StoredFile:
    return StoredFile(path, blob.size_bytes, b"", 0, blob.etag, "")
