"""Python's values as property values, and back."""

import datetime
import enum
import json
import math
import numbers
import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from google.protobuf import struct_pb2
from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_client.failures import refused

_WIDEST = 2**63


def value_of(given: Any, field: str) -> pb.Value:
    """Return the property value for a Python value; raises Refused, naming the field.

    Booleans, integers of 64 bits, floats and texts are kept as they are; numpy's and torch's scalars as what they hold;
    decimals and fractions as the nearest float; dictionaries, lists, dataclasses and pydantic's models as structs, sets
    in order and integers that no double holds as text; enums, classes and functions as their names; paths, dates, None,
    pandas' NA and whatever else has a text of its own as that text. What has none but its address in memory is refused,
    and so are tables and bytes.

    >>> value_of(3, "params['depth']").int_value
    3
    >>> value_of(math.floor, "params['rounding']").string_value
    'math.floor'
    >>> value_of(b"ab", "params['key']")
    Traceback (most recent call last):
      ...
    mlmd_client.failures.Refused: params['key']: is of type bytes, which no property can hold; ...
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
        f"{field}: is of type {type(given).__name__}, which no property can hold; give a number, a text, a boolean, a "
        "list or a dictionary, or str() of it."
    )


def named_values(given: Any) -> dict[str, Any] | None:
    """Return the values that something has by name: a mapping, dataclass, pydantic's model, or argparse's namespace.

    None for what has no names.

    >>> from argparse import Namespace
    >>> named_values(Namespace(lr=0.1))
    {'lr': 0.1}
    >>> named_values([1, 2]) is None
    True
    """
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, type):
        return None
    if is_dataclass(given):
        return {field.name: getattr(given, field.name) for field in fields(given)}
    argparse = sys.modules.get("argparse")
    if argparse is not None and isinstance(given, argparse.Namespace):
        return dict(vars(given))
    found = given.model_dump() if callable(getattr(given, "model_dump", None)) else None
    return dict(found) if isinstance(found, Mapping) else None


def _plain(given: Any) -> Any:
    """Return what is nearest of a boolean, number, text, list or dictionary; what has nothing near as it is."""
    if given is None or isinstance(given, os.PathLike | datetime.date | datetime.time | datetime.timedelta):
        return str(given)
    if isinstance(given, enum.Enum) and not isinstance(given, int | str | float):
        return given.name
    if isinstance(given, bool | int | float | str | Mapping):
        return given
    if isinstance(given, list | tuple | range):
        return list(given)
    if isinstance(given, set | frozenset):
        return _in_order(given)
    if isinstance(given, numbers.Number):
        return _number(given)
    named = named_values(given)
    return _shaped(given) if named is None else named


def by_name(given: Any, field: str) -> dict[str, Any]:
    """Return the values that something has by name, nothing of None; raises Refused for what has no names.

    >>> by_name("lr=0.1", "params")
    Traceback (most recent call last):
      ...
    mlmd_client.failures.Refused: params: is of type str; give a dictionary of names and values, vars(...) of an object.
    """
    named = {} if given is None else named_values(given)
    if named is None:
        kind = type(given).__name__
        raise refused(f"{field}: is of type {kind}; give a dictionary of names and values, vars(...) of an object.")
    return named


def values_of(given: Any, field: str) -> dict[str, pb.Value]:
    """Return the property values of something with names; raises Refused, naming the field.

    >>> values_of({"depth": 3}, "properties")["depth"].int_value
    3
    """
    named = by_name(given, field)
    for name in named:
        if not isinstance(name, str):
            raise refused(f"{field}: the name {name!r:.60} is of type {type(name).__name__}; give str() of it.")
    return {_text(name, field): value_of(value, f"{field}[{name!r}]") for name, value in named.items()}


def _number(given: Any) -> Any:
    """Return a number of numpy's, a decimal or a fraction as Python's, the text of one that no float is near."""
    try:
        return int(given) if isinstance(given, numbers.Integral) else float(given)
    except (TypeError, ValueError, OverflowError):
        return str(given)


def _in_order(given: Any) -> list[Any]:
    """Return the members of a set in an order that is the same in every process."""
    try:
        return sorted(given)
    except TypeError:
        return sorted(given, key=repr)


def _shaped(given: Any) -> Any:
    """Return what an array or a scalar of numpy's or torch's holds, or the text of what is neither."""
    if getattr(given, "dtype", None) is None or not hasattr(given, "shape"):
        return _named(given)
    if getattr(given.dtype, "kind", "") in "mM":  # times, whose item is a number of nanoseconds
        return str(given) if given.shape == () else [str(one) for one in given]
    if hasattr(given, "item") and math.prod(given.shape) == 1:
        return given.item()
    return given.tolist() if hasattr(given, "tolist") else given


def _named(given: Any) -> Any:
    """Return the name of a class or function, the text of what has one of its own, and everything else as it is."""
    if isinstance(given, type) or (callable(given) and hasattr(given, "__qualname__")):
        name = f"{given.__module__}.{given.__qualname__}"
        return given if "<" in name else name
    if is_missing(given):
        return str(given)
    if isinstance(given, Collection) and not isinstance(given, bytes | bytearray | memoryview):
        return given if hasattr(given, "shape") else list(given)
    if isinstance(given, bytes | bytearray | memoryview):
        return given
    text = str(given)
    return given if text.startswith("<") or " at 0x" in text else text


def is_missing(given: Any) -> bool:
    """Tell pandas' NA, which is no number and knows no truth.

    >>> is_missing(pandas.NA), is_missing(math.nan)
    (True, False)
    """
    pandas = sys.modules.get("pandas")
    return pandas is not None and given is getattr(pandas, "NA", pandas)


def _text(text: str, field: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise refused(f"{field}: {text[:40]!r} cannot be written as UTF-8; mend its surrogates.") from None
    return text


def _struct(given: Any, field: str) -> struct_pb2.Struct:
    try:
        # What JSON cannot say is written as text; NaN and infinities are numbers of a struct.
        said = json.dumps(given if isinstance(given, Mapping) else {"list": given}, default=_leaf)
        plain = json.loads(said, parse_int=_whole)
        struct = struct_pb2.Struct()
        struct.update(plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise refused(f"{field}: cannot be kept as a struct ({error}); give plain lists and dictionaries.") from None
    return struct


def _whole(digits: str) -> int | str:
    """Return an integer of a struct, whose numbers are doubles: as text where it would be another one."""
    number = int(digits)
    try:
        return number if float(number) == number else digits
    except OverflowError:
        return digits


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
        found = _plain_fields(value.struct_value)
        return found["list"] if found.keys() == {"list"} and isinstance(found["list"], list) else found
    if kind == "proto_value":
        return value.proto_value.value
    return None if kind is None else getattr(value, kind)


def _plain_fields(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return the fields by name, in the order of the names: a struct has none of its own."""
    return {name: _plain_struct(struct.fields[name]) for name in sorted(struct.fields)}


def _plain_struct(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _plain_fields(value.struct_value)
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
    """Return a metric's value as a float, NaN and infinities too, pandas' NA as NaN; raises Refused for no number.

    >>> number_of("0.5", "metric 'loss'")
    Traceback (most recent call last):
      ...
    mlmd_client.failures.Refused: metric 'loss': '0.5' is of type str and no number; give float(...) of it.
    """
    if is_missing(given):
        return math.nan
    try:
        plain = _plain(given)  # True counts as 1
        if isinstance(plain, str | bytes):
            raise TypeError
        return float(plain)
    except OverflowError:
        shown = f"{len(str(abs(given)))} digits" if isinstance(given, int) else f"type {type(given).__name__}"
        raise refused(f"{field}: a number of {shown} is beyond what a float holds; give its logarithm.") from None
    except (TypeError, ValueError):
        kind = type(given).__name__
        raise refused(f"{field}: {str(given)[:40]!r} is of type {kind} and no number; give float(...) of it.") from None
