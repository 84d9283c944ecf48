"""Requests with one field set, for every field of every request: what a hostile or broken client might send."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

DEEPEST = 6
"""Fields below each other; the messages that contain themselves end there."""


@dataclass(frozen=True)
class Place:
    """One field of a request, and the request with nothing but this field."""

    path: str
    field: Any
    request: Message

    @property
    def name(self) -> str:
        """The field's own name."""
        return str(self.field.name)


def places(request: type[Message], wanted: Callable[[Any], bool], value: Any) -> Iterator[Place]:
    """Yield a request for each field that is wanted, at any depth, with `value` in it."""
    for path in _paths(request.DESCRIPTOR, wanted, ()):
        made = request()
        _fill(made, path, value)
        yield Place(".".join(field.name for field in path), path[-1], made)


def is_text(field: Any) -> bool:
    """Tell whether the field holds text."""
    return bool(field.type == FieldDescriptor.TYPE_STRING)


def is_long(field: Any) -> bool:
    """Tell whether the field holds a 64-bit integer."""
    return bool(field.type == FieldDescriptor.TYPE_INT64)


def is_enum(field: Any) -> bool:
    """Tell whether the field holds an enum."""
    return bool(field.type == FieldDescriptor.TYPE_ENUM)


def _paths(shape: Any, wanted: Callable[[Any], bool], above: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for field in shape.fields:
        if field.message_type is None:
            if wanted(field):
                yield (*above, field)
        elif len(above) < DEEPEST and sum(field.message_type is other.message_type for other in above) < 1:
            yield from _paths(field.message_type, wanted, (*above, field))


def _fill(message: Message, path: tuple[Any, ...], value: Any) -> None:
    field, rest = path[0], path[1:]
    member: Any = getattr(message, field.name) if rest or _is_list(field) else None
    if not rest:
        if _is_list(field):
            member.append(value)
        else:
            setattr(message, field.name, value)
    elif field.message_type.GetOptions().map_entry:
        _fill_entry(member, field.message_type, rest, value)
    elif _is_list(field):
        _fill(member.add(), rest, value)
    else:
        member.SetInParent()
        _fill(member, rest, value)


def _fill_entry(entries: Any, shape: Any, rest: tuple[Any, ...], value: Any) -> None:
    kind = shape.fields_by_name["value"]
    if rest[0].name == "key":
        if kind.message_type is not None:
            entries[value].SetInParent()
        else:
            entries[value] = "" if is_text(kind) else 1
    elif kind.message_type is None:
        entries["key"] = value
    else:
        entries["key"].SetInParent()
        _fill(entries["key"], rest[1:], value)


def _is_list(field: Any) -> bool:
    return bool(field.is_repeated)
