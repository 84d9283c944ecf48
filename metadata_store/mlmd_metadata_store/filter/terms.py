"""A filter whose names and types are known: a tree of values, independent of any database."""

from dataclasses import dataclass
from typing import Any

from mlmd_metadata_store.filter import operations
from mlmd_metadata_store.filter.columns import Column, Source, Type
from mlmd_metadata_store.filter.faults import Fault
from mlmd_metadata_store.filter.limits import DEEPEST, MOST_TERMS
from mlmd_metadata_store.filter.operations import Operation

WIDTH = 8
"""Terms of AND and OR in one group. A longer chain is a tree of groups: SQLite counts a chain as that many levels."""

FEWEST_ALTERNATIVES = 3
"""Literals of one column in an OR from which on they are a list."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; `named` when it was written as the name of an enum's value."""

    type: Type
    value: str | int | float | bool | None
    named: bool = False
    height: int = 1
    size: int = 1


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the node (`source` is None) or of what is joined to it."""

    type: Type
    source: Source | None
    column: Column
    height: int = 1
    size: int = 1


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation on terms."""

    type: Type
    operation: Operation
    arguments: tuple["Term", ...]
    height: int
    size: int


@dataclass(frozen=True, slots=True)
class Listed:
    """`operand [NOT] IN` literals of one type (or of both number types), which travel together."""

    operand: "Term"
    values: tuple[Any, ...]
    item_type: Type
    negated: bool
    height: int
    size: int
    type: Type = Type.BOOL


Term = Constant | Field | Apply | Listed


def apply(at: int, type_: Type, operation: Operation, *arguments: Term) -> Apply:
    """Return an operation on terms; raises Fault when it nests too deeply or is too large for a database."""
    height = max(operation.offset(place) + term.height for place, term in enumerate(arguments))
    size = 1 + operation.copies * sum(term.size for term in arguments)
    return Apply(type_, operation, arguments, checked_height(at, height), checked_size(at, size))


def checked_height(at: int, height: int) -> int:
    """Return the height when a database can parse it."""
    if height > DEEPEST:
        raise Fault(
            at,
            f"this nests too deeply: {DEEPEST} levels are the most, of which AND and OR take 1 to 3, "
            "operators 3 and functions up to 6 each",
        )
    return height


def checked_size(at: int, size: int) -> int:
    """Return the size when a database can take it."""
    if size > MOST_TERMS:
        raise Fault(at, f"this has more than {MOST_TERMS} operators, columns and literals; a filter has no more")
    return size


def listed(at: int, operand: Term, values: tuple[Any, ...], item_type: Type, negated: bool) -> Listed:
    """Return a membership test. Integers and strings are sent as one parameter, so they do not count."""
    counted = len(values) if Type.DOUBLE is item_type else 0
    size = checked_size(at, 2 + operand.size + counted)
    return Listed(operand, values, item_type, negated, checked_height(at, 2 + operand.height), size)


def alternatives(at: int, terms: list[Term]) -> list[Term]:
    """Return the terms of an OR, those that ask one column for one literal after another as one membership test.

    It means the same, and databases plan a list at once where they plan the terms of OR one by one.
    """
    asked: dict[tuple[Source | None, Column], list[tuple[int, Constant]]] = {}
    for place, term in enumerate(terms):
        if isinstance(term, Apply) and term.operation is operations.EQUAL:
            field, constant = term.arguments
            if isinstance(field, Field) and isinstance(constant, Constant) and constant.type is field.type:
                asked.setdefault((field.source, field.column), []).append((place, constant))
    kept: list[Term | None] = list(terms)
    for (source, column), found in asked.items():
        if len(found) >= FEWEST_ALTERNATIVES:
            values = tuple(constant.value for _place, constant in found)
            for place, _constant in found:
                kept[place] = None
            kept[found[0][0]] = listed(at, Field(column.type, source, column), values, column.type, False)
    return [term for term in kept if term is not None]


def chain(at: int, operation: Operation, terms: list[Term]) -> Term:
    """Return terms joined by AND or OR, in groups of groups."""
    while len(terms) > WIDTH:
        terms = [_group(at, operation, terms[start : start + WIDTH]) for start in range(0, len(terms), WIDTH)]
    return _group(at, operation, terms)


def _group(at: int, operation: Operation, terms: list[Term]) -> Term:
    if len(terms) == 1:
        return terms[0]
    deepest = max(range(len(terms)), key=lambda place: terms[place].height)
    first = terms[deepest]  # in front, where it costs least
    return apply(at, Type.BOOL, operation, first, *terms[:deepest], *terms[deepest + 1 :])


def conjuncts(term: Term) -> list[Term]:
    """Return the terms that all have to hold for the whole to hold."""
    waiting, found = [term], []
    while waiting:
        one = waiting.pop()
        if isinstance(one, Apply) and one.operation is operations.AND:
            waiting.extend(one.arguments)
        else:
            found.append(one)
    return found
