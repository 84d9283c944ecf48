"""A filter of one kind of node, parsed and checked."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store.filter import operations
from mlmd_metadata_store.filter.check import Checker
from mlmd_metadata_store.filter.columns import NeighbourSource, Source
from mlmd_metadata_store.filter.faults import Fault, refusal
from mlmd_metadata_store.filter.parser import parse
from mlmd_metadata_store.filter.terms import Apply, Constant, Field, Term, conjuncts

REMEMBERED_TEXT: Final = 4096
"""Characters up to which a filter is remembered."""


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """What a `filter_query` asks, independent of the database."""

    kind: Kind
    text: str
    condition: Term
    sources: tuple[Source, ...]
    """What has to be joined, in the order of first mention; what hangs on another comes after it."""
    repeats: bool
    """Whether the joins may find a node more than once."""
    outer: bool = False
    """Whether a node without a property that the filter names may match nevertheless, by another part of it."""


def parse_filter(kind: Kind, text: str) -> Filter:
    """Return the filter that `text` says about nodes of a kind; raises InvalidArgument, which says what and where.

    Short filters are remembered, so that a repeated one costs a look-up.
    """
    return _cached(kind, text) if len(text) <= REMEMBERED_TEXT else _parsed(kind, text)


def _parsed(kind: Kind, text: str) -> Filter:
    checker = Checker(kind)
    try:
        condition = checker.condition(parse(text))
    except Fault as fault:
        raise refusal(text, fault) from None
    sources = tuple(checker.sources)
    return Filter(kind, text, condition, sources, _repeats(condition, sources))


_cached = lru_cache(maxsize=1024)(_parsed)


def _repeats(condition: Term, sources: Iterable[Source]) -> bool:
    """Say whether some alias may stand for several neighbours of one node.

    It cannot when the filter demands one value of the edge's unique key; then no DISTINCT is needed.
    """
    fixed = {field for term in conjuncts(condition) if (field := _fixed(term)) is not None}
    for source in sources:
        if isinstance(source, NeighbourSource):
            family = source.neighbours
            key = ("id",) if family.kind is not None else (family.far, "type")
            if any((source, name) not in fixed for name in key):
                return True
    return False


def _fixed(term: Term) -> tuple[Source | None, str] | None:
    """Return the column that a term pins to one value."""
    if not isinstance(term, Apply) or term.operation is not operations.EQUAL:
        return None
    for field, constant in (term.arguments, term.arguments[::-1]):
        if isinstance(field, Field) and isinstance(constant, Constant):
            return field.source, field.column.name
    return None
