"""What a `filterQuery` means: its tree over our filters' terms, so that it is compiled as MLMD's filters are.

A field or property that a node does not have is no match, whatever it is compared with.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.filter import Filter
from mlmd_metadata_store.filter import operations as ops
from mlmd_metadata_store.filter.columns import NODE_COLUMNS, PROPERTY_FIELDS, Column, PropertySource, Source, Type
from mlmd_metadata_store.filter.faults import Fault, refusal, shown
from mlmd_metadata_store.filter.limits import LONGEST_PATTERN_BYTES, MOST_TABLES
from mlmd_metadata_store.filter.operations import SQLITE, Closed, Operation
from mlmd_metadata_store.filter.query import REMEMBERED_TEXT
from mlmd_metadata_store.filter.terms import Apply, Constant, Term, apply, chain, listed
from mlmd_metadata_store.filter.terms import Field as ColumnTerm
from mlmd_metadata_store.wildcards import WILD, Piece, Wild, is_like
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_model_registry.kubeflow.language import SUFFIXES, Comparison, Condition, Joined, Literal, parse
from mlmd_model_registry.kubeflow.shapes import ENTITIES, Entity, Field, Form

_ESCAPE = "\\"
_BASE = {
    "id": "id",
    "externalId": "external_id",
    "createTimeSinceEpoch": "create_time_since_epoch",
    "lastUpdateTimeSinceEpoch": "last_update_time_since_epoch",
}
_STATE_COLUMNS = {Kind.ARTIFACT: ("state", pb.Artifact.State), Kind.EXECUTION: ("last_known_state", pb.Execution.State)}
_ALSO_CUSTOM = frozenset(
    ("description", "readme", "maturity", "provider", "logo", "license", "licenseLink", "libraryName")
)
"""Fields that Kubeflow's own server takes for custom properties: here either matches."""
_COLUMN_OF = {Type.STRING: "string_value", Type.BOOL: "bool_value"}


def _like(dialect: str, arguments: Sequence[ops.Element]) -> ops.Element:
    """The arguments are the text, the pattern as LIKE has it and as SQLite's GLOB has it, which tells case apart."""
    text, pattern, glob = arguments
    return Closed(text.op("GLOB")(glob) if dialect == SQLITE else text.like(pattern, escape=_ESCAPE))


def _ilike(dialect: str, arguments: Sequence[ops.Element]) -> ops.Element:
    text, pattern = arguments
    if dialect != SQLITE:
        text, pattern = sa.func.lower(text), sa.func.lower(pattern)
    return Closed(text.like(pattern, escape=_ESCAPE))


_LIKE = Operation("LIKE", (1, 3, 3), _like)
_ILIKE = Operation("ILIKE", (3, 5), _ilike)
_BEHIND_COLON = Operation(
    "SUBSTR", (3, 5), lambda _dialect, given: sa.func.substr(given[0], sa.func.instr(given[0], ":") + 1), copies=2
)


def parse_filter_query(entities: tuple[Entity, ...], text: str) -> Filter:
    """Return the filter that `text` says about these entities, all of one kind; raises InvalidArgument.

    Short filters are remembered.
    """
    return _cached(entities, text) if len(text) <= REMEMBERED_TEXT else _parsed(entities, text)


def _parsed(entities: tuple[Entity, ...], text: str) -> Filter:
    translator = Translator(entities[0].kind, owned=entities[0].owned)
    try:
        condition = translator.term(parse(text))
    except Fault as fault:
        raise InvalidArgument(refusal(text, fault).message.replace("`filter_query`", "filterQuery", 1)) from None
    return translator.filter(condition, text)


_cached = lru_cache(maxsize=512)(_parsed)


def exactly(kind: Kind, **columns: str) -> Filter | None:
    """Return the filter for nodes whose text columns have these values; None without any."""
    if not columns:
        return None
    translator = Translator(kind, owned=False)
    terms: list[Term] = [
        apply(0, Type.BOOL, ops.EQUAL, translator.column(name), Constant(Type.STRING, value))
        for name, value in columns.items()
    ]
    return translator.filter(chain(0, ops.AND, terms))


def both(*filters: Filter | None) -> Filter | None:
    """Return the filter for what matches all of these; None when all are None."""
    given = [one for one in filters if one is not None]
    if len(given) < 2:
        return given[0] if given else None
    sources = dict.fromkeys(source for one in given for source in one.sources)
    if len(sources) > MOST_TABLES:
        raise InvalidArgument(f"Invalid filterQuery: it names more than {MOST_TABLES} properties.")
    condition = chain(0, ops.AND, [one.condition for one in given])
    text = "".join(one.text for one in given)
    return Filter(given[0].kind, text, condition, tuple(sources), repeats=False, outer=True)


class Translator:
    """Makes terms about the entities of one kind; `sources` gathers the properties that they come from."""

    def __init__(self, kind: Kind, *, owned: bool) -> None:
        self.kind = kind
        self._owned = owned
        self._sources: dict[Source, None] = {}
        self._fields = _fields(kind)

    def filter(self, condition: Term, text: str = "") -> Filter:
        """Return the filter of a condition."""
        return Filter(self.kind, text, condition, tuple(self._sources), repeats=False, outer=True)

    def column(self, name: str) -> ColumnTerm:
        """Return a column of the node."""
        column = NODE_COLUMNS[self.kind][name]
        return ColumnTerm(column.type, None, column)

    def property(self, at: int, name: str, column: Column, *, custom: bool = False) -> ColumnTerm:
        """Return a value column of a property; raises Fault when that is one property too many."""
        source = PropertySource(custom, name)
        self._sources[source] = None
        if len(self._sources) > MOST_TABLES:
            raise Fault(at, f"this is one property too many; a filter may name {MOST_TABLES}")
        return ColumnTerm(column.type, source, column)

    def term(self, condition: Condition) -> Term:
        """Return the term of a tree; raises Fault."""
        if isinstance(condition, Joined):
            operation = ops.AND if condition.operator == "AND" else ops.OR
            return chain(condition.at, operation, [self.term(part) for part in condition.conditions])
        name = condition.name
        if name.suffix:
            return self._suffixed(condition)
        if not name.quoted:
            if name.word == "name":
                return _compared(condition, self._name(condition.at), condition.literals)
            if name.word in _BASE:
                return _compared(condition, self.column(_BASE[name.word]), condition.literals)
            if name.word in self._fields:
                return self._of_fields(condition, self._fields[name.word])
        return self._custom(condition)

    def _name(self, at: int) -> Term:
        column = self.column("name")
        return apply(at, Type.STRING, _BEHIND_COLON, column) if self._owned else column

    def _suffixed(self, condition: Comparison) -> Term:
        name = condition.name
        column = PROPERTY_FIELDS[name.suffix]
        return _compared(condition, self.property(name.at, name.word, column, custom=True), condition.literals)

    def _custom(self, condition: Comparison) -> Term:
        """Compare a custom property by the kind of the literals; numbers meet integers and doubles."""
        name = condition.name
        column = _COLUMN_OF.get(_common_type(condition))
        columns = [column] if column else ["int_value", "double_value"]
        terms: list[Term] = [
            _compared(
                condition, self.property(name.at, name.word, PROPERTY_FIELDS[each], custom=True), condition.literals
            )
            for each in columns
        ]
        return terms[0] if len(terms) == 1 else chain(condition.at, ops.OR, terms)

    def _of_fields(self, condition: Comparison, fields: Sequence[Field]) -> Term:
        """Compare what entities of the kind call by one name; the literal chooses where their forms differ."""
        if fields[0].form is Form.STATE:
            return self._state(condition, fields[0])
        if fields[0].form is Form.URI:
            return _compared(condition, self.column("uri"), condition.literals)
        if fields[0].form is Form.TIMESTAMP:
            condition = replace(condition, literals=tuple(map(str, condition.literals)))
        if fields[0].form is Form.TEXTS:
            raise Fault(condition.at, f"`{condition.name.word}` is a list, which filters do not compare")
        kind = _common_type(condition)
        columns = [(field.key, _property_column(field)) for field in fields]
        if len(columns) > 1:
            columns = [(key, column) for key, column in columns if _fits(column, kind)]
        terms = [
            _compared(condition, self.property(condition.name.at, key, column), condition.literals)
            for key, column in columns
        ]
        if condition.name.word in _ALSO_CUSTOM and kind is Type.STRING:
            terms.append(self._custom(condition))
        return terms[0] if len(terms) == 1 else chain(condition.at, ops.OR, terms)

    def _state(self, condition: Comparison, field: Field) -> Term:
        """Compare the names of states here, and the column with the numbers of those that match."""
        column, states = _STATE_COLUMNS[self.kind]
        if _common_type(condition) is not Type.STRING:
            raise Fault(condition.at, f"`{field.name}` is compared with a state's name in quotes")
        matching = _python_test(condition)
        numbers = tuple(states.Value(name) for name in field.choices if matching(name))
        if not numbers:
            return apply(condition.at, Type.BOOL, ops.LESS, self.column("id"), Constant(Type.INT64, 0))
        return listed(condition.at, self.column(column), numbers, Type.INT64, False)


def history_name(translator: Translator, name: str) -> Term:
    """Return the term for names `<owner>:<name>__<digits>`: what comes after the separator has none of it again."""
    start = "".join(f"\\{letter}" if letter in "%_\\" else letter for letter in f"{name}__")
    behind = apply(0, Type.STRING, _BEHIND_COLON, translator.column("name"))
    whole, longer = (_like_term(0, behind, f"{start}{rest}") for rest in ("%", "%\\_%"))
    return chain(0, ops.AND, [whole, apply(0, Type.BOOL, ops.NOT, longer)])


@cache
def _fields(kind: Kind) -> dict[str, list[Field]]:
    """Return the fields that entities of a kind have, by name; several where their forms differ."""
    named: dict[str, list[Field]] = {}
    for field in (field for entity in ENTITIES if entity.kind is kind for field in entity.fields):
        known = named.setdefault(field.name, [])
        if all(field.form is not other.form for other in known):
            known.append(field)
    return named


def _property_column(field: Field) -> Column:
    match field.form:
        case Form.ID | Form.MILLISECONDS | Form.STEP:
            return PROPERTY_FIELDS["int_value"]
        case Form.NUMBER:
            return PROPERTY_FIELDS["double_value"]
    return PROPERTY_FIELDS["string_value"]


def _fits(column: Column, kind: Type) -> bool:
    return (column.type is Type.STRING) == (kind is Type.STRING)


def _common_type(condition: Comparison) -> Type:
    types = {_type_of(literal) for literal in condition.literals}
    if types == {Type.INT64, Type.DOUBLE}:
        return Type.DOUBLE
    if len(types) > 1:
        raise Fault(condition.at, "the literals of IN are of one kind: all strings, all numbers or all booleans")
    return types.pop()


def _type_of(literal: Literal) -> Type:
    if isinstance(literal, bool):
        return Type.BOOL
    if isinstance(literal, int):
        return Type.INT64
    return Type.DOUBLE if isinstance(literal, float) else Type.STRING


def _compared(condition: Comparison, term: Term, literals: Sequence[Literal]) -> Term:
    """Return the comparison of a term with literals, made numbers where the term is one; raises Fault."""
    values = [_literal_for(condition, term.type, literal) for literal in literals]
    kind = _common_type(Comparison(condition.at, condition.name, condition.operator, tuple(values)))
    if condition.operator in ("LIKE", "ILIKE"):
        return _matched(condition, term, values[0])
    if condition.operator == "IN":
        return listed(condition.at, term, tuple(values), kind, False)
    if kind is Type.BOOL and condition.operator not in ("=", "!="):
        raise Fault(condition.at, f"true and false are compared with = and !=, not {condition.operator}")
    operation = ops.COMPARISONS[condition.operator]
    return apply(condition.at, Type.BOOL, operation, term, Constant(kind, values[0]))


def _literal_for(condition: Comparison, wanted: Type, literal: Literal) -> Literal:
    """Return a literal as a column of the type can be compared with it; ids and times may be written as strings."""
    given = _type_of(literal)
    if wanted is Type.INT64 and isinstance(literal, str) and re.fullmatch(r"-?\d{1,18}", literal):
        return int(literal)
    numeric = (Type.INT64, Type.DOUBLE)
    if given is wanted or (given in numeric and wanted in numeric):
        return literal
    raise Fault(
        condition.at,
        f"`{shown(condition.name.word)}` is {wanted.value} and cannot be compared with {shown(repr(literal))}",
    )


def _matched(condition: Comparison, term: Term, pattern: Literal) -> Apply:
    if term.type is not Type.STRING or not isinstance(pattern, str):
        raise Fault(condition.at, f"{condition.operator} compares text")
    _check_pattern(condition, pattern)
    if condition.operator == "ILIKE":
        return apply(condition.at, Type.BOOL, _ILIKE, term, Constant(Type.STRING, pattern))
    return _like_term(condition.at, term, pattern)


def _like_term(at: int, term: Term, pattern: str) -> Apply:
    return apply(at, Type.BOOL, _LIKE, term, Constant(Type.STRING, pattern), Constant(Type.STRING, _glob(pattern)))


def _check_pattern(condition: Comparison, pattern: str) -> None:
    if len(pattern.encode("utf-8", "replace")) > LONGEST_PATTERN_BYTES // 3:
        raise Fault(condition.at, f"a pattern has {LONGEST_PATTERN_BYTES // 3} bytes at most")


def _pieces(pattern: str) -> list[Piece]:
    """Return a LIKE pattern in pieces.

    A backslash always has a character behind it: the language takes them in pairs.
    """
    characters = iter(pattern)
    return [next(characters) if character == _ESCAPE else WILD.get(character, character) for character in characters]


def _glob(pattern: str) -> str:
    wild: dict[Piece, str] = {Wild.MANY: "*", Wild.ONE: "?"}
    return "".join(
        wild.get(piece) or (f"[{piece}]" if piece in ("*", "?", "[") else str(piece)) for piece in _pieces(pattern)
    )


def _python_test(condition: Comparison) -> Callable[[str], bool]:
    literals: Any = condition.literals
    if condition.operator in ("LIKE", "ILIKE"):
        _check_pattern(condition, literals[0])
        if condition.operator == "ILIKE":
            folded = _pieces(literals[0].lower())
            return lambda name: is_like(name.lower(), folded)
        pieces = _pieces(literals[0])
        return lambda name: is_like(name, pieces)
    tests: dict[str, Callable[[str], bool]] = {
        "=": lambda name: name == literals[0],
        "!=": lambda name: name != literals[0],
        "<": lambda name: name < literals[0],
        "<=": lambda name: name <= literals[0],
        ">": lambda name: name > literals[0],
        ">=": lambda name: name >= literals[0],
        "IN": lambda name: name in literals,
    }
    return tests[condition.operator]


assert set(SUFFIXES) == set(PROPERTY_FIELDS)
