"""MLMD's fifteen tables at schema version 10, as statements see them (mlmd-write contract, section 7).

These describe columns for reading and writing; `mlmd_migrations` creates them. Integers are declared wide because
Python's are; a database that was opened in place may hold narrower columns until it is widened.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Double, LargeBinary, MetaData, String, Table, UniqueConstraint
from sqlalchemy.types import TypeEngine

SCHEMA_VERSION = 10
METADATA = MetaData()


class Kind(IntEnum):
    """The three kinds of node and type; the numbers are `Type.type_kind`."""

    EXECUTION = 0
    ARTIFACT = 1
    CONTEXT = 2


def _integer(name: str, *, key: bool = False, null: bool = True) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=null and not key, autoincrement="auto" if key else False)


def _text(name: str, *, key: bool = False, null: bool = True) -> Column[str]:
    return Column(name, String, primary_key=key, nullable=null and not key)


def _table(name: str, *columns: Any) -> Table:
    return Table(name, METADATA, *columns)


def _node(name: str, *columns: Column[Any]) -> Table:
    return _table(
        name,
        _integer("id", key=True),
        _integer("type_id", null=False),
        _text("name", null=name != "Context"),
        *columns,
        _text("external_id"),
        _integer("create_time_since_epoch", null=False),
        _integer("last_update_time_since_epoch", null=False),
        UniqueConstraint("type_id", "name"),
    )


def _property(name: str, owner: str) -> Table:
    blob: TypeEngine[bytes] = LargeBinary()
    return _table(
        name,
        Column(owner, BigInteger, primary_key=True, autoincrement=False),
        _text("name", key=True),
        Column("is_custom_property", BigInteger, primary_key=True, autoincrement=False),
        _integer("int_value"),
        Column("double_value", Double),
        _text("string_value"),
        Column("byte_value", blob),
        Column("proto_value", blob),
        _integer("bool_value"),
    )


TYPE = _table(
    "Type",
    _integer("id", key=True),
    _text("name", null=False),
    _text("version"),
    _integer("type_kind", null=False),
    _text("description"),
    _text("input_type"),
    _text("output_type"),
    _text("external_id"),
)
TYPE_PROPERTY = _table(
    "TypeProperty",
    Column("type_id", BigInteger, primary_key=True, autoincrement=False),
    _text("name", key=True),
    _integer("data_type"),
)
PARENT_TYPE = _table(
    "ParentType",
    Column("type_id", BigInteger, primary_key=True, autoincrement=False),
    Column("parent_type_id", BigInteger, primary_key=True, autoincrement=False),
)

ARTIFACT = _node("Artifact", _text("uri"), _integer("state"))
EXECUTION = _node("Execution", _integer("last_known_state"))
CONTEXT = _node("Context")

ARTIFACT_PROPERTY = _property("ArtifactProperty", "artifact_id")
EXECUTION_PROPERTY = _property("ExecutionProperty", "execution_id")
CONTEXT_PROPERTY = _property("ContextProperty", "context_id")

EVENT = _table(
    "Event",
    _integer("id", key=True),
    _integer("artifact_id", null=False),
    _integer("execution_id", null=False),
    _integer("type", null=False),
    _integer("milliseconds_since_epoch"),
    UniqueConstraint("artifact_id", "execution_id", "type"),
)
EVENT_PATH = _table(
    "EventPath",
    _integer("event_id", null=False),
    _integer("is_index_step", null=False),
    _integer("step_index"),
    _text("step_key"),
)
ATTRIBUTION = _table(
    "Attribution",
    _integer("id", key=True),
    _integer("context_id", null=False),
    _integer("artifact_id", null=False),
    UniqueConstraint("context_id", "artifact_id"),
)
ASSOCIATION = _table(
    "Association",
    _integer("id", key=True),
    _integer("context_id", null=False),
    _integer("execution_id", null=False),
    UniqueConstraint("context_id", "execution_id"),
)
PARENT_CONTEXT = _table(
    "ParentContext",
    Column("context_id", BigInteger, primary_key=True, autoincrement=False),
    Column("parent_context_id", BigInteger, primary_key=True, autoincrement=False),
)
MLMD_ENV = _table("MLMDEnv", Column("schema_version", BigInteger, primary_key=True, autoincrement=False))


@dataclass(frozen=True, slots=True)
class NodeTables:
    """Where one kind of node lives."""

    kind: Kind
    node: Table
    property: Table
    owner: str
    """Name of the property table's column that points at the node."""


NODE_TABLES: dict[Kind, NodeTables] = {
    Kind.ARTIFACT: NodeTables(Kind.ARTIFACT, ARTIFACT, ARTIFACT_PROPERTY, "artifact_id"),
    Kind.EXECUTION: NodeTables(Kind.EXECUTION, EXECUTION, EXECUTION_PROPERTY, "execution_id"),
    Kind.CONTEXT: NodeTables(Kind.CONTEXT, CONTEXT, CONTEXT_PROPERTY, "context_id"),
}
