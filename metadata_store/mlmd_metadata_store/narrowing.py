"""Which types the matches of a filter have, found before the filter runs, so that it can use an index.

MLMD's tables index names of nodes only behind types: to find `name = 'x'` a database reads every node. And a join to
the types of `type = 'T'` is planned without knowing how many nodes have them: MySQL sorts them all for one page. Both
are what pipelines ask. With the ids of the types in the statement, either takes a look at an index.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.tables.v10 import NODE_TABLES, TYPE, Kind

from mlmd_metadata_store.filter import Filter, operations
from mlmd_metadata_store.filter.columns import NeighbourSource, Type, TypeSource
from mlmd_metadata_store.filter.faults import Fault
from mlmd_metadata_store.filter.query import REMEMBERED_TEXT
from mlmd_metadata_store.filter.terms import Apply, Constant, Field, Listed, Term, chain, conjuncts
from mlmd_metadata_store.join_order import unindexed
from mlmd_metadata_store.transaction import Transaction

MOST_TYPES = 100
"""With more types than these, a filter on names is left as it is."""

NARROWED: dict[Kind, sa.ColumnElement[bool]] = {
    kind: tables.node.c.type_id.in_(sa.bindparam("types", expanding=True)) for kind, tables in NODE_TABLES.items()
}
"""The condition that takes the ids, as the parameter `types`."""

NARROWED_ASIDE: dict[Kind, sa.ColumnElement[bool]] = {
    kind: unindexed(tables.node.c.type_id).in_(sa.bindparam("types", expanding=True))
    for kind, tables in NODE_TABLES.items()
}
"""The same on SQLite, where something else leads to the nodes."""


def _used(kind: Kind, skips: bool) -> sa.Select[Any]:
    """Return the SELECT of the types that nodes have, which looks at the index once a type and not once a node.

    MySQL and MariaDB skip in an index for DISTINCT, and would not for the recursion, by which SQLite does.
    """
    type_id = NODE_TABLES[kind].node.c.type_id
    if skips:
        return sa.select(type_id).distinct().limit(MOST_TYPES + 1)
    found = sa.select(sa.func.min(type_id).label("type_id")).cte("found", recursive=True)
    after = sa.select(sa.func.min(type_id)).where(type_id > found.c.type_id).scalar_subquery()
    found = found.union_all(sa.select(after).where(found.c.type_id.is_not(None)))
    return sa.select(found.c.type_id).where(found.c.type_id.is_not(None)).limit(MOST_TYPES + 1)


USED = {(kind, skips): _used(kind, skips) for kind in NODE_TABLES for skips in (True, False)}
"""The types that nodes have, by their kind and whether the database skips in an index for DISTINCT."""
_NAMED = sa.select(TYPE.c.id).where(
    TYPE.c.type_kind == sa.bindparam("kind"), TYPE.c.name.in_(sa.bindparam("ids", expanding=True))
)


def narrow(tx: Transaction, query: Filter) -> tuple[Filter, Sequence[int] | None]:
    """Return a filter and ids of types such that nodes of these types that match it are the matches of `query`.

    The ids are None when it does not help: then the filter is `query`, and nodes of every type count.
    """
    split = _split if len(query.text) <= REMEMBERED_TEXT else _split_now
    names, rest = split(query)
    if names is not None:
        encoded = {tx.text.encode(name) for name in names}
        return rest, [type_id for (type_id,) in tx.rows_in(_NAMED, encoded, kind=query.kind.value)]
    if not _names_its_nodes(query):
        return query, None
    used = [type_id for (type_id,) in tx.rows(USED[query.kind, tx.dialect.dives])]
    return query, used if len(used) <= MOST_TYPES else None


def _split_now(query: Filter) -> tuple[tuple[str, ...] | None, Filter]:
    """Take the first demand on the type's name off the filter; return its names, None without, and what is left."""
    terms = conjuncts(query.condition)
    for term in terms:
        field, texts = _pinned(term)
        if field is not None and isinstance(field.source, TypeSource):
            rest = [other for other in terms if other is not term]
            try:
                condition = chain(0, operations.AND, rest) if rest else Constant(Type.BOOL, True)
            except Fault:  # the terms that are left would nest a level deeper than a database parses
                return None, query
            typed = any(isinstance(used.source, TypeSource) for used in _fields(condition))
            sources = tuple(source for source in query.sources if typed or not isinstance(source, TypeSource))
            return texts, Filter(query.kind, query.text, condition, sources, query.repeats)
    return None, query


_split = lru_cache(maxsize=1024)(_split_now)


def _names_its_nodes(query: Filter) -> bool:
    """Say whether the filter wants certain names and nothing that leads to nodes from elsewhere."""
    if any(isinstance(source, NeighbourSource) for source in query.sources):
        return False
    fields = (_pinned(term)[0] for term in conjuncts(query.condition))
    return any(field is not None and field.source is None and field.column.name == "name" for field in fields)


def _pinned(term: Term) -> tuple[Field | None, tuple[str, ...]]:
    """Return the column that must be one of some texts, and the texts; None when the term says something else."""
    match term:
        case Apply(operation=operations.EQUAL, arguments=(Field() as field, Constant(value=str() as text))):
            return field, (text,)
        case Apply(operation=operations.EQUAL, arguments=(Constant(value=str() as text), Field() as field)):
            return field, (text,)
        case Listed(operand=Field() as field, negated=False, item_type=Type.STRING, values=values):
            return field, tuple(value for value in values if value is not None)
    return None, ()


def _fields(term: Term) -> Iterator[Field]:
    match term:
        case Field():
            yield term
        case Apply(arguments=arguments):
            for argument in arguments:
                yield from _fields(argument)
        case Listed(operand=operand):
            yield from _fields(operand)
