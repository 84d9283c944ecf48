"""Models, versions and their model artifacts written by the registry's own rules.

So a model that Kubeflow's client registers has numbers, aliases and a place in the lineage graph, and is no other thing
than one that `mlmd.v1.ModelRegistry` made.
"""

from typing import Any

from mlmd_metadata_store.event_writes import store_events
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.update_mask import parse_mask
from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_model_registry.kubeflow.bodies import Body
from mlmd_model_registry.kubeflow.nodes import changed_node, new_node, shown_name
from mlmd_model_registry.kubeflow.shapes import MODEL_ARTIFACT, MODEL_VERSION, REGISTERED_MODEL, Entity
from mlmd_model_registry.kubeflow_types import LIVE
from mlmd_model_registry.models import create_model, lock_model, model_by_id, replace_model
from mlmd_model_registry.version_bytes import require_bytes, require_restorable
from mlmd_model_registry.version_reads import version_by_id
from mlmd_model_registry.versions import (
    attach_artifact,
    change_artifact,
    create_version,
    hold_version,
    replace_version,
    require_number,
)

RULED: tuple[Entity, ...] = (REGISTERED_MODEL, MODEL_VERSION, MODEL_ARTIFACT)
"""The entities that the registry has rules of its own for; model artifacts only below a version."""


def make_ruled(tx: Transaction, body: Body, parent: int) -> int:
    """Create a model, a version of the model `parent`, or a model artifact of the version `parent`; return its id.

    Raises AlreadyExists for a taken name, InvalidArgument for one that cannot be, FailedPrecondition for a version of
    an archived model.
    """
    node = new_node(tx, body, 0, parent)
    if body.entity is REGISTERED_MODEL:
        return create_model(tx, node).id
    if body.entity is MODEL_VERSION:
        return create_version(tx, model_by_id(tx, parent), body.name or "", node).id
    node.name = shown_name(body.entity, node.name)
    return attach_artifact(tx, version_by_id(tx, parent), node)


def note_serving(tx: Transaction, execution_id: int, version_id: int) -> None:
    """Let a new serve model read the artifact of its version, so that what an artifact leads to ends at what runs."""
    version = require_number(tx, version_by_id(tx, version_id))
    if version.artifact_id:
        event = pb.Event(artifact_id=version.artifact_id, execution_id=execution_id, type=pb.Event.INPUT)
        store_events(tx, [event])


def require_served_bytes(tx: Transaction, version_id: int) -> None:
    """Raise FailedPrecondition or DataLoss for a version that is to be served and whose files are gone or damaged.

    One that has no artifact yet passes, as it does in Kubeflow's server: it may get one before it runs.
    """
    version = version_by_id(tx, version_id)
    if version.artifact_id:
        hold_version(tx, version)
        require_bytes(tx, version)


def change_ruled(tx: Transaction, body: Body, node: Any) -> None:
    """Change a model, a version or a model artifact in the fields that a body has.

    Raises FailedPrecondition while an alias forbids it: archiving a version that one points at, or moving its bytes; or
    when a version is to be LIVE again whose bytes were deleted.
    """
    if body.entity is REGISTERED_MODEL:
        lock_model(tx, node.id)  # so that two changes of other fields do not undo each other
        replace_model(tx, node.id, _merged(tx, body, model_by_id(tx, node.id).context))
    elif body.entity is MODEL_VERSION:
        lock_model(tx, version_by_id(tx, node.id).model_id)
        version = version_by_id(tx, node.id)
        if body.values.get("state") == LIVE:
            require_restorable(tx, version)
        replace_version(tx, version, _merged(tx, body, version.context))
    else:
        changed, paths = changed_node(tx, body, node.id, node.type_id)
        change_artifact(tx, node.id, changed, parse_mask([*paths, "id"]))


def _merged(tx: Transaction, body: Body, stored: pb.Context) -> pb.Context:
    """Return a stored context with what a body changes."""
    changed, paths = changed_node(tx, body, stored.id, stored.type_id)
    merged = pb.Context()
    merged.CopyFrom(stored)
    for key in changed.properties:
        merged.properties[key].CopyFrom(changed.properties[key])
    if "external_id" in paths:
        merged.ClearField("external_id")
        if changed.HasField("external_id"):
            merged.external_id = changed.external_id
    if "custom_properties" in paths:
        merged.custom_properties.clear()
        for key in changed.custom_properties:
            merged.custom_properties[key].CopyFrom(changed.custom_properties[key])
    return merged
