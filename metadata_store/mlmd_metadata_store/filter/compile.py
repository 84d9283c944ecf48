"""A checked filter becomes SQLAlchemy: a FROM clause, a condition, and whether nodes repeat.

Every alias and every property that a filter mentions is one inner join, whatever AND, OR and NOT say (mlmd-read
contract, 4.7); of an `outer` filter, properties are left joins, and one that is not there is NULL. Joins to types and
properties find one row at most; joins to neighbours find many, and then only a DISTINCT gives every node once. Text of
the request is always a bound parameter.

Filters that differ in their literals only are one form, made once: clients ask the same question about one run after
another.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
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
from mlmd_metadata_store.filter.query import REMEMBERED_TEXT, Filter
from mlmd_metadata_store.filter.terms import Apply, Constant, Field, Listed, Term
from mlmd_metadata_store.join_order import joined_after

Encode = Callable[[str], str]
NOTHING: Final[frozenset[PropertySource]] = frozenset()
LONG_LIST: Final = 500
"""A longer list of integers or strings is one JSON parameter on SQLite, which bounds the number of parameters."""

_SQL_TYPES: Final[dict[Type, sa.types.TypeEngine[Any]]] = {
    Type.INT64: sa.BigInteger(),
    Type.DOUBLE: sa.Double(),
    Type.STRING: sa.String(),
    Type.BOOL: sa.BigInteger(),
    Type.NULL: sa.types.NullType(),
}


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """What filters that differ in their literals only have in common, for one database.

    The node's own table is unaliased in `source`: `NODE_TABLES[kind].node`. Statements made of a form need the
    parameters of `Compiled.values`, so they may be kept as long as the form.
    """

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


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A filter for one database: its form, and the parameters that every statement of the form needs."""

    form: Form
    values: Mapping[str, Any]


def compile_filter(
    query: Filter, dialect_name: str, encode: Encode, aside: frozenset[PropertySource] = NOTHING
) -> Compiled:
    """Return the filter for a database ("sqlite" or "mysql"); `encode` turns text into what its columns hold.

    The properties `aside` lead to no nodes: on SQLite they are looked at where something else has led to one.
    """
    if len(query.text) > REMEMBERED_TEXT:
        literals = _Literals(query, dialect_name, encode)
        return Compiled(_Former(query, dialect_name, encode, aside).form(), literals.values)
    return _compiled(query, dialect_name, encode, aside)


@lru_cache(maxsize=1024)
def _compiled(query: Filter, dialect_name: str, encode: Encode, aside: frozenset[PropertySource]) -> Compiled:
    literals = _Literals(query, dialect_name, encode)
    key = (query.kind, dialect_name, encode, query.sources, query.outer, literals.shape, aside)
    form = _FORMS.get(key)
    if form is None:
        form = _FORMS[key] = _Former(query, dialect_name, encode, aside).form()
        while len(_FORMS) > _MOST_FORMS:
            _FORMS.popitem(last=False)
    return Compiled(form, literals.values)


@lru_cache(maxsize=256)
def compile_demand(query: Filter, dialect_name: str, encode: Encode) -> Compiled:
    """Return what a filter whose only source is a property asks of the property's row, without the node.

    The `source` of its form is the table of properties; `Form.select` is not for it.
    """
    former = _Former(query, dialect_name, encode, NOTHING)
    return Compiled(former.demand(), _Literals(query, dialect_name, encode).values)


_MOST_FORMS: Final = 512
_FORMS: Final[OrderedDict[tuple[Any, ...], Form]] = OrderedDict()


class _Literals:
    """The literals of a filter in the order in which the form names them, and what is left without them."""

    def __init__(self, query: Filter, dialect_name: str, encode: Encode) -> None:
        self._dialect = dialect_name
        self._encode = encode
        self.values: dict[str, Any] = {}
        self.shape = self._shape(query.condition)

    def _shape(self, term: Term) -> tuple[Any, ...]:
        match term:
            case Constant():
                self._add(self._bound(term.value))
                return (term.type,)
            case Field():
                return (term.source, term.column)
            case Apply():
                arguments = [self._shape(argument) for argument in term.arguments]
                if term.operation is ENDS_WITH:
                    self._add(len(next(reversed(self.values.values()))))
                return (term.operation, *arguments)
            case Listed():
                return self._list(term)

    def _list(self, term: Listed) -> tuple[Any, ...]:
        operand = self._shape(term.operand)
        values: Any = [self._bound(value) for value in term.values]
        as_json = _travels_as_json(self._dialect, term)
        self._add(json.dumps(values, ensure_ascii=False) if as_json else values)
        return (term.negated, term.item_type, as_json, operand)

    def _add(self, value: Any) -> None:
        self.values[_name(len(self.values))] = value

    def _bound(self, value: Any) -> Any:
        return self._encode(value) if isinstance(value, str) else int(value) if isinstance(value, bool) else value


def _name(place: int) -> str:
    return f"filter_{place}"


def _travels_as_json(dialect_name: str, term: Listed) -> bool:
    if dialect_name != SQLITE or len(term.values) <= LONG_LIST:
        return False
    if term.item_type is Type.STRING:
        return not any("\0" in value for value in term.values)  # SQLite's JSON ends a string there
    return term.item_type in (Type.INT64, Type.BOOL)


class _Former:
    def __init__(self, query: Filter, dialect_name: str, encode: Encode, aside: frozenset[PropertySource]) -> None:
        self._query = query
        self._dialect = dialect_name
        self._encode = encode
        self._aside: frozenset[Source] = aside
        self._tables = NODE_TABLES[query.kind]
        self._from: sa.FromClause = self._tables.node
        self._joined: dict[Source, NamedFromClause] = {}
        self._edges: dict[Source, NamedFromClause] = {}
        self._named = 0

    def form(self) -> Form:
        for source in sorted(self._query.sources, key=self._aside.__contains__):
            self._joined[source] = self._join(source)
        condition = self._element(self._query.condition)
        return Form(self._query.kind, self._from, condition, self._query.repeats)

    def demand(self) -> Form:
        (source,) = self._query.sources
        assert isinstance(source, PropertySource)
        joined = self._joined[source] = self._alias(self._tables.property)
        condition = sa.and_(self._names(joined, source), self._element(self._query.condition))
        return Form(self._query.kind, joined, condition, needs_distinct=False)

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
        on = sa.and_(joined.c[self._tables.owner] == self._tables.node.c.id, self._names(joined, source))
        if source in self._aside and not self._query.outer:
            self._from = joined_after(self._from, joined, on)
        else:
            self._from = self._from.join(joined, on, isouter=self._query.outer)
        return joined

    def _names(self, joined: NamedFromClause, source: PropertySource) -> sa.ColumnElement[bool]:
        return sa.and_(
            joined.c.name == sa.literal(self._encode(source.name), sa.String()),
            joined.c.is_custom_property == int(source.custom),
        )

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

    # Terms; literals are numbered as _Literals numbers them

    def _element(self, term: Term) -> Element:
        match term:
            case Constant():
                return self._parameter(_SQL_TYPES[term.type])
            case Field():
                return self._field(term)
            case Apply():
                arguments = [self._element(argument) for argument in term.arguments]
                if term.operation is ENDS_WITH:
                    arguments.append(self._parameter(sa.BigInteger()))
                return term.operation.build(self._dialect, arguments)
            case Listed():
                operand = self._element(term.operand)
                items = self._items(term)
                return Closed(operand.not_in(items) if term.negated else operand.in_(items))

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

    def _parameter(self, type_: sa.types.TypeEngine[Any], *, expanding: bool = False) -> sa.BindParameter[Any]:
        name = _name(self._named)
        self._named += 1
        return sa.bindparam(name, type_=type_, expanding=expanding)

    def _items(self, term: Listed) -> Any:
        if not _travels_as_json(self._dialect, term):
            return self._parameter(sa.types.NullType(), expanding=True)
        return sa.select(sa.func.json_each(self._parameter(sa.String())).table_valued("value").c.value)
