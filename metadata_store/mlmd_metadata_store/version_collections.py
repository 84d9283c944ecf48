"""Collections: names that have versions.

A collection is a context of type `mlmd.Collection` named `<artifact type>/<name>`; a version is an artifact named
`<name>/<number>` that is attributed to it. The row of `mlmd_collections` is locked while a version is added, so that
numbers count 1, 2, 3 without gaps. Aliases point at versions (alias_moves.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.near_names import MOST_NAMES, did_you_mean
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import collections_pb2 as v1
from mlmd_schemas.tables.own import COLLECTION, STORE, VERSION
from mlmd_schemas.tables.v10 import ARTIFACT, CONTEXT, TYPE, Kind

from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.kept_facts import COLLECTION_TYPE
from mlmd_metadata_store.link_writes import store_links
from mlmd_metadata_store.node_writes import create_nodes
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_plans import Evolution
from mlmd_metadata_store.type_reads import find_type_id, is_context_of
from mlmd_metadata_store.type_writes import put_types

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
