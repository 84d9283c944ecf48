"""The node types of Kubeflow's entities: looked up for reading, made or widened for writing."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_plans import Evolution
from mlmd_metadata_store.type_writes import put_types
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import TYPE, Kind

from mlmd_model_registry.kubeflow.shapes import PROPERTY_TYPES, Entity

_MESSAGES = {Kind.ARTIFACT: pb.ArtifactType, Kind.EXECUTION: pb.ExecutionType, Kind.CONTEXT: pb.ContextType}
_IDS = sa.select(TYPE.c.id, TYPE.c.name).where(
    TYPE.c.type_kind == sa.bindparam("kind"),
    TYPE.c.name.in_(sa.bindparam("ids", expanding=True)),
    TYPE.c.version.is_(None),
)


def type_ids(tx: Transaction, entities: Iterable[Entity]) -> dict[str, int]:
    """Return the ids of the types of entities of one kind that are there, by name: one statement."""
    listed = list(entities)
    names = {entity.type_name for entity in listed}
    found = tx.rows_in(_IDS, names, kind=listed[0].kind.value)
    return {name: type_id for type_id, name in found if name in names}


def written_type_id(tx: Transaction, entity: Entity) -> int:
    """Return the id of the type that a new or changed node of this entity has.

    The type is made when it is not there, and gains the properties that it lacks: of those that it declares otherwise,
    as another server made it, nothing changes.
    """
    declared = declared_properties(entity)
    type_id = type_ids(tx, (entity,)).get(entity.type_name)
    facts = None if type_id is None else tx.types.get(tx, entity.kind, type_id)
    if facts is not None:
        declared = {name: data_type for name, data_type in declared.items() if name not in facts.properties}
        if not declared:
            return facts.id
    message = _MESSAGES[entity.kind](name=entity.type_name, properties=declared)
    (made,) = put_types(tx, [(entity.kind, message)], Evolution(can_add_fields=True, can_omit_fields=True))
    if facts is not None:
        tx.types.reload(tx, (made,))
    return made


def declared_properties(entity: Entity) -> dict[str, Any]:
    """Return what the type of an entity declares."""
    return {field.key: PROPERTY_TYPES[field.form] for field in entity.fields if field.form in PROPERTY_TYPES}
