"""NaN and infinities in a form that JSON can carry."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.numbers import json_number, json_safe, parsed_number

google = pytest.importorskip("google.protobuf.json_format")


@given(st.floats())
def test_there_and_back(value: float) -> None:
    written = json.dumps(json_number(value), allow_nan=False)
    back = parsed_number(json.loads(written))
    assert back == value or (math.isnan(back) and math.isnan(value))
    assert math.copysign(1, back) == math.copysign(1, value) or math.isnan(value)


@given(st.floats())
def test_protobuf_writes_the_same_words(value: float) -> None:
    from google.protobuf.wrappers_pb2 import DoubleValue

    protobuf = json.loads(google.MessageToJson(DoubleValue(value=value)))
    assert protobuf == json_number(value)


def test_documents_are_copied() -> None:
    document = {
        "loss": [1.5, math.nan, {"x": -math.inf}],
        "n": 3,
        "name": "NaN",
        "none": None,
        "pair": (math.inf, True),
    }
    assert json_safe(document) == {
        "loss": [1.5, "NaN", {"x": "-Infinity"}],
        "n": 3,
        "name": "NaN",
        "none": None,
        "pair": ["Infinity", True],
    }


@pytest.mark.parametrize(("value", "number"), [("1.5", 1.5), ("-3", -3.0), ("1e-320", 1e-320), (2**60, 2.0**60)])
def test_numbers_may_be_in_quotes(value: str | int, number: float) -> None:
    assert parsed_number(value) == number


@pytest.mark.parametrize("value", ["", "nan", "inf", "infinity", " 1", "1_000", "x", "1e999", True, None, [], 10**400])
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(MetricsError, match="rate is"):
        parsed_number(value, "rate")
