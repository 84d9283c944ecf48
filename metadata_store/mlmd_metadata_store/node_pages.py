"""Nodes of a store, a type or a context: all of them, one page of them, those that a filter matches.

A page is one SELECT: filter, membership, the place behind the last page and the order are all in it. Pages go on by
(key, id), so every node comes exactly once whatever the order, the page size and the ties (mlmd-read contract, 8).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ASSOCIATION, ATTRIBUTION, NODE_TABLES, Kind

from mlmd_metadata_store.dives import choose, only_these
from mlmd_metadata_store.filter import NOTHING, Compiled, Form, compile_filter, parse_filter, running
from mlmd_metadata_store.join_order import unindexed
from mlmd_metadata_store.list_options import Paging, read_options
from mlmd_metadata_store.narrowing import NARROWED, NARROWED_ASIDE, narrow
from mlmd_metadata_store.node_rows import READERS, nodes_of_rows
from mlmd_metadata_store.page_tokens import Order, token_after
from mlmd_metadata_store.transaction import Transaction

_EDGES = {Kind.ARTIFACT: ATTRIBUTION, Kind.EXECUTION: ASSOCIATION}
_KEPT_TEXT = 4096
"""Characters of a filter up to which its statements are kept for the next call."""
_NODES_AT_ONCE = 5000
"""Nodes of a list without pages that are rows and messages at the same time."""
_ID_COLUMN = 0
_KEY_COLUMNS: dict[int, int] = {Order.CREATE_TIME: 4, Order.LAST_UPDATE_TIME: 5, Order.ID: _ID_COLUMN}
"""Where READERS' columns hold the key of each order."""


@dataclass(frozen=True, slots=True)
class Members:
    """Which nodes of a kind: all, those of a type, or those of a context (artifacts and executions only)."""

    kind: Kind
    of: Literal["store", "type", "context"] = "store"
    owner: int = 0
    """Id of the type or context."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a page's statement depends on, apart from values."""

    kind: Kind
    of: Literal["store", "type", "context"]
    field: int
    ascending: bool
    continued: bool
    narrowed: bool = False
    """Whether the types of the filter's matches are a parameter."""
    types_aside: bool = False
    """Whether something else than the types leads to the nodes."""


def every_node(tx: Transaction, members: Members, add: Callable[[], Any]) -> None:
    """Make a message of every member with `add`, by ascending id; long lists wait for each other."""
    shape = Shape(members.kind, members.of, Order.ID, ascending=True, continued=False)
    statement = _kept_statement(shape, None, limited=False)
    for rows in tx.row_chunks(statement, {"owner": members.owner}, _NODES_AT_ONCE):
        if len(rows) == _NODES_AT_ONCE:
            tx.caller.wait_for_turn()
        nodes_of_rows(tx, members.kind, rows, add)


def node_page(
    tx: Transaction, members: Members, options: pb.ListOperationOptions, add: Callable[[], Any]
) -> tuple[int, str]:
    """Make a message of every node of one page with `add`; return how many, and the next page's token or "".

    Raises InvalidArgument for options, a token or a filter that is wrong.
    """
    paging = read_options(options)
    rows = _page_rows(tx, members, paging, options.filter_query)
    page = rows[: paging.size]
    nodes_of_rows(tx, members.kind, page, add)
    if len(rows) <= paging.size:
        return len(page), ""
    key = _KEY_COLUMNS[paging.field]
    return len(page), token_after(options, paging.field, [(row[key], row[_ID_COLUMN]) for row in page])


def has_members(tx: Transaction, members: Members) -> bool:
    """Say whether there is any member; of a context, whether any edge leaves it."""
    return bool(tx.rows(_PROBES[members.kind, members.of], {"owner": members.owner}))


def first_ids(tx: Transaction, kind: Kind, filter_query: str, limit: int) -> list[int]:
    """Return the lowest ids of nodes that match; raises InvalidArgument for a wrong filter."""
    make = _kept_first if len(filter_query) <= _KEPT_TEXT else _first
    query = parse_filter(kind, filter_query)
    compiled = compile_filter(query, tx.dialect.name, tx.text.encode, choose(tx, kind, query, None).properties)
    rows = _run(tx, make(compiled.form), {"size": limit}, compiled)
    return [node_id for (node_id,) in rows]


def matching_ids(tx: Transaction, kind: Kind, filter_query: str, ids: Iterable[int]) -> set[int]:
    """Return those of the ids that match; raises InvalidArgument for a wrong filter."""
    make = _kept_matching if len(filter_query) <= _KEPT_TEXT else _matching
    query = parse_filter(kind, filter_query)
    aside = NOTHING if tx.dialect.dives else only_these(query).properties
    compiled = compile_filter(query, tx.dialect.name, tx.text.encode, aside)
    with running():
        return {node_id for (node_id,) in tx.rows_in(make(compiled.form), ids, **compiled.values)}


_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_OWNER: sa.BindParameter[int] = sa.bindparam("owner", type_=sa.BigInteger())
_KEY: sa.BindParameter[int] = sa.bindparam("key", type_=sa.BigInteger())
_AFTER: sa.BindParameter[int] = sa.bindparam("after", type_=sa.BigInteger())
_SIZE: sa.BindParameter[int] = sa.bindparam("size", type_=sa.Integer())


def _run(tx: Transaction, statement: sa.Select[Any], values: dict[str, Any], compiled: Compiled) -> Sequence[Any]:
    with running():
        return tx.rows(statement, {**compiled.values, **values})


def _values(members: Members, paging: Paging) -> dict[str, Any]:
    values: dict[str, Any] = {"owner": members.owner, "size": paging.size + 1}
    if paging.after is not None:
        values |= {"key": paging.after.key, "after": paging.after.node_id}
    return values


def _page_rows(tx: Transaction, members: Members, paging: Paging, filter_query: str) -> Sequence[Any]:
    shape = Shape(members.kind, members.of, paging.field, paging.ascending, paging.after is not None)
    values = _values(members, paging)
    types: Sequence[int] | None = [members.owner] if members.of == "type" else None
    if not filter_query:
        shape = replace(shape, types_aside=choose(tx, members.kind, None, types).types)
        return tx.rows(_kept_statement(shape, None), values)
    query = parse_filter(members.kind, filter_query)
    if members.of == "store":
        query, types = narrow(tx, query)
        if types is not None:
            shape = replace(shape, narrowed=True)
            values["types"] = types
    way = choose(tx, members.kind, query, types)
    shape = replace(shape, types_aside=way.types)
    compiled = compile_filter(query, tx.dialect.name, tx.text.encode, way.properties)
    make = _kept_statement if len(filter_query) <= _KEPT_TEXT else _statement
    return _run(tx, make(shape, compiled.form), values, compiled)


def _statement(shape: Shape, form: Form | None, *, limited: bool = True) -> sa.Select[Any]:
    """Return the SELECT of one page: READERS' columns of the nodes, in order.

    Where a filter's joins repeat nodes, the page is found first, with DISTINCT over the few numbers that order it, and
    joined to its rows: DISTINCT over texts is dear, and MySQL wants what ORDER BY names in the list of a DISTINCT.
    """
    columns = READERS[shape.kind].columns
    node = NODE_TABLES[shape.kind].node
    if form is None or not form.needs_distinct:
        return _ordered(shape, form, columns, limited)
    key = columns[_KEY_COLUMNS[shape.field]]
    found = _ordered(shape, form, (node.c.id,) if key is node.c.id else (node.c.id, key), limited)
    page = found.distinct().subquery("page")
    order = [column if shape.ascending else column.desc() for column in reversed(list(page.c))]
    return sa.select(*columns).join_from(page, node, node.c.id == page.c.id).order_by(*order)


_kept_statement = lru_cache(maxsize=1024)(_statement)


def _first(form: Form) -> sa.Select[Any]:
    node_id = NODE_TABLES[form.kind].node.c.id
    return form.select(node_id).order_by(node_id).limit(_SIZE)


def _matching(form: Form) -> sa.Select[Any]:
    node_id = NODE_TABLES[form.kind].node.c.id
    return form.select(node_id).where(node_id.in_(_IDS))


_kept_first = lru_cache(maxsize=256)(_first)
_kept_matching = lru_cache(maxsize=256)(_matching)


def _ordered(
    shape: Shape, form: Form | None, columns: Sequence[sa.ColumnElement[Any]], limited: bool
) -> sa.Select[Any]:
    node = NODE_TABLES[shape.kind].node
    source: sa.FromClause = node if form is None else form.source
    conditions = [] if form is None else [form.condition]
    node_id: sa.ColumnElement[int] = node.c.id
    if shape.narrowed:
        conditions.append((NARROWED_ASIDE if shape.types_aside else NARROWED)[shape.kind])
    if shape.of == "type":
        conditions.append((unindexed(node.c.type_id) if shape.types_aside else node.c.type_id) == _OWNER)
    elif shape.of == "context":
        edge = _EDGES[shape.kind]
        member = edge.c[NODE_TABLES[shape.kind].owner]
        source = source.join(edge, member == node.c.id)
        conditions.append(edge.c.context_id == _OWNER)
        if form is None or not form.needs_distinct:
            node_id = member  # the index of the edge is ordered by it
    key = node_id if shape.field == Order.ID else READERS[shape.kind].columns[_KEY_COLUMNS[shape.field]]
    if shape.continued:
        conditions.append(_behind(key, node_id, shape.ascending))
    order = [key] if key is node_id else [key, node_id]
    statement = sa.select(*columns).select_from(source).where(*conditions)
    statement = statement.order_by(*(column if shape.ascending else column.desc() for column in order))
    return statement.limit(_SIZE) if limited else statement


def _behind(key: Any, node_id: Any, ascending: bool) -> sa.ColumnElement[bool]:
    """Return the condition for the nodes behind the place; its first part bounds the index of the key."""
    if key is node_id:
        alone: sa.ColumnElement[bool] = node_id > _AFTER if ascending else node_id < _AFTER
        return alone
    if ascending:
        return sa.and_(key >= _KEY, sa.or_(key > _KEY, node_id > _AFTER))
    return sa.and_(key <= _KEY, sa.or_(key < _KEY, node_id < _AFTER))


def _probes() -> dict[tuple[Kind, str], sa.Select[Any]]:
    probes: dict[tuple[Kind, str], sa.Select[Any]] = {}
    for kind, tables in NODE_TABLES.items():
        node = tables.node
        probes[kind, "type"] = sa.select(node.c.id).where(node.c.type_id == _OWNER).limit(1)
        if kind in _EDGES:
            edge = _EDGES[kind]
            probes[kind, "context"] = sa.select(edge.c.id).where(edge.c.context_id == _OWNER).limit(1)
    return probes


_PROBES = _probes()
