"""The language of `filterQuery`: comparisons of names with literals, joined by AND and OR.

    name = 'fraud' AND (state <> "ARCHIVED" OR accuracy.double_value >= 0.9) AND `my key` IN (1, 2)

It is another language than MLMD's `filter_query`: names are camelCase, there is neither NOT nor arithmetic, and a name
that is no field is a custom property. A text becomes a tree here; what its names mean is said in `filters`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from mlmd_metadata_store.filter.faults import Fault, shown
from mlmd_metadata_store.filter.limits import DEEPEST, LONGEST_TEXT, MOST_TERMS

Literal = str | int | float | bool
SUFFIXES = ("string_value", "int_value", "double_value", "bool_value")
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "LIKE", "ILIKE", "IN")

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>`(?:[^`]|``)*`)(?:\.(?P<suffix>\w+))?
      | (?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
      | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])
      | (?P<word>[^\W\d][\w.-]*)
      | (?P<symbol><=|>=|<>|!=|[=<>(),])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"""\\(.)|(['"])\2""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Name:
    """What is compared: a field or a custom property, of which `suffix` says the kind of value."""

    at: int
    word: str
    suffix: str = ""
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """`name operator literal`; IN has several literals."""

    at: int
    name: Name
    operator: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Two or more conditions, all of which (AND) or one of which (OR) has to hold."""

    at: int
    operator: str
    conditions: tuple["Condition", ...]


Condition = Comparison | Joined


@dataclass(frozen=True, slots=True)
class _Token:
    at: int
    kind: str
    text: str
    suffix: str = ""


def parse(text: str) -> Condition:
    """Return the tree of a filter; raises Fault with the place of what is wrong."""
    if len(text) > LONGEST_TEXT:
        raise Fault(0, f"the filter has more than {LONGEST_TEXT} characters")
    parser = _Parser(_tokens(text), len(text))
    condition = parser.condition(0)
    parser.finish()
    return condition


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise Fault(start, f"`{shown(text[start:])}` does not belong here")
        kind = next(name for name in ("quoted", "string", "number", "word", "symbol") if match[name] is not None)
        tokens.append(_Token(match.start(kind), kind, match[kind], match["suffix"] or ""))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens = tokens
        self._length = length
        self._place = 0
        self._terms = 0

    def condition(self, depth: int) -> Condition:
        """Read conditions joined by OR."""
        if depth > DEEPEST:
            raise Fault(self._at(), f"this is nested more than {DEEPEST} levels deep")
        return self._joined("OR", lambda: self._joined("AND", lambda: self._one(depth)))

    def _joined(self, operator: str, read: Callable[[], Condition]) -> Condition:
        conditions = [read()]
        while self._word(operator):
            conditions.append(read())
        return conditions[0] if len(conditions) == 1 else Joined(conditions[0].at, operator, tuple(conditions))

    def _one(self, depth: int) -> Condition:
        if self._symbol("("):
            inner = self.condition(depth + 1)
            self._demand(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        name = self._name()
        at, operator = self._operator()
        if operator != "IN":
            return Comparison(at, name, operator, (self._literal(),))
        self._demand("(")
        literals = [self._literal()]
        while self._symbol(","):
            literals.append(self._literal())
        self._demand(")")
        return Comparison(at, name, operator, tuple(literals))

    def _name(self) -> Name:
        token = self._next("a name")
        if token.kind == "quoted":
            if token.suffix and token.suffix not in SUFFIXES:
                raise Fault(token.at, f"`{shown(token.suffix)}` is none of {', '.join(SUFFIXES)}")
            return Name(token.at, token.text[1:-1].replace("``", "`"), token.suffix, quoted=True)
        if token.kind != "word":
            raise Fault(token.at, f"a name belongs here, not `{shown(token.text)}`")
        word, _, suffix = token.text.rpartition(".")
        if word and suffix in SUFFIXES:
            return Name(token.at, word, suffix)
        return Name(token.at, token.text)

    def _operator(self) -> tuple[int, str]:
        token = self._next("a comparison")
        operator = {"<>": "!="}.get(token.text, token.text.upper())
        if operator not in OPERATORS or token.kind not in ("word", "symbol"):
            raise Fault(token.at, f"one of {', '.join(OPERATORS)} belongs here, not `{shown(token.text)}`")
        return token.at, operator

    def _literal(self) -> Literal:
        token = self._next("a literal")
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise Fault(token.at, f"the filter has more than {MOST_TERMS} literals")
        if token.kind == "string":
            return _unquoted(token.text)
        if token.kind == "number":
            return _number(token)
        if token.kind == "word" and token.text.lower() in ("true", "false"):
            return token.text.lower() == "true"
        raise Fault(token.at, f"a string in quotes, a number, true or false belongs here, not `{shown(token.text)}`")

    def _next(self, wanted: str) -> _Token:
        if self._place >= len(self._tokens):
            raise Fault(self._length, f"the filter ends where {wanted} belongs")
        self._place += 1
        return self._tokens[self._place - 1]

    def _at(self) -> int:
        return self._tokens[self._place].at if self._place < len(self._tokens) else self._length

    def _word(self, word: str) -> bool:
        return self._take("word", word)

    def _symbol(self, symbol: str) -> bool:
        return self._take("symbol", symbol)

    def _take(self, kind: str, text: str) -> bool:
        if self._place < len(self._tokens):
            token = self._tokens[self._place]
            if token.kind == kind and token.text.upper() == text:
                self._place += 1
                return True
        return False

    def _demand(self, symbol: str) -> None:
        if not self._symbol(symbol):
            raise Fault(self._at(), f"`{symbol}` belongs here")

    def finish(self) -> None:
        """Raise Fault when something is left over."""
        if self._place < len(self._tokens):
            token = self._tokens[self._place]
            raise Fault(token.at, f"AND, OR or the end belongs here, not `{shown(token.text)}`")


def _unquoted(text: str) -> str:
    """Return what a string in quotes says: its own quote is doubled or behind a backslash, all else is itself."""
    quote = text[0]
    return _ESCAPED.sub(lambda match: quote if quote in (match[1], match[2]) else match[0], text[1:-1])


def _number(token: _Token) -> int | float:
    try:
        number: int | float = int(token.text)
    except ValueError:
        number = float(token.text)
    fits = -(2**63) <= number < 2**63 if isinstance(number, int) else isfinite(number)
    if not fits:
        raise Fault(token.at, f"{shown(token.text)} is too large a number")
    return number
