"""What remains of what was deleted: who deleted it, when and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.own import TOMBSTONE
from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.keyset_tokens import LONG_PAGE, key_of_token, long_page_size, token_after
from mlmd_metadata_store.reasons import check_reason
from mlmd_metadata_store.transaction import Transaction

KIND_OF: dict[int, Kind] = {
    v1.NODE_KIND_ARTIFACT: Kind.ARTIFACT,
    v1.NODE_KIND_EXECUTION: Kind.EXECUTION,
    v1.NODE_KIND_CONTEXT: Kind.CONTEXT,
}
NUMBER_OF: dict[Kind, Any] = {kind: number for number, kind in KIND_OF.items()}

_COLUMNS = ("type_kind", "node_id", "what", "subject", "reason", "file_count", "size_bytes", "delete_ms")
_SELECT = sa.select(*(TOMBSTONE.c[name] for name in _COLUMNS))
_KEY = (TOMBSTONE.c.type_kind, TOMBSTONE.c.node_id, TOMBSTONE.c.what)
_PAGE = (
    _SELECT.where(
        TOMBSTONE.c.type_kind >= sa.bindparam("least"),
        TOMBSTONE.c.type_kind <= sa.bindparam("most"),
        sa.or_(
            TOMBSTONE.c.type_kind > sa.bindparam("kind"),
            sa.and_(TOMBSTONE.c.type_kind == sa.bindparam("kind"), TOMBSTONE.c.node_id > sa.bindparam("node")),
            sa.and_(
                TOMBSTONE.c.type_kind == sa.bindparam("kind"),
                TOMBSTONE.c.node_id == sa.bindparam("node"),
                TOMBSTONE.c.what > sa.bindparam("deleted"),
            ),
        ),
    )
    .order_by(*_KEY)
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_OF = _SELECT.where(
    TOMBSTONE.c.type_kind == sa.bindparam("kind"), TOMBSTONE.c.node_id.in_(sa.bindparam("ids", expanding=True))
).order_by(*_KEY)


class What(IntEnum):
    """What was deleted; the numbers are those of `Tombstone.What`."""

    FACTS = 1
    BYTES = 2


@dataclass(frozen=True, slots=True)
class Gone:
    """What was deleted of one node."""

    node_id: int
    file_count: int = 0
    size_bytes: int = 0


def checked_reason(reason: str, *, needed: bool = True) -> str:
    """Return the reason of a deletion; raises InvalidArgument for none where one is needed, or one too long."""
    if needed and not reason.strip():
        raise InvalidArgument("reason: empty; say why, so that whoever finds the tombstone knows.")
    check_reason(reason)
    return reason


def put_tombstones(tx: Transaction, kind: Kind, what: What, gone: Iterable[Gone], reason: str) -> None:
    """Note what is deleted in this transaction; a second deletion of the same replaces the first one's note."""
    subject, now = tx.caller.subject[:255], now_ms()
    rows = [(kind.value, one.node_id, what.value, subject, reason, one.file_count, one.size_bytes, now) for one in gone]
    if rows:
        tx.upsert(TOMBSTONE, _COLUMNS, rows, _COLUMNS[:3])


def tombstones_of(tx: Transaction, kind: Kind, ids: Iterable[int]) -> list[v1.Tombstone]:
    """Return the tombstones of these nodes."""
    return [_message(row) for row in tx.rows_in(_OF, ids, kind=kind.value)]


def list_tombstones(tx: Transaction, request: v1.ListTombstonesRequest) -> v1.ListTombstonesResponse:
    """Return a page of tombstones by kind, node and what was deleted; raises InvalidArgument."""
    if request.kind and request.kind not in KIND_OF:
        raise InvalidArgument(f"kind: {request.kind} is no kind of node.")
    kind = KIND_OF.get(request.kind)
    if request.ids:
        return v1.ListTombstonesResponse(tombstones=_of_some(tx, kind, request))
    count = long_page_size(request.page_size)
    after = _position(key_of_token("tombstones", request.page_token))
    bounds = {"least": kind.value, "most": kind.value} if kind is not None else {"least": 0, "most": max(Kind)}
    place = dict(zip(("kind", "node", "deleted"), after, strict=True))
    rows = tx.rows(_PAGE, {**bounds, **place, "rows": count + 1})
    token = token_after("tombstones", "/".join(map(str, rows[count - 1][:3]))) if len(rows) > count else ""
    return v1.ListTombstonesResponse(tombstones=[_message(row) for row in rows[:count]], next_page_token=token)


def _of_some(tx: Transaction, kind: Kind | None, request: v1.ListTombstonesRequest) -> list[v1.Tombstone]:
    if kind is None:
        raise InvalidArgument("kind: unspecified; say of which kind of node the ids are.")
    if len(request.ids) > LONG_PAGE:
        raise InvalidArgument(f"ids: {len(request.ids)} are more than {LONG_PAGE}; ask for fewer at once.")
    return sorted(tombstones_of(tx, kind, request.ids), key=lambda stone: (stone.id, stone.what))


def _position(key: str) -> tuple[int, int, int]:
    if not key:
        return -1, 0, 0
    parts = key.split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 20 for part in parts):
        raise InvalidArgument("page_token: not one that this list gave; take next_page_token of the page before.")
    return int(parts[0]), int(parts[1]), int(parts[2])


def _message(row: Any) -> v1.Tombstone:
    return v1.Tombstone(
        kind=NUMBER_OF[Kind(row[0])],
        id=row[1],
        what=row[2],
        subject=row[3],
        reason=row[4],
        file_count=row[5],
        size_bytes=row[6],
        delete_ms=row[7],
    )
