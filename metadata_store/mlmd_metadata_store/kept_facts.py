"""What no plain write of nodes changes, because names, aliases and numbers of the store's own tables go by it.

Collections and registered models are found by the names of their contexts, and an alias promises that what it points at
is in use and where it was. Everything else of these nodes any program may write as MLMD lets it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.tables.registry import MODEL_VERSION as NUMBERED
from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store.alias_targets import Target, aliases_of_contexts
from mlmd_metadata_store.property_writes import Property
from mlmd_metadata_store.transaction import Transaction

COLLECTION_TYPE = "mlmd.Collection"
REGISTERED_MODEL = "kf.RegisteredModel"
MODEL_VERSION = "kf.ModelVersion"
MODEL_ARTIFACT = "kf.ModelArtifact"
ARCHIVED = "ARCHIVED"
"""What the property `state` of a model or a version says when it is out of use."""

_NAMED = {
    COLLECTION_TYPE: "a collection",
    REGISTERED_MODEL: "a registered model",
    MODEL_VERSION: "a version of a registered model",
}
_VERSIONS_OF = sa.select(NUMBERED.c.version_id).where(
    NUMBERED.c.model_artifact_id.in_(sa.bindparam("ids", expanding=True))
)


def check_kept(tx: Transaction, kind: Kind, changes: Iterable[tuple[Any, Sequence[Any], Sequence[Property]]]) -> None:
    """Raise FailedPrecondition for nodes that may not be changed so; the statements do not grow with the nodes.

    Each change is the node as it is stored, its new columns (type, name, external id, and an artifact's uri) and the
    properties that become others. Nodes of other types cost nothing.
    """
    archived: list[int] = []
    moved: list[int] = []
    for stored, row, changed in changes:
        if kind is Kind.CONTEXT and stored.type in _NAMED:
            if row[1] != tx.text.encode(stored.name):
                raise _keeps_its_name(stored)
            if stored.type == MODEL_VERSION and any(map(_archives, changed)):
                archived.append(stored.id)
        elif kind is Kind.ARTIFACT and stored.type == MODEL_ARTIFACT and row[3] != tx.text.encode(stored.uri):
            moved.append(stored.id)
    if archived:
        _refuse_aliased(tx, archived, "properties.state", "it cannot be archived")
    if moved:
        versions = [version_id for (version_id,) in tx.rows_in(_VERSIONS_OF, moved)]
        _refuse_aliased(tx, versions, "uri", "its uri cannot change")


def _archives(changed: Property) -> bool:
    _, custom, name, value = changed
    return not custom and name == "state" and value.string_value == ARCHIVED


def _keeps_its_name(stored: Any) -> FailedPrecondition:
    return FailedPrecondition(
        f"name: context {stored.id} is {_NAMED[stored.type]} and keeps its name {stored.name[:255]!r}, because it is "
        "found by it; make another one instead."
    )


def _refuse_aliased(tx: Transaction, version_ids: Sequence[int], field: str, consequence: str) -> None:
    targets: list[Target] = aliases_of_contexts(tx, version_ids, locked=True) if version_ids else []
    for version_id, model, alias in targets:
        raise FailedPrecondition(
            f"{field}: {alias!r} of the registered model {model!r} points at the version of context {version_id}, so "
            f"{consequence}; move the alias first."
        )
