"""Uploads under way, in the database."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import CHUNK, Transaction, chunks
from mlmd_schemas.tables.own import UPLOAD, UPLOAD_FILE

from mlmd_artifact_store.blob_store import LARGEST_PART_BYTES, Part, etag_of_md5s, part_count
from mlmd_artifact_store.locations import artifact_of_key


class UploadState(IntEnum):
    """What becomes of an upload."""

    PENDING = 1
    ABORTED = 2


_ARTIFACT: sa.BindParameter[Any] = sa.bindparam("artifact")
_UPLOAD_COLUMNS = (
    "artifact_id", "state", "root_uri", "key_prefix", "file_count", "size_bytes", "digest", "collection", "subject",
    "create_ms",
)  # fmt: skip
_FILE_COLUMNS = (
    "path", "size_bytes", "sha256", "md5s", "part_size_bytes", "media_type", "parts_name", "source_key", "source_etag",
)  # fmt: skip
_UPLOAD = sa.select(*(UPLOAD.c[name] for name in _UPLOAD_COLUMNS)).where(UPLOAD.c.artifact_id == _ARTIFACT)
_LOCKED = _UPLOAD.with_for_update()
_FILES = sa.select(*(UPLOAD_FILE.c[name] for name in _FILE_COLUMNS)).where(UPLOAD_FILE.c.artifact_id == _ARTIFACT)
_ROWS: sa.BindParameter[Any] = sa.bindparam("rows", type_=sa.BigInteger)
_PAGE = (
    _FILES.where(UPLOAD_FILE.c.path >= sa.bindparam("least"), UPLOAD_FILE.c.source_key == "")
    .order_by(UPLOAD_FILE.c.path)
    .limit(_ROWS)
)
_AFTER = _FILES.where(UPLOAD_FILE.c.path > sa.bindparam("after")).order_by(UPLOAD_FILE.c.path).limit(_ROWS)
_COPIERS = sa.select(UPLOAD_FILE.c.artifact_id).where(UPLOAD_FILE.c.source_key != "").distinct()
_COPIED = (
    sa.select(UPLOAD_FILE.c.path, UPLOAD_FILE.c.source_key)
    .where(
        UPLOAD_FILE.c.artifact_id == _ARTIFACT,
        UPLOAD_FILE.c.path > sa.bindparam("after"),
        UPLOAD_FILE.c.source_key != "",
    )
    .order_by(UPLOAD_FILE.c.path)
    .limit(CHUNK)
)
_SOME = _FILES.where(UPLOAD_FILE.c.path.in_(sa.bindparam("paths", expanding=True)))
_PARTED = sa.select(UPLOAD_FILE.c.path, UPLOAD_FILE.c.parts_name).where(
    UPLOAD_FILE.c.artifact_id == _ARTIFACT, UPLOAD_FILE.c.parts_name != "", UPLOAD_FILE.c.source_key == ""
)
_ONE = _FILES.where(UPLOAD_FILE.c.path == sa.bindparam("wanted"))
_PENDING = (
    sa.select(*(UPLOAD.c[name] for name in _UPLOAD_COLUMNS), *(UPLOAD_FILE.c[name] for name in _FILE_COLUMNS))
    .outerjoin(
        UPLOAD_FILE,
        sa.and_(UPLOAD_FILE.c.artifact_id == UPLOAD.c.artifact_id, UPLOAD_FILE.c.path == sa.bindparam("wanted")),
    )
    .where(UPLOAD.c.artifact_id == _ARTIFACT)
)
_NAME_PARTS = (
    sa.update(UPLOAD_FILE)
    .where(
        UPLOAD_FILE.c.artifact_id == _ARTIFACT,
        UPLOAD_FILE.c.path == sa.bindparam("wanted"),
        UPLOAD_FILE.c.parts_name == sa.bindparam("before"),
    )
    .values(parts_name=sa.bindparam("name"))
)
_SET_STATE = sa.update(UPLOAD).where(UPLOAD.c.artifact_id == _ARTIFACT).values(state=sa.bindparam("new_state"))
_MARK_COPIES = (
    sa.update(UPLOAD_FILE)
    .where(UPLOAD_FILE.c.artifact_id == _ARTIFACT, UPLOAD_FILE.c.source_key != "", UPLOAD_FILE.c.parts_name == "")
    .values(parts_name="copying")
)
_SEAL = (
    sa.update(UPLOAD)
    .where(UPLOAD.c.artifact_id == _ARTIFACT)
    .values(
        digest=sa.bindparam("new_digest"), file_count=sa.bindparam("new_count"), size_bytes=sa.bindparam("new_size")
    )
)
_UNSEAL = (
    sa.update(UPLOAD)
    .where(UPLOAD.c.artifact_id == _ARTIFACT, UPLOAD.c.digest != b"")
    .values(digest=b"", file_count=0, size_bytes=0, create_ms=UPLOAD.c.create_ms + 1)
)
_DROP = sa.delete(UPLOAD).where(UPLOAD.c.artifact_id == _ARTIFACT)
_DROP_FILES = sa.delete(UPLOAD_FILE).where(UPLOAD_FILE.c.artifact_id == _ARTIFACT)


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as a whole. `digest` is b"" while files or their digests are still being told."""

    artifact_id: int
    state: UploadState
    root_uri: str
    key_prefix: str
    file_count: int
    size_bytes: int
    digest: bytes
    collection: str
    subject: str
    create_ms: int

    @property
    def seal(self) -> tuple[str, bytes, int]:
        """What tells this state of a sealed upload from every other, and from one that was told the same before."""
        return self.key_prefix, self.digest, self.create_ms


@dataclass(frozen=True, slots=True)
class PendingFile:
    """A file of an upload. `md5s` has one MD5, or one for each part; `source_key` is where it is copied from.

    A file in parts whose digests are not told yet has none, and neither has one that a folder knows by its SHA-256.
    `parts_name` is the store's name of the undertaking that makes it of parts; of a file that is copied it says that a
    commit has begun to.
    """

    path: str
    size_bytes: int
    sha256: bytes
    md5s: tuple[bytes, ...]
    part_size_bytes: int
    media_type: str
    parts_name: str = ""
    source_key: str = ""
    source_etag: str = ""

    @property
    def in_parts(self) -> bool:
        """Whether it is sent in parts."""
        return self.part_size_bytes > 0

    @property
    def is_being_copied(self) -> bool:
        """Whether a commit may be copying it, or may have stopped just before."""
        return bool(self.source_key and self.parts_name)

    @property
    def is_open(self) -> bool:
        """Whether its digests are not told yet."""
        return not self.md5s and not self.sha256

    @property
    def count(self) -> int:
        """In how many pieces it is sent."""
        return part_count(self.size_bytes, self.part_size_bytes)

    @property
    def etag(self) -> str:
        """The ETag that the store gives these bytes; "" while that is not known."""
        return etag_of_md5s(self.md5s, in_parts=self.in_parts) if self.md5s else self.sha256.hex()

    @property
    def expected_etag(self) -> str:
        """The ETag that it has in the store, sent or copied."""
        return self.source_etag if self.source_key else self.etag

    def parts(self) -> list[Part]:
        """Return the parts as they will be stored."""
        return [Part(number, md5.hex(), self.span(number)[1]) for number, md5 in enumerate(self.md5s, 1)]

    def span(self, number: int) -> tuple[int, int]:
        """Return offset and size of a part."""
        offset = (number - 1) * self.part_size_bytes
        return offset, min(self.part_size_bytes or self.size_bytes, self.size_bytes - offset)


def in_one_part(file: PendingFile) -> PendingFile:
    """Return a file that was to be sent whole as one in a single part; its ETag in the store is another."""
    parted = replace(file, part_size_bytes=LARGEST_PART_BYTES)
    return replace(parted, source_etag=parted.expected_etag)


def find_upload(tx: Transaction, artifact_id: int, *, locked: bool = False) -> Upload | None:
    """Return an upload under way, None when there is none; locked until the transaction ends if asked."""
    for row in tx.rows(_LOCKED if locked else _UPLOAD, {"artifact": artifact_id}):
        return _upload(row)
    return None


def _upload(row: Any) -> Upload:
    return Upload(row[0], UploadState(row[1]), row[2], row[3], row[4], row[5], bytes(row[6]), row[7], row[8], row[9])


def insert_upload(tx: Transaction, upload: Upload, files: Sequence[PendingFile] = ()) -> None:
    """Insert an upload and its files; more of them by `insert_files`."""
    tx.insert(UPLOAD, _UPLOAD_COLUMNS, [tuple(getattr(upload, name) for name in _UPLOAD_COLUMNS)])
    insert_files(tx, upload.artifact_id, files)


def insert_files(tx: Transaction, artifact_id: int, files: Sequence[PendingFile]) -> None:
    """Insert new files of an upload."""
    for chunk in chunks(files):
        tx.insert(UPLOAD_FILE, ("artifact_id", *_FILE_COLUMNS), [_row(artifact_id, file) for file in chunk])


def put_files(tx: Transaction, artifact_id: int, files: Sequence[PendingFile]) -> None:
    """Insert files of an upload, replacing those of the same paths."""
    rows = [_row(artifact_id, file) for file in files]
    tx.upsert(UPLOAD_FILE, ("artifact_id", *_FILE_COLUMNS), rows, ("artifact_id", "path"))


def _row(artifact_id: int, file: PendingFile) -> tuple[Any, ...]:
    return (
        artifact_id, file.path.encode(), file.size_bytes, file.sha256, b"".join(file.md5s), file.part_size_bytes,
        file.media_type, file.parts_name, file.source_key, file.expected_etag,
    )  # fmt: skip


def seal_upload(tx: Transaction, artifact_id: int, digest: bytes, file_count: int, size_bytes: int) -> None:
    """Note what the files are as a whole."""
    parameters = {"new_digest": digest, "new_count": file_count, "new_size": size_bytes}
    tx.execute(_SEAL, {"artifact": artifact_id, **parameters})


def unseal_upload(tx: Transaction, artifact_id: int) -> None:
    """Note that more is being told, or sent in the place of something: a commit that is proving has to begin anew.

    The time of the beginning moves on by a millisecond, so that a seal on the same files as before is another one.
    """
    tx.execute(_UNSEAL, {"artifact": artifact_id})


def mark_copies(tx: Transaction, artifact_id: int) -> None:
    """Note that a commit begins to copy the files that are copied."""
    tx.execute(_MARK_COPIES, {"artifact": artifact_id})


def files_after(tx: Transaction, artifact_id: int, after: str, size: int) -> list[PendingFile]:
    """Return up to `size` files after a path, by the bytes of their paths."""
    return [_pending(row) for row in tx.rows(_AFTER, {"artifact": artifact_id, "after": after.encode(), "rows": size})]


def every_file(tx: Transaction, artifact_id: int) -> Iterator[PendingFile]:
    """Yield every file of an upload, by the bytes of their paths, holding a page of them at a time."""
    after = ""
    while page := files_after(tx, artifact_id, after, CHUNK):
        yield from page
        after = page[-1].path


def some_files(tx: Transaction, artifact_id: int, paths: Iterable[str]) -> dict[str, PendingFile]:
    """Return those of the paths that the upload has."""
    given = [path.encode() for path in paths]
    found = tx.rows(_SOME, {"artifact": artifact_id, "paths": given})
    return {file.path: file for file in map(_pending, found)}


def parts_names(tx: Transaction, artifact_id: int) -> list[tuple[str, str]]:
    """Return path and the store's name of each upload in parts that was begun."""
    return [(bytes(row[0]).decode(), row[1]) for row in tx.rows(_PARTED, {"artifact": artifact_id})]


def pending_page(tx: Transaction, artifact_id: int, least: str, size: int) -> list[PendingFile]:
    """Return up to `size` files that have to be sent, from a path on."""
    return [_pending(row) for row in tx.rows(_PAGE, {"artifact": artifact_id, "least": least.encode(), "rows": size})]


def pending_file(tx: Transaction, artifact_id: int, path: str) -> PendingFile | None:
    """Return one file of an upload, None when it has none of that path."""
    for row in tx.rows(_ONE, {"artifact": artifact_id, "wanted": path.encode("utf-8", "surrogatepass")}):
        return _pending(row)
    return None


def upload_and_file(tx: Transaction, artifact_id: int, path: str) -> tuple[Upload | None, PendingFile | None]:
    """Return an upload and one of its files by one look; None for what is not there."""
    wanted = path.encode("utf-8", "surrogatepass")
    for row in tx.rows(_PENDING, {"artifact": artifact_id, "wanted": wanted}):
        file = row[len(_UPLOAD_COLUMNS) :]
        return _upload(row), None if file[0] is None else _pending(file)
    return None, None


def name_parts(tx: Transaction, artifact_id: int, path: str, before: str, name: str) -> bool:
    """Note the store's name of an upload in parts; False when it is no longer the one that was seen before."""
    parameters = {"artifact": artifact_id, "wanted": path.encode(), "before": before, "name": name}
    return tx.execute(_NAME_PARTS, parameters) == 1


def set_state(tx: Transaction, artifact_id: int, state: UploadState) -> None:
    """Change the state of an upload."""
    tx.execute(_SET_STATE, {"artifact": artifact_id, "new_state": int(state)})


def drop_upload(tx: Transaction, artifact_id: int) -> None:
    """Forget an upload and its files."""
    tx.execute(_DROP_FILES, {"artifact": artifact_id})
    tx.execute(_DROP, {"artifact": artifact_id})


def _pending(row: Any) -> PendingFile:
    md5s = bytes(row[3])
    pieces = tuple(md5s[start : start + 16] for start in range(0, len(md5s), 16))
    return PendingFile(bytes(row[0]).decode(), row[1], bytes(row[2]), pieces, *row[4:])


def copied_by(tx: Transaction) -> dict[int, set[int]]:
    """Return the artifacts of which uploads under way copy files, each with the artifacts of those uploads.

    Who asks holds the manifests of what it is about to delete: whoever wants to copy from them then waits for that.
    """
    found: dict[int, set[int]] = {}
    for (copier,) in tx.rows(_COPIERS):
        for source in _sources_of(tx, copier):
            found.setdefault(source, set()).add(copier)
    return found


def _sources_of(tx: Transaction, copier: int) -> set[int]:
    """Return the artifacts of which an upload copies files; there may be a million of those, and a page is held."""
    found, after = set[int](), b""
    while page := tx.rows(_COPIED, {"artifact": copier, "after": after}):
        found |= {artifact_of_key(key) for _, key in page}
        after = bytes(page[-1][0])
    return found - {0}
