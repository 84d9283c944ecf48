"""Messages of proto3 with the strings of other messages: their parser, in C, refuses a string that is not UTF-8.

A shadow has the message's strings and the messages in which there may be strings, under the same numbers, and nothing
else: what it does not know it passes over. A map is a list of its entries there, which is the same on the wire.
"""

from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

_SHORTAGE = ("Arena alloc failed", "Out of memory")


def are_strings_utf8(shape: Any, body: bytes) -> bool:
    """Tell whether every string of a message of this descriptor, which `body` is known to hold, is UTF-8.

    Raises MemoryError.
    """
    try:
        _shadow(shape).FromString(body)
    except DecodeError as error:
        see_to_memory(error)
        return False
    return True


def see_to_memory(error: DecodeError) -> None:
    """Raise MemoryError where protobuf refused a message because there was no memory for it.

    Its core, in C, says so in the words of the same error that it has for bytes that are no message.
    """
    if str(error).endswith(_SHORTAGE):
        raise MemoryError(str(error)) from None


@cache
def _shadow(shape: Any) -> type[Message]:
    """Return the class of a descriptor's shadow."""
    file = FileDescriptorProto(name="shadow.proto", syntax="proto3")
    waiting, known = [shape], {shape.full_name}
    while waiting:
        message = waiting.pop()
        shadow = file.message_type.add(name=_name(message))
        for field in message.fields:
            _add(shadow, field)
            inner = field.message_type
            if inner is not None and inner.full_name not in known:
                known.add(inner.full_name)
                waiting.append(inner)
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(_name(shape)))


def _add(shadow: DescriptorProto, field: Any) -> None:
    # Whether there is one or many makes no difference to what is refused, and a list takes both.
    many = FieldDescriptorProto.LABEL_REPEATED
    name = f"f{field.number}"
    if field.type == FieldDescriptor.TYPE_STRING:
        shadow.field.add(name=name, number=field.number, label=many, type=FieldDescriptorProto.TYPE_STRING)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        kind = f".{_name(field.message_type)}"
        told = FieldDescriptorProto.TYPE_MESSAGE
        shadow.field.add(name=name, number=field.number, label=many, type=told, type_name=kind)


def _name(shape: Any) -> str:
    return str(shape.full_name).replace(".", "_")
