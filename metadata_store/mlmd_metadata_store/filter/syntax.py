"""What a filter says before names and types are known: the tree that the parser builds.

`at` is the offset of the character that a complaint about the node points to. Chains of AND and OR are one node, and
parentheses are none, so the depth of the tree is the depth of its meaning.
"""

from dataclasses import dataclass
from dataclasses import field as hidden
from typing import ClassVar

from mlmd_metadata_store.filter.faults import Fault
from mlmd_metadata_store.filter.limits import DEEPEST


def _depth(at: int, *children: "Node | None") -> int:
    depth = 1 + max(child.depth for child in children if child is not None)
    if depth > DEEPEST:
        raise Fault(at, f"this is nested more than {DEEPEST} levels deep; a filter has {DEEPEST} at most")
    return depth


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, truth value or NULL (None)."""

    at: int
    value: str | int | float | bool | None
    depth: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Name:
    """A bare word: an attribute of the node, or the name of an enum's value."""

    at: int
    word: str
    quoted: bool = False
    depth: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Member:
    """`alias.field`: a field of a neighbour."""

    at: int
    alias: str
    quoted: bool
    field: str
    depth: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Property:
    """`properties.name.field` or `custom_properties.name.field`."""

    at: int
    custom: bool
    name: str
    field: str
    depth: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Unary:
    """NOT, -, +, ~."""

    at: int
    operator: str
    operand: "Node"
    depth: int = hidden(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _depth(self.at, self.operand))


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, bits, || and the comparisons, LIKE among them."""

    at: int
    operator: str
    left: "Node"
    right: "Node"
    depth: int = hidden(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _depth(self.at, self.left, self.right))


@dataclass(frozen=True, slots=True)
class Chain:
    """Two or more terms joined by AND, or by OR."""

    at: int
    operator: str
    terms: tuple["Node", ...]
    depth: int = hidden(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _depth(self.at, *self.terms))


@dataclass(frozen=True, slots=True)
class In:
    """`operand [NOT] IN (items)`."""

    at: int
    operand: "Node"
    items: tuple["Node", ...]
    negated: bool
    depth: int = hidden(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _depth(self.at, self.operand, *self.items))


@dataclass(frozen=True, slots=True)
class Between:
    """`operand [NOT] BETWEEN low AND high`."""

    at: int
    operand: "Node"
    low: "Node"
    high: "Node"
    negated: bool
    depth: int = hidden(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _depth(self.at, self.operand, self.low, self.high))


@dataclass(frozen=True, slots=True)
class Is:
    """`operand IS [NOT] NULL | TRUE | FALSE | UNKNOWN`."""

    at: int
    operand: "Node"
    what: str
    negated: bool
    depth: int = hidden(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _depth(self.at, self.operand))


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    at: int
    function: str
    arguments: tuple["Node", ...]
    depth: int = hidden(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _depth(self.at, *self.arguments) if self.arguments else 1)


@dataclass(frozen=True, slots=True)
class Cast:
    """`CAST(operand AS target)`."""

    at: int
    operand: "Node"
    target: str
    depth: int = hidden(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _depth(self.at, self.operand))


@dataclass(frozen=True, slots=True)
class Case:
    """CASE with an operand (simple) or without (searched)."""

    at: int
    operand: "Node | None"
    branches: tuple[tuple["Node", "Node"], ...]
    otherwise: "Node | None"
    depth: int = hidden(init=False)

    def __post_init__(self) -> None:
        parts = (part for branch in self.branches for part in branch)
        object.__setattr__(self, "depth", _depth(self.at, self.operand, self.otherwise, *parts))


Node = Literal | Name | Member | Property | Unary | Binary | Chain | In | Between | Is | Call | Cast | Case
