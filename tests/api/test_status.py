"""Errors as each wire says them."""

from urllib.parse import quote

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_api.grpc.handlers import STATUS
from mlmd_api.status import CONNECT_CODE, HTTP_STATUS, LONGEST_MESSAGE_BYTES, describe, shortened
from mlmd_schemas.errors import BY_CODE, Code, Internal


def test_every_code_has_a_word_on_every_wire() -> None:
    for code in Code:
        assert STATUS[code].name == code.name
        assert HTTP_STATUS[code] in range(200, 600)
        assert CONNECT_CODE[code]
    assert set(STATUS.values()) == set(grpc.StatusCode)


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        (Code.CANCELLED, 499, "canceled"),
        (Code.INVALID_ARGUMENT, 400, "invalid_argument"),
        (Code.DEADLINE_EXCEEDED, 504, "deadline_exceeded"),
        (Code.NOT_FOUND, 404, "not_found"),
        (Code.ALREADY_EXISTS, 409, "already_exists"),
        (Code.PERMISSION_DENIED, 403, "permission_denied"),
        (Code.RESOURCE_EXHAUSTED, 429, "resource_exhausted"),
        (Code.FAILED_PRECONDITION, 400, "failed_precondition"),
        (Code.ABORTED, 409, "aborted"),
        (Code.OUT_OF_RANGE, 400, "out_of_range"),
        (Code.UNIMPLEMENTED, 501, "unimplemented"),
        (Code.INTERNAL, 500, "internal"),
        (Code.UNAVAILABLE, 503, "unavailable"),
        (Code.DATA_LOSS, 500, "data_loss"),
        (Code.UNAUTHENTICATED, 401, "unauthenticated"),
        (Code.UNKNOWN, 500, "unknown"),
    ],
)
def test_connects_own_table(code: Code, status: int, name: str) -> None:
    assert (HTTP_STATUS[code], CONNECT_CODE[code]) == (status, name)


def test_errors_of_ours_keep_code_and_sentence() -> None:
    for code, kind in BY_CODE.items():
        assert describe(kind("field: reason."), "r") == (code, "field: reason.")


def test_a_bug_shows_nothing_but_the_request_id() -> None:
    assert describe(KeyError("secret"), "r1") == (Code.INTERNAL, "internal error (request id r1)")
    assert describe(Internal("said on purpose"), "r1") == (Code.INTERNAL, "said on purpose")


def test_a_lack_of_memory_is_no_bug() -> None:
    code, message = describe(MemoryError("where"), "r1")
    assert code is Code.RESOURCE_EXHAUSTED
    assert message.startswith("The server has no memory left for this call (request id r1); try again later")


@given(st.text(st.characters(), max_size=3000), st.integers(1, 10))
def test_a_message_always_fits_the_trailers(text: str, times: int) -> None:
    message = shortened(text * times)
    assert len(quote(message)) <= LONGEST_MESSAGE_BYTES
    assert message.encode().decode() == message
    if len(quote((text * times).encode("utf-8", "replace"))) <= LONGEST_MESSAGE_BYTES:
        assert message == (text * times).encode("utf-8", "replace").decode()
