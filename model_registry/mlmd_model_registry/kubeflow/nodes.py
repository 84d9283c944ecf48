"""Entities as MLMD's nodes, and nodes as the JSON of entities."""

import uuid
from collections.abc import Mapping
from typing import Any

from mlmd_metadata_store.node_rows import MESSAGES
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_model_registry.kubeflow.bodies import Body
from mlmd_model_registry.kubeflow.shapes import Entity, Field, Form
from mlmd_model_registry.kubeflow.values import OLDER_API, custom_json, field_json, field_value

LONGEST_NAME = 255
"""Characters of a stored name, its prefix included: what Kubeflow's own column holds, so it is so on every database."""

_STATES: dict[Kind, tuple[str, Any]] = {
    Kind.ARTIFACT: ("state", pb.Artifact.State),
    Kind.EXECUTION: ("last_known_state", pb.Execution.State),
}


def stored_name(tx: Transaction, entity: Entity, name: str | None, owner: int = 0) -> str:
    """Return the name of a new node: behind the owner's id where the entity is owned, made up where it has none.

    Raises InvalidArgument for a name that does not fit the column.
    """
    shown = name or str(uuid.uuid4())
    whole = f"{owner or uuid.uuid4()}:{shown}" if entity.owned else shown
    if too_long := _too_long(tx, whole):
        counted = "with the id of its parent it" if entity.owned else "it"
        raise InvalidArgument(f"name: {shown[:40]!r}… is too long: {counted} has {too_long}.")
    return whole


def _too_long(tx: Transaction, text: str) -> str:
    """Say how long a text is that does not fit the column of names, "" for one that does.

    The column counts bytes where text is kept as Google's server keeps it, and characters elsewhere.
    """
    length = len(tx.text.encode(text))
    if length <= LONGEST_NAME:
        return ""
    return f"{length} {'characters' if tx.text.plain else 'bytes'}, and {LONGEST_NAME} fit"


def shown_name(entity: Entity, name: str) -> str:
    """Return a node's name without the prefix of its owner."""
    return name.partition(":")[2] if entity.owned and ":" in name else name


def new_node(tx: Transaction, body: Body, type_id: int, owner: int = 0) -> Any:
    """Return the node for an entity that is created, with the defaults of its fields."""
    entity = body.entity
    node = MESSAGES[entity.kind](type_id=type_id, name=stored_name(tx, entity, body.name, owner))
    defaults = {field.name: field.default for field in entity.fields if field.default}
    set_fields(tx, node, entity, defaults | body.values)
    _set_rest(tx, node, body)
    return node


def changed_node(tx: Transaction, body: Body, node_id: int, type_id: int) -> tuple[Any, list[str]]:
    """Return the node that an update sends, and the paths of what it touches."""
    node = MESSAGES[body.entity.kind](id=node_id, type_id=type_id)
    paths = set_fields(tx, node, body.entity, body.values)
    _set_rest(tx, node, body)
    if body.external_id is not None:
        paths.append("external_id")
    if body.custom is not None:
        paths.append("custom_properties")
    return node, paths


def _set_rest(tx: Transaction, node: Any, body: Body) -> None:
    """Set the external id, of which an empty one is none, and the custom properties."""
    if body.external_id:
        if too_long := _too_long(tx, body.external_id):
            raise InvalidArgument(f"externalId: {body.external_id[:40]!r}… has {too_long}.")
        node.external_id = body.external_id
    for name, value in (body.custom or {}).items():
        if too_long := _too_long(tx, name):
            raise InvalidArgument(f"customProperties: the name {name[:40]!r}… has {too_long}.")
        node.custom_properties[name].CopyFrom(value)


def set_fields(tx: Transaction, node: Any, entity: Entity, values: Mapping[str, Any]) -> list[str]:
    """Set a node's columns and properties from checked values; return the paths of what was set."""
    paths = []
    for field in entity.fields:
        if field.name in values:
            paths.append(_set_field(tx, node, entity.kind, field, values[field.name]))
    return paths


def _set_field(tx: Transaction, node: Any, kind: Kind, field: Field, value: Any) -> str:
    if field.form is Form.URI:
        length, longest = len(value.encode("utf-8")), tx.dialect.longest_text_bytes
        if length > longest:  # where a column takes less, the database says so
            raise InvalidArgument(f"uri: has {length} bytes, more than the {longest} that this database keeps.")
        node.uri = value
        return "uri"
    if field.form is Form.STATE:
        column, states = _STATES[kind]
        setattr(node, column, states.Value(value))
        return column
    node.properties[field.key].CopyFrom(field_value(field, value))
    return f"properties.{field.key}"


def entity_json(node: Any, entity: Entity, api: str) -> dict[str, Any]:
    """Return the JSON of an entity as a version of the API shows it."""
    shown: dict[str, Any] = {
        "id": str(node.id),
        "name": shown_name(entity, node.name),
        "createTimeSinceEpoch": str(node.create_time_since_epoch),
        "lastUpdateTimeSinceEpoch": str(node.last_update_time_since_epoch),
        "customProperties": {
            name: custom_json(node.custom_properties[name]) for name in sorted(node.custom_properties)
        },
    }
    if node.HasField("external_id"):
        shown["externalId"] = node.external_id
    if entity.artifact_type:
        shown["artifactType"] = entity.artifact_type
    for field in entity.fields:
        if field.until and api != OLDER_API:
            continue
        value = _shown_field(node, entity.kind, field, api)
        if value is not None:
            shown[field.name] = value
    return shown


def _shown_field(node: Any, kind: Kind, field: Field, api: str) -> Any:
    if field.form is Form.URI:
        return node.uri if node.HasField("uri") else None
    if field.form is Form.STATE:
        column, states = _STATES[kind]
        return states.Name(getattr(node, column))
    if field.key in node.properties:
        return field_json(field, node.properties[field.key], api)
    return field.default or None
