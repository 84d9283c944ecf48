"""Laws of scalars and ids: what is written is read back, and anything else is refused."""

import json
import math
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from graphql import GraphQLError, parse_value
from hypothesis import given
from hypothesis import strategies as st
from mlmd_api.graphql.entities import checked_key
from mlmd_api.graphql.global_ids import database_id, kind_and_key, opaque_id
from mlmd_api.graphql.scalars import Bytes, Double, Int64, time_text
from mlmd_api.graphql.structs import fill_struct, struct_json
from mlmd_schemas.errors import InvalidArgument

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.lists(INT64 | TEXT, min_size=1, max_size=4).map(tuple)


@given(INT64)
def test_integers(number: int) -> None:
    said = Int64.serialize(number)
    assert said == str(number)
    assert Int64.parse_value(said) == Int64.parse_value(number) == number
    assert Int64.parse_literal(parse_value(said)) == Int64.parse_literal(parse_value(f'"{said}"')) == number


@pytest.mark.parametrize(
    "odd", [1 << 63, -(1 << 63) - 1, "", "1.0", "٣", " 1", "1e3", 1.5, True, None, [], "9" * 30, 1e300]
)
def test_what_is_no_integer(odd: Any) -> None:
    with pytest.raises(GraphQLError, match="Int64 cannot be"):
        Int64.parse_value(odd)


@given(st.floats())
def test_doubles(number: float) -> None:
    said = json.loads(json.dumps(Double.serialize(number), allow_nan=False))
    back = Double.parse_value(said)
    assert back == number or (math.isnan(back) and math.isnan(number))
    assert math.copysign(1, back) == math.copysign(1, number) or math.isnan(number)


@pytest.mark.parametrize("odd", ["", "1.5", "nan", True, None, [], math.inf, math.nan, 10**400])
def test_what_is_no_double(odd: Any) -> None:
    with pytest.raises(GraphQLError, match="Double cannot be"):
        Double.parse_value(odd)


@given(st.binary())
def test_bytes(raw: bytes) -> None:
    assert Bytes.parse_value(Bytes.serialize(raw)) == raw


def test_times() -> None:
    assert time_text(0) == "1970-01-01T00:00:00.000Z"
    assert time_text(-1) == "1969-12-31T23:59:59.999Z"
    assert time_text(253_402_300_799_999) == "9999-12-31T23:59:59.999Z"
    assert time_text(253_402_300_800_000) is time_text(-(1 << 63)) is None


@given(st.sampled_from(["Artifact", "Series"]), KEYS)
def test_opaque_ids(kind: str, key: tuple[Any, ...]) -> None:
    assert kind_and_key(opaque_id(kind, *key), "id") == (kind, key)


@pytest.mark.parametrize("odd", ["", "?", "QXJ0aWZhY3Q", "QXJ0aWZhY3Q6MDE", "QXJ0aWZhY3Q6WzFd", "ünï", "Og", "QTp7"])
def test_what_is_no_id(odd: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^node: .* is (no id|the id of a)"):
        checked_key(odd, "node")


@given(INT64)
def test_numbers_stand_for_ids_where_the_kind_is_known(number: int) -> None:
    assert database_id(str(number), "Artifact", "id") == number
    assert database_id(opaque_id("Artifact", number), "Artifact", "id") == number
    with pytest.raises(InvalidArgument, match="give one of a Context"):
        database_id(opaque_id("Artifact", number), "Context", "id")


LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


@given(st.dictionaries(TEXT, VALUES))
def test_structs(value: dict[str, Any]) -> None:
    struct = Struct()
    fill_struct(struct, value, "x")
    assert struct_json(struct) == value
