"""The rules of gates, as they are written.

rule       = metric op number
           | metric op alias [("+" | "-") number]   compared with the version that an alias points at
           | "evaluated on" data                    an execution that read the model read this data set too
           | "files verified"                       the bytes of every file were read and were as declared
           | "approved by" n                        other people than the one who made the version
op         = ">=" | ">" | "<=" | "<"
metric, alias, data = a word, or any text in double quotes
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, Overflow

from mlmd_metadata_store.alias_moves import check_alias
from mlmd_schemas.errors import InvalidArgument, StoreError

LONGEST_RULE = 1000
MOST_APPROVALS = 100
_OPERATIONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
_WORD = r'(?:"(?P<{0}_quoted>[^"]+)"|(?P<{0}>[^\s"<>=][^\s"<>]*))'
_NUMBER = r"(?P<{0}>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_COMPARISON = re.compile(
    rf"{_WORD.format('metric')}\s*(?P<op>>=|<=|>|<)\s*(?:{_NUMBER.format('bound')}|{_WORD.format('alias')}"
    rf"(?:\s*(?P<sign>[-+])\s*(?P<margin>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))?)"
)
_EVALUATED = re.compile(rf"evaluated\s+on\s+{_WORD.format('data')}")
_VERIFIED = re.compile(r"files\s+verified")
_APPROVED = re.compile(r"approved\s+by\s+(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric against a number, or against the same metric of the version that an alias points at and a margin."""

    metric: str
    operation: str
    bound: Decimal
    """The number; with an alias what is added to its metric."""
    alias: str = ""

    def holds(self, found: float, other: float | None = None) -> bool:
        """Tell whether a number meets the bound, decimal by decimal as people reckon; what is not finite does not."""
        try:
            limit = self.bound if other is None else Decimal(repr(other)) + self.bound
            return _OPERATIONS[self.operation](Decimal(repr(found)), limit)
        except (InvalidOperation, Overflow):  # NaN compares with nothing, and no margin is as large as that
            return False


@dataclass(frozen=True, slots=True)
class EvaluatedOn:
    """Somebody ran the model on this data: an artifact's id, uri or name, or a collection's name."""

    data: str


@dataclass(frozen=True, slots=True)
class FilesVerified:
    """The server has read every file and found what its manifest says."""


@dataclass(frozen=True, slots=True)
class ApprovedBy:
    """So many people but the one who made the version approve of it."""

    count: int


Rule = Comparison | EvaluatedOn | FilesVerified | ApprovedBy


def parse_rule(text: str) -> Rule:
    """Return the rule that a text says; raises InvalidArgument with what can be said."""
    stripped = text.strip()
    if not stripped or len(stripped) > LONGEST_RULE or not stripped.isprintable():
        raise _unknown(text)
    if _VERIFIED.fullmatch(stripped):
        return FilesVerified()
    if found := _APPROVED.fullmatch(stripped):
        return _approved(text, int(found[1]))
    if found := _EVALUATED.fullmatch(stripped):
        return EvaluatedOn(found["data_quoted"] or found["data"])
    if found := _COMPARISON.fullmatch(stripped):
        return _comparison(text, found)
    raise _unknown(text)


def _approved(text: str, count: int) -> ApprovedBy:
    if not 1 <= count <= MOST_APPROVALS:
        raise InvalidArgument(f"rules: {text[:80]!r} asks for {count} people; ask for 1 to {MOST_APPROVALS}.")
    return ApprovedBy(count)


def _comparison(text: str, found: "re.Match[str]") -> Comparison:
    metric = found["metric_quoted"] or found["metric"]
    if found["bound"] is not None:
        return Comparison(metric, found["op"], _decimal(text, found["bound"]))
    alias = found["alias_quoted"] or found["alias"]
    try:
        check_alias(alias)
    except StoreError:
        raise _unknown(text) from None
    return Comparison(metric, found["op"], _decimal(text, f"{found['sign'] or ''}{found['margin'] or '0'}"), alias)


def _decimal(text: str, number: str) -> Decimal:
    try:
        return Decimal(number)
    except InvalidOperation:  # an exponent of more than eighteen digits
        raise _unknown(text) from None


def _unknown(text: str) -> InvalidArgument:
    return InvalidArgument(
        f"rules: {text[:80]!r} is no rule; write for instance 'auc >= 0.91', 'auc >= champion - 0.01', 'evaluated on "
        "\"s3://b/holdout\"', 'files verified' or 'approved by 2'."
    )
