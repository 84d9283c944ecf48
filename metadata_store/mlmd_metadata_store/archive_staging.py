"""Archives on their way into a store: opened, filled part by part, read back, dropped."""

import secrets
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import DecodeError
from mlmd_schemas.errors import DataLoss, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import archive_pb2 as v1
from mlmd_schemas.tables.imports import IMPORT, IMPORT_PART
from mlmd_schemas.tables.v10 import SCHEMA_VERSION

from mlmd_metadata_store.archive_tables import BY_NAME, FORMAT
from mlmd_metadata_store.transaction import Transaction

PART_BYTES = 1 << 20
"""How much one row of mlmd_import_parts holds, far below the packet of any database."""
LONGEST_UUID = 64
KEPT_MS = 24 * 3600 * 1000
"""Imports that nobody committed are dropped by the next one that begins so much later."""

_ID: sa.BindParameter[Any] = sa.bindparam("import")
_ORIGIN = sa.select(IMPORT.c.store_uuid).where(IMPORT.c.import_id == _ID)
_LOCKED = _ORIGIN.with_for_update()
_NUMBERS = sa.select(sa.func.count(sa.distinct(IMPORT_PART.c.number))).where(IMPORT_PART.c.import_id == _ID)
_PARTS = (
    sa.select(IMPORT_PART.c.content)
    .where(IMPORT_PART.c.import_id == _ID, IMPORT_PART.c.number == sa.bindparam("number"))
    .order_by(IMPORT_PART.c.part)
)
_FORGET_NUMBER = sa.delete(IMPORT_PART).where(
    IMPORT_PART.c.import_id == _ID, IMPORT_PART.c.number == sa.bindparam("number")
)
_FORGET_PARTS = sa.delete(IMPORT_PART).where(IMPORT_PART.c.import_id == _ID)
_FORGET = sa.delete(IMPORT).where(IMPORT.c.import_id == _ID)
_OLD = sa.select(IMPORT.c.import_id).where(IMPORT.c.create_ms < sa.bindparam("before"))


def begin_import(tx: Transaction, request: v1.BeginImportRequest) -> v1.BeginImportResponse:
    """Open an import; raises InvalidArgument for a header that is none and FailedPrecondition for a newer format."""
    header = request.header
    if not 0 < header.format <= FORMAT:
        raise FailedPrecondition(
            f"header.format: {header.format}; this server reads archives of format {FORMAT}, use a newer one."
        )
    if header.schema_version != SCHEMA_VERSION:
        raise FailedPrecondition(
            f"header.schema_version: {header.schema_version}; this server takes rows of version {SCHEMA_VERSION}."
        )
    if not header.store_uuid or len(header.store_uuid) > LONGEST_UUID or not header.store_uuid.isascii():
        raise InvalidArgument(f"header.store_uuid: {header.store_uuid[:80]!r} is not the UUID of a store.")
    for (old,) in tx.rows(_OLD, {"before": tx.agreed_ms() - KEPT_MS}):
        drop_import(tx, old)
    import_id = secrets.token_hex(16)
    row = (import_id, header.store_uuid, tx.caller.subject[:255], tx.agreed_ms())
    tx.insert(IMPORT, [column.name for column in IMPORT.columns], [row])
    return v1.BeginImportResponse(import_id=import_id)


def add_to_import(tx: Transaction, request: v1.AddToImportRequest) -> v1.AddToImportResponse:
    """Keep some rows of an import; raises NotFound without one, InvalidArgument for a table that an archive has not."""
    _origin(tx, request.import_id)
    if request.number < 1:
        raise InvalidArgument(f"number: {request.number}; number the messages of an archive 1, 2, 3.")
    archived = BY_NAME.get(request.rows.table)
    if archived is None:
        raise InvalidArgument(f"rows.table: {request.rows.table[:80]!r} is no table of an archive.")
    unknown = sorted(set(request.rows.columns) - set(archived.columns))
    if unknown or len(set(request.rows.columns)) != len(request.rows.columns):
        raise InvalidArgument(f"rows.columns: {(unknown or list(request.rows.columns))[0]!r} is none, or there twice.")
    tx.execute(_FORGET_NUMBER, {"import": request.import_id, "number": request.number})
    content = request.rows.SerializeToString()
    pieces = [content[start : start + PART_BYTES] for start in range(0, len(content), PART_BYTES)]
    columns = [column.name for column in IMPORT_PART.columns]
    for part, piece in enumerate(pieces):
        tx.insert(IMPORT_PART, columns, [(request.import_id, request.number, part, piece)])
    return v1.AddToImportResponse()


def abort_import(tx: Transaction, request: v1.AbortImportRequest) -> v1.AbortImportResponse:
    """Drop an import; one that is not there is dropped already."""
    drop_import(tx, request.import_id)
    return v1.AbortImportResponse()


def drop_import(tx: Transaction, import_id: str) -> None:
    """Forget an import and its rows."""
    tx.execute(_FORGET_PARTS, {"import": import_id})
    tx.execute(_FORGET, {"import": import_id})


def locked_origin(tx: Transaction, import_id: str, count: int) -> str:
    """Lock an import and return the UUID of the store that it comes from.

    Raises NotFound without it, FailedPrecondition unless it has exactly `count` numbers.
    """
    origin = _origin(tx, import_id, locked=True)
    there = int(tx.rows(_NUMBERS, {"import": import_id})[0][0])
    if there != count:
        raise FailedPrecondition(
            f"count: the import has {there} messages where the archive has {count}; add what is missing first."
        )
    return origin


def _origin(tx: Transaction, import_id: str, *, locked: bool = False) -> str:
    rows = tx.rows(_LOCKED if locked else _ORIGIN, {"import": import_id})
    if not rows:
        raise NotFound(
            f"import_id: there is no import {import_id[:64]!r}; it was committed, aborted or never begun. Begin again."
        )
    return str(rows[0][0])


def messages_of(tx: Transaction, import_id: str, first: int, last: int) -> Iterator[v1.ArchiveRows]:
    """Yield what was added under these numbers; one message at a time is in memory."""
    for number in range(first, last + 1):
        parts = [bytes(content) for (content,) in tx.rows(_PARTS, {"import": import_id, "number": number})]
        rows = v1.ArchiveRows()
        try:
            rows.ParseFromString(b"".join(parts))
        except DecodeError as error:
            raise DataLoss(f"Message {number} of the import is damaged; add it again.") from error
        yield rows
