"""The two ends of an event."""

from mlmd_metadata_store.event_reads import End
from mlmd_schemas.tables.v10 import Kind

ENDS: dict[Kind, End] = {Kind.ARTIFACT: "artifact", Kind.EXECUTION: "execution"}
FAR = {Kind.ARTIFACT: Kind.EXECUTION, Kind.EXECUTION: Kind.ARTIFACT}
"""The kind at the other end."""
COLUMN = {Kind.ARTIFACT: 1, Kind.EXECUTION: 2}
"""Where the rows of `event_rows` hold the node of a kind."""
