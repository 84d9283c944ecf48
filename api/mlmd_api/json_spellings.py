"""A field of a JSON document that stands twice in one object, once in each of its two spellings.

`artifact_ids` and `artifactIds` are one field. Protobuf's parser for Python keeps what comes last and drops the other;
its conformance suite, Go's and Java's refuse the document, as every parser refuses one name that stands twice.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from mlmd_schemas.descriptors import is_map, is_repeated

_ESCAPED = re.compile(r"\\u00(?:3[0-9]|[4-7])")
"""A digit, a letter or an underscore that is written by its number, which no library does unasked."""


def spelt_twice(message: Any, text: str) -> str:
    """Return a sentence about the first field that a document, which is this message, has in both spellings, or ""."""
    if not (_ESCAPED.search(text) or any(plain in text and camel in text for plain, camel in _spellings(message))):
        return ""  # nearly all there are, and found out in a fraction of the time that reading took
    return next(_found(message, json.loads(text), ""), "")


@cache
def _spellings(message: Descriptor) -> tuple[tuple[str, str], ...]:
    """Return both names, in quotes, of every field that has two, here or in a message within."""
    found: dict[tuple[str, str], None] = {}
    seen, waiting = {message.full_name}, [message]
    while waiting:
        for field in waiting.pop().fields:
            if field.name != field.json_name:
                found[f'"{field.name}"', f'"{field.json_name}"'] = None
            inner = field.message_type
            if inner is not None and inner.full_name not in seen:
                seen.add(inner.full_name)
                waiting.append(inner)
    return tuple(found)


def _found(message: Descriptor, document: Any, path: str) -> Iterator[str]:
    if message.file.package == "google.protobuf" or not isinstance(document, dict):
        return  # each of theirs has a form of its own
    fields = {name: field for field in message.fields for name in (field.name, field.json_name)}
    names: dict[str, str] = {}
    for name, value in document.items():
        field = fields.get(name)
        if field is None:
            continue
        other = names.setdefault(field.name, name)
        if other != name:
            yield f"{path}{name}: is the field that stands there as {other}, too; leave one out."
        if field.message_type is not None:
            for where, inner in _inner(field, value):
                yield from _found(_message(field), inner, f"{path}{name}{where}.")


def _message(field: Any) -> Descriptor:
    entry: Descriptor = field.message_type
    value: Descriptor | None = entry.fields_by_name["value"].message_type if is_map(field) else entry
    return entry if value is None else value


def _inner(field: Any, value: Any) -> Iterable[tuple[str, Any]]:
    if is_map(field):
        return ((f"[{json.dumps(key)}]", one) for key, one in value.items()) if isinstance(value, dict) else ()
    if is_repeated(field):
        return ((f"[{place}]", one) for place, one in enumerate(value)) if isinstance(value, list) else ()
    return (("", value),)
