"""The parser: tokens to a tree, by operator precedence (mlmd-read contract, 4.3).

Every method that may come back to itself is a generator that yields the work it waits for, and `parse` runs them on a
list of its own. So the depth of a filter costs memory and never Python's stack.
"""

from collections.abc import Generator
from typing import Any, Final, TypeAlias

from mlmd_metadata_store.filter import syntax
from mlmd_metadata_store.filter.faults import Fault, shown
from mlmd_metadata_store.filter.limits import LONGEST_TEXT, MOST_PARENTHESES, MOST_TERMS
from mlmd_metadata_store.filter.tokens import PropertyName, Token, tokens

Work: TypeAlias = Generator["Work", Any, Any]

OR, AND, NOT, COMPARISON, BAR, CARET, AMPERSAND, SHIFT, SUM, PRODUCT, UNARY = range(1, 12)
_COMPARISONS: Final = frozenset(("=", "!=", "<>", "<", "<=", ">", ">="))
_POWERS: Final = dict.fromkeys(_COMPARISONS, COMPARISON) | {
    "|": BAR, "^": CARET, "&": AMPERSAND, "<<": SHIFT, ">>": SHIFT, "+": SUM, "-": SUM,
    "*": PRODUCT, "/": PRODUCT, "||": PRODUCT,
}  # fmt: skip
_KEYWORD_POWERS: Final = {"OR": OR, "AND": AND} | dict.fromkeys(("NOT", "IN", "LIKE", "BETWEEN", "IS"), COMPARISON)
_MOST_WAITING: Final = 3 * MOST_PARENTHESES
_LITERALS: Final = ("integer", "float", "string")
_DOTTED: Final = "a name with a dot in it is written between backticks, custom_properties.`param.lr`.double_value"
_CONSTANTS: Final = {"NULL": None, "TRUE": True, "FALSE": False}


def parse(text: str) -> syntax.Node:
    """Return the tree of a filter; raises Fault."""
    parser = _Parser(text)
    tree: syntax.Node = _run(parser.whole())
    return tree


def _run(work: Work) -> Any:
    waiting = [work]
    answer: Any = None
    while waiting:
        if len(waiting) > _MOST_WAITING:
            raise Fault(0, f"this nests too deeply: {MOST_PARENTHESES} open parentheses are the most")
        try:
            waiting.append(waiting[-1].send(answer))
            answer = None
        except StopIteration as done:
            waiting.pop()
            answer = done.value
    return answer


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > LONGEST_TEXT:
            raise Fault(LONGEST_TEXT, f"it has {len(text)} characters; a filter has {LONGEST_TEXT} at most")
        self._tokens = tokens(text)
        self.now = next(self._tokens)
        self._after = next(self._tokens, self.now)
        self._terms = 0

    def _step(self) -> Token:
        token = self.now
        self.now = self._after
        self._after = next(self._tokens, self.now)
        return token

    def _at(self, value: str, kind: str = "mark") -> bool:
        return self.now.kind == kind and self.now.value == value

    def _take(self, value: str, kind: str = "mark") -> bool:
        if self._at(value, kind):
            self._step()
            return True
        return False

    def _expect(self, value: str, kind: str = "mark") -> Token:
        if not self._at(value, kind):
            raise self._unexpected(f"expected {value}")
        return self._step()

    def _unexpected(self, instead: str) -> Fault:
        token = self.now
        found = token.text if token.kind == "end" else f"`{shown(token.text)}`"
        return Fault(token.at, f"{instead}, found {found}")

    def whole(self) -> Work:
        tree = yield self._expression(OR)
        if self.now.kind != "end":
            fault = self._unexpected("expected AND, OR or the end")
            raise Fault(fault.at, f"{fault.reason}; {_DOTTED}") if self._at(".") else fault
        return tree

    # Operators

    def _power(self) -> int:
        kind, value = self.now.kind, self.now.value
        if kind == "mark":
            return _POWERS.get(str(value), 0)
        return _KEYWORD_POWERS.get(str(value), 0) if kind == "keyword" else 0

    def _expression(self, floor: int) -> Work:
        left = yield self._prefix(floor)
        compared = False
        while (power := self._power()) >= floor:
            if power == COMPARISON and compared:
                raise self._unexpected("a comparison cannot follow another without parentheses; expected AND or OR")
            if power <= AND:
                left = yield self._chain(left, power)
            elif power == COMPARISON:
                left = yield self._comparison(left)
                # Google's grammar closes IS UNKNOWN by itself; its IS NULL, TRUE and FALSE want parentheses
                compared = not (isinstance(left, syntax.Is) and left.what == "UNKNOWN")
            else:
                token = self._step()
                right = yield self._expression(power + 1)
                left = syntax.Binary(token.at, str(token.value), left, right)
        return left

    def _chain(self, first: syntax.Node, power: int) -> Work:
        operator, at = ("AND" if power == AND else "OR"), self.now.at
        terms = [first]
        while self._take(operator, "keyword"):
            terms.append((yield self._expression(power + 1)))
        flat: list[syntax.Node] = []
        for term in terms:
            same = isinstance(term, syntax.Chain) and term.operator == operator
            flat.extend(term.terms if same and isinstance(term, syntax.Chain) else (term,))
        return syntax.Chain(at, operator, tuple(flat))

    def _prefix(self, floor: int) -> Work:
        at = self.now.at
        if floor <= NOT and self._at("NOT", "keyword"):
            odd = False
            while self._take("NOT", "keyword"):
                odd = not odd
            operand = yield self._expression(NOT)
            operand = operand if odd else syntax.Unary(at, "NOT", operand)
            return syntax.Unary(at, "NOT", operand)
        if self.now.kind == "mark" and self.now.value in ("-", "+", "~"):
            operator = str(self._step().value)
            operand = yield self._prefix(UNARY)
            return syntax.Unary(at, operator, operand)
        primary = yield self._primary()
        return primary

    def _comparison(self, left: syntax.Node) -> Work:
        at = self.now.at
        if self.now.kind == "mark":
            operator = str(self._step().value)
            right = yield self._expression(BAR)
            return syntax.Binary(at, "!=" if operator == "<>" else operator, left, right)
        if self._take("IS", "keyword"):
            return self._is(at, left)
        negated = self._take("NOT", "keyword")
        if self._take("LIKE", "keyword"):
            pattern = yield self._expression(BAR)
            return syntax.Binary(at, "NOT LIKE" if negated else "LIKE", left, pattern)
        if self._take("IN", "keyword"):
            items = yield self._list()
            return syntax.In(at, left, items, negated)
        if not self._take("BETWEEN", "keyword"):
            raise self._unexpected("expected LIKE, IN or BETWEEN after NOT")
        low = yield self._expression(BAR)
        self._expect("AND", "keyword")
        high = yield self._expression(BAR)
        return syntax.Between(at, left, low, high, negated)

    def _is(self, at: int, operand: syntax.Node) -> syntax.Node:
        negated = self._take("NOT", "keyword")
        token = self._step()
        what = str(token.value).upper() if token.kind in ("keyword", "word") else ""
        if what not in ("NULL", "TRUE", "FALSE", "UNKNOWN"):
            raise Fault(token.at, "IS [NOT] is followed by NULL, TRUE, FALSE or UNKNOWN")
        return syntax.Is(at, operand, what, negated)

    def _list(self) -> Work:
        if not self._at("("):
            raise self._unexpected("IN is followed by a list in parentheses; expected (")
        self._step()
        items: list[syntax.Node] = []
        while True:
            if self.now.kind in _LITERALS and self._after.kind == "mark" and self._after.value in (",", ")"):
                items.append(self._literal())
            else:
                items.append((yield self._expression(OR)))
            if not self._take(","):
                break
        self._expect(")")
        return tuple(items)

    # Operands

    def _literal(self) -> syntax.Literal:
        token = self._step()
        assert not isinstance(token.value, PropertyName)  # which is the value of none of _LITERALS
        return syntax.Literal(token.at, token.value)

    def _primary(self) -> Work:
        token = self.now
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise Fault(token.at, f"this is one literal or column too many; a filter has {MOST_TERMS} at most")
        if token.kind in _LITERALS:
            return self._literal()
        if token.kind == "property":
            return self._property()
        if token.kind in ("word", "quoted"):
            self._step()
            if self._take("("):
                arguments = yield self._arguments()
                return syntax.Call(token.at, str(token.value), arguments)
            return self._path(token)
        if token.kind == "keyword":
            value = yield self._keyword(token)
            return value
        if self._take("("):
            inner = yield self._expression(OR)
            self._expect(")")
            return inner
        raise self._unexpected("expected a column, a literal, a function or (")

    def _keyword(self, token: Token) -> Work:
        word = str(token.value)
        if word in ("SELECT", "EXISTS"):
            raise Fault(token.at, "subqueries are not supported; name neighbours by an alias, as in contexts_a.id")
        if word in _CONSTANTS:
            self._step()
            return syntax.Literal(token.at, _CONSTANTS[word])
        if word == "CAST":
            self._step()
            cast = yield self._cast(token.at)
            return cast
        if word == "CASE":
            self._step()
            case = yield self._case(token.at)
            return case
        raise self._unexpected("expected a column, a literal, a function or (")

    def _property(self) -> syntax.Node:
        token = self._step()
        name = token.value
        assert isinstance(name, PropertyName)
        if not self._take("."):
            raise self._unexpected(f"after `{shown(token.text)}` comes .int_value, .double_value, .string_value or "
                                   ".bool_value")  # fmt: skip
        return syntax.Property(token.at, name.custom, name.name, self._field())

    def _path(self, token: Token) -> syntax.Node:
        quoted = token.kind == "quoted"
        if not self._take("."):
            return syntax.Name(token.at, str(token.value), quoted)
        field = self._field()
        while self._take("."):
            field = f"{field}.{self._field()}"
        return syntax.Member(token.at, str(token.value), quoted, field)

    def _field(self) -> str:
        if self.now.kind not in ("word", "quoted", "keyword"):
            raise self._unexpected("expected a field's name after the dot")
        token = self._step()
        return token.text if token.kind == "keyword" else str(token.value)

    def _arguments(self) -> Work:
        arguments: list[syntax.Node] = []
        if self._take(")"):
            return ()
        if self._at("*"):
            raise Fault(self.now.at, "aggregates such as COUNT(*) are not supported; a filter is about one node")
        while True:
            arguments.append((yield self._expression(OR)))
            if not self._take(","):
                break
        self._expect(")")
        return tuple(arguments)

    def _cast(self, at: int) -> Work:
        self._expect("(")
        operand = yield self._expression(OR)
        if self.now.kind != "word" or str(self.now.value).upper() != "AS":
            raise self._unexpected("expected AS and a type")
        self._step()
        target = self._step()
        if target.kind not in ("word", "quoted"):
            raise Fault(target.at, "expected a type after AS: INT64, FLOAT64, STRING or BOOL")
        self._expect(")")
        return syntax.Cast(at, operand, str(target.value).upper())

    def _case(self, at: int) -> Work:
        operand = otherwise = None
        if not self._at("WHEN", "keyword"):
            operand = yield self._expression(OR)
        branches: list[tuple[syntax.Node, syntax.Node]] = []
        while self._take("WHEN", "keyword"):
            when = yield self._expression(OR)
            self._expect("THEN", "keyword")
            then = yield self._expression(OR)
            branches.append((when, then))
        if not branches:
            raise self._unexpected("expected WHEN")
        if self._take("ELSE", "keyword"):
            otherwise = yield self._expression(OR)
        self._expect("END", "keyword")
        return syntax.Case(at, operand, tuple(branches), otherwise)
