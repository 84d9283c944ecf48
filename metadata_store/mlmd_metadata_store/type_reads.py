"""Types out of the database: by name, by id, by external id, all (mlmd-read contract, 2.1 to 2.4)."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message
from mlmd_schemas.errors import NotFound
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import CONTEXT, TYPE, Kind

from mlmd_metadata_store.external_ids import rows_by_external_id
from mlmd_metadata_store.rpc import Rpc, mlmd_read
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_rows import SIMPLE_NAMES, TYPE_COLUMNS, types_of_rows
from mlmd_metadata_store.type_writes import TYPE_WRITE_METHODS

_ID, _NAME, _VERSION = range(3)  # places in TYPE_COLUMNS
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_OF_KIND = sa.select(*TYPE_COLUMNS).where(TYPE.c.type_kind == sa.bindparam("kind")).order_by(TYPE.c.id)
_BY_ID = _OF_KIND.where(TYPE.c.id.in_(_IDS))
_BY_EXTERNAL_ID = _OF_KIND.where(TYPE.c.external_id.in_(_IDS)).order_by(None)
"""As Google's server asks: SQLite finds them by external id, MySQL by id where it reads the whole of a small table."""
_BY_NAME = _OF_KIND.where(TYPE.c.name == sa.bindparam("name"))
_UNVERSIONED = _BY_NAME.where(TYPE.c.version.is_(None))
_VERSIONED = _BY_NAME.where(TYPE.c.version == sa.bindparam("version"))


def is_context_of(type_name: str) -> sa.ColumnElement[bool]:
    """Return the condition by which TYPE is joined to contexts of the type of this name without a version."""
    return sa.and_(
        TYPE.c.id == CONTEXT.c.type_id,
        TYPE.c.name == type_name,
        TYPE.c.type_kind == Kind.CONTEXT.value,
        TYPE.c.version.is_(None),
    )


def type_row(tx: Transaction, kind: Kind, name: str, version: str = "") -> Any | None:
    """Return the row of TYPE_COLUMNS of the type with this name and version ("": none); None when there is no such."""
    encoded = tx.text.encode(name)
    parameters = {"kind": kind.value, "name": encoded}
    if version:
        rows = tx.rows(_VERSIONED, {**parameters, "version": tx.text.encode(version)})
    else:
        rows = tx.rows(_UNVERSIONED, parameters)
    # A database that compares without case finds other spellings too; the exact one comes first.
    wanted = (encoded, tx.text.encode(version))
    exact = (row for row in rows if (row[_NAME], row[_VERSION] or "") == wanted)
    return next(exact, rows[0] if rows else None)


def find_type_id(tx: Transaction, kind: Kind, name: str, version: str = "") -> int | None:
    """Return the id of the type with this name and version ("": none); None when there is no such."""
    row = type_row(tx, kind, name, version)
    return None if row is None else int(row[_ID])


def types_by_id(tx: Transaction, kind: Kind, ids: Iterable[int], *, base_types: bool = True) -> list[Any]:
    """Return the types of these ids that are of this kind, each once, by ascending id."""
    return types_of_rows(tx, kind, tx.rows_in(_BY_ID, ids, kind=kind.value), base_types=base_types)


def all_types(
    tx: Transaction,
    kind: Kind,
    *,
    simple: bool = True,
    add: Callable[[], Any] | None = None,
    base_types: bool = True,
) -> list[Any]:
    """Return every type of a kind by ascending id; without `simple`, those with a simple type's name are left out."""
    rows = tx.rows(_OF_KIND, {"kind": kind.value})
    chosen = rows if simple else [row for row in rows if tx.text.decode(row[_NAME]) not in SIMPLE_NAMES]
    return types_of_rows(tx, kind, chosen, add=add, base_types=base_types)


def _get_by_name(kind: Kind, response: type[Any], tx: Transaction, request: Any) -> Any:
    row = type_row(tx, kind, request.type_name, request.type_version)
    noun = kind.name.lower()
    if row is None:
        version = f" version {request.type_version!r}" if request.type_version else " without a version"
        raise NotFound(f"type_name: there is no {noun} type {request.type_name!r}{version}.")
    (message,) = types_of_rows(tx, kind, [row])
    return response(**{f"{noun}_type": message})


def _get_all(kind: Kind, response: type[Any], tx: Transaction, request: Message) -> Any:
    answer = response()
    # Only the simple types' own kinds hide them (contract 2.7).
    all_types(tx, kind, simple=kind is Kind.CONTEXT, add=_list(answer, kind).add)
    return answer


def _get_by_id(kind: Kind, response: type[Any], tx: Transaction, request: Any) -> Any:
    found = {message.id: message for message in types_by_id(tx, kind, request.type_ids)}
    answer = response()
    _list(answer, kind).extend(found[type_id] for type_id in request.type_ids if type_id in found)
    return answer


def _get_by_external_id(kind: Kind, response: type[Any], tx: Transaction, request: Any) -> Any:
    answer, noun = response(), f"{kind.name.lower()} type"
    rows = rows_by_external_id(tx, _BY_EXTERNAL_ID, request.external_ids, noun, kind=kind.value)
    types_of_rows(tx, kind, rows, add=_list(answer, kind).add, base_types=False, structs=False)
    return answer


def _list(answer: Any, kind: Kind) -> Any:
    return getattr(answer, f"{kind.name.lower()}_types")


_READS = {
    "Get{}Type": _get_by_name,
    "Get{}Types": _get_all,
    "Get{}TypesByID": _get_by_id,
    "Get{}TypesByExternalIds": _get_by_external_id,
}


def _read_methods(kind: Kind) -> Iterable[Rpc]:
    for pattern, body in _READS.items():
        name = pattern.format(kind.name.capitalize())
        yield mlmd_read(name, partial(body, kind, getattr(service, f"{name}Response")))


TYPE_METHODS = (
    *TYPE_WRITE_METHODS,
    *_read_methods(Kind.ARTIFACT),
    *_read_methods(Kind.EXECUTION),
    *_read_methods(Kind.CONTEXT),
)
