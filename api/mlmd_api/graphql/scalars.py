"""Scalars that GraphQL lacks: 64-bit integers, doubles with NaN, times, bytes and structs, as proto3 JSON has them."""

import base64
import binascii
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import graphene
from graphql import GraphQLError, print_ast
from graphql.language import ast
from mlmd_schemas.errors import FailedPrecondition

from mlmd_api.graphql.structs import MOST_DEPTH, struct_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_DIGITS = 20
"""Characters of the longest 64-bit integer."""


def int64(value: Any) -> int:
    """Return the integer; raises GraphQLError unless it is one of 64 bits, or its decimal string."""
    if isinstance(value, str):
        digits = value[1:] if value[:1] == "-" else value
        if len(value) <= _DIGITS and digits.isascii() and digits.isdecimal():
            value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one kind of number
    if type(value) is not int or not -(1 << 63) <= value < 1 << 63:
        raise GraphQLError(f"Int64 cannot be {_shown(value)}; write an integer of 64 bits, as number or string.")
    return value


def double(value: Any) -> float:
    """Return the number; raises GraphQLError unless it is one, or a string "NaN", "Infinity" or "-Infinity"."""
    if isinstance(value, str) and value in _NAMED:
        return _NAMED[value]
    if type(value) is int or type(value) is float:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise GraphQLError(
        f'Double cannot be {_shown(value)}; write a number of double precision, "NaN", "Infinity" or "-Infinity".'
    )


def double_json(value: float) -> float | str:
    """Return a double as JSON carries it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def time_text(milliseconds: int) -> str | None:
    """Return a time in RFC 3339; None for one that has no year of four digits."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text(value: Any) -> str:
    """Return a stored text; raises FailedPrecondition for one that is no UTF-8 and so cannot be in JSON."""
    if isinstance(value, bytes):
        raise FailedPrecondition(
            "The text is not valid UTF-8, which JSON cannot carry; ask for it over gRPC, which returns the bytes."
        )
    return str(value)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"


def _number_literal(node: ast.Node) -> Any:
    if isinstance(node, ast.IntValueNode):
        return int(node.value) if len(node.value) <= 400 else node.value
    if isinstance(node, ast.FloatValueNode):
        return float(node.value)
    return node.value if isinstance(node, ast.StringValueNode) else print_ast(node)


class Int64(graphene.Scalar):
    """A 64-bit integer as a decimal string. Arguments may be numbers too."""

    serialize = staticmethod(str)
    parse_value = staticmethod(int64)

    @staticmethod
    def parse_literal(node: ast.Node, _variables: Any = None) -> int:
        """Read a literal."""
        return int64(_number_literal(node))


class Double(graphene.Scalar):
    """A double-precision number, exact; NaN and infinities are "NaN", "Infinity" and "-Infinity"."""

    serialize = staticmethod(double_json)
    parse_value = staticmethod(double)

    @staticmethod
    def parse_literal(node: ast.Node, _variables: Any = None) -> float:
        """Read a literal."""
        return double(_number_literal(node))


class DateTime(graphene.Scalar):
    """A time in RFC 3339, UTC, to the millisecond; the same as the field that ends in Ms."""

    serialize = staticmethod(str)


class Bytes(graphene.Scalar):
    """Bytes in base64."""

    @staticmethod
    def serialize(value: bytes) -> str:
        """Write base64 with padding."""
        return base64.b64encode(value).decode("ascii")

    @staticmethod
    def parse_value(value: Any) -> bytes:
        """Read base64, standard or URL-safe."""
        try:
            return base64.b64decode(str(value).replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            raise GraphQLError(f"Bytes cannot be {_shown(value)}; write base64.") from None

    @staticmethod
    def parse_literal(node: ast.Node, _variables: Any = None) -> bytes:
        """Read a literal."""
        if not isinstance(node, ast.StringValueNode):
            raise GraphQLError(f"Bytes cannot be {_shown(print_ast(node))}; write base64 in a string.")
        return Bytes.parse_value(node.value)


class JSON(graphene.Scalar):
    """A JSON object, as in google.protobuf.Struct: its numbers are doubles."""

    serialize = staticmethod(struct_json)

    @staticmethod
    def parse_value(value: Any) -> Any:
        """Take JSON as it is."""
        return value

    @staticmethod
    def parse_literal(node: ast.Node, variables: Any = None, depth: int = 0) -> Any:
        """Read a literal, which may hold variables."""
        if depth > MOST_DEPTH:
            raise GraphQLError(f"JSON cannot be nested deeper than {MOST_DEPTH} levels.")
        if isinstance(node, ast.ObjectValueNode):
            return {field.name.value: JSON.parse_literal(field.value, variables, depth + 1) for field in node.fields}
        if isinstance(node, ast.ListValueNode):
            return [JSON.parse_literal(item, variables, depth + 1) for item in node.values]
        if isinstance(node, ast.VariableNode):
            return (variables or {}).get(node.name.value)
        if isinstance(node, ast.BooleanValueNode | ast.StringValueNode):
            return node.value
        return None if isinstance(node, ast.NullValueNode) else double(_number_literal(node))
