"""What a filter may name: columns by kind of node, their types and enums (mlmd-read contract, 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ASSOCIATION, ATTRIBUTION, EVENT, PARENT_CONTEXT, Kind
from sqlalchemy import Table


class Type(Enum):
    """Types of values, by the names that filters use for them."""

    INT64 = "INT64"
    DOUBLE = "FLOAT64"
    STRING = "STRING"
    BOOL = "BOOL"
    NULL = "NULL"
    UINT64 = "UINT64"
    """An integer literal of more than 63 bits; no column holds one."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of one of MLMD's tables; `enum` gives the numbers of the words that may be compared with it."""

    name: str
    type: Type
    enum: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The family of aliases `<prefix>X`: over which edge its nodes are reached, and what can be said of them."""

    prefix: str
    edge: Table
    near: str
    """The edge's column that points at the node the filter is about."""
    far: str
    """The edge's column that points at the neighbour; of events, at the other end."""
    kind: Kind | None
    """What the neighbour is; None when the edge itself is the subject (events)."""
    columns: Mapping[str, Column]


TYPE_NAME: Final = "type"
_TIMES: Final = ("create_time_since_epoch", "last_update_time_since_epoch")
PROPERTY_FIELDS: Final = {
    "int_value": Column("int_value", Type.INT64),
    "double_value": Column("double_value", Type.DOUBLE),
    "string_value": Column("string_value", Type.STRING),
    "bool_value": Column("bool_value", Type.BOOL),
}


def property_field(word: str) -> Column | None:
    """Return a property's field: the kind in lower case, `value` in any case, as Google's server reads them."""
    kind, _, rest = word.partition("_")
    return PROPERTY_FIELDS.get(f"{kind}_{rest.lower()}")


def _columns(integers: tuple[str, ...], strings: tuple[str, ...], *enums: Column) -> dict[str, Column]:
    columns = [Column(name, Type.INT64) for name in integers] + [Column(name, Type.STRING) for name in strings]
    return {column.name: column for column in (*columns, *enums)}


_STATE = Column("state", Type.INT64, dict(pb.Artifact.State.items()))
_LAST_KNOWN_STATE = Column("last_known_state", Type.INT64, dict(pb.Execution.State.items()))
_EVENT_TYPE = Column("type", Type.INT64, dict(pb.Event.Type.items()))
_STRINGS = ("name", "external_id", TYPE_NAME)

NODE_COLUMNS: Final[Mapping[Kind, Mapping[str, Column]]] = {
    Kind.ARTIFACT: _columns(("id", "type_id", *_TIMES), (*_STRINGS, "uri"), _STATE),
    Kind.EXECUTION: _columns(("id", "type_id", *_TIMES), _STRINGS, _LAST_KNOWN_STATE),
    Kind.CONTEXT: _columns(("id", "type_id", *_TIMES), _STRINGS),
}
_NEIGHBOUR_COLUMNS: Final = {
    kind: {name: column for name, column in columns.items() if name != "type_id"}
    for kind, columns in NODE_COLUMNS.items()
}


def _nodes(prefix: str, edge: Table, near: str, far: str, kind: Kind) -> Neighbours:
    return Neighbours(prefix, edge, near, far, kind, _NEIGHBOUR_COLUMNS[kind])


def _events(near: str, far: str) -> Neighbours:
    columns = _columns(("milliseconds_since_epoch", far), (), _EVENT_TYPE)
    return Neighbours("events_", EVENT, near, far, None, columns)


NEIGHBOURS: Final[Mapping[Kind, tuple[Neighbours, ...]]] = {
    Kind.ARTIFACT: (
        _nodes("contexts_", ATTRIBUTION, "artifact_id", "context_id", Kind.CONTEXT),
        _events("artifact_id", "execution_id"),
    ),
    Kind.EXECUTION: (
        _nodes("contexts_", ASSOCIATION, "execution_id", "context_id", Kind.CONTEXT),
        _events("execution_id", "artifact_id"),
    ),
    Kind.CONTEXT: (
        _nodes("parent_contexts_", PARENT_CONTEXT, "context_id", "parent_context_id", Kind.CONTEXT),
        _nodes("child_contexts_", PARENT_CONTEXT, "parent_context_id", "context_id", Kind.CONTEXT),
        _nodes("artifacts_", ATTRIBUTION, "context_id", "artifact_id", Kind.ARTIFACT),
        _nodes("executions_", ASSOCIATION, "context_id", "execution_id", Kind.EXECUTION),
    ),
}


@dataclass(frozen=True, slots=True)
class TypeSource:
    """The type of the node itself."""


@dataclass(frozen=True, slots=True)
class PropertySource:
    """The row of one property, found by its exact name."""

    custom: bool
    name: str


@dataclass(frozen=True, slots=True)
class NeighbourSource:
    """One neighbour under an alias; everything said of the alias is said of the same neighbour."""

    alias: str
    neighbours: Neighbours


@dataclass(frozen=True, slots=True)
class NeighbourTypeSource:
    """The type of the neighbour under an alias."""

    of: NeighbourSource


Source = TypeSource | PropertySource | NeighbourSource | NeighbourTypeSource


def tables(source: Source) -> int:
    """Return how many tables a source joins."""
    return 2 if isinstance(source, NeighbourSource) and source.neighbours.kind is not None else 1


def alias(word: str, kind: Kind) -> NeighbourSource | None:
    """Return the neighbour that an alias stands for, None when no family of this kind has it."""
    for family in NEIGHBOURS[kind]:
        rest = word.removeprefix(family.prefix)
        if rest and rest != word:
            return NeighbourSource(word, family)
    return None


def prefixes(kind: Kind) -> str:
    """Return the families of aliases of a kind, for sentences."""
    return ", ".join(f"{family.prefix}X" for family in NEIGHBOURS[kind])
