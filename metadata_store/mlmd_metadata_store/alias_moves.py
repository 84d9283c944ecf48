"""Aliases of collections: where each points, and the moves that are counted and kept.

The row of `mlmd_collections` is locked while an alias is moved, so that moves count 1, 2, 3 without gaps.
"""

from typing import Any

import sqlalchemy as sa
from mlmd_schemas.aliases import alias_fault
from mlmd_schemas.errors import DataLoss, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import collections_pb2 as v1
from mlmd_schemas.tables.own import ALIAS, ALIAS_MOVE, COLLECTION, FILE, TOMBSTONE, VERSION
from mlmd_schemas.tables.v10 import ARTIFACT, Kind

from mlmd_metadata_store.move_rows import MOVE_FIELDS
from mlmd_metadata_store.named_files import require_named_files
from mlmd_metadata_store.reasons import check_reason
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.version_collections import CollectionRow, find_collection, lock_collection

ALIAS_NUMBER = "mlmd-alias-number"
"""The fact that tells where an alias points whose move was refused because it points elsewhere than expected."""

_SET_SEQUENCE = (
    sa.update(COLLECTION)
    .where(COLLECTION.c.context_id == sa.bindparam("context"))
    .values(move_sequence=sa.bindparam("sequence"))
)
_ALIAS = sa.select(ALIAS.c.number).where(
    ALIAS.c.context_id == sa.bindparam("context"), ALIAS.c.alias == sa.bindparam("name")
)
_DROP_ALIAS = sa.delete(ALIAS).where(
    ALIAS.c.context_id == sa.bindparam("context"), ALIAS.c.alias == sa.bindparam("name")
)
_DELETED = (
    sa.select(TOMBSTONE.c.what)
    .join(VERSION, VERSION.c.artifact_id == TOMBSTONE.c.node_id)
    .where(
        TOMBSTONE.c.type_kind == Kind.ARTIFACT.value,
        VERSION.c.context_id == sa.bindparam("context"),
        VERSION.c.number == sa.bindparam("wanted"),
    )
)

GONE = (pb.Artifact.MARKED_FOR_DELETION, pb.Artifact.DELETED, pb.Artifact.ABANDONED)
"""States of artifacts whose bytes nobody should be sent to."""
_OF_VERSION = (VERSION.c.context_id == sa.bindparam("context"), VERSION.c.number == sa.bindparam("wanted"))
_STATE_OF = (
    sa.select(ARTIFACT.c.state, ARTIFACT.c.id, ARTIFACT.c.uri)
    .join(VERSION, VERSION.c.artifact_id == ARTIFACT.c.id)
    .where(*_OF_VERSION)
)
_DAMAGED_OF = (
    sa.select(FILE.c.path)
    .join(VERSION, VERSION.c.artifact_id == FILE.c.artifact_id)
    .where(*_OF_VERSION, FILE.c.verified_ms < 0)
    .order_by(FILE.c.path)
    .limit(1)
)


def check_alias(alias: str) -> None:
    """Raise InvalidArgument for what cannot be an alias: nothing, a number, `latest`, an `@`, or odd characters."""
    fault = alias_fault(alias)
    if fault:
        raise InvalidArgument(fault)


def alias_number(tx: Transaction, context_id: int, alias: str) -> int:
    """Return the version that an alias points at; 0 when there is no such alias."""
    rows: Any = tx.rows(_ALIAS, {"context": context_id, "name": alias})
    return int(rows[0][0]) if rows else 0


def move_alias(
    tx: Transaction,
    type_name: str,
    name: str,
    alias: str,
    number: int,
    expected_number: int | None = None,
    reason: str = "",
) -> v1.AliasMove:
    """Point an alias at a version, or remove it when `number` is 0; return the move as it is recorded.

    Raises NotFound for a version or an alias that is not there, FailedPrecondition when the alias points elsewhere than
    `expected_number` (0: it does not exist) says or the version was deleted, DataLoss when files of it were found
    missing or changed.
    """
    row = find_collection(tx, type_name, name)
    return point_alias(tx, row.context_id, f"{type_name}/{name}", alias, number, expected_number, reason)


def point_alias(
    tx: Transaction,
    context_id: int,
    title: str,
    alias: str,
    number: int,
    expected_number: int | None = None,
    reason: str = "",
) -> v1.AliasMove:
    """Move an alias of the collection of a context, whose row this locks; `title` is what errors call it.

    Raises as `move_alias` does.
    """
    row, before = check_move(tx, context_id, title, alias, number, expected_number, reason)
    return record_move(tx, row, alias, before, number, reason)


def check_move(
    tx: Transaction,
    context_id: int,
    title: str,
    alias: str,
    number: int,
    expected_number: int | None,
    reason: str,
) -> tuple[CollectionRow, int]:
    """Lock a collection; return its counters and where the alias points, 0 for nowhere.

    Raises what keeps the alias from being moved so, as `move_alias` does.
    """
    check_alias(alias)
    _check_number("number", number)
    _check_number("expected_number", expected_number or 0)
    check_reason(reason)
    row = lock_collection(tx, context_id)
    if number > row.latest_number:
        raise NotFound(f"number: {title} has no version {number}; its newest is {row.latest_number}.")
    if number:
        _require_bytes(tx, row.context_id, title, number)
    before = alias_number(tx, row.context_id, alias)
    check_expected(title, alias, before, expected_number)
    if not number and not before:
        raise NotFound(f"alias: {title} has no alias {alias!r} to remove.")
    return row, before


def _check_number(field: str, number: int) -> None:
    if number < 0:
        raise InvalidArgument(f"{field}: versions count from 1, and 0 means none; {number} means nothing.")


def _require_bytes(tx: Transaction, context_id: int, title: str, number: int) -> None:
    """Raise FailedPrecondition for a version that was deleted, DataLoss when files were found missing or changed."""
    wanted = {"context": context_id, "wanted": number}
    if tx.rows(_DELETED, wanted):
        raise FailedPrecondition(f"number: version {number} of {title} was deleted; choose another.")
    for state, artifact_id, uri in tx.rows(_STATE_OF, wanted):
        if state in GONE:
            raise FailedPrecondition(
                f"number: the files of version {number} of {title} are gone: its artifact is "
                f"{pb.Artifact.State.Name(state)}; choose another."
            )
        require_named_files(tx, "number", artifact_id, uri)
    for (path,) in tx.rows(_DAMAGED_OF, wanted):
        raise DataLoss(
            f"number: the file {bytes(path).decode()!r} of version {number} of {title} was missing or changed when it "
            "was last read; restore it from a copy and verify again."
        )


def check_expected(title: str, alias: str, before: int, expected_number: int | None) -> None:
    """Raise FailedPrecondition when an alias points elsewhere (`before`, 0: nowhere) than was expected.

    The error carries where it points as the fact `mlmd-alias-number`, to go on from without reading it again.
    """
    _check_number("expected_number", expected_number or 0)
    if expected_number is not None and before != expected_number:
        actual = f"points at version {before}" if before else "does not exist"
        raise FailedPrecondition(
            f"expected_number: the alias {alias!r} of {title} {actual}, not {expected_number}; read it again and "
            "decide again.",
            {ALIAS_NUMBER: str(before)},
        )


def record_move(tx: Transaction, row: CollectionRow, alias: str, before: int, number: int, reason: str) -> v1.AliasMove:
    """Point an alias of a locked collection from `before` to `number`, and note the move."""
    if number:
        pointing = (row.context_id, alias, number)
        tx.upsert(ALIAS, ("context_id", "alias", "number"), [pointing], ("context_id", "alias"))
    else:
        tx.execute(_DROP_ALIAS, {"context": row.context_id, "name": alias})
    sequence = row.move_sequence + 1
    now = tx.execute_timed(_SET_SEQUENCE, {"context": row.context_id, "sequence": sequence})
    move = v1.AliasMove(
        sequence=sequence,
        alias=alias,
        from_number=before,
        to_number=number,
        subject=tx.caller.subject[:255],
        reason=reason,
        move_ms=now,
    )
    values = (row.context_id, *(getattr(move, field) for field in MOVE_FIELDS))
    tx.insert(ALIAS_MOVE, ("context_id", *MOVE_FIELDS), [values])
    return move
