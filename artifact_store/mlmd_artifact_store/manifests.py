"""What is known of an artifact's files: read and written without touching their bytes."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.keyset_tokens import LONG_PAGE
from mlmd_metadata_store.tombstones import tombstones_of
from mlmd_metadata_store.transaction import CHUNK, Transaction, chunks
from mlmd_schemas.errors import NotFound
from mlmd_schemas.pb.v1 import admin_pb2
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.tables.own import FILE, MANIFEST, UPLOAD_FILE
from mlmd_schemas.tables.v10 import Kind

from mlmd_artifact_store.purged_places import IS_PURGED

LARGEST_PAGE = LONG_PAGE
_ARTIFACT: sa.BindParameter[Any] = sa.bindparam("artifact")
MANIFEST_COLUMNS = (
    "artifact_id", "root_uri", "key_prefix", "is_external", "file_count", "size_bytes", "digest", "create_ms",
)  # fmt: skip
FILE_COLUMNS = ("path", "size_bytes", "sha256", "verified_ms", "etag", "media_type")
SELECTED = (*(MANIFEST.c[name] for name in MANIFEST_COLUMNS), IS_PURGED)
_MANIFEST = sa.select(*SELECTED).where(MANIFEST.c.artifact_id == _ARTIFACT)
_HELD_MANIFEST = _MANIFEST.with_for_update(read=True)
_FILES = (
    sa.select(*(FILE.c[name] for name in FILE_COLUMNS))
    .where(
        FILE.c.artifact_id == _ARTIFACT,
        FILE.c.path > sa.bindparam("after"),
        FILE.c.path >= sa.bindparam("least"),
        FILE.c.path < sa.bindparam("before"),
    )
    .order_by(FILE.c.path)
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_MANIFEST_AND_FILE = (
    sa.select(*SELECTED, *(FILE.c[name] for name in FILE_COLUMNS))
    .outerjoin(FILE, sa.and_(FILE.c.artifact_id == MANIFEST.c.artifact_id, FILE.c.path == sa.bindparam("wanted")))
    .where(MANIFEST.c.artifact_id == _ARTIFACT)
)
_SOME = sa.select(*(FILE.c[name] for name in FILE_COLUMNS)).where(
    FILE.c.artifact_id == _ARTIFACT, FILE.c.path.in_(sa.bindparam("paths", expanding=True))
)
_DAMAGED = sa.select(FILE.c.path).where(
    FILE.c.artifact_id == _ARTIFACT, FILE.c.path.in_(sa.bindparam("paths", expanding=True)), FILE.c.verified_ms < 0
)
_DROP_FILES = sa.delete(FILE).where(FILE.c.artifact_id == _ARTIFACT)
_DROP = sa.delete(MANIFEST).where(MANIFEST.c.artifact_id == _ARTIFACT)
_LIKE = (
    sa.select(sa.func.min(FILE.c.path))
    .where(FILE.c.artifact_id == _ARTIFACT, FILE.c.sha256.in_(sa.bindparam("digests", expanding=True)))
    .group_by(FILE.c.sha256, FILE.c.size_bytes)
)
_TAKE_OVER = sa.insert(FILE).from_select(
    ("artifact_id", *FILE_COLUMNS),
    sa.select(
        UPLOAD_FILE.c.artifact_id,
        UPLOAD_FILE.c.path,
        UPLOAD_FILE.c.size_bytes,
        UPLOAD_FILE.c.sha256,
        sa.literal_column("0"),
        UPLOAD_FILE.c.source_etag,
        UPLOAD_FILE.c.media_type,
    ).where(UPLOAD_FILE.c.artifact_id == _ARTIFACT),
)
_LEARNT = (
    sa.update(FILE)
    .where(FILE.c.artifact_id == _ARTIFACT, FILE.c.path == sa.bindparam("wanted"), FILE.c.sha256 == b"")
    .values(sha256=sa.bindparam("learnt"))
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a manifest. `sha256` is b"" when unknown; `verified_ms` 0 when nobody has read the bytes.

    It is below 0 when they were read and were missing or others, minus the time of that.
    """

    path: str
    size_bytes: int
    sha256: bytes
    verified_ms: int
    etag: str
    media_type: str

    def message(self) -> v1.File:
        """Return it as callers see it."""
        return v1.File(
            path=self.path,
            size_bytes=self.size_bytes,
            sha256=self.sha256,
            verified=self.verified_ms > 0,
            damaged=self.verified_ms < 0,
            media_type=self.media_type,
            etag=self.etag,
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """An artifact's files as a whole. `key_prefix` and a path are a blob's key, unless it is external."""

    artifact_id: int
    root_uri: str
    key_prefix: str
    is_external: bool
    file_count: int
    size_bytes: int
    digest: bytes
    create_ms: int
    is_purged: bool = False
    """Whether the artifact's facts were purged, so that its place, which has the name, is told to nobody."""

    @property
    def told_uri(self) -> str:
        """The uri for callers; "" when it has a name that was purged."""
        return "" if self.is_purged else self.root_uri

    @property
    def is_recorded(self) -> bool:
        """Whether the files are written down; those of a bare uri are looked at each time."""
        return self.create_ms > 0

    def message(self) -> v1.Manifest:
        """Return it as callers see it."""
        return v1.Manifest(
            artifact_id=self.artifact_id,
            root_uri=self.told_uri,
            external=self.is_external,
            file_count=self.file_count,
            size_bytes=self.size_bytes,
            digest=self.digest,
            create_ms=self.create_ms,
        )


class ManifestDigest:
    """The digest of a whole: SHA-256 over one line for each file, its SHA-256 in hexadecimal, size and path."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256(b"mlmd manifest 1\n")
        self._known = True

    def add(self, path: str, size_bytes: int, sha256: bytes) -> None:
        """Take the next file, in the order of the bytes of the paths."""
        self._known = self._known and bool(sha256)
        self._whole.update(f"{sha256.hex()} {size_bytes} {path}\n".encode())

    def digest(self) -> bytes:
        """Return the digest of the files so far; b"" when one SHA-256 is unknown."""
        return self._whole.digest() if self._known else b""


def digest_of(files: Iterable[tuple[str, int, bytes]]) -> bytes:
    """Return the digest of a whole from path, size and SHA-256 of each file; b"" when one SHA-256 is unknown."""
    whole = ManifestDigest()
    for path, size_bytes, sha256 in sorted(files, key=lambda file: file[0].encode()):
        whole.add(path, size_bytes, sha256)
    return whole.digest()


def digest_of_told(files: Sequence[v1.UploadFile]) -> bytes:
    """Return the digest of a whole as `digest_of` does; files that come by the bytes of their paths are not held."""
    whole, before = ManifestDigest(), b""
    for file in files:
        path = file.path.encode()
        if path < before:
            return digest_of((file.path, file.size_bytes, file.sha256) for file in files)
        whole.add(file.path, file.size_bytes, file.sha256)
        before = path
    return whole.digest()


def find_manifest(tx: Transaction, artifact_id: int, *, held: bool = False) -> Manifest | None:
    """Return an artifact's manifest, None when it has none; `held`, nobody deletes it until the transaction ends."""
    for row in tx.rows(_HELD_MANIFEST if held else _MANIFEST, {"artifact": artifact_id}):
        return manifest_of(row)
    return None


def manifest_of(row: Any) -> Manifest:
    """Return the manifest of a row of SELECTED."""
    return Manifest(row[0], row[1], row[2], bool(row[3]), row[4], row[5], bytes(row[6]), row[7], bool(row[8]))


def read_manifest(tx: Transaction, artifact_id: int, *, held: bool = False) -> Manifest:
    """Return an artifact's manifest, `held` as `find_manifest` does; raises NotFound."""
    found = find_manifest(tx, artifact_id, held=held)
    if found is None:
        raise NotFound(f"artifact_id: {_why_none(tx, artifact_id)}")
    return found


def _why_none(tx: Transaction, artifact_id: int) -> str:
    """Say why an artifact has no manifest; `ListTombstones` says more of a deletion."""
    stones = sorted(tombstones_of(tx, Kind.ARTIFACT, [artifact_id]), key=lambda stone: -stone.what)
    for stone in stones:  # the deletion of the files first, because it says more
        is_bytes = stone.what == admin_pb2.Tombstone.WHAT_BYTES
        what = f"the files of artifact {artifact_id} were deleted" if is_bytes else f"artifact {artifact_id} was purged"
        day = datetime.fromtimestamp(stone.delete_ms / 1000, UTC).date().isoformat()
        return f"{what} on {day}; `mlmd show artifact:{artifact_id}` says by whom, and for what reason."
    return f"artifact {artifact_id} has no manifest; its upload was not committed, or its bytes are not kept here."


def write_manifest(tx: Transaction, manifest: Manifest, files: Sequence[StoredFile]) -> None:
    """Insert a manifest and its files; raises UniqueViolation when there is one."""
    _insert_manifest(tx, manifest)
    rows = [
        (manifest.artifact_id, file.path.encode(), *(getattr(file, name) for name in FILE_COLUMNS[1:]))
        for file in files
    ]
    tx.insert(FILE, ("artifact_id", *FILE_COLUMNS), rows)


def take_over_files(tx: Transaction, manifest: Manifest, others: Iterable[StoredFile]) -> None:
    """Insert a manifest and as its files those of the upload; `others` are those that are not quite as declared.

    Raises UniqueViolation when there is a manifest.
    """
    _insert_manifest(tx, manifest)
    tx.execute(_TAKE_OVER, {"artifact": manifest.artifact_id})
    rows = (
        (manifest.artifact_id, file.path.encode(), *(getattr(file, name) for name in FILE_COLUMNS[1:]))
        for file in others
    )
    while some := list(islice(rows, CHUNK)):
        tx.upsert(FILE, ("artifact_id", *FILE_COLUMNS), some, ("artifact_id", "path"))


def _insert_manifest(tx: Transaction, manifest: Manifest) -> None:
    row = tuple(getattr(manifest, name) for name in MANIFEST_COLUMNS)
    tx.insert(MANIFEST, MANIFEST_COLUMNS, [(*row[:3], int(manifest.is_external), *row[4:])])


def list_files(tx: Transaction, artifact_id: int, after: str, size: int, prefix: str = "") -> list[StoredFile]:
    """Return up to `size` files after a path, by the bytes of their paths; those that begin with `prefix`."""
    least = prefix.encode()  # no byte of UTF-8 is 0xFF
    bounds = {"after": after.encode(), "least": least, "before": least + b"\xff"}
    return [stored_file(row) for row in tx.rows(_FILES, {"artifact": artifact_id, "rows": size, **bounds})]


def files_like(tx: Transaction, artifact_id: int, files: Iterable[tuple[str, bytes]]) -> list[StoredFile]:
    """Return a file of an artifact for each of these SHA-256s that it has, in no order; some come twice.

    Each comes with a path at which it is looked for first: all files of the artifact are read for those that are not
    at theirs. Of files that are alike, and there may be very many, one comes.
    """
    paths = dict(files)
    found = [file for file in some_stored_files(tx, artifact_id, paths).values() if file.sha256 == paths[file.path]]
    left = set(paths.values()) - {file.sha256 for file in found}
    for chunk in chunks(sorted(left)):
        alike = [bytes(row[0]).decode() for row in tx.rows(_LIKE, {"artifact": artifact_id, "digests": chunk})]
        found += some_stored_files(tx, artifact_id, alike).values()
    return found


def some_stored_files(tx: Transaction, artifact_id: int, paths: Iterable[str]) -> dict[str, StoredFile]:
    """Return those of the paths that an artifact's manifest has."""
    given = [path.encode("utf-8", "surrogatepass") for path in paths]
    found = map(stored_file, tx.rows_in(_SOME, given, "paths", artifact=artifact_id))
    return {file.path: file for file in found}


def drop_manifest(tx: Transaction, artifact_id: int) -> None:
    """Forget a manifest and its files."""
    tx.execute(_DROP_FILES, {"artifact": artifact_id})
    tx.execute(_DROP, {"artifact": artifact_id})


def find_manifest_and_file(tx: Transaction, artifact_id: int, path: str) -> tuple[Manifest, StoredFile] | None:
    """Return a manifest and one of its files by one look, None when there is no manifest; raises NotFound."""
    wanted = path.encode("utf-8", "surrogatepass")
    for row in tx.rows(_MANIFEST_AND_FILE, {"artifact": artifact_id, "wanted": wanted}):
        file = row[len(SELECTED) :]
        if file[0] is None:
            raise NotFound(f"path: artifact {artifact_id} has no file {path[:80]!r}; see ListFiles.")
        return manifest_of(row), stored_file(file)
    return None


def mark_verified(tx: Transaction, artifact_id: int, paths: Iterable[str], *, same: bool = True) -> None:
    """Note that the bytes of these files were read and have their digests, or have them not."""
    parameters = {"artifact": artifact_id, "sign": 1 if same else -1}
    if tx.dialect.clock is None:
        parameters["now"] = now_ms()
    tx.execute_in(_verified(tx.dialect.clock), [path.encode() for path in paths], "paths", **parameters)


def damaged_among(tx: Transaction, artifact_id: int, paths: Iterable[str]) -> set[str]:
    """Return those of the paths that are marked as not the same."""
    given = [path.encode() for path in paths]
    return {bytes(row[0]).decode() for row in tx.rows_in(_DAMAGED, given, "paths", artifact=artifact_id)}


@cache
def _verified(clock: sa.Select[Any] | None) -> sa.Update:
    """Return the UPDATE, which reads the database's clock itself: a statement for it would be one more a file."""
    now = sa.bindparam("now", type_=sa.BigInteger()) if clock is None else clock.scalar_subquery()
    return (
        sa.update(FILE)
        .where(FILE.c.artifact_id == _ARTIFACT, FILE.c.path.in_(sa.bindparam("paths", expanding=True)))
        .values(verified_ms=sa.bindparam("sign", type_=sa.Integer()) * now)
    )


def learn_digest(tx: Transaction, artifact_id: int, path: str, sha256: bytes) -> None:
    """Note the digest of a file that was recorded without one."""
    tx.execute(_LEARNT, {"artifact": artifact_id, "wanted": path.encode(), "learnt": sha256})


def stored_file(row: Any) -> StoredFile:
    """Return the file of a row of FILE_COLUMNS."""
    return StoredFile(bytes(row[0]).decode(), row[1], bytes(row[2]), row[3], row[4], row[5])
