"""The functions of a filter: those that mean the same on every database, with the types they take and give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mlmd_schemas.counting import counted

from mlmd_metadata_store.filter import operations as ops
from mlmd_metadata_store.filter.columns import Type
from mlmd_metadata_store.filter.faults import Fault
from mlmd_metadata_store.filter.limits import MOST_ARGUMENTS
from mlmd_metadata_store.filter.operations import Operation
from mlmd_metadata_store.filter.terms import Constant, Term, apply

# fmt: off
AGGREGATES: Final = frozenset((
    "ANY_VALUE", "APPROX_COUNT_DISTINCT", "ARRAY_AGG", "ARRAY_CONCAT_AGG", "AVG", "BIT_AND", "BIT_OR", "BIT_XOR",
    "COUNT", "COUNTIF", "LOGICAL_AND", "LOGICAL_OR", "MAX", "MIN", "STRING_AGG", "SUM",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class Given:
    """A call as it is checked."""

    at: int
    function: str
    arguments: tuple[Term, ...]

    def fault(self, reason: str) -> Fault:
        """Return the complaint about this call."""
        return Fault(self.at, f"{self.function} {reason}")

    def typed(self, place: int, *types: Type) -> Term:
        """Return an argument whose type is one of `types` or NULL; raises Fault."""
        term = as_double(self.arguments[place]) if Type.DOUBLE in types else self.arguments[place]
        if term.type not in (*types, Type.NULL):
            wanted = " or ".join(type_.value for type_ in types)
            raise self.fault(f"takes {wanted} as argument {place + 1}, not {term.type.value}")
        return term

    def apply(self, type_: Type, operation: Operation, *arguments: Term) -> Term:
        """Return the operation on the arguments."""
        return apply(self.at, type_, operation, *arguments)


Rule: TypeAlias = Callable[[Given], Term]
_EXACT: Final = 2**53
"""Integers below are exact as doubles."""


def as_double(term: Term) -> Term:
    """Return an integer of more than 63 bits as the double that stands for it where only arithmetic looks at it."""
    if isinstance(term, Constant) and term.type is Type.UINT64:
        return Constant(Type.DOUBLE, float(term.value or 0))
    return term


def common(types: Sequence[Type]) -> Type | None:
    """Return the type that all can be read as: one type, or both number types as DOUBLE; NULL fits all."""
    present = {type_ for type_ in types if type_ is not Type.NULL}
    if len(present) <= 1:
        return present.pop() if present else Type.NULL
    return Type.DOUBLE if present == {Type.INT64, Type.DOUBLE} else None


def demand_one_size(at: int, terms: Sequence[Term]) -> None:
    """Raise Fault when an integer of more than 63 bits stands beside INT64; beside a FLOAT64 both are read as that."""
    types = {term.type for term in terms}
    if {Type.INT64, Type.UINT64} <= types and Type.DOUBLE not in types:
        large = next(term.value for term in terms if isinstance(term, Constant) and term.type is Type.UINT64)
        raise Fault(at, f"{large} is no INT64; such large integers can only be compared by =, !=, <, <=, > and >=")


def comparable(at: int, terms: Sequence[Term]) -> list[Term]:
    """Return terms that are compared with each other; INT64 beside FLOAT64 as FLOAT64.

    SQLite would compare both exactly, MySQL and Google's server as doubles. That is the same as long as the numbers in
    the filter are exact as doubles: then columns of integers stay as they are, so that their index is used.
    """
    if not {Type.INT64, Type.DOUBLE} <= {term.type for term in terms}:
        return list(terms)
    exact = all(_is_exact(term) for term in terms if isinstance(term, Constant) or term.type is Type.DOUBLE)
    return [term if exact and not isinstance(term, Constant) else _widened(at, term) for term in terms]


def _is_exact(term: Term) -> bool:
    if not isinstance(term, Constant):
        return False
    return not isinstance(term.value, int | float) or abs(term.value) < _EXACT


def _widened(at: int, term: Term) -> Term:
    if term.type is not Type.INT64:
        return term
    if isinstance(term, Constant):
        return Constant(Type.DOUBLE, None if term.value is None else float(term.value))
    return apply(at, Type.DOUBLE, ops.TO_DOUBLE, term)


def unified(given: Given, terms: Sequence[Term]) -> tuple[Type, list[Term]]:
    """Return terms with the type they have in common; raises Fault."""
    demand_one_size(given.at, terms)
    terms = [as_double(term) for term in terms]
    type_ = common([term.type for term in terms])
    if type_ is None:
        mixed = ", ".join(sorted({term.type.value for term in terms}))
        raise given.fault(f"needs values of one type; these are {mixed}")
    return type_, [_widened(given.at, term) for term in terms] if type_ is Type.DOUBLE else terms


def _string(operation: Operation, result: Type) -> Rule:
    return lambda given: given.apply(result, operation, given.typed(0, Type.STRING))


def _strings(operation: Operation, result: Type) -> Rule:
    def rule(given: Given) -> Term:
        terms = [given.typed(place, Type.STRING) for place in range(len(given.arguments))]
        return terms[0] if len(terms) == 1 else given.apply(result, operation, *terms)

    return rule


def _number(operation: Operation) -> Rule:
    def rule(given: Given) -> Term:
        term = given.typed(0, Type.INT64, Type.DOUBLE)
        return given.apply(term.type, operation, term)

    return rule


def _alike(operation: Operation) -> Rule:
    def rule(given: Given) -> Term:
        type_, terms = unified(given, given.arguments)
        return terms[0] if len(terms) == 1 else given.apply(type_, operation, *terms)

    return rule


def _substr(given: Given) -> Term:
    text, position = given.typed(0, Type.STRING), given.typed(1, Type.INT64)
    if isinstance(position, Constant):
        position = Constant(position.type, position.value or (None if position.value is None else 1))
    else:
        position = given.apply(Type.INT64, ops.GREATEST, position, Constant(Type.INT64, 1))
    if len(given.arguments) == 2:
        return given.apply(Type.STRING, ops.SUBSTR, text, position)
    length = given.typed(2, Type.INT64)
    if not isinstance(length, Constant):
        length = given.apply(Type.INT64, ops.GREATEST, length, Constant(Type.INT64, 0))
    elif isinstance(length.value, int) and length.value < 0:
        raise given.fault(f"takes a length of 0 or more, not {length.value}")
    return given.apply(Type.STRING, ops.SUBSTR, text, position, length)


def _round(given: Given) -> Term:
    number = given.apply(Type.DOUBLE, ops.TO_DOUBLE, given.typed(0, Type.INT64, Type.DOUBLE))
    if len(given.arguments) == 1:
        return given.apply(Type.DOUBLE, ops.ROUND, number)
    places = given.arguments[1]
    if not (isinstance(places, Constant) and isinstance(places.value, int) and 0 <= places.value <= 15):
        raise given.fault("takes a literal from 0 to 15 as the number of places")
    return given.apply(Type.DOUBLE, ops.ROUND, number, places)


def _mod(given: Given) -> Term:
    return given.apply(Type.INT64, ops.MOD, given.typed(0, Type.INT64), given.typed(1, Type.INT64))


def _if(given: Given) -> Term:
    condition = given.typed(0, Type.BOOL)
    type_, terms = unified(given, given.arguments[1:])
    return given.apply(type_, ops.CASE, condition, *terms)


def _replace(given: Given) -> Term:
    for place in (1, 2):
        term = given.arguments[place]
        if not isinstance(term, Constant) or not isinstance(term.value, str):
            raise given.fault(f"takes a string literal as argument {place + 1}")
    return given.apply(Type.STRING, ops.REPLACE, given.typed(0, Type.STRING), *given.arguments[1:])


def _ends_with(given: Given) -> Term:
    text, ending = given.typed(0, Type.STRING), given.typed(1, Type.STRING)
    if not isinstance(ending, Constant) or not isinstance(ending.value, str):
        raise given.fault("takes a string literal as its ending")
    if not ending.value:
        length = given.apply(Type.INT64, ops.LENGTH, text)
        return given.apply(Type.BOOL, ops.NOT_LESS, length, Constant(Type.INT64, 0))
    return given.apply(Type.BOOL, ops.ENDS_WITH, text, ending)


FUNCTIONS: Final[dict[str, tuple[int, int, Rule]]] = {
    "UPPER": (1, 1, _string(ops.UPPER, Type.STRING)),
    "LOWER": (1, 1, _string(ops.LOWER, Type.STRING)),
    "LENGTH": (1, 1, _string(ops.LENGTH, Type.INT64)),
    "CHAR_LENGTH": (1, 1, _string(ops.LENGTH, Type.INT64)),
    "CHARACTER_LENGTH": (1, 1, _string(ops.LENGTH, Type.INT64)),
    "TRIM": (1, 1, _string(ops.TRIM, Type.STRING)),
    "LTRIM": (1, 1, _string(ops.LTRIM, Type.STRING)),
    "RTRIM": (1, 1, _string(ops.RTRIM, Type.STRING)),
    "SUBSTR": (2, 3, _substr),
    "REPLACE": (3, 3, _replace),
    "CONCAT": (1, MOST_ARGUMENTS, _strings(ops.CONCAT, Type.STRING)),
    "STARTS_WITH": (2, 2, _strings(ops.STARTS_WITH, Type.BOOL)),
    "ENDS_WITH": (2, 2, _ends_with),
    "ABS": (1, 1, _number(ops.ABS)),
    "SIGN": (1, 1, _number(ops.SIGN)),
    "ROUND": (1, 2, _round),
    "MOD": (2, 2, _mod),
    "COALESCE": (1, MOST_ARGUMENTS, _alike(ops.COALESCE)),
    "IFNULL": (2, 2, _alike(ops.COALESCE)),
    "NULLIF": (2, 2, _alike(ops.NULLIF)),
    "GREATEST": (1, MOST_ARGUMENTS, _alike(ops.GREATEST)),
    "LEAST": (1, MOST_ARGUMENTS, _alike(ops.LEAST)),
    "IF": (3, 3, _if),
}


def called(given: Given) -> Term:
    """Return the call's term; raises Fault for a function that is not there or takes other arguments."""
    name = given.function.upper()
    if name in AGGREGATES:
        raise given.fault("is an aggregate; a filter is about one node at a time")
    if name not in FUNCTIONS:
        raise given.fault(f"is no function of filters; there are {', '.join(FUNCTIONS)} and CAST")
    least, most, rule = FUNCTIONS[name]
    if not least <= len(given.arguments) <= most:
        number = counted(most, "argument") if least == most else f"{least} to {most} arguments"
        raise given.fault(f"takes {number}, not {len(given.arguments)}")
    return rule(given)


def cast(given: Given, target: str) -> Term:
    """Return CAST(argument AS target); only conversions that all databases make alike."""
    term = given.arguments[0]
    wanted = _TARGETS.get(target)
    if wanted is None:
        raise given.fault(f"knows the types INT64, FLOAT64, STRING and BOOL, not {target}")
    if term.type in (wanted, Type.NULL):
        return Constant(wanted, None) if term.type is Type.NULL else term
    match (term.type, wanted):
        case (Type.INT64, Type.DOUBLE):
            return given.apply(wanted, ops.TO_DOUBLE, term)
        case (Type.INT64, Type.STRING):
            return given.apply(wanted, ops.TO_STRING, term)
        case (Type.INT64, Type.BOOL):
            return given.apply(wanted, ops.COMPARISONS["!="], term, Constant(Type.INT64, 0))
        case (Type.BOOL, Type.INT64):
            return given.apply(wanted, ops.TO_INTEGER, term)
        case (Type.BOOL, Type.STRING):
            truth = (Constant(Type.INT64, 1), Constant(Type.STRING, "true"))
            lie = (Constant(Type.INT64, 0), Constant(Type.STRING, "false"))
            return given.apply(wanted, ops.SIMPLE_CASE, term, *truth, *lie, Constant(Type.NULL, None))
    raise given.fault(f"cannot turn {term.type.value} into {target}, because databases differ about it")


_TARGETS: Final = {
    "INT64": Type.INT64,
    "FLOAT64": Type.DOUBLE,
    "DOUBLE": Type.DOUBLE,
    "STRING": Type.STRING,
    "BOOL": Type.BOOL,
    "BOOLEAN": Type.BOOL,
}
