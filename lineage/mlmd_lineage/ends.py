"""The two ends of an event, and which events lead on."""

from enum import Enum
from typing import NamedTuple

from mlmd_metadata_store.event_reads import End
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

ENDS: dict[Kind, End] = {Kind.ARTIFACT: "artifact", Kind.EXECUTION: "execution"}
FAR = {Kind.ARTIFACT: Kind.EXECUTION, Kind.EXECUTION: Kind.ARTIFACT}
"""The kind at the other end."""
COLUMN = {Kind.ARTIFACT: 1, Kind.EXECUTION: 2}
"""Where the rows of `event_rows` hold the node of a kind."""

INPUTS = frozenset({pb.Event.INPUT, pb.Event.DECLARED_INPUT, pb.Event.INTERNAL_INPUT})
OUTPUTS = frozenset({pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT, pb.Event.INTERNAL_OUTPUT, pb.Event.PENDING_OUTPUT})


class Ref(NamedTuple):
    """An artifact or execution."""

    kind: Kind
    id: int

    def __str__(self) -> str:
        """Return kind and id as errors say them: `artifact 7`."""
        return f"{self.kind.name.lower()} {self.id}"


class Direction(Enum):
    """Which way a walk goes along the flow of data."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


LEADING: dict[Direction, dict[Kind, frozenset[int]]] = {
    Direction.UPSTREAM: {Kind.ARTIFACT: OUTPUTS, Kind.EXECUTION: INPUTS},
    Direction.DOWNSTREAM: {Kind.ARTIFACT: INPUTS, Kind.EXECUTION: OUTPUTS},
}
"""The event types that lead on from nodes of a kind."""
