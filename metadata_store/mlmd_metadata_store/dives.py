"""Which demand of a list leads to its nodes, found by looking how many rows each has: what SQLite does not look at.

MySQL dives into an index before it plans: it sees that `kind = 'train'` has a third of all nodes and `round = 17` three
hundred. SQLite takes every equality for as good as the next and begins with the first that is written. Statistics
(ANALYZE) do not tell either: they say how many rows a value of the index has on average, over the names of all
properties, and make as many statements slow as fast. So demands are looked at here, and the rarest leads; the others
are looked at where it leads. When none is rare the nodes are gone through in the order of the list, until the page is
full. Why: decision 0017.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_metadata_store.filter import Filter, Form, compile_demand, operations, running
from mlmd_metadata_store.filter.columns import PropertySource
from mlmd_metadata_store.filter.query import REMEMBERED_TEXT
from mlmd_metadata_store.filter.terms import Apply, Constant, Field, Listed, Term, chain, conjuncts
from mlmd_metadata_store.transaction import Transaction

FEWEST_NODES: Final = 20_000
"""In a store with fewer nodes of a kind every way is short."""
SHARE: Final = 8
"""A demand that more than one in so many nodes meet is not rare."""
MOST_ROWS: Final = 50_000
"""Nor is one with more rows than these."""

_STEPS: Final = (64, 256, 1_024, 4_096, 16_384)
"""Rows after which looking at one demand goes on with the next."""
_COMPARISONS: Final = frozenset(operations.COMPARISONS[sign] for sign in ("=", "<", "<=", ">", ">="))
_UNIQUE: Final = frozenset({"id", "external_id"})


@dataclass(frozen=True, slots=True)
class Way:
    """What does not lead to the nodes of a list, but is looked at where something else leads."""

    properties: frozenset[PropertySource] = frozenset()
    types: bool = False


PLAIN: Final = Way()
"""The database finds the way."""


def choose(tx: Transaction, kind: Kind, query: Filter | None, types: Sequence[int] | None) -> Way:
    """Return the way to the nodes of a kind that match a filter and have one of the types, where these are given."""
    if tx.dialect.dives:
        return PLAIN
    demands, pinned = ({}, frozenset()) if query is None else _demands(query)
    if pinned & _UNIQUE:
        return Way(frozenset(demands), types is not None)
    if types is not None and "name" in pinned:
        return Way(frozenset(demands))
    if not demands and types is None:
        return PLAIN
    rare = _rare_rows(tx, kind)
    if not rare:
        return PLAIN
    key = (kind, None if query is None else query.text, None if types is None else tuple(types))
    way: Way | None = tx.ways.get(key)
    if way is None:
        way = _rarest(tx, kind, demands, types, rare)
        tx.ways.keep(key, way)
    return way


def only_these(query: Filter) -> Way:
    """Return the way where the nodes are given by their ids."""
    return Way(frozenset(_demands(query)[0]))


def _rare_rows(tx: Transaction, kind: Kind) -> int:
    """Return how many rows a rare demand has at most, 0 in a small store."""
    rare: int | None = tx.ways.get(kind)
    if rare is None:
        nodes = tx.rows(_LAST[kind])[0][0] or 0
        rare = 0 if nodes < FEWEST_NODES else min(nodes // SHARE, MOST_ROWS)
        tx.ways.keep(kind, rare)
    return rare


def _rarest(
    tx: Transaction, kind: Kind, demands: dict[PropertySource, Filter], types: Sequence[int] | None, rare: int
) -> Way:
    """Put aside all but the rarest, and that too if it is not rare.

    All are asked first whether they have more than a few rows, then whether more than four times as many, and so on: so
    the looks cost what the rarest costs, however many rows the others have.
    """
    asked = [_property_probe(tx, source, demand) for source, demand in demands.items()]
    if types is not None:
        asked.append(_Probe(None, _TYPED[kind], {"types": list(types)}))
    for step in _STEPS if len(asked) > 1 else ():
        if step < rare:
            for probe in asked:
                if not probe.has_more(tx, step):
                    return _led_by(probe, demands, types)
    for probe in asked:
        if not probe.has_more(tx, rare):
            return _led_by(probe, demands, types)
    return Way(frozenset(demands), types is not None)


@dataclass(frozen=True, slots=True)
class _Probe:
    """What asks whether a demand has more than so many rows."""

    source: PropertySource | None
    """None: the types."""
    statement: sa.Select[Any]
    values: dict[str, Any]

    def has_more(self, tx: Transaction, rows: int) -> bool:
        with running():
            return bool(tx.rows(self.statement, {**self.values, "rows": rows}))


def _property_probe(tx: Transaction, source: PropertySource, demand: Filter) -> _Probe:
    compiled = compile_demand(demand, tx.dialect.name, tx.text.encode)
    return _Probe(source, _matching(compiled.form), dict(compiled.values))


def _led_by(probe: _Probe, demands: dict[PropertySource, Filter], types: Sequence[int] | None) -> Way:
    return Way(frozenset(demands) - {probe.source}, types is not None and probe.source is not None)


def _demands(query: Filter) -> "_Demands":
    return _kept_demands(query) if len(query.text) <= REMEMBERED_TEXT else _found_demands(query)


_Demands = tuple[dict[PropertySource, Filter], frozenset[str]]
"""By property what must hold of its value, as an index can find it; the node's own columns that must have a value."""


def _found_demands(query: Filter) -> _Demands:
    found: dict[PropertySource, list[Term]] = {}
    pinned: set[str] = set()
    for term in conjuncts(query.condition):
        field = _indexed(term)
        if field is None:
            continue
        if isinstance(field.source, PropertySource):
            found.setdefault(field.source, []).append(term)
        elif field.source is None and not (isinstance(term, Apply) and term.operation is not operations.EQUAL):
            pinned.add(field.column.name)
    demands = {
        source: Filter(query.kind, query.text, chain(0, operations.AND, terms), (source,), repeats=False)
        for source, terms in found.items()
    }
    return demands, frozenset(pinned)


_kept_demands = lru_cache(maxsize=1024)(_found_demands)


def _indexed(term: Term) -> Field | None:
    """Return the column that a term compares with literals; None when it says something else."""
    match term:
        case Apply(operation=operation, arguments=(Field() as field, Constant()) | (Constant(), Field() as field)):
            return field if operation in _COMPARISONS else None
        case Listed(operand=Field() as field, negated=False):
            return field
    return None


_ROWS: sa.BindParameter[int] = sa.bindparam("rows", type_=sa.Integer())
_ONE: sa.ColumnElement[int] = sa.literal_column("1", sa.Integer()).label("one")


def _behind(rows: sa.Select[Any]) -> sa.Select[Any]:
    return rows.limit(sa.literal_column("1")).offset(_ROWS)


@lru_cache(maxsize=512)
def _matching(form: Form) -> sa.Select[Any]:
    return _behind(sa.select(_ONE).select_from(form.source).where(form.condition))


_LAST = {kind: sa.select(sa.func.max(tables.node.c.id)) for kind, tables in NODE_TABLES.items()}
_TYPED = {
    kind: _behind(sa.select(_ONE).where(tables.node.c.type_id.in_(sa.bindparam("types", expanding=True))))
    for kind, tables in NODE_TABLES.items()
}
