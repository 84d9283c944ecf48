"""Property values as version 10 keeps them (mlmd-write contract, 3.4), and exactly where it cannot.

A property row has one non-NULL value column. What no column can hold as Google's reader would accept it is kept twice:
as a readable stand-in in `string_value`, and exactly in `mlmd_exact_values`. The exact value counts only while the row
still equals the stand-in, so a later write by another server wins.
"""

import base64
import binascii
import math
from enum import IntEnum

from google.protobuf.message import DecodeError
from mlmd_schemas.errors import Internal, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb

STRUCT_PREFIX = "mlmd-struct::"
NULL_MARKER = "__MLMD_NULL__"
STAND_IN_PREFIX = "mlmd-exact::"
LONGEST_TEXT_BYTES = (1 << 24) - 1
"""What MySQL's MEDIUMTEXT holds."""

VALUE_COLUMNS = ("int_value", "double_value", "string_value", "proto_value", "bool_value")


class Slot(IntEnum):
    """Position of a value column among VALUE_COLUMNS."""

    INT = 0
    DOUBLE = 1
    STRING = 2
    PROTO = 3
    BOOL = 4


Cell = tuple[Slot, int | float | str | bytes]
"""A value column and what goes into it."""

KIND_OF_CASE: dict[str, int] = {
    "int_value": pb.INT,
    "double_value": pb.DOUBLE,
    "string_value": pb.STRING,
    "struct_value": pb.STRUCT,
    "proto_value": pb.PROTO,
    "bool_value": pb.BOOLEAN,
}
"""Which PropertyType a set member of Value is."""


def cell_of(value: pb.Value, infinities: bool) -> Cell | None:
    """Return the column and content for a value; None when version 10 cannot hold it.

    `infinities` says whether the database keeps infinite doubles; whether a text is too long depends on how the
    database keeps it (`is_too_long`). Raises InvalidArgument when nothing is set.
    """
    case = value.WhichOneof("value")
    if case == "string_value":
        text = value.string_value
        return None if isinstance(text, bytes) or _is_poison(text) else (Slot.STRING, text)
    if case == "int_value":
        return Slot.INT, value.int_value
    if case == "double_value":
        number = value.double_value + 0.0  # of -0.0 it makes 0.0; MySQL alone would keep the sign
        return (Slot.DOUBLE, number) if math.isfinite(number) or (infinities and number == number) else None
    if case == "bool_value":
        return Slot.BOOL, int(value.bool_value)
    if case == "struct_value":
        encoded = base64.b64encode(value.struct_value.SerializeToString(deterministic=True)).decode("ascii")
        return Slot.STRING, STRUCT_PREFIX + encoded
    if case == "proto_value":
        if not value.proto_value.type_url:
            return None
        encoded_proto = base64.b64encode(value.proto_value.SerializeToString(deterministic=True))
        return None if len(encoded_proto) > LONGEST_TEXT_BYTES else (Slot.PROTO, encoded_proto)
    raise InvalidArgument("the Value has no member set; set one of int, double, string, struct, proto or bool_value.")


def may_be_plain(text: str) -> bool:
    """Return True for text that surely needs no stand-in; cheap, for the many texts that are short and harmless."""
    return len(text) < 1_000_000 and text[:1] not in ("m", "_")


def is_too_long(kept: str) -> bool:
    """Tell whether a text has, as the database keeps it, more bytes than a column for strings holds."""
    return 4 * len(kept) > LONGEST_TEXT_BYTES and len(kept.encode("utf-8", "surrogateescape")) > LONGEST_TEXT_BYTES


def _is_poison(text: str) -> bool:
    return text.startswith((STRUCT_PREFIX, STAND_IN_PREFIX)) or text == NULL_MARKER


def stand_in(value: pb.Value) -> str:
    """Return the readable text that stands for a value version 10 cannot hold."""
    case = value.WhichOneof("value")
    if case == "double_value":
        number = value.double_value
        return STAND_IN_PREFIX + ("NaN" if number != number else "Infinity" if number > 0 else "-Infinity")
    if case == "string_value":
        return STAND_IN_PREFIX + str(value.string_value[:200])
    return STAND_IN_PREFIX + str(case)


def same_value(one: pb.Value, other: pb.Value) -> bool:
    """Tell whether an update from one value to the other changes nothing; 0.0 and -0.0 are one, though messages differ.

    A NaN is the same as itself, so that what is put again as it was read is no change.
    """
    if one == other:
        return True
    if one.WhichOneof("value") == other.WhichOneof("value") in ("double_value", "struct_value"):
        one, other = _unsigned_zeros(one), _unsigned_zeros(other)
    return one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


def _unsigned_zeros(value: pb.Value) -> pb.Value:
    """Return a copy in which a zero, and every zero of a struct, is 0.0."""
    made = pb.Value()
    made.CopyFrom(value)
    if made.HasField("double_value") and made.double_value == 0:
        made.double_value = 0.0
    waiting = list(made.struct_value.fields.values())
    while waiting:
        item = waiting.pop()
        if item.HasField("number_value") and item.number_value == 0:
            item.number_value = 0.0
        elif item.HasField("struct_value"):
            waiting += item.struct_value.fields.values()
        elif item.HasField("list_value"):
            waiting += item.list_value.values
    return made


def read_text(target: pb.Value, text: str) -> None:
    """Set a value from a string column: a struct when it carries the marker, else the string.

    Raises InvalidArgument for a struct marker with a damaged rest, as the contract has it.
    """
    if not text.startswith(STRUCT_PREFIX):
        target.string_value = text
        return
    try:
        target.struct_value.ParseFromString(base64.b64decode(text[len(STRUCT_PREFIX) :], validate=True))
    except (binascii.Error, ValueError, DecodeError) as error:
        raise InvalidArgument(
            "A stored property is marked as a struct and is none; write the property again."
        ) from error


def read_proto(target: pb.Value, encoded: bytes | str) -> None:
    """Set a value from a proto column; raises Internal when it holds no Any with a type."""
    try:
        target.proto_value.ParseFromString(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError, DecodeError) as error:
        raise Internal("A stored property is marked as a message and is none; write the property again.") from error
    if not target.proto_value.type_url:
        raise Internal("A stored message property has no type; write the property again.")
