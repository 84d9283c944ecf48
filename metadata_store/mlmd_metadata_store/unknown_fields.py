"""Whether a message came with fields that it does not know."""

from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from mlmd_schemas.descriptors import is_map

_LENGTH_DELIMITED = 2


def has_unknown_fields(message: Message) -> bool:
    """Tell whether a message itself holds fields it does not know, other than entries of its maps.

    protobuf's Python counts an entry that has such a field among them; C++, whose meaning this is, does not.
    """
    unknown = UnknownFieldSet(message)
    if not len(unknown):
        return False
    maps = _maps(message.DESCRIPTOR)
    fields = (unknown[place] for place in range(len(unknown)))
    return any(field.wire_type != _LENGTH_DELIMITED or field.field_number not in maps for field in fields)


@cache
def _maps(descriptor: Descriptor) -> frozenset[int]:
    return frozenset(field.number for field in descriptor.fields if is_map(field))
