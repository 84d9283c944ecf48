"""A checked filter becomes SQLAlchemy: a FROM clause, a condition, and whether nodes repeat.

Every alias and every property that a filter mentions is one inner join, whatever AND, OR and NOT say (mlmd-read
contract, 4.7). Joins to types and properties find one row at most; joins to neighbours find many, and then only a
DISTINCT gives every node once. Text of the request is always a bound parameter.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from mlmd_schemas.tables.v10 import NODE_TABLES, TYPE, Kind
from sqlalchemy.sql.selectable import NamedFromClause

from mlmd_metadata_store.filter.columns import (
    TYPE_NAME,
    NeighbourSource,
    NeighbourTypeSource,
    PropertySource,
    Source,
    Type,
    TypeSource,
)
from mlmd_metadata_store.filter.operations import ENDS_WITH, SQLITE, Closed, Element
from mlmd_metadata_store.filter.query import Filter
from mlmd_metadata_store.filter.terms import Apply, Constant, Field, Listed, Term

Encode = Callable[[str], str]
LONG_LIST: Final = 500
"""A longer list of integers or strings is one JSON parameter on SQLite, which bounds the number of parameters."""

_CACHED_TEXT: Final = 4096
_SQL_TYPES: Final[dict[Type, sa.types.TypeEngine[Any]]] = {
    Type.INT64: sa.BigInteger(),
    Type.DOUBLE: sa.Double(),
    Type.STRING: sa.String(),
    Type.BOOL: sa.BigInteger(),
    Type.NULL: sa.types.NullType(),
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A filter for one database. The node's own table is unaliased in `source`: `NODE_TABLES[kind].node`."""

    kind: Kind
    source: sa.FromClause
    """The node's table with what the filter joins."""
    condition: sa.ColumnElement[bool]
    needs_distinct: bool
    """Whether `source` may hold a node more than once."""

    def select(self, *keys: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Return SELECT [DISTINCT] keys of the nodes that match; add conditions, ORDER BY and LIMIT at will.

        `keys` are columns of the node, `id` among them. ORDER BY only what is in `keys`: then DISTINCT keeps one row a
        node, and MySQL's ONLY_FULL_GROUP_BY is content.
        """
        statement = sa.select(*keys).select_from(self.source).where(self.condition)
        return statement.distinct() if self.needs_distinct else statement


def compile_filter(query: Filter, dialect_name: str, encode: Encode) -> Compiled:
    """Return the filter for a database ("sqlite" or "mysql"); `encode` turns text into what its columns hold."""
    if len(query.text) > _CACHED_TEXT:
        return _Compiler(query, dialect_name, encode).compiled()
    return _cached(query, dialect_name, encode)


@lru_cache(maxsize=512)
def _cached(query: Filter, dialect_name: str, encode: Encode) -> Compiled:
    return _Compiler(query, dialect_name, encode).compiled()


class _Compiler:
    def __init__(self, query: Filter, dialect_name: str, encode: Encode) -> None:
        self._query = query
        self._dialect = dialect_name
        self._encode = encode
        self._tables = NODE_TABLES[query.kind]
        self._from: sa.FromClause = self._tables.node
        self._joined: dict[Source, NamedFromClause] = {}
        self._edges: dict[Source, NamedFromClause] = {}

    def compiled(self) -> Compiled:
        for source in self._query.sources:
            self._joined[source] = self._join(source)
        condition = self._element(self._query.condition)
        return Compiled(self._query.kind, self._from, condition, self._query.repeats)

    # Joins

    def _alias(self, table: sa.Table) -> NamedFromClause:
        return table.alias(f"joined_{len(self._joined)}" if table is not TYPE else f"type_{len(self._joined)}")

    def _join(self, source: Source) -> NamedFromClause:
        match source:
            case TypeSource():
                return self._join_type(self._tables.node, self._query.kind)
            case NeighbourTypeSource(of):
                assert of.neighbours.kind is not None  # the checker gives events no types
                return self._join_type(self._joined[of], of.neighbours.kind)
            case PropertySource():
                return self._join_property(source)
            case NeighbourSource():
                return self._join_neighbour(source)

    def _join_type(self, node: sa.FromClause, kind: Kind) -> NamedFromClause:
        joined = self._alias(TYPE)
        on = sa.and_(joined.c.id == node.c.type_id, joined.c.type_kind == int(kind))
        self._from = self._from.join(joined, on)
        return joined

    def _join_property(self, source: PropertySource) -> NamedFromClause:
        joined = self._alias(self._tables.property)
        on = sa.and_(
            joined.c[self._tables.owner] == self._tables.node.c.id,
            joined.c.name == self._text(source.name),
            joined.c.is_custom_property == int(source.custom),
        )
        self._from = self._from.join(joined, on)
        return joined

    def _join_neighbour(self, source: NeighbourSource) -> NamedFromClause:
        family = source.neighbours
        edge = family.edge.alias(f"edge_{len(self._joined)}")
        self._from = self._from.join(edge, edge.c[family.near] == self._tables.node.c.id)
        self._edges[source] = edge
        if family.kind is None:
            return edge
        joined = self._alias(NODE_TABLES[family.kind].node)
        self._from = self._from.join(joined, joined.c.id == edge.c[family.far])
        return joined

    # Terms

    def _element(self, term: Term) -> Element:
        match term:
            case Constant():
                return self._constant(term)
            case Field():
                return self._field(term)
            case Listed():
                return self._listed(term)
            case Apply():
                arguments = [self._element(argument) for argument in term.arguments]
                if term.operation is ENDS_WITH:
                    arguments.append(sa.literal(len(self._encode(str(_value(term.arguments[1]))))))
                return term.operation.build(self._dialect, arguments)

    def _field(self, field: Field) -> Element:
        source, name = field.source, field.column.name
        if source is None:
            return self._tables.node.c[name]
        if isinstance(source, TypeSource | NeighbourTypeSource):
            assert name == TYPE_NAME
            return self._joined[source].c.name
        if isinstance(source, NeighbourSource) and name == "id":
            return self._edges[source].c[source.neighbours.far]  # the index of the edge begins with it
        return self._joined[source].c[name]

    def _text(self, text: str) -> sa.BindParameter[str]:
        return sa.literal(self._encode(text), sa.String())

    def _bound(self, value: Any) -> Any:
        return self._encode(value) if isinstance(value, str) else int(value) if isinstance(value, bool) else value

    def _constant(self, constant: Constant) -> Element:
        return sa.literal(self._bound(constant.value), _SQL_TYPES[constant.type])

    def _listed(self, term: Listed) -> Element:
        operand = self._element(term.operand)
        items = self._items(term)
        return Closed(operand.not_in(items) if term.negated else operand.in_(items))

    def _items(self, term: Listed) -> Any:
        values = [self._bound(value) for value in term.values]
        if self._dialect == SQLITE and len(values) > LONG_LIST and _fits_json(term.item_type, values):
            text = sa.literal(json.dumps(values, ensure_ascii=False), sa.String())
            return sa.select(sa.func.json_each(text).table_valued("value").c.value)
        mixed = len({type(value) for value in values}) > 1
        type_ = sa.types.NullType() if mixed else _SQL_TYPES[term.item_type]
        return sa.bindparam(None, values, type_=type_, expanding=True, unique=True)


def _fits_json(item_type: Type, values: Sequence[Any]) -> bool:
    if item_type is Type.STRING:
        return not any("\0" in value for value in values)  # SQLite's JSON ends a string there
    return item_type in (Type.INT64, Type.BOOL)


def _value(term: Term) -> Any:
    assert isinstance(term, Constant)  # the checker takes nothing else there
    return term.value
