"""Collections, their versions and aliases out of the database."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.aliases import LATEST
from mlmd_schemas.errors import InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import collections_pb2 as v1
from mlmd_schemas.tables.own import ALIAS, ALIAS_MOVE, COLLECTION, VERSION
from mlmd_schemas.tables.v10 import CONTEXT, TYPE

from mlmd_metadata_store.alias_moves import alias_number
from mlmd_metadata_store.keyset_tokens import key_of_token, number_below, page_size, token_after
from mlmd_metadata_store.move_rows import MOVE_COLUMNS, move_of_row
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.version_collections import IS_COLLECTION, find_collection

_ROWS: sa.BindParameter[Any] = sa.bindparam("rows", type_=sa.BigInteger)
_CONTEXT: sa.BindParameter[Any] = sa.bindparam("context")
_VERSION_COLUMNS = (VERSION.c.number, VERSION.c.artifact_id, VERSION.c.create_ms)
_BY_NUMBER = sa.select(*_VERSION_COLUMNS).where(
    VERSION.c.context_id == _CONTEXT, VERSION.c.number == sa.bindparam("wanted")
)
_VERSIONS = (
    sa.select(*_VERSION_COLUMNS)
    .where(VERSION.c.context_id == _CONTEXT, VERSION.c.number < sa.bindparam("before"))
    .order_by(VERSION.c.number.desc())
    .limit(_ROWS)
)
_ALIASES = sa.select(ALIAS.c.alias, ALIAS.c.number).where(ALIAS.c.context_id == _CONTEXT)
_ALIASES_OF = _ALIASES.where(ALIAS.c.number.in_(sa.bindparam("ids", expanding=True)))
_MOVES = (
    sa.select(*MOVE_COLUMNS)
    .where(ALIAS_MOVE.c.context_id == _CONTEXT, ALIAS_MOVE.c.sequence < sa.bindparam("before"))
    .order_by(ALIAS_MOVE.c.sequence.desc())
    .limit(_ROWS)
)
_MOVES_OF_ALIAS = _MOVES.where(ALIAS_MOVE.c.alias == sa.bindparam("name"))
_COLLECTIONS = (
    sa.select(CONTEXT.c.name, COLLECTION.c.context_id, COLLECTION.c.latest_number)
    .join(COLLECTION, COLLECTION.c.context_id == CONTEXT.c.id)
    .join(TYPE, IS_COLLECTION)
    .where(CONTEXT.c.name > sa.bindparam("after"))
    .order_by(CONTEXT.c.name)
    .limit(_ROWS)
)
_COLLECTIONS_OF_TYPE = _COLLECTIONS.where(CONTEXT.c.name < sa.bindparam("before"))


def resolve_version(
    tx: Transaction, type_name: str, name: str, *, number: int | None = None, alias: str | None = None
) -> v1.Version:
    """Return one version, by number or by alias (`latest`: the newest).

    Raises InvalidArgument unless exactly one of them is given, NotFound when there is no such version.
    """
    if (number is None) == (alias is None):
        raise InvalidArgument(f"selector: say a number or an alias; the alias {LATEST!r} is the newest version.")
    collection = find_collection(tx, type_name, name)
    if alias is not None:
        number = _pointed_at(tx, collection.context_id, collection.latest_number, alias)
        if not number:
            if alias == LATEST:
                raise NotFound(f"alias: {type_name}/{name} has no versions.")
            raise _no_alias(tx, collection.context_id, f"{type_name}/{name}", alias)
    rows = tx.rows(_BY_NUMBER, {"context": collection.context_id, "wanted": number})
    if not rows:
        newest = collection.latest_number
        raise NotFound(f"number: {type_name}/{name} has no version {number}; its newest is {newest}.")
    return _versions(tx, collection.context_id, type_name, name, rows)[0]


def _no_alias(tx: Transaction, context_id: int, whole: str, alias: str) -> NotFound:
    known = sorted(str(row[0]) for row in tx.rows(_ALIASES, {"context": context_id}))
    said = ", ".join(map(repr, known[:10])) or "none"
    return NotFound(f"alias: {whole} has no alias {alias[:255]!r}; it has {said}.")


def _pointed_at(tx: Transaction, context_id: int, latest_number: int, alias: str) -> int:
    if alias == LATEST:
        return latest_number
    if alias.isdecimal():
        raise InvalidArgument(f"alias: {alias!r} is a number; ask for it as `number`.")
    return alias_number(tx, context_id, alias)


def _versions(tx: Transaction, context_id: int, type_name: str, name: str, rows: Sequence[Any]) -> list[v1.Version]:
    aliases: dict[int, list[str]] = {}
    for alias, number in tx.rows_in(_ALIASES_OF, [row[0] for row in rows], context=context_id):
        aliases.setdefault(number, []).append(alias)
    return [
        v1.Version(
            context_id=context_id,
            artifact_id=artifact_id,
            number=number,
            type_name=type_name,
            name=name,
            aliases=sorted(aliases.get(number, ())),
            create_ms=create_ms,
        )
        for number, artifact_id, create_ms in rows
    ]


def list_versions(
    tx: Transaction, type_name: str, name: str, size: int = 0, token: str = ""
) -> tuple[list[v1.Version], str]:
    """Return a page of a collection's versions, newest first, and the token of the next page ("": there is none)."""
    count, before = page_size(size), number_below("versions", token)
    context_id = find_collection(tx, type_name, name).context_id
    parameters = {"context": context_id, "before": before, "rows": count + 1}
    rows = tx.rows(_VERSIONS, parameters)
    versions = _versions(tx, context_id, type_name, name, rows[:count])
    return versions, token_after("versions", str(rows[count - 1][0])) if len(rows) > count else ""


def list_aliases(tx: Transaction, type_name: str, name: str) -> dict[str, int]:
    """Return the stored aliases of a collection and where they point; `latest` is not among them."""
    context_id = find_collection(tx, type_name, name).context_id
    return dict(tx.rows(_ALIASES, {"context": context_id}))


def list_alias_moves(
    tx: Transaction, type_name: str, name: str, alias: str = "", size: int = 0, token: str = ""
) -> tuple[list[v1.AliasMove], str]:
    """Return a page of the moves of a collection's aliases, or of one, newest first, and the next page's token.

    Raises NotFound for a collection that is not there and an alias that never was.
    """
    context_id = find_collection(tx, type_name, name).context_id
    moves, following = alias_moves(tx, context_id, alias, size, token)
    if alias and not moves and not token:
        raise _no_alias(tx, context_id, f"{type_name}/{name}", alias)
    return moves, following


def alias_moves(
    tx: Transaction, context_id: int, alias: str = "", size: int = 0, token: str = ""
) -> tuple[list[v1.AliasMove], str]:
    """Return a page of the moves of the aliases of a context's collection, newest first, and the next page's token."""
    count, before = page_size(size), number_below("moves", token)
    parameters = {"context": context_id, "before": before, "rows": count + 1}
    rows = tx.rows(_MOVES_OF_ALIAS, {**parameters, "name": alias}) if alias else tx.rows(_MOVES, parameters)
    moves = [move_of_row(row) for row in rows[:count]]
    return moves, token_after("moves", str(moves[-1].sequence)) if len(rows) > count else ""


def list_collections(
    tx: Transaction, type_name: str = "", size: int = 0, token: str = ""
) -> tuple[list[v1.Collection], str]:
    """Return a page of collections by name, all or those of one artifact type, and the next page's token."""
    count, seen = page_size(size), key_of_token("collections", token)
    if "/" in type_name:
        raise InvalidArgument(f"type_name: {type_name!r} contains '/', which no collection's type does.")
    encode = tx.text.encode
    parameters: dict[str, Any] = {"after": encode(seen or (f"{type_name}/" if type_name else "")), "rows": count + 1}
    if type_name:  # "0" is the character after "/"
        rows = tx.rows(_COLLECTIONS_OF_TYPE, {**parameters, "before": encode(f"{type_name}0")})
    else:
        rows = tx.rows(_COLLECTIONS, parameters)
    collections = [_collection(tx, row) for row in rows[:count]]
    following = token_after("collections", tx.text.decode(rows[count - 1][0])) if len(rows) > count else ""
    return [c for c in collections if type_name in ("", c.type_name)], following


def _collection(tx: Transaction, row: Any) -> v1.Collection:
    type_name, _, name = tx.text.decode(row[0]).partition("/")
    return v1.Collection(context_id=row[1], type_name=type_name, name=name, latest_number=row[2])
