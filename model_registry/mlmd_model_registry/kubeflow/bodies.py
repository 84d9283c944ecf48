"""A request's JSON document, checked field by field.

Sentences for unknown and missing fields begin as those of Kubeflow's own server, whose clients look for them.
"""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.json_names import names_once
from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_model_registry.kubeflow.shapes import BY_ARTIFACT_TYPE, Entity, Field
from mlmd_model_registry.kubeflow.values import OLDER_API, checked_id, checked_text, read_custom, read_field

_READ_ONLY = ("createTimeSinceEpoch", "lastUpdateTimeSinceEpoch")
_LONGEST_INTEGER = 400
"""Characters of an integer that is read digit by digit; every longer one is more than any field takes."""


class MissingField(InvalidArgument):
    """A field that has to be there is not, which HTTP tells with a status of its own."""


class Purpose(Enum):
    """What a body is sent for, which decides about the fields that it may have."""

    CREATE = "create"
    UPDATE = "update"
    PUT = "put"
    """Create, or update what `id` names: such bodies are whole entities."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a request says of an entity. None and fields that are not there leave what is stored as it is."""

    entity: Entity
    values: dict[str, Any]
    """Checked values by the names of fields."""
    name: str | None = None
    external_id: str | None = None
    custom: dict[str, pb.Value] | None = None
    node_id: int | None = None


def read_document(raw: str) -> dict[str, Any]:
    """Return the JSON object of a request; raises InvalidArgument."""
    try:
        document = json.loads(raw, parse_constant=_no_constant, parse_int=_integer, object_pairs_hook=names_once)
    except RecursionError:
        raise InvalidArgument("body: the JSON is nested too deep; flatten it.") from None
    except ValueError as error:
        told = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise InvalidArgument(f"body: no JSON that can be read: {told[:200]}.") from None
    if not isinstance(document, dict):
        raise InvalidArgument("body: the API takes a JSON object here.")
    return {key: value for key, value in document.items() if value is not None}


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _integer(digits: str) -> int | float:
    """Return an integer, or infinity for what is too long to be one: then its field is told, and not Python's limit."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def artifact_entity(document: dict[str, Any]) -> Entity:
    """Return the entity of an artifact's document by its artifactType; raises InvalidArgument."""
    given = document.get("artifactType")
    if given is None:
        raise InvalidArgument(f"artifactType: missing; it is one of {', '.join(BY_ARTIFACT_TYPE)}.")
    entity = BY_ARTIFACT_TYPE.get(given) if isinstance(given, str) else None
    if entity is None:
        raise InvalidArgument(f"artifactType: {str(given)[:40]!r} is none of {', '.join(BY_ARTIFACT_TYPE)}.")
    return entity


def read_body(document: dict[str, Any], entity: Entity, purpose: Purpose, api: str, *, parent: int = 0) -> Body:
    """Return the checked body for an entity of a version of the API.

    `parent` is the id in the path, when there is one: the body need not repeat it and must not contradict it. Raises
    InvalidArgument for unknown fields and wrong types, MissingField.
    """
    fields = {field.name: field for field in entity.fields if _is_taken(field, purpose, api)}
    _check_known(document, entity, purpose, fields, api)
    values = {
        name: read_field(field, document[name], api)
        for name, field in fields.items()
        if name in document and not (field.required and document[name] == "")
    }
    own = entity.parent_field
    if parent and own is not None and values.setdefault(own.name, parent) != parent:
        raise InvalidArgument(f"{own.name}: {values[own.name]} is not the {parent} of the path; leave it out.")
    name = checked_text("name", document["name"]) if "name" in document else None
    external_id = checked_text("externalId", document["externalId"]) if "externalId" in document else None
    custom = read_custom(document["customProperties"]) if "customProperties" in document else None
    node_id = checked_id("id", document["id"]) if document.get("id", "") != "" else None
    if purpose is not Purpose.UPDATE and node_id is None:
        _check_required(entity, document, values)
    return Body(entity, values, name, external_id, custom, node_id)


def _is_taken(field: Field, purpose: Purpose, api: str) -> bool:
    if not field.given or (field.until and api != OLDER_API):
        return False
    return field.changeable or purpose is not Purpose.UPDATE


def _check_known(
    document: dict[str, Any], entity: Entity, purpose: Purpose, fields: dict[str, Field], api: str
) -> None:
    known = {"customProperties", "externalId", *fields}
    if purpose is not Purpose.UPDATE:
        known.add("name")
    said_by_server: set[str] = set()
    if purpose is Purpose.PUT:
        said_by_server.update(_READ_ONLY)
        said_by_server.update(field.name for field in entity.fields if not field.given and field.until in ("", api))
        known.update(("id", *said_by_server))
    if entity.artifact_type:
        known.add("artifactType")
        if document.get("artifactType", entity.artifact_type) != entity.artifact_type:
            raise InvalidArgument(
                f"artifactType: this is a {entity.artifact_type} and cannot become a "
                f"{str(document['artifactType'])[:40]!r}."
            )
    for key, value in document.items():
        if key not in known:
            raise InvalidArgument(f'json: unknown field "{key[:80]}"')
        if key in said_by_server:
            checked_text(key, value)


def _check_required(entity: Entity, document: dict[str, Any], values: dict[str, Any]) -> None:
    wanted = ["name"] if entity.named else []
    wanted += [field.name for field in entity.fields if field.required]
    for name in wanted:
        if not document.get(name) and not values.get(name):
            raise MissingField(f"required field '{name}' is zero value.")
