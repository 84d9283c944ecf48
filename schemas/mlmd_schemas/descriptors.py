"""What the descriptors of protobuf 4 to 7 say in different words."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor


def is_repeated(field: Any) -> bool:
    """Tell whether a field is a list or a map; protobuf 7 has no labels, 4 nothing but."""
    known = getattr(field, "is_repeated", None)
    return bool(known) if known is not None else field.label == FieldDescriptor.LABEL_REPEATED


def is_map(field: Any) -> bool:
    """Tell whether a field is a map, which is a list of its entries on the wire."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
