"""Lists of entities, page by page: those of some types, below a parent or not, that a filter matches.

A page is one SELECT. Pages go on by (key, id), so every entity comes exactly once whatever the order, the page size and
the ties. A token is base64 of `<id>:<key>`, as Kubeflow's own server makes them.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.filter import Filter, compile_filter, running
from mlmd_metadata_store.filter import Form as FilterForm
from mlmd_metadata_store.node_rows import READERS, nodes_of_rows
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.tables.v10 import ASSOCIATION, ATTRIBUTION, NODE_TABLES, PARENT_CONTEXT, Kind

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_TOKEN = re.compile(r"([0-9]{1,19}):(-?[0-9]{1,19})")
_ORDERS = {"CREATE_TIME": 4, "LAST_UPDATE_TIME": 5, "ID": 0}
"""Where READERS' columns hold the key of each order."""
_EDGES = {
    Kind.ARTIFACT: (ATTRIBUTION, "artifact_id", "context_id"),
    Kind.EXECUTION: (ASSOCIATION, "execution_id", "context_id"),
    Kind.CONTEXT: (PARENT_CONTEXT, "context_id", "parent_context_id"),
}
"""The edge to a parent: its table, the column of the child and that of the parent."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list: its size (0: everything), its order, and the (key, id) that it comes after."""

    size: int = 0
    order: str = "ID"
    ascending: bool = True
    after: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list holds."""

    kind: Kind
    types: tuple[int, ...]
    parent: int = 0
    """Id of the context that its nodes hang on; 0 for all."""
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The nodes of a page, and the token of the next one or ""."""

    nodes: list[Any] = field(default_factory=list)
    token: str = ""


@dataclass(frozen=True, slots=True)
class _Shape:
    kind: Kind
    below: bool
    order: str
    ascending: bool
    continued: bool
    limited: bool


def read_paging(query: Mapping[str, str]) -> Paging:
    """Return the page that the parameters of a request ask for; raises InvalidArgument."""
    size = query.get("pageSize", "")
    if size and not _NUMBER.fullmatch(size):
        raise InvalidArgument(
            f"pageSize: {size[:40]!r} is no whole number from 1 to 999,999,999; leave it out for everything."
        )
    order, direction = query.get("orderBy") or "ID", query.get("sortOrder") or "ASC"
    if order not in _ORDERS:
        raise InvalidArgument(f"orderBy: {order[:40]!r} is none of {', '.join(_ORDERS)}.")
    if direction not in ("ASC", "DESC"):
        raise InvalidArgument(f"sortOrder: {direction[:40]!r} is neither ASC nor DESC.")
    token = query.get("nextPageToken")
    return Paging(int(size or 0), order, direction == "ASC", _read_token(token) if token else None)


def _read_token(text: str) -> tuple[int, int]:
    try:
        match = _TOKEN.fullmatch(base64.b64decode(text.encode("ascii"), validate=True).decode("ascii"))
    except (binascii.Error, UnicodeError, ValueError):
        match = None
    if match is None or int(match[1]) >= 2**63 or not -(2**63) <= int(match[2]) < 2**63:
        raise InvalidArgument("nextPageToken: not one that a list gave; take the nextPageToken of the page before.")
    return int(match[2]), int(match[1])


def _token(node_id: int, key: int) -> str:
    return base64.b64encode(f"{node_id}:{key}".encode()).decode("ascii")


def node_page(tx: Transaction, selection: Selection, paging: Paging) -> Page:
    """Return one page; raises InvalidArgument when a filter's arithmetic leaves what databases count."""
    if not selection.types:
        return Page()
    shape = _Shape(
        selection.kind,
        bool(selection.parent),
        paging.order,
        paging.ascending,
        paging.after is not None,
        bool(paging.size),
    )
    values: dict[str, Any] = {"types": selection.types, "owner": selection.parent, "size": paging.size + 1}
    if paging.after is not None:
        values["key"], values["after"] = paging.after
    form = None
    if selection.filter is not None:
        compiled = compile_filter(selection.filter, tx.dialect.name, tx.text.encode)
        form = compiled.form
        values |= compiled.values
    with running():
        rows = tx.rows(_statement(shape, form), values)
    kept = rows[: paging.size] if paging.size else rows
    token = _token(kept[-1][0], kept[-1][_ORDERS[paging.order]]) if len(kept) < len(rows) else ""
    return Page(nodes_of_rows(tx, selection.kind, kept), token)


@lru_cache(maxsize=1024)
def _statement(shape: _Shape, form: FilterForm | None) -> sa.Select[Any]:
    node = NODE_TABLES[shape.kind].node
    columns = READERS[shape.kind].columns
    source: sa.FromClause = node if form is None else form.source
    conditions: list[Any] = [node.c.type_id.in_(sa.bindparam("types", expanding=True))]
    if form is not None:
        conditions.append(form.condition)
    if shape.below:
        edge, child, parent = _EDGES[shape.kind]
        source = source.join(edge, edge.c[child] == node.c.id)
        conditions.append(edge.c[parent] == sa.bindparam("owner", type_=sa.BigInteger))
    key: sa.ColumnElement[Any] = columns[_ORDERS[shape.order]]
    if shape.continued:
        conditions.append(_behind(key, node.c.id, shape.ascending))
    order = [key] if key is node.c.id else [key, node.c.id]
    statement = sa.select(*columns).select_from(source).where(*conditions)
    statement = statement.order_by(*(column if shape.ascending else column.desc() for column in order))
    return statement.limit(sa.bindparam("size", type_=sa.Integer)) if shape.limited else statement


def _behind(key: Any, node_id: Any, ascending: bool) -> sa.ColumnElement[bool]:
    after: sa.BindParameter[int] = sa.bindparam("after", type_=sa.BigInteger)
    if key is node_id:
        alone: sa.ColumnElement[bool] = node_id > after if ascending else node_id < after
        return alone
    bound: sa.BindParameter[int] = sa.bindparam("key", type_=sa.BigInteger)
    if ascending:
        return sa.and_(key >= bound, sa.or_(key > bound, node_id > after))
    return sa.and_(key <= bound, sa.or_(key < bound, node_id < after))
