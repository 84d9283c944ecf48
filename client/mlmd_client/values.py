"""Python's values as property values, and back."""

import datetime
import enum
import json
import math
import os
from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2
from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_client.failures import refused

_WIDEST = 2**63


def value_of(given: Any, field: str) -> pb.Value:
    """Return the property value for a Python value; raises Refused, naming the field.

    Booleans, integers of 64 bits, floats and texts are kept as they are; numpy's and torch's scalars as what they hold;
    dictionaries and lists as structs; paths, dates and enums as text, None as the text "None".

    >>> value_of(3, "params['depth']").int_value
    3
    >>> value_of(open, "params['loader']")
    Traceback (most recent call last):
      ...
    mlmd_client.failures.Refused: params['loader']: is a builtin_function_or_method, which no property can hold; ...
    """
    plain = _plain(given)
    if isinstance(plain, bool):
        return pb.Value(bool_value=plain)
    if isinstance(plain, int):
        if not -_WIDEST <= plain < _WIDEST:
            raise refused(f"{field}: {str(plain)[:40]} does not fit 64 bits; give a float or a text.")
        return pb.Value(int_value=plain)
    if isinstance(plain, float):
        return pb.Value(double_value=plain)
    if isinstance(plain, str):
        return pb.Value(string_value=_text(plain, field))
    if isinstance(plain, Mapping | list):
        return pb.Value(struct_value=_struct(plain, field))
    raise refused(
        f"{field}: is a {type(given).__name__}, which no property can hold; give a number, a text, a boolean, a list "
        "or a dictionary, or str() of it."
    )


def _plain(given: Any) -> Any:
    if given is None or isinstance(given, os.PathLike | datetime.date | datetime.time | datetime.timedelta):
        return str(given)
    if isinstance(given, enum.Enum) and not isinstance(given, int | str | float):
        return given.name
    if isinstance(given, bool | int | float | str | Mapping):
        return given
    if isinstance(given, list | tuple | set | frozenset | range):
        return list(given)
    shape = getattr(given, "shape", None)
    if shape == () or (shape is not None and math.prod(shape) == 1 and hasattr(given, "item")):
        return given.item()
    return given.tolist() if shape is not None and hasattr(given, "tolist") else given


def _text(text: str, field: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise refused(f"{field}: {text[:40]!r} cannot be written as UTF-8; mend its surrogates.") from None
    return text


def _struct(given: Any, field: str) -> struct_pb2.Struct:
    try:
        # What JSON cannot say is written as text; NaN and infinities are numbers of a struct.
        plain = json.loads(json.dumps(given if isinstance(given, Mapping) else {"list": given}, default=_leaf))
        struct = struct_pb2.Struct()
        struct.update(plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise refused(f"{field}: cannot be kept as a struct ({error}); give plain lists and dictionaries.") from None
    return struct


def _leaf(given: Any) -> Any:
    plain = _plain(given)
    return str(given) if plain is given else plain


def plain_of(value: pb.Value) -> Any:
    """Return the Python value of a property.

    >>> plain_of(value_of([1, "a"], "x"))
    [1, 'a']
    """
    kind = value.WhichOneof("value")
    if kind == "struct_value":
        found = {name: _plain_struct(each) for name, each in value.struct_value.fields.items()}
        return found["list"] if found.keys() == {"list"} and isinstance(found["list"], list) else found
    if kind == "proto_value":
        return value.proto_value.value
    return None if kind is None else getattr(value, kind)


def _plain_struct(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {name: _plain_struct(each) for name, each in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain_struct(each) for each in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    return None if kind in (None, "null_value") else getattr(value, kind)


def properties_of(node: Any) -> dict[str, Any]:
    """Return the properties and custom properties of a node as Python values, by name.

    >>> properties_of(pb.Artifact(custom_properties={"rows": pb.Value(int_value=150)}))
    {'rows': 150}
    """
    maps = (node.custom_properties, node.properties)
    return {name: plain_of(values[name]) for values in maps for name in sorted(values)}


def number_of(given: Any, field: str) -> float:
    """Return a metric's value as a float, NaN and infinities too; raises Refused for what is no number.

    >>> number_of("0.5", "metric 'loss'")
    Traceback (most recent call last):
      ...
    mlmd_client.failures.Refused: metric 'loss': '0.5' is a str and no number; give float(...) of it.
    """
    plain = _plain(given)
    try:
        if isinstance(plain, int | float):  # True counts as 1
            return float(plain)
        if isinstance(plain, str | bytes):
            raise TypeError
        return float(plain)
    except OverflowError:
        shown = f"{len(str(abs(plain)))} digits" if isinstance(plain, int) else f"a {type(given).__name__}"
        raise refused(f"{field}: a number of {shown} is beyond what a float holds; give its logarithm.") from None
    except (TypeError, ValueError):
        kind = type(given).__name__
        raise refused(f"{field}: {str(given)[:40]!r} is a {kind} and no number; give float(...) of it.") from None
