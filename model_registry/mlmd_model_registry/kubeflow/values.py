"""One value in Kubeflow's JSON and in MLMD: fields of each form, and custom properties with their `metadataType`."""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_model_registry.kubeflow.shapes import Field, Form

_DIGITS = re.compile(r"-?[0-9]{1,19}")
_ID = re.compile(r"[1-9][0-9]{0,17}")
_INT32 = range(-(2**31), 2**31)
_LIST_KEY = "list"
_WORDS = {dict: "an object", list: "an array", bool: "a boolean", str: "a string", type(None): "null"}
OLDER_API = "v1alpha3"


def checked_text(place: str, given: Any) -> str:
    """Return a string of a request; raises InvalidArgument for anything else, and for text no database keeps."""
    if not isinstance(given, str):
        raise wrong_type(place, given, "a string")
    if "\0" in given:
        raise InvalidArgument(f"{place}: the text has a NUL character in it; leave it out.")
    try:
        given.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidArgument(f"{place}: half of a surrogate pair is no character; send text as UTF-8.") from None
    return given


def checked_id(place: str, given: Any) -> int:
    """Return the number of an id, which JSON carries as a string; raises InvalidArgument."""
    text = checked_text(place, given)
    if not _ID.fullmatch(text):
        raise InvalidArgument(f"{place}: {text[:40]!r} is no id; ids are whole numbers from 1.")
    return int(text)


def integer_text(place: str, given: Any) -> int:
    """Return the 64-bit integer in a string; raises InvalidArgument."""
    text = checked_text(place, given)
    if not _DIGITS.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise InvalidArgument(f"{place}: {text[:40]!r} is no whole number of 64 bits.")
    return int(text)


def wrong_type(place: str, given: Any, wanted: str) -> InvalidArgument:
    """Return the error for a value of another JSON type than `wanted`."""
    return InvalidArgument(f"{place}: {_WORDS.get(type(given), 'a number')} where the API has {wanted}.")


def read_field(field: Field, given: Any, api: str) -> Any:
    """Return the checked value of a field: a string, integer, float or list; raises InvalidArgument."""
    match field.form:
        case Form.ID:
            return checked_id(field.name, given)
        case Form.MILLISECONDS:
            return integer_text(field.name, given)
        case Form.TIMESTAMP:
            return str(integer_text(field.name, given))
        case Form.NUMBER:
            return _number(field.name, given)
        case Form.STEP:
            return _step(field.name, given, api)
        case Form.TEXTS:
            if not isinstance(given, list):
                raise wrong_type(field.name, given, "an array of strings")
            return [checked_text(f"{field.name}[{place}]", item) for place, item in enumerate(given)]
    text = checked_text(field.name, given)
    if field.choices and text not in field.choices:
        raise InvalidArgument(f"{field.name}: {text[:40]!r} is none of {', '.join(field.choices)}.")
    return text


def _number(place: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise wrong_type(place, given, "a number")
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidArgument(f"{place}: the number does not fit 64-bit floating point.")
    return number


def _step(place: str, given: Any, api: str) -> int:
    if api != OLDER_API:
        return integer_text(place, given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise wrong_type(place, given, "a whole number")
    if not -(2**63) <= given < 2**63:
        raise InvalidArgument(f"{place}: {given} has more than 64 bits.")
    return given


def field_value(field: Field, value: Any) -> pb.Value:
    """Return a field's checked value as its property holds it."""
    match field.form:
        case Form.ID | Form.MILLISECONDS | Form.STEP:
            return pb.Value(int_value=value)
        case Form.NUMBER:
            return pb.Value(double_value=value)
        case Form.TEXTS:
            struct = Struct()
            struct.update({_LIST_KEY: value})
            return pb.Value(struct_value=struct)
    return pb.Value(string_value=value)


def field_json(field: Field, value: pb.Value, api: str) -> Any:
    """Return a property as a field shows it; None when another writer left something that the field cannot say."""
    case = value.WhichOneof("value")
    if field.form is Form.TEXTS:
        return _texts(value.struct_value) if case == "struct_value" else None
    if case not in ("int_value", "double_value", "string_value", "bool_value"):
        return None
    stored = getattr(value, case)
    match field.form:
        case Form.NUMBER:
            return _json_number(float(stored)) if case in ("int_value", "double_value") else None
        case Form.STEP if case == "int_value":
            return stored if api == OLDER_API else str(stored)
        case Form.STEP:
            return None
    return stored if case == "string_value" else json.dumps(stored)


def _texts(struct: Struct) -> list[str] | None:
    for member in struct.fields.values():
        if member.WhichOneof("kind") == "list_value":
            items: ListValue = member.list_value
            return [item.string_value for item in items.values if item.WhichOneof("kind") == "string_value"]
    return None


def _json_number(number: float) -> float | str:
    """Return a number, or the string that protobuf's JSON has for what JSON numbers cannot say."""
    if math.isfinite(number):
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def _plain(struct: Struct) -> dict[str, Any]:
    return {name: _plain_value(struct.fields[name]) for name in sorted(struct.fields)}


def _plain_value(value: Value) -> Any:
    case = value.WhichOneof("kind")
    if case == "struct_value":
        return _plain(value.struct_value)
    if case == "list_value":
        return [_plain_value(item) for item in value.list_value.values]
    if case == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < 2**53 else _json_number(number)
    return None if case in (None, "null_value") else getattr(value, case)


def _numbers(struct: Struct) -> Iterator[float]:
    """Yield the numbers in a struct, those of its lists and structs too."""
    values = list(struct.fields.values())
    while values:
        value = values.pop()
        case = value.WhichOneof("kind")
        if case == "number_value":
            yield value.number_value
        elif case == "list_value":
            values.extend(value.list_value.values)
        elif case == "struct_value":
            values.extend(value.struct_value.fields.values())


def read_custom(given: Any) -> dict[str, pb.Value]:
    """Return the custom properties in a request; raises InvalidArgument naming the one that is wrong."""
    if not isinstance(given, dict):
        raise wrong_type("customProperties", given, "an object")
    return {
        checked_text("customProperties: a name", name): _read_metadata(f"customProperties[{name[:80]!r}]", value)
        for name, value in given.items()
    }


_METADATA = {
    "MetadataStringValue": "string_value",
    "MetadataIntValue": "int_value",
    "MetadataDoubleValue": "double_value",
    "MetadataBoolValue": "bool_value",
    "MetadataStructValue": "struct_value",
}
_METADATA_TYPES = {case: metadata_type for metadata_type, case in _METADATA.items()}


def _read_metadata(place: str, given: Any) -> pb.Value:
    if not isinstance(given, dict):
        raise wrong_type(place, given, "an object with a metadataType")
    metadata_type = given.get("metadataType")
    case = _METADATA.get(metadata_type) if isinstance(metadata_type, str) else None
    if case is None:
        if metadata_type == "MetadataProtoValue":
            raise InvalidArgument(f"{place}: MetadataProtoValue is not taken; send a string or a struct.")
        raise InvalidArgument(f"{place}: metadataType is {str(metadata_type)[:40]!r}, none of {', '.join(_METADATA)}.")
    unknown = sorted(set(given) - {"metadataType", case})
    if unknown:
        raise InvalidArgument(f'json: unknown field "{unknown[0][:80]}" in {place}.')
    if given.get(case) is None:
        raise InvalidArgument(f"{place}: a {metadata_type} needs {case}.")
    return _metadata_value(f"{place}.{case}", case, given[case])


def _metadata_value(place: str, case: str, given: Any) -> pb.Value:
    if case == "string_value":
        return pb.Value(string_value=checked_text(place, given))
    if case == "double_value":
        return pb.Value(double_value=_number(place, given))
    if case == "bool_value":
        if not isinstance(given, bool):
            raise wrong_type(place, given, "a boolean")
        return pb.Value(bool_value=given)
    if case == "int_value":
        number = integer_text(place, given)
        if number not in _INT32:
            raise InvalidArgument(f"{place}: {number} has more than the 32 bits of the API; send it as a string value.")
        return pb.Value(int_value=number)
    struct = _read_struct(place, checked_text(place, given))
    for found in _numbers(struct):
        if not math.isfinite(found):
            raise InvalidArgument(f"{place}: {_json_number(found)} is no JSON number; leave it out, or send a string.")
    return pb.Value(struct_value=struct)


def _read_struct(place: str, text: str) -> Struct:
    """Return the struct in base64 of JSON, or of protobuf's own bytes."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument(f"{place}: not base64; send the JSON of an object in base64.") from None
    struct = Struct()
    try:
        json_format.Parse(raw.decode("utf-8"), struct)
        return struct
    except (json_format.ParseError, UnicodeDecodeError, RecursionError, ValueError):
        struct.Clear()
    try:
        struct.ParseFromString(raw)
    except DecodeError:
        struct.Clear()
    if not struct.fields:
        raise InvalidArgument(f"{place}: the base64 holds no JSON object, or one that is nested too deeply to be kept.")
    return struct


def custom_json(value: pb.Value) -> dict[str, Any]:
    """Return a custom property as the API shows it."""
    case = value.WhichOneof("value")
    if case == "proto_value":
        encoded = base64.b64encode(value.proto_value.value).decode("ascii")
        return {"metadataType": "MetadataProtoValue", "proto_value": encoded, "type": value.proto_value.type_url}
    if case is None:
        return {"metadataType": "MetadataStringValue", "string_value": ""}
    shown: Any = getattr(value, case)
    if case == "int_value":
        shown = str(shown)
    elif case == "double_value":
        shown = _json_number(shown)
    elif case == "struct_value":
        document = json.dumps(_plain(value.struct_value), ensure_ascii=False)
        shown = base64.b64encode(document.encode("utf-8", "replace")).decode("ascii")
    return {"metadataType": _METADATA_TYPES[case], case: shown}
