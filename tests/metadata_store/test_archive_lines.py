"""The lines of an archive: every row comes back from its own, and what is no row is refused."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_metadata_store.archive_lines import line_of, rows_of
from mlmd_schemas.errors import InvalidArgument


def test_text_that_is_not_utf8_is_archived_as_its_bytes() -> None:
    row = ["\udcff\udcfe plain", b"\x00\xff", None, 5, 0.1, math.inf, "\u2028"]
    (back,) = rows_of(line_of(row), "abcdefg")
    assert back == row


@given(
    st.lists(st.none() | st.text() | st.binary() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False))
)
def test_every_row_comes_back_from_its_line(row: list[Any]) -> None:
    (back,) = rows_of(line_of(row), [str(place) for place in range(len(row))])
    assert back == row
    assert [type(value) for value in back] == [type(value) for value in row]


@pytest.mark.parametrize("line", [b"", b"[1", b"{}", b"[1]", b'[1, {"x": "y"}]', b'[1, {"b": "!"}]', b"1"])
def test_lines_that_are_no_rows_are_refused(line: bytes) -> None:
    with pytest.raises(InvalidArgument, match="line 1"):
        list(rows_of(line + b"\n", ("a", "b")))
