"""What can be done with values, and how SQLite and MySQL say it.

Every operation closes itself in parentheses, so no precedence of any database matters. `offsets` tells how much of
SQLite's parser stack is taken when the argument of that place begins; the last number holds for all further arguments.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.sql.elements import Grouping

SQLITE: Final = "sqlite"
Element: TypeAlias = sa.ColumnElement[Any]
Build: TypeAlias = Callable[[str, Sequence[Element]], Element]


class Closed(Grouping[Any]):
    """Parentheses that stay: SQLAlchemy would else take nested groups of one operator apart into one long chain,
    which SQLite counts as that many levels."""

    inherit_cache = True
    operator = None


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """`build` takes the dialect's name and the arguments; `copies` is how often SQL repeats each argument."""

    name: str
    offsets: tuple[int, ...]
    build: Build
    copies: int = 1

    def offset(self, place: int) -> int:
        """Return what the parser holds when the argument of that place begins."""
        return self.offsets[min(place, len(self.offsets) - 1)]


def _infix(name: str, apply: Callable[[Any, Any], Any]) -> Operation:
    return Operation(name, (1, 3), lambda _dialect, arguments: Closed(apply(*arguments)))


def _function(name: str, mysql: str = "", sqlite: str = "") -> Operation:
    def build(dialect: str, arguments: Sequence[Element]) -> Element:
        spelling = (sqlite if dialect == SQLITE else mysql) or name
        called: Element = getattr(sa.func, spelling.lower())(*arguments)
        return called

    return Operation(name, (3, 5), build)


def _test(name: str, apply: Callable[[Element], Any]) -> Operation:
    return Operation(name, (1,), lambda _dialect, arguments: Closed(apply(arguments[0])))


def _signed(dialect: str, bits: Element) -> Element:
    """MySQL's bits are unsigned; INT64 is not."""
    return Closed(bits) if dialect == SQLITE else sa.cast(bits, sa.BigInteger)


def _bits(name: str, apply: Callable[[Element, Element], Element]) -> Operation:
    return Operation(name, (1, 3), lambda dialect, arguments: _signed(dialect, apply(*arguments)))


def _xor(dialect: str, arguments: Sequence[Element]) -> Element:
    left, right = arguments
    if dialect != SQLITE:
        return sa.cast(left.bitwise_xor(right), sa.BigInteger)
    return Closed(Closed(left.bitwise_or(right)) - Closed(left.bitwise_and(right)))


def _shift_right(dialect: str, arguments: Sequence[Element]) -> Element:
    """The third argument masks the bits that SQLite fills with the sign."""
    value, places, mask = arguments
    if dialect != SQLITE:
        return sa.cast(value.bitwise_rshift(places), sa.BigInteger)
    return Closed(Closed(value.bitwise_rshift(places)).bitwise_and(mask))


def _case(_dialect: str, arguments: Sequence[Element]) -> Element:
    pairs = zip(arguments[0:-1:2], arguments[1:-1:2], strict=True)
    return sa.case(*pairs, else_=arguments[-1])


def _simple_case(_dialect: str, arguments: Sequence[Element]) -> Element:
    pairs = zip(arguments[1:-1:2], arguments[2:-1:2], strict=True)
    return sa.case(*pairs, value=arguments[0], else_=arguments[-1])


def _ends_with(dialect: str, arguments: Sequence[Element]) -> Element:
    """The arguments are the text, the ending and the ending's length."""
    text, ending, length = arguments
    tail = sa.func.substr(text, -length) if dialect == SQLITE else sa.func.right(text, length)
    return Closed(tail == ending)


def _like_nul(dialect: str, arguments: Sequence[Element], *, negated: bool = False) -> Element:
    text, pattern = arguments
    if dialect != SQLITE:
        return Closed(text.not_like(pattern) if negated else text.like(pattern))
    # As bytes: the driver gives no text to a function of ours that is not UTF-8, and other servers store such.
    given = (sa.cast(argument, sa.BLOB) for argument in (text, pattern))
    return Closed(sa.func.mlmd_like(*given) == int(not negated))


NOT: Final = Operation("NOT", (3,), lambda _dialect, arguments: Closed(sa.not_(Closed(arguments[0]))))
AND: Final = Operation("AND", (1, 3), lambda _dialect, arguments: Closed(sa.and_(*arguments)))
OR: Final = Operation("OR", (1, 3), lambda _dialect, arguments: Closed(sa.or_(*arguments)))

EQUAL: Final = _infix("=", operator.eq)
LESS: Final = _infix("<", operator.lt)
NOT_LESS: Final = _infix(">=", operator.ge)
COMPARISONS: Final = {
    "=": EQUAL,
    "!=": _infix("!=", operator.ne),
    "<": LESS,
    "<=": _infix("<=", operator.le),
    ">": _infix(">", operator.gt),
    ">=": NOT_LESS,
}
LIKES: Final = {
    "LIKE": _infix("LIKE", lambda text, pattern: text.like(pattern)),
    "NOT LIKE": _infix("NOT LIKE", lambda text, pattern: text.not_like(pattern)),
}
LIKES_NUL: Final = {
    "LIKE": Operation("LIKE", (3, 5), _like_nul),
    "NOT LIKE": Operation("NOT LIKE", (3, 5), lambda dialect, arguments: _like_nul(dialect, arguments, negated=True)),
}
"""The same with a pattern that holds a NUL, at which SQLite's own LIKE would end it."""
IN: Final = Operation("IN", (1, 6), lambda _dialect, arguments: Closed(arguments[0].in_(arguments[1:])))
NOT_IN: Final = Operation("NOT IN", (1, 6), lambda _dialect, arguments: Closed(arguments[0].not_in(arguments[1:])))
TESTS: Final = {
    ("NULL", False): _test("IS NULL", lambda value: value.is_(sa.null())),
    ("NULL", True): _test("IS NOT NULL", lambda value: value.is_not(sa.null())),
    ("TRUE", False): _test("IS TRUE", lambda value: value.is_(sa.true())),
    ("TRUE", True): _test("IS NOT TRUE", lambda value: value.is_not(sa.true())),
    ("FALSE", False): _test("IS FALSE", lambda value: value.is_(sa.false())),
    ("FALSE", True): _test("IS NOT FALSE", lambda value: value.is_not(sa.false())),
}


DIVIDE: Final = Operation("/", (2, 3), lambda _dialect, arguments: Closed(_double(arguments[0]) / arguments[1]))
ARITHMETIC: Final = {
    "+": _infix("+", operator.add),
    "-": _infix("-", operator.sub),
    "*": _infix("*", operator.mul),
    "/": DIVIDE,
}
NEGATE: Final = Operation("-", (2,), lambda _dialect, arguments: Closed(-arguments[0]))
BITS: Final = {
    "&": _bits("&", lambda left, right: left.bitwise_and(right)),
    "|": _bits("|", lambda left, right: left.bitwise_or(right)),
    "^": Operation("^", (4, 6), _xor, copies=2),
}
INVERT: Final = Operation("~", (2,), lambda dialect, arguments: _signed(dialect, arguments[0].bitwise_not()))
SHIFT_LEFT: Final = _bits("<<", lambda value, places: value.bitwise_lshift(places))
SHIFT_RIGHT: Final = Operation(">>", (2, 4, 4), _shift_right)

CONCAT: Final = Operation("||", (3, 5), lambda _dialect, arguments: Closed(reduce(lambda a, b: a.concat(b), arguments)))
CASE: Final = Operation("CASE", (6,), _case)
SIMPLE_CASE: Final = Operation("CASE", (6,), _simple_case)
COALESCE: Final = _function("COALESCE")
NULLIF: Final = _function("NULLIF")
GREATEST: Final = _function("GREATEST", sqlite="MAX")
LEAST: Final = _function("LEAST", sqlite="MIN")
UPPER: Final = _function("UPPER")
LOWER: Final = _function("LOWER")
LENGTH: Final = _function("LENGTH", mysql="CHAR_LENGTH")
SUBSTR: Final = _function("SUBSTR")
REPLACE: Final = _function("REPLACE")
TRIM: Final = _function("TRIM")
LTRIM: Final = _function("LTRIM")
RTRIM: Final = _function("RTRIM")
ABS: Final = _function("ABS")
SIGN: Final = _function("SIGN")
ROUND: Final = _function("ROUND")
MOD: Final = _infix("MOD", operator.mod)
STARTS_WITH: Final = Operation(
    "STARTS_WITH", (4, 6), lambda _dialect, arguments: Closed(sa.func.instr(*arguments) == sa.literal(1))
)
ENDS_WITH: Final = Operation("ENDS_WITH", (4, 6), _ends_with)
TO_STRING: Final = Operation("CAST", (2,), lambda _dialect, arguments: sa.cast(arguments[0], sa.String))

TO_INTEGER: Final = Operation(
    "CAST", (1,), lambda _dialect, arguments: Closed(sa.type_coerce(arguments[0], sa.BigInteger) + sa.literal(0))
)


def _double(value: Element) -> Element:
    """Return an integer or double as a double: MySQL divides integers as decimals of four places."""
    return Closed(value + sa.literal(0.0, sa.Double))


TO_DOUBLE: Final = Operation("CAST", (1,), lambda _dialect, arguments: _double(arguments[0]))
