"""Collections, versions, aliases and moves of many contexts or artifacts at once, in as many statements as for one."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.pb.v1 import collections_pb2 as v1
from mlmd_schemas.tables.own import ALIAS, ALIAS_MOVE, COLLECTION, VERSION
from mlmd_schemas.tables.v10 import CONTEXT, TYPE

from mlmd_metadata_store.move_rows import MOVE_COLUMNS, move_of_row
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.version_collections import IS_COLLECTION

Key = tuple[int, int]
"""The context of a collection and the number of a version."""

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_BEFORE: sa.BindParameter[Any] = sa.bindparam("before", type_=sa.BigInteger())
_SIZE: sa.BindParameter[Any] = sa.bindparam("size", type_=sa.Integer())
_COLLECTIONS = (
    sa.select(COLLECTION.c.context_id, COLLECTION.c.latest_number, CONTEXT.c.name)
    .join(CONTEXT, CONTEXT.c.id == COLLECTION.c.context_id)
    .join(TYPE, IS_COLLECTION)
    .where(COLLECTION.c.context_id.in_(_IDS))
)
_NAMES = sa.select(CONTEXT.c.id, CONTEXT.c.name).where(CONTEXT.c.id.in_(_IDS))
_VERSION_COLUMNS = (VERSION.c.context_id, VERSION.c.number, VERSION.c.artifact_id, VERSION.c.create_ms)
_OF_ARTIFACTS = sa.select(*_VERSION_COLUMNS).where(VERSION.c.artifact_id.in_(_IDS))
_BY_KEY = sa.select(*_VERSION_COLUMNS).where(
    VERSION.c.context_id.in_(_IDS), VERSION.c.number.in_(sa.bindparam("numbers", expanding=True))
)
_ALIASES = sa.select(ALIAS.c.context_id, ALIAS.c.alias, ALIAS.c.number).where(ALIAS.c.context_id.in_(_IDS))


def _newest(columns: Sequence[sa.Column[Any]], owner: sa.Column[Any], number: sa.Column[Any]) -> sa.Select[Any]:
    """Return the SELECT of a page of each owner, of the highest numbers below a bound."""
    place = sa.func.row_number().over(partition_by=owner, order_by=number.desc()).label("place")
    found = sa.select(*columns, place).where(owner.in_(_IDS), number < _BEFORE).subquery("found")
    return sa.select(*(found.c[column.name] for column in columns)).where(found.c.place <= _SIZE)


_VERSION_PAGES = _newest(_VERSION_COLUMNS, VERSION.c.context_id, VERSION.c.number)
_MOVE_PAGES = _newest((ALIAS_MOVE.c.context_id, *MOVE_COLUMNS), ALIAS_MOVE.c.context_id, ALIAS_MOVE.c.sequence)


def collections_of(tx: Transaction, context_ids: Collection[int]) -> dict[int, v1.Collection]:
    """Return the collections among these contexts."""
    found = {}
    for context_id, latest, whole in tx.rows_in(_COLLECTIONS, context_ids):
        type_name, _, name = tx.text.decode(whole).partition("/")
        found[context_id] = v1.Collection(context_id=context_id, type_name=type_name, name=name, latest_number=latest)
    return found


def aliases_of_collections(tx: Transaction, context_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """Return the stored aliases of each collection and the numbers they point at."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for context_id, alias, number in sorted(tx.rows_in(_ALIASES, context_ids)):
        found[context_id][alias] = number
    return found


def version_pages(tx: Transaction, context_ids: Collection[int], before: int, size: int) -> dict[int, list[v1.Version]]:
    """Return up to `size` versions of each collection whose numbers are below `before`, newest first."""
    return _by(tx, tx.rows_in(_VERSION_PAGES, context_ids, before=before, size=size), "context_id")


def versions_of_artifacts(tx: Transaction, artifact_ids: Collection[int]) -> dict[int, list[v1.Version]]:
    """Return the versions that each of these artifacts is."""
    return _by(tx, tx.rows_in(_OF_ARTIFACTS, artifact_ids), "artifact_id")


def versions_by_key(tx: Transaction, keys: Collection[Key]) -> dict[Key, v1.Version]:
    """Return the versions of these keys that there are."""
    contexts, numbers = {key[0] for key in keys}, sorted({key[1] for key in keys})
    rows = [row for row in tx.rows_in(_BY_KEY, contexts, numbers=numbers) if (row[0], row[1]) in keys]
    return {(one.context_id, one.number): one for one in _versions(tx, rows)}


def move_pages(tx: Transaction, context_ids: Collection[int], before: int, size: int) -> dict[int, list[v1.AliasMove]]:
    """Return up to `size` moves of each collection's aliases whose sequence is below `before`, newest first."""
    found: dict[int, list[v1.AliasMove]] = defaultdict(list)
    for context_id, *row in tx.rows_in(_MOVE_PAGES, context_ids, before=before, size=size):
        found[context_id].append(move_of_row(row))
    for moves in found.values():
        moves.sort(key=lambda move: -move.sequence)
    return found


def _by(tx: Transaction, rows: Iterable[Any], field: str) -> dict[int, list[v1.Version]]:
    found: dict[int, list[v1.Version]] = defaultdict(list)
    for version in _versions(tx, list(rows)):
        found[getattr(version, field)].append(version)
    return found


def _models_of(tx: Transaction, context_ids: Collection[int]) -> dict[int, v1.Collection]:
    """Return registered models as the collections that they are too: by their names alone, of no type."""
    rows = tx.rows_in(_NAMES, context_ids)
    return {context_id: v1.Collection(context_id=context_id, name=tx.text.decode(name)) for context_id, name in rows}


def _versions(tx: Transaction, rows: Sequence[Any]) -> list[v1.Version]:
    """Return the messages of rows of _VERSION_COLUMNS, newest first within a collection."""
    contexts = {row[0] for row in rows}
    if not contexts:
        return []
    collections, aliases = collections_of(tx, contexts), aliases_of_collections(tx, contexts)
    collections |= _models_of(tx, contexts - set(collections))
    versions = []
    for context_id, number, artifact_id, create_ms in sorted(rows, key=lambda row: (row[0], -row[1])):
        collection = collections.get(context_id, v1.Collection())
        versions.append(
            v1.Version(
                context_id=context_id,
                artifact_id=artifact_id,
                number=number,
                type_name=collection.type_name,
                name=collection.name,
                aliases=[alias for alias, points_at in aliases.get(context_id, {}).items() if points_at == number],
                create_ms=create_ms,
            )
        )
    return versions
