"""Names and types: a syntax tree becomes terms (mlmd-read contract, 4.2 and 4.4 to 4.7)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store.filter import operations as ops
from mlmd_metadata_store.filter import syntax
from mlmd_metadata_store.filter.columns import (
    NODE_COLUMNS,
    PROPERTY_FIELDS,
    TYPE_NAME,
    Column,
    NeighbourTypeSource,
    PropertySource,
    Source,
    Type,
    TypeSource,
    alias,
    prefixes,
    property_field,
    tables,
)
from mlmd_metadata_store.filter.faults import Fault, shown
from mlmd_metadata_store.filter.functions import (
    Given,
    as_double,
    called,
    cast,
    common,
    comparable,
    demand_one_size,
    unified,
)
from mlmd_metadata_store.filter.limits import LONGEST_PATTERN_BYTES, MOST_TABLES
from mlmd_metadata_store.filter.terms import Constant, Field, Term, alternatives, apply, chain, listed

SMALLEST: Final = Constant(Type.INT64, -(2**63))
NULL: Final = Constant(Type.NULL, None)
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
Enum = Mapping[str, int]


class Checker:
    """Gives a tree its names and types, and gathers what has to be joined."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.sources: dict[Source, None] = {}
        self._spellings: dict[str, str] = {}
        self._rules: dict[type, Callable[[Any], Term]] = {
            syntax.Literal: self._literal,
            syntax.Name: self._field,
            syntax.Member: self._field,
            syntax.Property: self._field,
            syntax.Unary: self._unary,
            syntax.Binary: self._binary,
            syntax.Chain: self._chain,
            syntax.In: self._in,
            syntax.Between: self._between,
            syntax.Is: self._is,
            syntax.Call: self._call,
            syntax.Cast: self._cast,
            syntax.Case: self._case,
        }

    def condition(self, node: syntax.Node) -> Term:
        """Return the whole filter's term, which is BOOL; raises Fault."""
        term = self._term(node)
        if term.type is not Type.BOOL:
            raise Fault(node.at, f"the whole filter has to be true or false (BOOL), and this is {term.type.value}")
        return term

    def _term(self, node: syntax.Node) -> Term:
        return self._rules[type(node)](node)

    # Names

    def _literal(self, node: syntax.Literal) -> Term:
        value = node.value
        if value is None:
            return NULL
        if isinstance(value, bool):
            return Constant(Type.BOOL, value)
        if isinstance(value, int):
            return Constant(Type.INT64 if value < 2**63 else Type.UINT64, value)
        return Constant(Type.DOUBLE if isinstance(value, float) else Type.STRING, value)

    def _field(self, node: syntax.Name | syntax.Member | syntax.Property) -> Term:
        source, column = self._resolved(node)
        if isinstance(source, NeighbourTypeSource):
            self._join(node.at, source.of)
        if source is not None:
            self._join(node.at, source)
        return Field(column.type, source, column)

    def _join(self, at: int, source: Source) -> None:
        self.sources[source] = None
        if sum(map(tables, self.sources)) > MOST_TABLES:
            raise Fault(
                at,
                f"this joins one table too many: the types, properties and aliases of a filter may take {MOST_TABLES} "
                "tables (an alias of nodes takes 2, everything else 1)",
            )

    def _resolved(self, node: syntax.Name | syntax.Member | syntax.Property) -> tuple[Source | None, Column]:
        if isinstance(node, syntax.Property):
            return self._property(node)
        return self._attribute(node) if isinstance(node, syntax.Name) else self._member(node)

    def _attribute(self, node: syntax.Name) -> tuple[Source | None, Column]:
        column = NODE_COLUMNS[self.kind].get(node.word.lower())
        if column is None:
            raise self._unknown(node.at, node.word)
        return TypeSource() if column.name == TYPE_NAME else None, column

    def _unknown(self, at: int, word: str) -> Fault:
        kind = self.kind.name.lower()
        attributes = ", ".join(NODE_COLUMNS[self.kind])
        return Fault(
            at,
            f"`{shown(word)}` is no column of {kind}s; there are {attributes}, properties.NAME.int_value "
            f"(double_value, string_value, bool_value), custom_properties.NAME.…, and fields of {prefixes(self.kind)}",
        )

    def _member(self, node: syntax.Member) -> tuple[Source | None, Column]:
        source = None if node.quoted else alias(node.alias, self.kind)
        if source is None:
            raise self._unknown(node.at, f"{node.alias}.{node.field}")
        spelling = self._spellings.setdefault(node.alias.lower(), node.alias)
        if spelling != node.alias:
            raise Fault(node.at, f"`{shown(node.alias)}` and `{shown(spelling)}` are one alias; spell it one way")
        columns = source.neighbours.columns
        column = columns.get(node.field.lower())
        if column is None:
            raise Fault(
                node.at, f"`{shown(node.alias)}` has no field `{shown(node.field)}`; it has {', '.join(columns)}"
            )
        named = column.name == TYPE_NAME and source.neighbours.kind is not None
        return NeighbourTypeSource(source) if named else source, column

    def _property(self, node: syntax.Property) -> tuple[Source, Column]:
        column = property_field(node.field)
        if column is None:
            dotted = f"`{shown(f'{node.name}.{node.field}')}`"
            raise Fault(
                node.at,
                f"a property has no field `{shown(node.field)}`; it has {', '.join(PROPERTY_FIELDS)}, and one that is "
                f"called {dotted} is written between backticks, {dotted}.double_value",
            )
        return PropertySource(node.custom, node.name), column

    # Enums

    def _enum(self, *nodes: syntax.Node) -> Enum | None:
        for node in nodes:
            if isinstance(node, syntax.Member) or (isinstance(node, syntax.Name) and self._is_column(node)):
                enum = self._resolved(node)[1].enum
                if enum is not None:
                    return enum
        return None

    def _is_column(self, node: syntax.Name) -> bool:
        return node.word.lower() in NODE_COLUMNS[self.kind]

    def _beside(self, enum: Enum | None, node: syntax.Node) -> Term:
        """Return a term that stands beside a column of an enum: there a word may be the name of a value."""
        if enum is None or not isinstance(node, syntax.Name) or node.quoted:
            return self._term(node)
        if node.word in enum:
            return Constant(Type.INT64, enum[node.word], named=True)
        if self._is_column(node):
            return self._term(node)
        raise Fault(node.at, f"`{shown(node.word)}` is none of {', '.join(enum)}")

    # Operators

    def _unary(self, node: syntax.Unary) -> Term:
        term = self._term(node.operand)
        if node.operator == "NOT":
            return apply(node.at, Type.BOOL, ops.NOT, self._demand(node, term, Type.BOOL))
        if node.operator == "~":
            return apply(node.at, Type.INT64, ops.INVERT, self._demand(node, term, Type.INT64))
        if node.operator == "-" and isinstance(term, Constant) and isinstance(term.value, (int, float)):
            return self._negative(node, term, term.value)
        if node.operator == "+" and term.type is Type.UINT64:
            return term
        term = self._demand(node, as_double(term), Type.INT64, Type.DOUBLE)
        return term if node.operator == "+" else apply(node.at, term.type, ops.NEGATE, term)

    def _negative(self, node: syntax.Unary, term: Constant, number: int | float) -> Term:
        self._demand(node, as_double(term), Type.INT64, Type.DOUBLE)
        value = -(number or 0)
        if term.type is Type.DOUBLE:
            return Constant(Type.DOUBLE, value)
        if value < -(2**63):
            raise Fault(node.at, f"{value} has more than 64 bits")
        return Constant(Type.INT64 if value < 2**63 else Type.UINT64, value)

    def _demand(self, node: syntax.Unary | syntax.Binary | syntax.Chain, term: Term, *types: Type) -> Term:
        if term == NULL and not isinstance(node, syntax.Chain) and node.operator not in ("<<", ">>"):
            raise Fault(node.at, f"`{node.operator}` with NULL is always NULL; ask with IS NULL or IS NOT NULL")
        if term.type not in (*types, Type.NULL):
            wanted = " or ".join(type_.value for type_ in types)
            raise Fault(node.at, f"{node.operator} takes {wanted}, not {term.type.value}")
        return term

    def _chain(self, node: syntax.Chain) -> Term:
        terms = [self._demand(node, self._term(term), Type.BOOL) for term in node.terms]
        if node.operator == "AND":
            return chain(node.at, ops.AND, terms)
        return chain(node.at, ops.OR, alternatives(node.at, terms))

    def _binary(self, node: syntax.Binary) -> Term:
        if node.operator in ops.COMPARISONS:
            return self._comparison(node)
        left, right = self._term(node.left), self._term(node.right)
        if node.operator in ("+", "-", "*"):
            demand_one_size(node.at, (left, right))
        left, right = as_double(left), as_double(right)
        if node.operator in ops.LIKES:
            return self._like(node, left, right)
        if node.operator == "||":
            texts = (self._demand(node, left, Type.STRING), self._demand(node, right, Type.STRING))
            return apply(node.at, Type.STRING, ops.CONCAT, *texts)
        if node.operator in ops.ARITHMETIC:
            return self._arithmetic(node, left, right)
        numbers = (self._demand(node, left, Type.INT64), self._demand(node, right, Type.INT64))
        if node.operator in ops.BITS:
            return apply(node.at, Type.INT64, ops.BITS[node.operator], *numbers)
        return self._shift(node, *numbers)

    def _arithmetic(self, node: syntax.Binary, left: Term, right: Term) -> Term:
        for term in (left, right):
            self._demand(node, term, Type.INT64, Type.DOUBLE)
        type_ = Type.DOUBLE if node.operator == "/" else common((left.type, right.type)) or Type.DOUBLE
        return apply(node.at, type_, ops.ARITHMETIC[node.operator], left, right)

    def _shift(self, node: syntax.Binary, value: Term, places: Term) -> Term:
        if not isinstance(places, Constant) or not isinstance(places.value, int) or not 0 <= places.value <= 63:
            raise Fault(node.right.at, f"{node.operator} shifts by a literal from 0 to 63")
        if places.value == 0:
            return value
        if node.operator == "<<":
            return apply(node.at, Type.INT64, ops.SHIFT_LEFT, value, places)
        mask = Constant(Type.INT64, (1 << (64 - places.value)) - 1)
        return apply(node.at, Type.INT64, ops.SHIFT_RIGHT, value, places, mask)

    def _like(self, node: syntax.Binary, text: Term, pattern: Term) -> Term:
        terms = (self._demand(node, text, Type.STRING), self._demand(node, pattern, Type.STRING))
        literal = str(pattern.value) if isinstance(pattern, Constant) else ""
        if len(literal.encode()) > LONGEST_PATTERN_BYTES:
            raise Fault(node.right.at, f"a pattern of LIKE has {LONGEST_PATTERN_BYTES} bytes at most")
        likes = ops.LIKES_NUL if "\0" in literal else ops.LIKES
        return apply(node.at, Type.BOOL, likes[node.operator], *terms)

    # Comparisons

    def _comparison(self, node: syntax.Binary) -> Term:
        enum = self._enum(node.left, node.right)
        left, right = self._beside(enum, node.left), self._beside(enum, node.right)
        if NULL in (left, right):
            raise Fault(node.at, f"`{node.operator}` with NULL is never true; write IS NULL or IS NOT NULL")
        compared = self._compared(node.at, node.operator, left, right)
        for named, column in ((right, left), (left, right)):
            if node.operator == "!=" and isinstance(named, Constant) and named.named:
                return self._or_null(node.at, compared, column)
        return compared

    def _or_null(self, at: int, compared: Term, column: Term) -> Term:
        unset = apply(at, Type.BOOL, ops.TESTS["NULL", False], column)
        return apply(at, Type.BOOL, ops.OR, compared, unset)

    def _compared(self, at: int, operator: str, left: Term, right: Term) -> Term:
        if left.type is Type.UINT64 and right.type is Type.INT64:
            left, right, operator = right, left, _MIRRORED.get(operator, operator)
        if left.type is Type.INT64 and right.type is Type.UINT64:
            beyond = operator in ("=", ">", ">=")  # every INT64 is smaller
            return apply(at, Type.BOOL, ops.LESS if beyond else ops.NOT_LESS, left, SMALLEST)
        left, right = comparable(at, (as_double(left), as_double(right)))
        if common((left.type, right.type)) is None:
            raise Fault(at, f"`{operator}` compares {left.type.value} with {right.type.value}; write both as one type")
        return apply(at, Type.BOOL, ops.COMPARISONS[operator], left, right)

    def _between(self, node: syntax.Between) -> Term:
        enum = self._enum(node.operand, node.low, node.high)
        operand, low, high = (self._beside(enum, part) for part in (node.operand, node.low, node.high))
        demand_one_size(node.at, (operand, low, high))
        operand, low, high = comparable(node.at, [as_double(term) for term in (operand, low, high)])
        bounds = [self._compared(node.at, ">=", operand, low), self._compared(node.at, "<=", operand, high)]
        inside = chain(node.at, ops.AND, bounds)
        return apply(node.at, Type.BOOL, ops.NOT, inside) if node.negated else inside

    def _in(self, node: syntax.In) -> Term:
        enum = self._enum(node.operand)
        operand = self._beside(self._enum(*node.items[:1]), node.operand)
        items = [self._beside(enum, item) for item in node.items]
        demand_one_size(node.at, (operand, *items))
        operand = as_double(operand)
        found = self._membership(node, operand, items)
        if node.negated and any(isinstance(item, Constant) and item.named for item in items):
            return self._or_null(node.at, found, operand)
        return found

    def _membership(self, node: syntax.In, operand: Term, items: list[Term]) -> Term:
        for item, written in zip(items, node.items, strict=True):
            numeric = item.type is Type.UINT64 and operand.type in (Type.INT64, Type.DOUBLE, Type.NULL)
            if not numeric and common((operand.type, item.type)) is None:
                raise Fault(written.at, f"IN compares {operand.type.value} with {item.type.value}")
        possible = [item for item in items if item.type is not Type.UINT64 or operand.type is not Type.INT64]
        operand, *possible = comparable(node.at, [operand, *map(as_double, possible)])
        values = [item.value for item in possible if isinstance(item, Constant) and item.type is not Type.NULL]
        type_ = common([item.type for item in possible]) or Type.NULL
        if len(values) == len(possible):
            return listed(node.at, operand, tuple(values), type_, node.negated)
        return apply(node.at, Type.BOOL, ops.NOT_IN if node.negated else ops.IN, operand, *possible)

    def _is(self, node: syntax.Is) -> Term:
        term = as_double(self._term(node.operand))
        what = "NULL" if node.what == "UNKNOWN" else node.what
        if node.what != "NULL" and term.type not in (Type.BOOL, Type.NULL):
            raise Fault(node.at, f"IS {node.what} asks about BOOL, not {term.type.value}")
        return apply(node.at, Type.BOOL, ops.TESTS[what, node.negated], term)

    # Functions

    def _call(self, node: syntax.Call) -> Term:
        arguments = tuple(self._term(argument) for argument in node.arguments)
        return called(Given(node.at, shown(node.function), arguments))

    def _cast(self, node: syntax.Cast) -> Term:
        return cast(Given(node.at, "CAST", (as_double(self._term(node.operand)),)), shown(node.target))

    def _case(self, node: syntax.Case) -> Term:
        given = Given(node.at, "CASE", ())
        otherwise = NULL if node.otherwise is None else self._term(node.otherwise)
        type_, results = unified(given, [*(self._term(then) for _when, then in node.branches), otherwise])
        enum = None if node.operand is None else self._enum(node.operand)
        operand = Constant(Type.BOOL, True) if node.operand is None else self._term(node.operand)
        whens = [self._beside(enum, when) for when, _then in node.branches]
        demand_one_size(node.at, (operand, *whens))
        operand, *whens = comparable(node.at, [as_double(term) for term in (operand, *whens)])
        for (written, _then), when in zip(node.branches, whens, strict=True):
            if common((operand.type, when.type)) is None:
                raise Fault(written.at, f"WHEN needs {operand.type.value} here, not {when.type.value}")
        pairs = [part for pair in zip(whens, results[:-1], strict=True) for part in pair]
        if node.operand is None:
            return apply(node.at, type_, ops.CASE, *pairs, results[-1])
        return apply(node.at, type_, ops.SIMPLE_CASE, operand, *pairs, results[-1])
