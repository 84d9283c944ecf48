"""Opaque ids, and the numbers that arguments may use in their place."""

import base64
import binascii
import json
from typing import Any

from mlmd_schemas.errors import InvalidArgument

Key = tuple[Any, ...]


def opaque_id(kind: str, *key: Any) -> str:
    """Return the opaque id of the entity of a kind with this key: integers and texts."""
    raw = f"{kind}:{json.dumps(key, separators=(',', ':'), ensure_ascii=False)[1:-1]}"
    return base64.urlsafe_b64encode(raw.encode("utf-8", "surrogatepass")).decode("ascii").rstrip("=")


def kind_and_key(given: str, field: str) -> tuple[str, Key]:
    """Return what an opaque id stands for; raises InvalidArgument naming the field when it is none."""
    try:
        padded = given.encode("ascii") + b"=" * (-len(given) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        kind, colon, rest = raw.partition(":")
        key = tuple(json.loads(f"[{rest}]"))
    except (binascii.Error, UnicodeError, ValueError, RecursionError):
        raise _no_id(given, field) from None
    if not colon or opaque_id(kind, *key) != given.rstrip("="):
        raise _no_id(given, field)
    return kind, key


def database_id(given: str, kind: str, field: str) -> int:
    """Return the number that an argument names: an opaque id of the kind, or the number itself, the `databaseId`."""
    digits = given.removeprefix("-")
    if digits.isascii() and digits.isdecimal():
        number = int(given) if len(given) <= 20 else 1 << 63
        if not -(1 << 63) <= number < 1 << 63:
            raise InvalidArgument(f"{field}: {given[:40]} is no 64-bit integer.")
        return number
    found, key = kind_and_key(given, field)
    if found != kind or not _is_number(key):
        raise InvalidArgument(f"{field}: {given!r} is the id of a {found}; give one of a {kind}, or its databaseId.")
    return int(key[0])


def _is_number(key: Key) -> bool:
    return len(key) == 1 and type(key[0]) is int and -(1 << 63) <= key[0] < 1 << 63


def _no_id(given: str, field: str) -> InvalidArgument:
    if given.isascii() and given.isdecimal():
        return InvalidArgument(
            f"{field}: {given[:60]!r} is a databaseId, which says nothing of the kind of entity; take its opaque `id`."
        )
    return InvalidArgument(f"{field}: {given[:60]!r} is no id of this server; take `id` or `databaseId` of an entity.")
