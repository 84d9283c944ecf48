"""Writing the registry: create, change, and create or change (upsert)."""

from typing import Any

from mlmd_metadata_store.dialects import TooLong
from mlmd_metadata_store.link_writes import put_parents, store_links
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.node_writes import Rules, create_nodes, put_nodes
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.update_mask import parse_mask
from mlmd_schemas.errors import AlreadyExists, Internal, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_model_registry.changes import touch
from mlmd_model_registry.kubeflow.bodies import Body, Purpose, artifact_entity, read_body, read_document
from mlmd_model_registry.kubeflow.calls import CREATED, OK, Answer, Request
from mlmd_model_registry.kubeflow.filters import exactly
from mlmd_model_registry.kubeflow.history import note_metric
from mlmd_model_registry.kubeflow.nodes import changed_node, entity_json, new_node
from mlmd_model_registry.kubeflow.pages import Paging, Selection, node_page
from mlmd_model_registry.kubeflow.reads import Entities, entity_of, find_node
from mlmd_model_registry.kubeflow.registered import RULED, change_ruled, make_ruled, note_serving, require_served_bytes
from mlmd_model_registry.kubeflow.serving import require_serve
from mlmd_model_registry.kubeflow.shapes import (
    ARTIFACTS,
    EXPERIMENT_RUN,
    INFERENCE_SERVICE,
    METRIC,
    MODEL_VERSION,
    PARAMETER,
    PARENTS,
    REFERENCES,
    REGISTERED_MODEL,
    SERVE_MODEL,
    Entity,
)
from mlmd_model_registry.kubeflow.types import type_ids, written_type_id
from mlmd_model_registry.kubeflow.values import OLDER_API

_IN_PLACE = (METRIC, PARAMETER)
"""What a second write under one name changes, where others are told that the name is taken."""
_SERVED = {INFERENCE_SERVICE: ("desiredState", "DEPLOYED"), SERVE_MODEL: ("lastKnownState", "UNKNOWN")}
"""The field that says whether a version is to be served, and what it is when it is not said."""
_SERVING = ("DEPLOYED", "NEW", "RUNNING", "UNKNOWN")
_CREATED_ARTIFACTS = ("model-artifact", "doc-artifact")
"""What is answered with 201 when it is new; the other artifacts are with 200, as in Kubeflow's server."""


def create(tx: Transaction, entities: Entities, request: Request) -> Answer:
    """Make an entity that says itself whose it is, or an artifact that belongs to nothing."""
    document = read_document(request.body)
    entity = artifact_entity(document) if len(entities) > 1 else entities[0]
    body = read_body(document, entity, Purpose.CREATE, request.api)
    _check_value(body, None)
    node = make(tx, body, body.values.get(entity.parent, 0) if entity.parent else 0)
    return Answer(entity_json(node, entity, request.api), CREATED)


def create_below(tx: Transaction, entity: Entity, request: Request) -> Answer:
    """Make an entity below the one in the path, or change the one that the body's id names."""
    parent = request.id
    find_node(tx, (PARENTS[entity],), parent)
    body = read_body(read_document(request.body), entity, Purpose.PUT, request.api, parent=parent)
    if body.node_id is not None:
        node = find_node(tx, (entity,), body.node_id)
        if entity is SERVE_MODEL:
            require_serve(tx, parent, node.id)
        return Answer(entity_json(change(tx, body, node), entity, request.api))
    return Answer(entity_json(make(tx, body, parent), entity, request.api), CREATED)


def update(tx: Transaction, entities: Entities, request: Request) -> Answer:
    """Change an entity: fields that the body does not have stay, and customProperties are replaced as a whole."""
    node = find_node(tx, entities, request.id)
    entity = entity_of(entities, node)
    body = read_body(read_document(request.body), entity, Purpose.UPDATE, request.api)
    return Answer(entity_json(change(tx, body, node), entity, request.api))


def put_artifact(tx: Transaction, parents: Entities, request: Request) -> Answer:
    """Make or change an artifact of a model version or an experiment run.

    A body with an id changes that artifact. A metric or parameter whose name the parent has already is changed in
    place; of other artifacts a taken name raises AlreadyExists.
    """
    parent = find_node(tx, parents, request.id)
    document = read_document(request.body)
    entity = artifact_entity(document)
    body = read_body(document, entity, Purpose.PUT, request.api)
    stored = _stored_artifact(tx, body, parent.id)
    _check_value(body, stored)
    _note_run(body, parents, parent)
    if stored is None:
        node = make(tx, body, parent.id)
    else:
        node = change(tx, body, stored)
        store_links(tx, [(parent.id, node.id)], ())
    if entity is METRIC and parents == (EXPERIMENT_RUN,):
        note_metric(tx, node, parent.id)
    status = CREATED if stored is None and entity.artifact_type in _CREATED_ARTIFACTS else OK
    return Answer(entity_json(node, entity, request.api), status)


def _stored_artifact(tx: Transaction, body: Body, parent: int) -> Any:
    entity = body.entity
    if body.node_id is not None:
        stored = find_node(tx, ARTIFACTS, body.node_id)
        if stored.type != entity.type_name:
            raise InvalidArgument(f"artifactType: artifact {body.node_id} is no {entity.noun} and cannot become one.")
        return stored
    if entity not in _IN_PLACE or not body.name:
        return None
    types = tuple(type_ids(tx, (entity,)).values())
    named = exactly(Kind.ARTIFACT, name=f"{parent}:{body.name}")
    return next(iter(node_page(tx, Selection(Kind.ARTIFACT, types, filter=named), Paging(1)).nodes), None)


def _check_value(body: Body, stored: Any) -> None:
    if body.entity is METRIC and "value" not in body.values and (stored is None or body.node_id is None):
        raise InvalidArgument("value: missing; a metric is its value.")


def _note_run(body: Body, parents: Entities, parent: Any) -> None:
    if parents == (EXPERIMENT_RUN,):
        body.values["experimentRunId"] = parent.id
        if "experiment_id" in parent.properties:
            body.values["experimentId"] = parent.properties["experiment_id"].int_value


def make(tx: Transaction, body: Body, parent: int) -> Any:
    """Create an entity and hang it on its parent; return its node as it is stored.

    Raises AlreadyExists for a name or external id that is taken, NotFound when something that it names is not there.
    """
    entity = body.entity
    _check_references(tx, body)
    _check_served(tx, body)
    if entity in RULED and (parent or entity is REGISTERED_MODEL) and "experimentRunId" not in body.values:
        return stored_node(tx, entity, make_ruled(tx, body, parent))
    node = new_node(tx, body, written_type_id(tx, entity), parent)
    (node_id,) = create_nodes(tx, entity.kind, [node])
    if parent:
        link(tx, entity.kind, node_id, parent)
    if entity is SERVE_MODEL:
        note_serving(tx, node_id, body.values["modelVersionId"])
    touch(tx)
    return stored_node(tx, entity, node_id)


def link(tx: Transaction, kind: Kind, node_id: int, parent: int) -> None:
    """Hang a new node on its parent context."""
    if kind is Kind.CONTEXT:
        put_parents(tx, [pb.ParentContext(child_id=node_id, parent_id=parent)])
    elif kind is Kind.ARTIFACT:
        store_links(tx, [(parent, node_id)], (), fresh_artifacts=(node_id,))
    else:
        store_links(tx, (), [(parent, node_id)], fresh_executions=(node_id,))


def change(tx: Transaction, body: Body, node: Any) -> Any:
    """Change an entity in the fields that a body has; return its node as it is stored.

    Raises AlreadyExists for an external id that another one has, InvalidArgument for another value of what stays.
    """
    entity = body.entity
    _check_kept(body, node)
    _check_references(tx, body, node)
    _check_served(tx, body, node)
    try:
        _change(tx, body, node)
    except Internal as error:  # as MLMD has it for a name or an external id that is taken
        if body.external_id is None or isinstance(error, TooLong):
            raise
        raise AlreadyExists(f"externalId: {body.external_id!r} belongs to another {entity.kind.name.lower()}.") from (
            error
        )
    return stored_node(tx, entity, node.id)


def _check_kept(body: Body, node: Any) -> None:
    """Raise InvalidArgument when a body has another value for a field that stays as it was made."""
    own = body.entity.parent_field
    for field in body.entity.fields:
        if field.changeable or field.name not in body.values:
            continue
        kept = _stored_number(node, field.key)
        if body.values[field.name] != kept and (field is own or field.key in node.properties):
            raise InvalidArgument(
                f"{field.name}: {body.entity.noun} {node.id} keeps {kept}; leave it out, or make another one."
            )


def _stored_number(node: Any, key: str) -> int:
    """Return the integer in a property of a node, 0 when it is not there."""
    return int(node.properties[key].int_value) if key in node.properties else 0


def _change(tx: Transaction, body: Body, node: Any) -> None:
    entity = body.entity
    if entity in RULED and "experimentRunId" not in body.values:
        change_ruled(tx, body, node)
        return
    changed, paths = changed_node(tx, body, node.id, written_type_id(tx, entity))
    put_nodes(tx, entity.kind, [changed], Rules(parse_mask([*paths, "id"]), force_time=True))
    touch(tx)


def stored_node(tx: Transaction, entity: Entity, node_id: int) -> Any:
    """Return a node that this transaction wrote."""
    (node,) = nodes_by_id(tx, entity.kind, [node_id])
    return node


def _check_references(tx: Transaction, body: Body, stored: Any = None) -> None:
    """Raise NotFound for what a body names and is not there, InvalidArgument for a version of another model."""
    for name, value in body.values.items():
        entity = REFERENCES.get(name)
        if entity is None or (entity.kind is body.entity.kind is Kind.ARTIFACT):
            continue
        node = find_node(tx, (entity,), value, place=name)
        if entity is MODEL_VERSION and (stored is None or _stored_number(stored, "model_version_id") != value):
            _check_model(body, node, stored)


def _check_model(body: Body, version: Any, stored: Any) -> None:
    """Raise InvalidArgument when a version is not one of the model that the body or what it changes names."""
    before = 0 if stored is None else _stored_number(stored, "registered_model_id")
    own, model = _stored_number(version, "registered_model_id"), body.values.get("registeredModelId", before)
    if own and model and own != model:
        raise InvalidArgument(f"modelVersionId: version {version.id} is one of model {own}, not of {model}.")


def _check_served(tx: Transaction, body: Body, stored: Any = None) -> None:
    """Raise FailedPrecondition or DataLoss when the body has a version served whose files are gone or damaged."""
    if body.entity not in _SERVED:
        return
    field, unsaid = _SERVED[body.entity]
    if stored is not None and not body.values.keys() & {field, "modelVersionId"}:
        return  # a change of something else, which what is served already must not hinder
    before = {} if stored is None else entity_json(stored, body.entity, OLDER_API)
    version = int(body.values.get("modelVersionId") or before.get("modelVersionId", 0))
    if version and body.values.get(field, before.get(field, unsaid)) in _SERVING:
        require_served_bytes(tx, version)
