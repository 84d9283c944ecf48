"""Page tokens of our own lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_metadata_store.keyset_tokens import (
    ENDLESS,
    key_of_token,
    long_page_size,
    number_below,
    number_of_token,
    page_size,
    token_after,
)
from mlmd_schemas.errors import InvalidArgument


@given(st.text(min_size=1))
def test_a_key_comes_back_from_its_token(key: str) -> None:
    token = token_after("list", key)
    assert token.isascii()
    assert key_of_token("list", token) == key
    with pytest.raises(InvalidArgument):
        key_of_token("other", token)


@given(st.integers(0, 10**18 - 1))
def test_a_number_comes_back_from_its_token(number: int) -> None:
    assert number_of_token("list", token_after("list", str(number))) == number


@given(st.text(max_size=20))
def test_any_text_is_a_token_or_an_invalid_argument(token: str) -> None:
    try:
        key = key_of_token("list", token)
    except InvalidArgument:
        return
    assert token == key == "" or token_after("list", key) == token.rstrip("=")


@pytest.mark.parametrize("token", [token_after("list", ""), f"!{token_after('list', '7')}", "bGlzdA", "="])
def test_what_no_list_gave_is_not_the_first_page(token: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^page_token: not one that this list gave"):
        key_of_token("list", token)


@pytest.mark.parametrize("key", ["-1", "x", "1.0", "٣", "9" * 19])
def test_a_key_that_is_no_number(key: str) -> None:
    with pytest.raises(InvalidArgument):
        number_of_token("list", token_after("list", key))


def test_the_first_page_and_page_sizes() -> None:
    assert number_of_token("list", "") is None
    assert number_below("list", "") == ENDLESS
    assert number_below("list", token_after("list", "7")) == 7
    assert key_of_token("list", "") == ""
    assert [page_size(asked) for asked in (0, 1, 100)] == [20, 1, 100]
    for asked in (-1, 101):
        with pytest.raises(InvalidArgument, match=rf"^page_size: {asked} is not 1 to 100; 0 means 20\.$"):
            page_size(asked)
    assert [long_page_size(asked) for asked in (0, 1, 1000)] == [1000, 1, 1000]
    for asked in (-1, 1001):
        with pytest.raises(InvalidArgument, match=rf"^page_size: {asked} is not 1 to 1000; 0 means 1000\.$"):
            long_page_size(asked)
