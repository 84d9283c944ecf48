"""Reading the registry: one entity by id, by name or by external id, and lists."""

from collections.abc import Sequence
from typing import Any

from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import InvalidArgument, NotFound

from mlmd_model_registry.kubeflow.calls import Answer, Request
from mlmd_model_registry.kubeflow.filters import both, exactly, parse_filter_query
from mlmd_model_registry.kubeflow.nodes import entity_json
from mlmd_model_registry.kubeflow.pages import Page, Paging, Selection, node_page, read_paging
from mlmd_model_registry.kubeflow.shapes import BY_ARTIFACT_TYPE, MODEL_VERSION, REGISTERED_MODEL, Entity, by_type
from mlmd_model_registry.kubeflow.types import type_ids

Entities = tuple[Entity, ...]
"""What a call is about: one entity, or all kinds of artifact."""

_LONGEST_KNOWN_ID = 9
"""Digits of an id in Kubeflow's API; a longer one that is not there is told to be malformed, as there."""

_PRINTED = (REGISTERED_MODEL, MODEL_VERSION)
"""What takes no name with characters that do not print."""


def noun_of(entities: Entities) -> str:
    """Return what sentences call these entities."""
    return entities[0].noun if len(entities) == 1 else "artifact"


def find_node(tx: Transaction, entities: Entities, node_id: int, *, place: str = "id") -> Any:
    """Return the node of one of these entities; raises NotFound."""
    nodes = nodes_by_id(tx, entities[0].kind, [node_id])
    if nodes and any(nodes[0].type == entity.type_name for entity in entities):
        return nodes[0]
    if len(str(node_id)) > _LONGEST_KNOWN_ID:
        raise InvalidArgument(f"{place}: {node_id} is no id of this registry.")
    noun = noun_of(entities)
    raise NotFound(f"{place}: there is no {noun} with id {node_id}.")


def entity_of(entities: Entities, node: Any) -> Entity:
    """Return which of the entities a node is."""
    return by_type(entities)[node.type]


def get(tx: Transaction, entities: Entities, request: Request) -> Answer:
    """Answer with one entity; raises NotFound."""
    node = find_node(tx, entities, request.id)
    return Answer(entity_json(node, entity_of(entities, node), request.api))


def find(tx: Transaction, entities: Entities, request: Request) -> Answer:
    """Answer with the one entity of a name, of an external id, or of both.

    Names of owned entities need their parent's id. Raises InvalidArgument when too little is said, and NotFound when
    nothing matches or more than one does.
    """
    name, external_id, parent = request.text("name"), request.text("externalId"), request.parent()
    owned = entities[0].owned
    if name and entities[0] in _PRINTED and not name.isprintable():
        raise InvalidArgument(f"name: {name[:40]!r} holds characters that do not print, which no such name has.")
    if owned and not (name and parent) and not external_id:
        raise InvalidArgument("name: give a name together with parentResourceId, or an externalId.")
    if not name and not external_id:
        raise InvalidArgument("name: give a name or an externalId.")
    wanted: dict[str, str] = {}
    if name and (parent or not owned):
        wanted["name"] = f"{parent}:{name}" if owned else name
    if external_id:
        wanted["external_id"] = external_id
    kind = entities[0].kind
    types = tuple(type_ids(tx, entities).values())
    page = node_page(tx, Selection(kind, types, filter=exactly(kind, **wanted)), Paging(size=2))
    if len(page.nodes) != 1:
        if len(str(parent)) > _LONGEST_KNOWN_ID:
            raise InvalidArgument(f"parentResourceId: {parent} is no id of this registry.")
        several = "more than one" if page.nodes else "no"
        said = ", ".join(f"{key}={value!r}" for key, value in request.query.items() if value)
        raise NotFound(f"There is {several} {noun_of(entities)} with {said[:300]}.")
    return Answer(entity_json(page.nodes[0], entity_of(entities, page.nodes[0]), request.api))


def list_all(tx: Transaction, entities: Entities, request: Request) -> Answer:
    """Answer with a page of all entities of a kind, of one artifactType when the request asks so."""
    return _listed(tx, _of_artifact_type(entities, request), request, 0)


def list_below(tx: Transaction, parents: Entities, entities: Entities, request: Request) -> Answer:
    """Answer with a page of what belongs to the entity in the path; raises NotFound when that is not there."""
    parent = find_node(tx, parents, request.id)
    return _listed(tx, _of_artifact_type(entities, request), request, parent.id)


def _of_artifact_type(entities: Entities, request: Request) -> Entities:
    given = request.query.get("artifactType")
    if not given or len(entities) == 1:
        return entities
    if given not in BY_ARTIFACT_TYPE:
        raise InvalidArgument(f"artifactType: {given[:40]!r} is none of {', '.join(BY_ARTIFACT_TYPE)}.")
    return (BY_ARTIFACT_TYPE[given],)


def _listed(tx: Transaction, entities: Entities, request: Request, parent: int) -> Answer:
    paging = read_paging(request.query)
    page = node_page(tx, selection(tx, entities, request, parent), paging)
    return list_answer(page, entities, paging, request.api)


def selection(tx: Transaction, entities: Entities, request: Request, parent: int) -> Selection:
    """Return what a list holds by the parameters of its request; raises InvalidArgument for a wrong filterQuery."""
    kind = entities[0].kind
    wanted: dict[str, str] = {}
    if parent:
        name, external_id = request.text("name"), request.text("externalId")
        if name:
            wanted["name"] = f"{parent}:{name}"
        if external_id:
            wanted["external_id"] = external_id
    text = request.query.get("filterQuery", "").strip()
    query = parse_filter_query(entities, text) if text else None
    types = tuple(sorted(type_ids(tx, entities).values()))
    return Selection(kind, types, parent, both(exactly(kind, **wanted), query))


def list_answer(page: Page, entities: Sequence[Entity], paging: Paging, api: str) -> Answer:
    """Return a page as the API shows lists."""
    named = by_type(entities)
    items = [entity_json(node, named[node.type], api) for node in page.nodes]
    return Answer({"items": items, "nextPageToken": page.token, "pageSize": paging.size, "size": len(items)})
