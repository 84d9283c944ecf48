"""The history of MLMD's tables, schema versions 0 to 10 (mlmd-write contract, sections 7 and 8), as data.

History is frozen: nothing here follows the code that reads and writes the tables. Tables stand in the order in which
Google's server creates them; columns stand in the order of a table created at version 10.
"""

from mlmd_migrations.shapes import Column, Index, Table, Unique

LATEST = 10


def _times(since: int) -> tuple[Column, Column]:
    return (
        Column("create_time_since_epoch", "ms", True, since),
        Column("last_update_time_since_epoch", "ms", True, since),
    )


def _external_id(table: str) -> Unique:
    return Unique(("external_id",), "external_id", f"Unique{table}ExternalId", since=9)


def _plain(table: str, column: str, since: int) -> Index:
    return Index(f"idx_{table.lower()}_{column}", (column,), since)


def _node_indexes(table: str) -> tuple[Index, ...]:
    return (
        _plain(table, "create_time_since_epoch", 6),
        _plain(table, "last_update_time_since_epoch", 6),
        _plain(table, "external_id", 9),
    )


def _property(owner: str, since: int) -> Table:
    table, column = f"{owner}Property", f"{owner.lower()}_id"
    values = (("int", "int_value"), ("double", "double_value"), ("string", "string_value"))
    return Table(
        table,
        (
            Column(column, "reference", True),
            Column("name", "key", True),
            Column("is_custom_property", "flag", True),
            Column("int_value", "wide"),
            Column("double_value", "double"),
            Column("string_value", "value_text"),
            Column("byte_value", "bytes", since=7),
            Column("proto_value", "bytes", since=10),
            Column("bool_value", "bool", since=10),
        ),
        primary_key=(column, "name", "is_custom_property"),
        indexes=tuple(
            Index(f"idx_{owner.lower()}_property_{kind}", ("name", "is_custom_property", value), 8, partial=True)
            for kind, value in values
        ),
        since=since,
    )


def _membership(table: str, member: str) -> Table:
    columns = ("context_id", member)
    return Table(
        table,
        (Column("id", "auto"), *(Column(column, "reference", True) for column in columns)),
        uniques=(Unique(columns, "context_id"),),
        indexes=(Index(f"idx_{table.lower()}_{member}", (member,), 4, extra=True),),
        since=4,
    )


TYPE = Table(
    "Type",
    (
        Column("id", "auto"),
        Column("name", "key", True),
        Column("version", "key", since=6),
        Column("is_artifact_type", "flag", True, until=2, renamed_from="type_kind"),
        Column("type_kind", "flag", True, since=2, renamed_from="is_artifact_type"),
        Column("description", "text", since=6),
        Column("input_type", "text"),
        Column("output_type", "text"),
        Column("external_id", "key", since=9),
    ),
    uniques=(_external_id("Type"),),
    indexes=(_plain("Type", "name", 6), _plain("Type", "external_id", 9)),
)
TYPE_PROPERTY = Table(
    "TypeProperty",
    (Column("type_id", "reference", True), Column("name", "key", True), Column("data_type", "int")),
    primary_key=("type_id", "name"),
)
PARENT_TYPE = Table(
    "ParentType",
    (Column("type_id", "reference", True), Column("parent_type_id", "reference", True)),
    primary_key=("type_id", "parent_type_id"),
    since=6,
)
ARTIFACT = Table(
    "Artifact",
    (
        Column("id", "auto"),
        Column("type_id", "reference", True),
        Column("uri", "text"),
        Column("state", "int", since=5),
        Column("name", "key", since=5),
        Column("external_id", "key", since=9),
        *_times(5),
    ),
    uniques=(_external_id("Artifact"), Unique(("type_id", "name"), "UniqueArtifactTypeName", since=5)),
    indexes=(_plain("Artifact", "uri", 6), *_node_indexes("Artifact")),
)
EXECUTION = Table(
    "Execution",
    (
        Column("id", "auto"),
        Column("type_id", "reference", True),
        Column("last_known_state", "int", since=5),
        Column("name", "key", since=5),
        Column("external_id", "key", since=9),
        *_times(5),
    ),
    uniques=(_external_id("Execution"), Unique(("type_id", "name"), "UniqueExecutionTypeName", since=5)),
    indexes=_node_indexes("Execution"),
)
EVENT = Table(
    "Event",
    (
        Column("id", "auto"),
        Column("artifact_id", "reference", True),
        Column("execution_id", "reference", True),
        Column("type", "int", True),
        Column("milliseconds_since_epoch", "event_ms"),
    ),
    uniques=(Unique(("artifact_id", "execution_id", "type"), "UniqueEvent", since=8),),
    indexes=(
        Index("idx_event_artifact_id", ("artifact_id",), 6, until=8),
        _plain("Event", "execution_id", 6),
    ),
)
EVENT_PATH = Table(
    "EventPath",
    (
        Column("event_id", "reference", True),
        Column("is_index_step", "flag", True),
        Column("step_index", "wide"),
        Column("step_key", "text"),
    ),
    indexes=(_plain("EventPath", "event_id", 7),),
)
ENVIRONMENT = Table("MLMDEnv", (Column("schema_version", "version"),), since=1)
CONTEXT = Table(
    "Context",
    (
        Column("id", "auto"),
        Column("type_id", "reference", True),
        Column("name", "key", True),
        Column("external_id", "key", since=9),
        *_times(5),
    ),
    uniques=(Unique(("type_id", "name"), "type_id"), _external_id("Context")),
    indexes=_node_indexes("Context"),
    since=3,
)
PARENT_CONTEXT = Table(
    "ParentContext",
    (Column("context_id", "reference", True), Column("parent_context_id", "reference", True)),
    primary_key=("context_id", "parent_context_id"),
    indexes=(_plain("ParentContext", "parent_context_id", 6),),
    since=6,
)

TABLES: tuple[Table, ...] = (
    TYPE,
    TYPE_PROPERTY,
    PARENT_TYPE,
    ARTIFACT,
    _property("Artifact", 0),
    EXECUTION,
    _property("Execution", 0),
    EVENT,
    EVENT_PATH,
    ENVIRONMENT,
    CONTEXT,
    _property("Context", 3),
    PARENT_CONTEXT,
    _membership("Association", "execution_id"),
    _membership("Attribution", "artifact_id"),
)
TABLE: dict[str, Table] = {table.name: table for table in TABLES}
PROPERTY_TABLES = ("ArtifactProperty", "ExecutionProperty", "ContextProperty")


def tables_at(version: int) -> tuple[Table, ...]:
    """MLMD's tables as schema `version` (0 to 10) has them."""
    return tuple(table.at(version) for table in TABLES if table.since <= version)
