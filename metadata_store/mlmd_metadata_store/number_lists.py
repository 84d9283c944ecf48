"""Lists of integers written into the SQL of a SELECT, which spares binding each of them.

SQLAlchemy renders a placeholder for every member of an expanding parameter and mysqlclient escapes each one: for the
properties of a hundred nodes that is half of the call. Integers need no escaping, so they are written as they are;
a run without gaps becomes BETWEEN, for which MySQL looks at the index once and not once for each member.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

_LIST = re.compile(r"((?:NOT )?IN) \(__\[POSTCOMPILE_(\w+)\]\)")
_KEPT = 2000
"""How many statements are remembered; beyond that all are forgotten."""

_pieces: dict[tuple[str, sa.Executable], list[str] | None] = {}
"""By database and statement: text, IN or NOT IN, parameter, text, ...; None when there are other parameters."""


def render(statement: sa.Executable, dialect: Dialect, values: Mapping[str, Any]) -> str | None:
    """Return the statement with every parameter written out; None unless all its parameters are lists of integers."""
    pieces = _pieces_of(statement, dialect)
    if pieces is None or not all(_are_integers(value) for value in values.values()):
        return None
    sql = [pieces[0]]
    for start in range(1, len(pieces), 3):
        operator, name, rest = pieces[start : start + 3]
        sql += (_membership(operator, values[name]), rest)
    return "".join(sql)


def _pieces_of(statement: sa.Executable, dialect: Dialect) -> list[str] | None:
    key = (dialect.name, statement)
    if key in _pieces:
        return _pieces[key]
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    pieces = _LIST.split(str(compiled))
    if len(_pieces) >= _KEPT:
        _pieces.clear()
    found = pieces if set(compiled.params) == set(pieces[2::3]) else None
    _pieces[key] = found
    return found


def _are_integers(value: Any) -> bool:
    return isinstance(value, Collection) and bool(value) and all(type(member) is int for member in value)


def _membership(operator: str, members: Collection[int]) -> str:
    first, last = min(members), max(members)
    if operator == "IN" and len(members) > 1 and last - first + 1 == len(set(members)):
        return f"BETWEEN {first} AND {last}"
    return f"{operator} ({','.join(map(str, members))})"
