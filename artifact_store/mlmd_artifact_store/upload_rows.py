"""Uploads under way, in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.own import UPLOAD, UPLOAD_FILE

from mlmd_artifact_store.blob_store import Part, etag_of_md5s


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
_PAGE = (
    _FILES.where(UPLOAD_FILE.c.path >= sa.bindparam("least"), UPLOAD_FILE.c.source_key == "")
    .order_by(UPLOAD_FILE.c.path)
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_ONE = _FILES.where(UPLOAD_FILE.c.path == sa.bindparam("wanted"))
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
_DROP = sa.delete(UPLOAD).where(UPLOAD.c.artifact_id == _ARTIFACT)
_DROP_FILES = sa.delete(UPLOAD_FILE).where(UPLOAD_FILE.c.artifact_id == _ARTIFACT)


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as a whole."""

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


@dataclass(frozen=True, slots=True)
class PendingFile:
    """A file of an upload. `md5s` has one MD5, or one for each part; `source_key` is where it is copied from."""

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
    def etag(self) -> str:
        """The ETag that the store gives these bytes."""
        return etag_of_md5s(self.md5s, in_parts=self.in_parts)

    def parts(self) -> list[Part]:
        """Return the parts as they will be stored."""
        return [Part(number, md5.hex(), self.span(number)[1]) for number, md5 in enumerate(self.md5s, 1)]

    def span(self, number: int) -> tuple[int, int]:
        """Return offset and size of a part."""
        offset = (number - 1) * self.part_size_bytes
        return offset, min(self.part_size_bytes or self.size_bytes, self.size_bytes - offset)


def find_upload(tx: Transaction, artifact_id: int, *, locked: bool = False) -> Upload | None:
    """Return an upload under way, None when there is none; locked until the transaction ends if asked."""
    for row in tx.rows(_LOCKED if locked else _UPLOAD, {"artifact": artifact_id}):
        state, digest = UploadState(row[1]), bytes(row[6])
        return Upload(row[0], state, row[2], row[3], row[4], row[5], digest, row[7], row[8], row[9])
    return None


def insert_upload(tx: Transaction, upload: Upload, files: Sequence[PendingFile]) -> None:
    """Insert an upload and its files."""
    tx.insert(UPLOAD, _UPLOAD_COLUMNS, [tuple(getattr(upload, name) for name in _UPLOAD_COLUMNS)])
    rows = [
        (
            upload.artifact_id, file.path.encode(), file.size_bytes, file.sha256, b"".join(file.md5s),
            file.part_size_bytes, file.media_type, file.parts_name, file.source_key, file.source_etag,
        )
        for file in files
    ]  # fmt: skip
    tx.insert(UPLOAD_FILE, ("artifact_id", *_FILE_COLUMNS), rows)


def pending_files(tx: Transaction, artifact_id: int) -> list[PendingFile]:
    """Return every file of an upload, in no order."""
    return [_pending(row) for row in tx.rows(_FILES, {"artifact": artifact_id})]


def pending_page(tx: Transaction, artifact_id: int, least: str, size: int) -> list[PendingFile]:
    """Return up to `size` files that have to be sent, from a path on."""
    return [_pending(row) for row in tx.rows(_PAGE, {"artifact": artifact_id, "least": least.encode(), "rows": size})]


def pending_file(tx: Transaction, artifact_id: int, path: str) -> PendingFile | None:
    """Return one file of an upload, None when it has none of that path."""
    for row in tx.rows(_ONE, {"artifact": artifact_id, "wanted": path.encode("utf-8", "surrogatepass")}):
        return _pending(row)
    return None


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
