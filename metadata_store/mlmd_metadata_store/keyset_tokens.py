"""Page tokens of the lists in `mlmd.v1`: the key of the last row that was seen, opaque to callers."""

import base64
import binascii

from mlmd_schemas.errors import InvalidArgument

DEFAULT_PAGE = 20
LARGEST_PAGE = 100
LONG_PAGE = 1000
"""The usual and the largest page of what there is much of and is short: files, deletions, pins."""
ENDLESS = (1 << 63) - 1
"""Beyond every id, number and sequence: lists that go down begin below it."""


def page_size(asked: int) -> int:
    """Return how many rows a page has, 20 when nothing is asked; raises InvalidArgument unless it is 1 to 100."""
    if not 0 <= asked <= LARGEST_PAGE:
        raise InvalidArgument(f"page_size: {asked} is not 1 to {LARGEST_PAGE}; 0 means {DEFAULT_PAGE}.")
    return asked or DEFAULT_PAGE


def long_page_size(asked: int) -> int:
    """Return how many rows a page has, 1,000 when nothing is asked; raises InvalidArgument unless it is 1 to 1,000."""
    if not 0 <= asked <= LONG_PAGE:
        raise InvalidArgument(f"page_size: {asked} is not 1 to {LONG_PAGE}; 0 means {LONG_PAGE}.")
    return asked or LONG_PAGE


def token_after(list_name: str, key: str) -> str:
    """Return the token for the rows of a list after the one with this key."""
    raw = f"{list_name}\n{key}".encode()
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def key_of_token(list_name: str, token: str) -> str:
    """Return the key in a token of this list, "" for the first page; raises InvalidArgument for any other token."""
    if not token:
        return ""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        name, _, key = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition("\n")
    except (binascii.Error, UnicodeError):
        name, key = "", ""
    if name != list_name or not key:
        raise _not_ours()
    return key


def number_of_token(list_name: str, token: str) -> int | None:
    """Return the number in a token of this list, None for the first page; raises InvalidArgument otherwise."""
    key = key_of_token(list_name, token)
    return _number(key) if key else None


def number_below(list_name: str, token: str) -> int:
    """Return the number below which a page of a list that goes down begins; raises InvalidArgument otherwise."""
    number = number_of_token(list_name, token)
    return ENDLESS if number is None else number


def pair_below(list_name: str, token: str) -> tuple[int, int]:
    """Return the two numbers below which a page begins of a list that goes down by both; raises InvalidArgument.

    A token of one number is that of a list that went down by the first alone.
    """
    key = key_of_token(list_name, token)
    if not key:
        return ENDLESS, ENDLESS
    first, _, second = key.partition("/")
    return _number(first), _number(second or "0")


def _number(digits: str) -> int:
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
        raise _not_ours()
    return int(digits)


def _not_ours() -> InvalidArgument:
    return InvalidArgument("page_token: not one that this list gave; take next_page_token of the page before.")
