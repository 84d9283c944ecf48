"""Nodes, types, events and links as arguments of mutations, and the messages of what was given."""

from collections.abc import Mapping
from typing import Any

import graphene
from google.protobuf import json_format
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql.enums import enum_of
from mlmd_api.graphql.global_ids import database_id
from mlmd_api.graphql.properties import PropertyInput, fill_values
from mlmd_api.graphql.scalars import JSON, Int64
from mlmd_api.graphql.type_objects import MESSAGES as TYPES
from mlmd_api.graphql.type_objects import PropertyType

_NODES: dict[Kind, type[Any]] = {Kind.ARTIFACT: pb.Artifact, Kind.EXECUTION: pb.Execution, Kind.CONTEXT: pb.Context}
_STATES = {Kind.ARTIFACT: "state", Kind.EXECUTION: "last_known_state"}


def listed(kind: Any) -> Any:
    """Return the type of an argument that is a list without holes."""
    return graphene.List(graphene.NonNull(kind))


def _input(type_name: str, text: str, /, **fields: Any) -> Any:
    """Return an input type; a field is its type, or an InputField."""
    made = {
        field: kind if isinstance(kind, graphene.InputField) else graphene.InputField(kind)
        for field, kind in fields.items()
    }
    return type(type_name, (graphene.InputObjectType,), {**made, "__doc__": text})


def _node_input(kind: Kind) -> Any:
    noun = kind.name.capitalize()
    more: dict[str, Any] = {}
    if kind is not Kind.CONTEXT:
        more["state"] = enum_of(_NODES[kind].State.DESCRIPTOR)
    if kind is Kind.ARTIFACT:
        more |= {"uri": graphene.String, "update_ms": Int64}
    return _input(
        f"{noun}Input",
        f"A new {noun.lower()}, or with an id one to update. A new one needs a typeId.",
        id=graphene.ID,
        type_id=graphene.ID,
        name=graphene.String,
        external_id=graphene.String,
        properties=listed(PropertyInput),
        custom_properties=listed(PropertyInput),
        **more,
    )


NODE_INPUTS = {kind: _node_input(kind) for kind in Kind}
DeclarationInput = _input(
    "PropertyDeclarationInput",
    "A property that a type declares.",
    name=graphene.InputField(graphene.String, required=True),
    type=graphene.InputField(PropertyType, required=True),
)


def _type_input(kind: Kind) -> Any:
    noun = kind.name.capitalize()
    base = TYPES[kind].SystemDefinedBaseType.DESCRIPTOR
    more: dict[str, Any] = {"base_type": enum_of(base)} if len(base.values) > 1 else {}
    if kind is Kind.EXECUTION:
        more |= {"input_type": JSON, "output_type": JSON}
    return _input(
        f"{noun}TypeInput",
        f"A type of {noun.lower()}s.",
        name=graphene.InputField(graphene.String, required=True),
        version=graphene.String,
        description=graphene.String,
        external_id=graphene.String,
        properties=listed(DeclarationInput),
        **more,
    )


TYPE_INPUTS = {kind: _type_input(kind) for kind in Kind}
PathStepInput = _input("PathStepInput", "A place or a name; exactly one.", index=Int64, key=graphene.String)
EventInput = _input(
    "EventInput",
    "An event. Within putExecution it takes its ends from there.",
    artifact_id=graphene.ID,
    execution_id=graphene.ID,
    type=graphene.InputField(enum_of(pb.Event.Type.DESCRIPTOR), required=True),
    path=listed(PathStepInput),
    time_ms=Int64,
)


def fill_node(node: Any, kind: Kind, given: Mapping[str, Any], place: str) -> None:
    """Put what was given into the message of a node; raises InvalidArgument naming what does not fit."""
    if given.get("id") is not None:
        node.id = database_id(given["id"], kind.name.capitalize(), f"{place}.id")
    if given.get("type_id") is not None:
        node.type_id = database_id(given["type_id"], f"{kind.name.capitalize()}Type", f"{place}.typeId")
    _check_external_id(given, place)
    for field in ("name", "external_id", "uri"):
        if given.get(field) is not None:
            setattr(node, field, given[field])
    if given.get("state") is not None:
        setattr(node, _STATES[kind], _number(given["state"]))
    if given.get("update_ms") is not None:
        node.last_update_time_since_epoch = given["update_ms"]
    fill_values(node.properties, given.get("properties") or (), f"{place}.properties")
    fill_values(node.custom_properties, given.get("custom_properties") or (), f"{place}.customProperties")


def fill_type(message: Any, given: Mapping[str, Any], place: str) -> None:
    """Put what was given into the message of a type; raises InvalidArgument naming what does not fit."""
    _check_external_id(given, place)
    for field in ("name", "version", "description", "external_id"):
        if given.get(field) is not None:
            setattr(message, field, given[field])
    if given.get("base_type") is not None:
        message.base_type = _number(given["base_type"])
    for declared in given.get("properties") or ():
        if declared["name"] in message.properties:
            raise InvalidArgument(f"{place}.properties[{declared['name'][:60]!r}]: comes twice; declare it once.")
        message.properties[declared["name"]] = _number(declared["type"])
    for field in ("input_type", "output_type"):
        if given.get(field) is not None:
            try:
                json_format.ParseDict(given[field], getattr(message, field))
            except (json_format.ParseError, RecursionError, AttributeError, TypeError, ValueError):
                raise InvalidArgument(f"{place}.{field}: is no ArtifactStructType in its JSON form.") from None


def fill_event(event: pb.Event, given: Mapping[str, Any], place: str) -> None:
    """Put what was given into an event; raises InvalidArgument naming what does not fit."""
    for end in ("Artifact", "Execution"):
        field = f"{end.lower()}_id"
        if given.get(field) is not None:
            setattr(event, field, database_id(given[field], end, f"{place}.{end.lower()}Id"))
    event.type = _number(given["type"])
    if given.get("time_ms") is not None:
        event.milliseconds_since_epoch = given["time_ms"]
    for number, step in enumerate(given.get("path") or ()):
        chosen = [name for name in ("index", "key") if step.get(name) is not None]
        if len(chosen) != 1:
            raise InvalidArgument(f"{place}.path[{number}]: has {len(chosen)} of index and key; set exactly one.")
        setattr(event.path.steps.add(), chosen[0], step[chosen[0]])


def _check_external_id(given: Mapping[str, Any], place: str) -> None:
    """Refuse an empty one: nothing can be found by it, and two of them are in each other's way."""
    if given.get("external_id") == "":
        raise InvalidArgument(f"{place}.externalId: is empty; leave it out.")


def _number(member: Any) -> Any:
    return getattr(member, "value", member)
