"""Messages as arguments: the input type of a message, and the message of what was given."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import graphene
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from mlmd_schemas.descriptors import is_map, is_repeated
from mlmd_schemas.errors import InvalidArgument

from mlmd_api.graphql.entities import checked_key
from mlmd_api.graphql.messages import REFERENCES, scalar_of
from mlmd_api.graphql.objects import camel

_OWNERS = ("Artifact", "Execution")


def arguments_of(kind: type[Message], *leave_out: str, **required: bool) -> dict[str, Any]:
    """Return arguments for the fields of a request, by the names of its .proto file."""
    return {
        field.name: graphene.Argument(_type_of(field), required=required.get(field.name, False))
        for field in kind.DESCRIPTOR.fields
        if field.name not in leave_out
    }


@cache
def input_of(descriptor: Descriptor) -> Any:
    """Return the input type of a message: `MatrixCountsInput` for MatrixCounts."""
    fields = {field.name: graphene.InputField(_type_of(field)) for field in descriptor.fields}
    suffix = "" if descriptor.name.endswith("Input") else "Input"
    return type(f"{descriptor.name}{suffix}", (graphene.InputObjectType,), fields)


def _type_of(field: Any) -> Any:
    if is_map(field):
        value = scalar_of(field.message_type.fields_by_name["value"])
        return graphene.List(graphene.NonNull(_entry_input(value)))
    if field.message_type is None:
        kind = scalar_of(field)
    else:
        kind = graphene.ID if field.message_type.name in REFERENCES else input_of(field.message_type)
    return graphene.List(graphene.NonNull(kind)) if is_repeated(field) else kind


@cache
def _entry_input(kind: Any) -> Any:
    word = "Number" if kind.__name__ == "Double" else kind.__name__
    fields = {
        "name": graphene.InputField(graphene.String, required=True),
        "value": graphene.InputField(kind, required=True),
    }
    return type(f"Named{word}Input", (graphene.InputObjectType,), fields)


def message_of(kind: type[Message], given: Mapping[str, Any]) -> Any:
    """Return the message of these arguments; raises InvalidArgument naming the one that does not fit."""
    message = kind()
    _fill(message, given, "")
    return message


def _fill(message: Any, given: Mapping[str, Any], place: str) -> None:
    for field in message.DESCRIPTOR.fields:
        value = given.get(field.name)
        if value is None:
            continue
        where = f"{place}{camel(field.name)}"
        if is_map(field):
            _fill_map(getattr(message, field.name), value, where)
        elif is_repeated(field):
            _extend(getattr(message, field.name), field, value, where)
        elif field.message_type is not None:
            target = getattr(message, field.name)
            target.SetInParent()
            _fill_message(target, value, where)
        else:
            setattr(message, field.name, getattr(value, "value", value))


def _fill_map(entries: Any, given: Any, where: str) -> None:
    for entry in given:
        name = entry["name"]
        if name in entries:
            raise InvalidArgument(f"{where}[{name[:60]!r}]: comes twice; give each name once.")
        entries[name] = entry["value"]


def _extend(target: Any, field: Any, values: Any, where: str) -> None:
    if field.message_type is None:
        target.extend(getattr(value, "value", value) for value in values)
        return
    for place, value in enumerate(values):
        _fill_message(target.add(), value, f"{where}[{place}]")


def _fill_message(target: Any, value: Any, where: str) -> None:
    if target.DESCRIPTOR.name in REFERENCES:
        kind, key = checked_key(value, where, *_OWNERS)
        setattr(target, f"{kind.name.lower()}_id", key[0])
    else:
        _fill(target, value, f"{where}.")
