"""What an archive holds: tables, the order they come in, and which columns refer to nodes and types.

Left out are receipts, what is under way (uploads, deletions, imports), webhooks, and what would tell a secret. A table
comes after those that it refers to, so that whoever reads an archive from its start knows every id before it is used;
but where nodes were before comes first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from mlmd_schemas.tables.imports import IMPORTED
from mlmd_schemas.tables.own import (
    ALIAS,
    ALIAS_MOVE,
    COLLECTION,
    EVALUATION,
    EVALUATION_PART,
    EXACT_VALUE,
    FILE,
    MANIFEST,
    PIN,
    RUN,
    SERIES,
    SERIES_SEGMENT,
    TOMBSTONE,
    VERSION,
)
from mlmd_schemas.tables.registry import APPROVAL, GATE, MODEL_VERSION, MOVE_OUTCOME
from mlmd_schemas.tables.v10 import (
    ARTIFACT,
    ARTIFACT_PROPERTY,
    ASSOCIATION,
    ATTRIBUTION,
    CONTEXT,
    CONTEXT_PROPERTY,
    EVENT,
    EVENT_PATH,
    EXECUTION,
    EXECUTION_PROPERTY,
    PARENT_CONTEXT,
    PARENT_TYPE,
    TYPE,
    TYPE_PROPERTY,
    Kind,
)

FORMAT = 1
"""The version of what is described here; it changes when a reader of the former would go wrong."""

TYPES = "types"
"""What a column refers to that holds the id of a type."""
OWNER_KIND = "owner"
"""What a column refers to that holds the id of a node whose kind is in the column `type_kind`."""

Reference = Kind | str
"""A kind of node, TYPES, OWNER_KIND, or the name of the table whose id it is."""


@dataclass(frozen=True, slots=True, eq=False)
class ArchivedTable:
    """One table of an archive.

    `page` is the integer column by which it is read page by page; rows of one value are torn apart only where the
    primary key has one more column. `owner` is the column with the node whose own matter a row is. With `own_id` the
    column `id` is given anew by whoever takes the rows. What `grows` is added to a node in the course of time, and so
    to one that comes home too.
    """

    table: sa.Table
    page: str
    refers: Mapping[str, Reference] = field(default_factory=dict)
    owner: str = ""
    own_id: bool = False
    grows: bool = False

    @property
    def name(self) -> str:
        """The table's name."""
        return str(self.table.name)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in the order of an archive's rows."""
        return tuple(column.name for column in self.table.columns)


_OWNER: dict[str, Reference] = {"node_id": OWNER_KIND}

ORIGINS = ArchivedTable(IMPORTED, "node_id", _OWNER)
"""Which nodes of other stores the nodes are; first, so that they are recognised as soon as they are read."""

ARCHIVED: tuple[ArchivedTable, ...] = (
    ORIGINS,
    ArchivedTable(TYPE, "id"),
    ArchivedTable(TYPE_PROPERTY, "type_id", {"type_id": TYPES}),
    ArchivedTable(PARENT_TYPE, "type_id", {"type_id": TYPES, "parent_type_id": TYPES}),
    ArchivedTable(CONTEXT, "id", {"type_id": TYPES}),
    ArchivedTable(EXECUTION, "id", {"type_id": TYPES}),
    ArchivedTable(ARTIFACT, "id", {"type_id": TYPES}),
    ArchivedTable(CONTEXT_PROPERTY, "context_id", {"context_id": Kind.CONTEXT}),
    ArchivedTable(EXECUTION_PROPERTY, "execution_id", {"execution_id": Kind.EXECUTION}),
    ArchivedTable(ARTIFACT_PROPERTY, "artifact_id", {"artifact_id": Kind.ARTIFACT}),
    ArchivedTable(EXACT_VALUE, "node_id", _OWNER, "node_id"),
    ArchivedTable(PARENT_CONTEXT, "context_id", {"context_id": Kind.CONTEXT, "parent_context_id": Kind.CONTEXT}),
    ArchivedTable(ATTRIBUTION, "id", {"context_id": Kind.CONTEXT, "artifact_id": Kind.ARTIFACT}, own_id=True),
    ArchivedTable(ASSOCIATION, "id", {"context_id": Kind.CONTEXT, "execution_id": Kind.EXECUTION}, own_id=True),
    ArchivedTable(EVENT, "id", {"artifact_id": Kind.ARTIFACT, "execution_id": Kind.EXECUTION}, own_id=True),
    ArchivedTable(EVENT_PATH, "event_id", {"event_id": EVENT.name}),
    ArchivedTable(COLLECTION, "context_id", {"context_id": Kind.CONTEXT}, "context_id", grows=True),
    ArchivedTable(
        VERSION, "context_id", {"context_id": Kind.CONTEXT, "artifact_id": Kind.ARTIFACT}, "context_id", grows=True
    ),
    ArchivedTable(ALIAS, "context_id", {"context_id": Kind.CONTEXT}, "context_id", grows=True),
    ArchivedTable(ALIAS_MOVE, "context_id", {"context_id": Kind.CONTEXT}, "context_id", grows=True),
    ArchivedTable(
        MODEL_VERSION,
        "version_id",
        {"version_id": Kind.CONTEXT, "model_id": Kind.CONTEXT, "model_artifact_id": Kind.ARTIFACT},
        "version_id",
    ),
    ArchivedTable(MOVE_OUTCOME, "context_id", {"context_id": Kind.CONTEXT}, "context_id", grows=True),
    ArchivedTable(GATE, "model_id", {"model_id": Kind.CONTEXT}, "model_id"),
    ArchivedTable(APPROVAL, "version_id", {"version_id": Kind.CONTEXT}, "version_id", grows=True),
    ArchivedTable(TOMBSTONE, "node_id", _OWNER, "node_id"),
    ArchivedTable(PIN, "artifact_id", {"artifact_id": Kind.ARTIFACT}, "artifact_id"),
    ArchivedTable(SERIES, "id", _OWNER, "node_id", own_id=True, grows=True),
    ArchivedTable(SERIES_SEGMENT, "id", {"series_id": SERIES.name}, own_id=True),
    ArchivedTable(EVALUATION, "id", _OWNER, "node_id", own_id=True, grows=True),
    ArchivedTable(EVALUATION_PART, "evaluation_id", {"evaluation_id": EVALUATION.name}),
    ArchivedTable(
        RUN,
        "execution_id",
        {"execution_id": Kind.EXECUTION, "context_id": Kind.CONTEXT},
        "execution_id",
    ),
    ArchivedTable(MANIFEST, "artifact_id", {"artifact_id": Kind.ARTIFACT}, "artifact_id"),
    ArchivedTable(FILE, "artifact_id", {"artifact_id": Kind.ARTIFACT}, "artifact_id"),
)
"""Every table, in the order of an archive."""

BY_NAME: dict[str, ArchivedTable] = {archived.name: archived for archived in ARCHIVED}
NODE_NAMES: dict[str, Kind] = {"Context": Kind.CONTEXT, "Execution": Kind.EXECUTION, "Artifact": Kind.ARTIFACT}
"""The tables of nodes, by name."""
