"""Core statements compiled once into what the driver takes.

SQLAlchemy's own execution costs ten times a driver's call for the small statements of a metadata store, and its result
rows again as much. So statements are written in Core, compiled by Core for the dialect at hand, and run on the driver's
cursor of a connection from SQLAlchemy's pool.

Lists of integers are written into the text, which spares binding each of them (integers need no escaping;
SQLAlchemy's binding is half of the cost of reading a hundred nodes). A list called `ids` that has no gaps becomes
BETWEEN, for which a database looks at its index once and not once for each member; lists of other names stay lists,
because a range over the first column of an index would keep the database from looking for the second. Everything else
is bound.

Where the driver keeps compiled statements by their text (SQLite), all is bound: compiling is half of what a node costs,
and each list would be a statement of its own, of which a connection keeps hundreds. Lists are of few lengths there, the
last member again and again behind the others.
"""

import re
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect as SqlDialect

REMEMBERED = 2_000
"""Compiled statements that are kept; the oldest goes first."""

LONGEST_REMEMBERED = 65_536
"""Characters of a statement that is kept; what a filter of a megabyte becomes is compiled each time."""

_RANGED = "ids"
"""The list that may become a range: what `Transaction.rows_in` fills by default."""

_MOST_BOUND = 16_384
"""Members of the lists of a statement that are bound, all together; a usual SQLite takes 32,766 parameters."""
_LONGEST_BOUND = 8192
"""Members of a list that is bound; longer ones are few."""
_INT64 = range(-(1 << 63), 1 << 63)

_LIST = re.compile(r"((?:NOT )?IN) \(__\[POSTCOMPILE_(\w+)\]\)")


class Plan:
    """One compiled statement: the text around its lists, and the order of its parameters."""

    __slots__ = (
        "_binds",
        "_defaults",
        "_lists",
        "_longest_bound",
        "_names",
        "_pieces",
        "_placeholder",
        "_ranged",
        "_text",
    )

    def __init__(self, statement: sa.Executable, dialect: SqlDialect) -> None:
        compiled: Any = cast(sa.ClauseElement, statement).compile(dialect=dialect)  # as all that Core executes are
        self._binds = dialect.paramstyle == "qmark"
        self._placeholder = "?" if self._binds else "%s"
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._defaults: dict[str, Any] = compiled.construct_params(_check=False)
        self._text: str = compiled.string
        self._pieces = _LIST.split(self._text)
        self._lists = frozenset(self._pieces[2::3])
        self._longest_bound = min(_LONGEST_BOUND, _MOST_BOUND // max(1, len(self._pieces[2::3])))
        uses = set(zip(self._pieces[1::3], self._pieces[2::3], strict=True))
        self._ranged = frozenset({_RANGED} if uses & {("IN", _RANGED)} and ("NOT IN", _RANGED) not in uses else ())

    @property
    def length(self) -> int:
        """Characters of the statement, its lists apart."""
        return len(self._text)

    def render(self, parameters: Mapping[str, Any] | None) -> tuple[str, Sequence[Any]]:
        """Return the driver's statement and the parameters that it binds, in order."""
        given = {**self._defaults, **parameters} if parameters else self._defaults
        if not self._lists:
            return self._text, [given[name] for name in self._names]
        lists = {name: self._written(name, given[name]) for name in self._lists}
        text = [self._pieces[0]]
        for start in range(1, len(self._pieces), 3):
            operator, name, rest = self._pieces[start : start + 3]
            instead, members, _ = lists[name]
            text += (instead or operator, " ", members, rest)
        values: list[Any] = []
        for name in self._names:
            if name in lists:
                values.extend(lists[name][2])
            else:
                values.append(given[name])
        return "".join(text), values

    def _written(self, name: str, members: Collection[Any]) -> tuple[str, str, Collection[Any]]:
        """Return what stands for IN, if another operator does, the list's text, and what is bound for it."""
        count = len(members)
        if not count:
            return _NOBODY
        if not _are_integers(members) or (count == 1 and self._binds):
            return "", f"({', '.join([self._placeholder] * count)})", members
        if count > 1 and name in self._ranged:
            first, last = min(members), max(members)
            if last - first + 1 == len(set(members)):
                return ("BETWEEN", "? AND ?", (first, last)) if self._binds else ("BETWEEN", f"{first} AND {last}", ())
        length = _bound_length(count)
        if self._binds and length <= self._longest_bound and min(members) in _INT64 and max(members) in _INT64:
            *_, last = members
            return "", _places(length), (*members, *(last,) * (length - count))
        return "", f"({','.join(map(str, members))})", ()


_NOBODY: tuple[str, str, Collection[Any]] = ("", "(SELECT NULL FROM (SELECT 1) AS nobody WHERE 1 = 0)", ())


def _bound_length(count: int) -> int:
    """Return the length of the list with which so many members are asked for: a power of two, or three of the next.

    >>> [_bound_length(count) for count in (2, 3, 5, 7, 100, 5000)]
    [2, 3, 6, 8, 128, 6144]
    """
    power = 1 << (count - 1).bit_length()
    return power * 3 // 4 if count <= power * 3 // 4 else power


@cache
def _places(length: int) -> str:
    return f"({','.join('?' * length)})"


def _are_integers(members: Collection[Any]) -> bool:
    return set(map(type, members)) <= {int}


class Plans:
    """The compiled statements of one database; safe to use from many threads."""

    def __init__(self, dialect: SqlDialect) -> None:
        self._dialect = dialect
        self._plans: OrderedDict[sa.Executable, Plan] = OrderedDict()

    def of(self, statement: sa.Executable) -> Plan:
        """Return the plan of a statement, which is remembered by identity: build statements once, not per call."""
        plan = self._plans.get(statement)
        if plan is None:
            plan = Plan(statement, self._dialect)
            if plan.length > LONGEST_REMEMBERED:
                return plan
            self._plans[statement] = plan
            while len(self._plans) > REMEMBERED:
                self._plans.popitem(last=False)
        return plan
