"""Page tokens, read from and readable by Google's server: the read contract's edge cases 15 and 23 to 28, by name."""

import base64
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_metadata_store.list_options import Paging, read_options
from mlmd_metadata_store.page_tokens import Order, Place, decode_token, encode_token, token_after
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb

Options = pb.ListOperationOptions
Token = pb.ListOperationNextPageToken
INT64 = st.integers(-(2**63), 2**63 - 1)


def _paging(token: str, **order: Any) -> Paging:
    options = Options(next_page_token=token)
    if order:
        options.order_by_field.CopyFrom(Order(**order))
    return read_options(options)


def test_read_15_tokens_are_the_ones_that_google_makes() -> None:
    assert token_after(Options(max_result_size=2), Order.ID, [(1, 1), (2, 2)]) == "CAIQAhoCCAI"
    assert token_after(Options(), Order.ID, [(20, 20)]) == "CBQQFBoA"


def test_tokens_keep_the_options_but_the_token() -> None:
    options = Options(max_result_size=7, filter_query="id > 3", next_page_token="CBQQFBoA")
    token = decode_token(token_after(options, Order.ID, [(9, 9)]))
    assert token.set_options == Options(max_result_size=7, filter_query="id > 3")


def test_update_time_tokens_list_the_last_ties_last_first_and_the_id() -> None:
    token = decode_token(token_after(Options(), Order.LAST_UPDATE_TIME, [(5, 1), (6, 2), (6, 3), (6, 9)]))
    assert (token.field_offset, token.id_offset, list(token.listed_ids)) == (6, 9, [9, 3, 2])


@pytest.mark.parametrize(
    "text",
    [
        "!!!",
        "abcd",
        "ab+/",
        "CAIQAhoCCAI==",
        "CBQQFBoA=",
        "a",
        "CBQQFBoA====",
        "C=BQQFBoA",
        "CBQQFBo\xc4",
        "CBQQFBoA.",
        "CAIQAhoCCAI=.",
    ],
)
def test_read_26_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="next_page_token"):
        _paging(text)


@pytest.mark.parametrize(
    "text",
    [
        "CAIQAhoCCAI",
        "CAIQAhoCCAI=",
        "CAIQAhoCCAI.",
        " CAIQAhoCCAI",
        "CAIQ\tAhoC\nCAI",
        "CAIQAhoCCAI\r\n",
        "CAIQAhoCCAI\n. ",
    ],
)
def test_read_26_padding_and_whitespace_are_accepted(text: str) -> None:
    assert _paging(text).after == Place(2, 2)


def test_read_26_the_empty_token_is_none() -> None:
    assert _paging("").after is None


def test_read_27_a_token_made_by_hand() -> None:
    assert _paging(encode_token(Token(field_offset=5))).after == Place(5, 5)


def test_read_27_a_creation_time_token_made_by_hand_begins_before_every_id() -> None:
    order = Order(field=Order.CREATE_TIME)
    token = Token(field_offset=5, set_options=Options(order_by_field=order))
    assert _paging(encode_token(token), field=Order.CREATE_TIME).after == Place(5, 0)


def test_read_25_a_token_goes_on_in_its_own_order_only() -> None:
    token = token_after(Options(), Order.ID, [(4, 4)])
    for order in ({"is_asc": False}, {"field": Order.CREATE_TIME}, {"field": Order.LAST_UPDATE_TIME}):
        with pytest.raises(InvalidArgument, match="order_by_field"):
            _paging(token, **order)
    assert _paging(token, field=Order.ID, is_asc=True).after == Place(4, 4)


def test_read_28_an_update_time_token_names_a_node() -> None:
    order = Order(field=Order.LAST_UPDATE_TIME)
    options = Options(order_by_field=order)
    for made, expected in (
        (Token(field_offset=9, listed_ids=[7, 4], set_options=options), Place(9, 7)),
        (Token(field_offset=9, id_offset=3, set_options=options), Place(9, 3)),
    ):
        assert _paging(encode_token(made), field=Order.LAST_UPDATE_TIME).after == expected
    with pytest.raises(InvalidArgument, match="names no node"):
        _paging(encode_token(Token(field_offset=9, set_options=options)), field=Order.LAST_UPDATE_TIME)


def test_a_descending_update_time_token_of_google_goes_on_below_its_lowest_id() -> None:
    order = Order(field=Order.LAST_UPDATE_TIME, is_asc=False)
    token = Token(field_offset=9, listed_ids=[4, 7], set_options=Options(order_by_field=order))
    after = _paging(encode_token(token), field=Order.LAST_UPDATE_TIME, is_asc=False).after
    assert after == Place(9, 4)


@pytest.mark.parametrize("size", [0, -1, -(2**31), 2**31 - 1])
def test_read_23_sizes_that_are_none(size: int) -> None:
    with pytest.raises(InvalidArgument, match="max_result_size"):
        read_options(Options(max_result_size=size))


@pytest.mark.parametrize(("asked", "given_"), [(1, 1), (100, 100), (101, 100), (2**31 - 2, 100)])
def test_read_23_pages_hold_a_hundred_nodes_at_most(asked: int, given_: int) -> None:
    assert read_options(Options(max_result_size=asked)).size == given_
    assert read_options(Options()).size == 20


def test_read_24_the_unspecified_order_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="FIELD_UNSPECIFIED"):
        read_options(Options(order_by_field=Order(field=Order.FIELD_UNSPECIFIED)))


@given(INT64, INT64, st.lists(INT64, max_size=3), st.integers(0, 3))
def test_a_token_survives_the_wire(offset: int, node_id: int, listed: list[int], spaces: int) -> None:
    token = Token(field_offset=offset, id_offset=node_id, listed_ids=listed, set_options=Options())
    text = encode_token(token)
    assert "=" not in text
    assert decode_token(" " * spaces + text) == token
    assert decode_token(text + "=" * (-len(text) % 4)) == token


@given(st.binary(max_size=40))
def test_any_bytes_are_a_token_or_refused(raw: bytes) -> None:
    text = base64.urlsafe_b64encode(raw).decode()
    with suppress(InvalidArgument):  # and nothing else
        assert read_options(Options(next_page_token=text)).size == 20
