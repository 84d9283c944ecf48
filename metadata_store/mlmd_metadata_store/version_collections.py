"""Collections: names that have versions, and aliases that point at them.

A collection is a context of type `mlmd.Collection` named `<artifact type>/<name>`; a version is an artifact named
`<name>/<number>` that is attributed to it. The row of `mlmd_collections` is locked while a version is added or an alias
is moved, so numbers and moves count 1, 2, 3 without gaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.aliases import alias_fault
from mlmd_schemas.errors import Aborted, AlreadyExists, DataLoss, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.near_names import MOST_NAMES, did_you_mean
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import collections_pb2 as v1
from mlmd_schemas.tables.own import ALIAS, ALIAS_MOVE, COLLECTION, FILE, STORE, TOMBSTONE, VERSION
from mlmd_schemas.tables.v10 import ARTIFACT, CONTEXT, TYPE, Kind

from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.kept_facts import COLLECTION_TYPE
from mlmd_metadata_store.link_writes import store_links
from mlmd_metadata_store.move_rows import MOVE_FIELDS
from mlmd_metadata_store.node_writes import create_nodes
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_plans import Evolution
from mlmd_metadata_store.type_reads import find_type_id, is_context_of
from mlmd_metadata_store.type_writes import put_types

ALIAS_NUMBER = "mlmd-alias-number"
"""The fact that tells where an alias points whose move was refused because it points elsewhere than expected."""
LONGEST_REASON_BYTES = 65_535
LONGEST_NUMBER = 19
"""Digits that a version number may grow to."""

IS_COLLECTION = is_context_of(COLLECTION_TYPE)
_NAME = (
    sa.update(ARTIFACT)
    .where(ARTIFACT.c.id == sa.bindparam("artifact"), ARTIFACT.c.name.is_(None))
    .values(name=sa.bindparam("new_name"))
)
_FIND = (
    sa.select(COLLECTION.c.context_id, COLLECTION.c.latest_number, COLLECTION.c.move_sequence)
    .join(CONTEXT, CONTEXT.c.id == COLLECTION.c.context_id)
    .join(TYPE, IS_COLLECTION)
    .where(CONTEXT.c.name == sa.bindparam("name"))
)
_BEGINNING = (
    sa.select(CONTEXT.c.name)
    .join(TYPE, IS_COLLECTION)
    .where(CONTEXT.c.name >= sa.bindparam("first"), CONTEXT.c.name < sa.bindparam("last"))
    .order_by(CONTEXT.c.name)
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_COUNTERS = (
    sa.select(COLLECTION.c.context_id, COLLECTION.c.latest_number, COLLECTION.c.move_sequence)
    .where(COLLECTION.c.context_id == sa.bindparam("context"))
    .with_for_update()
)
_CONTEXT_ID = sa.select(CONTEXT.c.id).where(
    CONTEXT.c.type_id == sa.bindparam("type_id"), CONTEXT.c.name == sa.bindparam("name")
)
_STORE_ROW = sa.select(STORE.c.id).with_for_update()
_SET_LATEST = (
    sa.update(COLLECTION)
    .where(COLLECTION.c.context_id == sa.bindparam("context"))
    .values(latest_number=sa.bindparam("latest"))
)
_VERSION_COLUMNS = ("context_id", "number", "artifact_id", "create_ms")
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
_STATE_OF = sa.select(ARTIFACT.c.state).join(VERSION, VERSION.c.artifact_id == ARTIFACT.c.id).where(*_OF_VERSION)
_DAMAGED_OF = (
    sa.select(FILE.c.path)
    .join(VERSION, VERSION.c.artifact_id == FILE.c.artifact_id)
    .where(*_OF_VERSION, FILE.c.verified_ms < 0)
    .order_by(FILE.c.path)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection that is there, with its counters."""

    context_id: int
    latest_number: int
    move_sequence: int


def collection_name(tx: Transaction, type_name: str, name: str) -> str:
    """Return the name of a collection's context; raises InvalidArgument for names that cannot be a collection's."""
    if not type_name or "/" in type_name:
        raise InvalidArgument(
            f"type_name: {type_name!r} is empty or contains '/', which ends the type in a collection."
        )
    if not name or name != name.strip() or not name.isprintable():
        raise InvalidArgument(f"name: {name[:80]!r} is empty, begins or ends with space, or is not printable.")
    longest = tx.dialect.longest_name
    whole = f"{type_name}/{name}"
    if max(len(tx.text.encode(whole)), len(tx.text.encode(name)) + 1 + LONGEST_NUMBER) > longest:
        raise InvalidArgument(
            f"name: {name[:40]!r}… is too long: with its type, or with a version's number, it has to fit {longest} "
            "characters."
        )
    return whole


def find_collection(tx: Transaction, type_name: str, name: str) -> CollectionRow:
    """Return a collection; raises NotFound, and as collection_name."""
    row = _find(tx, collection_name(tx, type_name, name))
    if row is None:
        mend = _near(tx, type_name, name) or "; add a version to make it."
        raise NotFound(f"name: there is no collection {name!r} of type {type_name!r}{mend}")
    return row


def _near(tx: Transaction, type_name: str, name: str) -> str:
    """Ask whether a collection of the type was meant whose name begins with the same letter."""
    encode, first = tx.text.encode, f"{type_name}/{name[:1]}"
    bounds = {"first": encode(first), "last": encode(f"{first}\U0010ffff"), "rows": MOST_NAMES}
    rows: Any = tx.rows(_BEGINNING, bounds)
    return did_you_mean(name, [tx.text.decode(row[0]).partition("/")[2] for row in rows])


def _find(tx: Transaction, whole_name: str) -> CollectionRow | None:
    rows = tx.rows(_FIND, {"name": tx.text.encode(whole_name)})
    return CollectionRow(*rows[0]) if rows else None


def lock_collection(tx: Transaction, context_id: int) -> CollectionRow:
    """Return the counters of the collection of a context, locked until the transaction ends."""
    row = find_locked(tx, context_id)
    if row is None:
        raise AssertionError(f"context {context_id} has no counters")
    return row


def find_locked(tx: Transaction, context_id: int) -> CollectionRow | None:
    """Return the same where the context has counters, else None."""
    rows = tx.rows(_COUNTERS, {"context": context_id})
    return CollectionRow(*rows[0]) if rows else None


def start_collection(tx: Transaction, context_id: int) -> None:
    """Give a context the counters of a collection, unless it has them."""
    tx.insert_ignore(COLLECTION, ("context_id", "latest_number", "move_sequence"), [(context_id, 0, 0)])


def add_version(tx: Transaction, type_name: str, name: str, artifact: pb.Artifact) -> v1.Version:
    """Add an artifact as the next version of a collection, which is made when it is not there yet.

    The artifact comes without id, type_id and name. Raises InvalidArgument when it has one of them, NotFound when there
    is no artifact type of that name, AlreadyExists when an artifact outside the collection has the version's name.
    """
    whole = collection_name(tx, type_name, name)
    for field in ("id", "type_id", "name"):
        if artifact.HasField(field):
            raise InvalidArgument(f"artifact.{field}: the server gives a version its {field}; leave it out.")
    type_id = find_type_id(tx, Kind.ARTIFACT, type_name)
    if type_id is None:
        raise NotFound(f"type_name: there is no artifact type {type_name!r} without a version; put the type first.")
    row = _locked_or_made(tx, whole)
    made = pb.Artifact()
    made.CopyFrom(artifact)
    made.type_id = type_id
    made.name = f"{name}/{row.latest_number + 1}"
    (artifact_id,) = create_nodes(tx, Kind.ARTIFACT, [made])
    return _record_version(tx, row, type_name, name, artifact_id)


def adopt_version(tx: Transaction, type_name: str, name: str, artifact_id: int) -> v1.Version:
    """Make an artifact of this type that has no name the next version of a collection, which names it.

    Raises FailedPrecondition when the artifact has a name or is gone, AlreadyExists when an artifact outside the
    collection has the version's name.
    """
    row = _locked_or_made(tx, collection_name(tx, type_name, name))
    version_name = f"{name}/{row.latest_number + 1}"
    try:
        named = tx.execute(_NAME, {"artifact": artifact_id, "new_name": tx.text.encode(version_name)})
    except UniqueViolation as error:
        raise AlreadyExists(
            f"collection: an artifact of type {type_name!r} named {version_name!r} is there already; choose another "
            "name."
        ) from error
    if not named:
        raise FailedPrecondition(f"artifact {artifact_id} has a name already, or is gone; versions are named by us.")
    return _record_version(tx, row, type_name, name, artifact_id)


def _locked_or_made(tx: Transaction, whole_name: str) -> CollectionRow:
    found = _find(tx, whole_name)
    return lock_collection(tx, found.context_id if found else _make_collection(tx, whole_name))


def _record_version(tx: Transaction, row: CollectionRow, type_name: str, name: str, artifact_id: int) -> v1.Version:
    now = count_version(tx, row, artifact_id)
    store_links(tx, [(row.context_id, artifact_id)], ())
    return v1.Version(
        context_id=row.context_id,
        artifact_id=artifact_id,
        number=row.latest_number + 1,
        type_name=type_name,
        name=name,
        create_ms=now,
    )


def count_version(tx: Transaction, row: CollectionRow, artifact_id: int) -> int:
    """Give an artifact the next number of a locked collection; return the time, in milliseconds since the epoch."""
    number = row.latest_number + 1
    now = tx.execute_timed(_SET_LATEST, {"context": row.context_id, "latest": number})
    tx.insert(VERSION, _VERSION_COLUMNS, [(row.context_id, number, artifact_id, now)])
    return now


def count_versions(tx: Transaction, row: CollectionRow, versions: Sequence[tuple[int, int]]) -> None:
    """Give artifacts, each with the time it became a version, the next numbers of a locked collection."""
    tx.execute(_SET_LATEST, {"context": row.context_id, "latest": row.latest_number + len(versions)})
    rows = [(row.context_id, number, *version) for number, version in enumerate(versions, row.latest_number + 1)]
    tx.insert(VERSION, _VERSION_COLUMNS, rows)


def _make_collection(tx: Transaction, whole_name: str) -> int:
    """Make the context and its counters, unless somebody else was faster; return the context's id."""
    collection_type = pb.ContextType(name=COLLECTION_TYPE, description="A name whose versions are artifacts.")
    (type_id,) = put_types(tx, [(Kind.CONTEXT, collection_type)], Evolution(can_omit_fields=True))
    tx.rows(_STORE_ROW)
    rows = tx.rows(_CONTEXT_ID, {"type_id": type_id, "name": tx.text.encode(whole_name)})
    if rows:
        context_id = int(rows[0][0])
    else:
        try:
            (context_id,) = create_nodes(tx, Kind.CONTEXT, [pb.Context(type_id=type_id, name=whole_name)])
        except AlreadyExists as error:
            raise Aborted("The collection's context was made at the same moment; try again.") from error
    start_collection(tx, context_id)
    return context_id


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
    if number < 0 or (expected_number or 0) < 0:
        raise InvalidArgument("number: versions count from 1, and 0 means none; a number below 0 means nothing.")
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


def _require_bytes(tx: Transaction, context_id: int, title: str, number: int) -> None:
    """Raise FailedPrecondition for a version that was deleted, DataLoss when files were found missing or changed."""
    wanted = {"context": context_id, "wanted": number}
    if tx.rows(_DELETED, wanted):
        raise FailedPrecondition(f"number: version {number} of {title} was deleted; choose another.")
    for (state,) in tx.rows(_STATE_OF, wanted):
        if state in GONE:
            raise FailedPrecondition(
                f"number: the files of version {number} of {title} are gone: its artifact is "
                f"{pb.Artifact.State.Name(state)}; choose another."
            )
    for (path,) in tx.rows(_DAMAGED_OF, wanted):
        raise DataLoss(
            f"number: the file {bytes(path).decode()!r} of version {number} of {title} was missing or changed when it "
            "was last read; restore it from a copy and verify again."
        )


def check_reason(reason: str) -> None:
    """Raise InvalidArgument for a reason that is too long to be kept."""
    if len(reason.encode("utf-8")) > LONGEST_REASON_BYTES:
        raise InvalidArgument(f"reason: longer than {LONGEST_REASON_BYTES} bytes; say it shorter.")


def check_expected(title: str, alias: str, before: int, expected_number: int | None) -> None:
    """Raise FailedPrecondition when an alias points elsewhere (`before`, 0: nowhere) than was expected.

    The error carries where it points as the fact `mlmd-alias-number`, to go on from without reading it again.
    """
    if (expected_number or 0) < 0:
        raise InvalidArgument("expected_number: versions count from 1, and 0 means none; below 0 means nothing.")
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
