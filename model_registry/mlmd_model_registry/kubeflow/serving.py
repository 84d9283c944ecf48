"""What an inference service serves: its registered model and its model version."""

from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import NotFound
from mlmd_schemas.tables.v10 import ASSOCIATION

from mlmd_model_registry.kubeflow.calls import Answer, Request
from mlmd_model_registry.kubeflow.nodes import entity_json
from mlmd_model_registry.kubeflow.pages import Paging, Selection, node_page
from mlmd_model_registry.kubeflow.reads import find_node
from mlmd_model_registry.kubeflow.shapes import (
    INFERENCE_SERVICE,
    MODEL_VERSION,
    REGISTERED_MODEL,
    SERVE_MODEL,
    Entity,
)
from mlmd_model_registry.kubeflow.types import type_ids

_SERVE = sa.select(ASSOCIATION.c.id).where(
    ASSOCIATION.c.context_id == sa.bindparam("service"), ASSOCIATION.c.execution_id == sa.bindparam("serve")
)


def served_model(tx: Transaction, request: Request) -> Answer:
    """Answer with the registered model of the inference service in the path; raises NotFound."""
    service = find_node(tx, (INFERENCE_SERVICE,), request.id)
    model = find_node(tx, (REGISTERED_MODEL,), _named(service, "registered_model_id", REGISTERED_MODEL))
    return Answer(entity_json(model, REGISTERED_MODEL, request.api))


def served_version(tx: Transaction, request: Request) -> Answer:
    """Answer with the version that the service names, else with the newest of its model; raises NotFound."""
    service = find_node(tx, (INFERENCE_SERVICE,), request.id)
    if "model_version_id" in service.properties:
        version = find_node(tx, (MODEL_VERSION,), service.properties["model_version_id"].int_value)
    else:
        version = newest_version(tx, _named(service, "registered_model_id", REGISTERED_MODEL))
    return Answer(entity_json(version, MODEL_VERSION, request.api))


def newest_version(tx: Transaction, model_id: int) -> Any:
    """Return the model's version with the highest id; raises NotFound when it has none."""
    types = tuple(type_ids(tx, (MODEL_VERSION,)).values())
    newest = Paging(size=1, ascending=False)
    page = node_page(tx, Selection(MODEL_VERSION.kind, types, model_id), newest)
    if not page.nodes:
        raise NotFound(f"registeredModelId: registered model {model_id} has no version yet.")
    return page.nodes[0]


def require_serve(tx: Transaction, service_id: int, serve_id: int) -> None:
    """Raise NotFound for a serve model that is none of this service's."""
    if not tx.rows(_SERVE, {"service": service_id, "serve": serve_id}):
        place = f"{INFERENCE_SERVICE.noun} {service_id}"
        raise NotFound(f"id: there is no {SERVE_MODEL.noun} with id {serve_id} in {place}.")


def _named(node: Any, key: str, entity: Entity) -> int:
    if key not in node.properties:
        raise NotFound(f"id: the {INFERENCE_SERVICE.noun} {node.id} names no {entity.noun}.")
    return int(node.properties[key].int_value)
