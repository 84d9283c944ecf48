"""Requests and responses as bytes: protobuf's own, and its canonical JSON."""

from typing import Protocol

from google.protobuf.message import DecodeError, Message
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument

from mlmd_api.map_entries import restore_entries
from mlmd_api.string_shadows import see_to_memory
from mlmd_api.utf8 import check_utf8, refuse_broken_strings

_SPACES = " \t\r\n"


class Codec(Protocol):
    """How a message becomes bytes and back."""

    @property
    def name(self) -> str:
        """What content types call it."""

    def read(self, kind: type[Message], body: bytes) -> Message:
        """Return the request in `body`; raises InvalidArgument when there is none."""

    def write(self, message: Message) -> bytes:
        """Return the response as bytes."""


class BinaryCodec:
    """Protobuf's wire format."""

    name = "proto"

    def read(self, kind: type[Message], body: bytes) -> Message:
        """Return the request; raises InvalidArgument for malformed bytes and for strings that are not UTF-8."""
        try:
            message = kind.FromString(body)
        except DecodeError as error:
            see_to_memory(error)
            refuse_broken_strings(kind.DESCRIPTOR, body)
            raise InvalidArgument(
                f"request: {counted(len(body), 'byte')} came, and no {kind.DESCRIPTOR.full_name}; send the "
                "message that the method takes, serialized by protobuf and nested at most 100 deep."
            ) from None
        check_utf8(message, body)
        restore_entries(message, body)
        return message

    def write(self, message: Message) -> bytes:
        """Return the serialized response."""
        return message.SerializeToString()


class JsonCodec:
    """Protobuf's canonical JSON: lowerCamelCase, int64 as strings, NaN and infinities as strings.

    Requests may use the names of the .proto file as well, each field by one of them. A field that the message does not
    have is refused, because it is a slip of the pen far more often than a message from the future.
    """

    name = "json"

    def read(self, kind: type[Message], body: bytes) -> Message:
        """Return the request; raises InvalidArgument naming the field that does not fit."""
        from google.protobuf import json_format

        from mlmd_api.json_misfits import REFUSALS, misfit
        from mlmd_api.json_spellings import spelt_twice

        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"request: byte {error.start} of the JSON is not valid UTF-8.") from None
        try:
            if text.lstrip(_SPACES)[:1] in ("", "{"):  # protobuf takes an empty array for an empty message
                message = json_format.Parse(text or "{}", kind())
                if twice := spelt_twice(kind.DESCRIPTOR, text):
                    raise InvalidArgument(twice)
                return message
        except REFUSALS:
            pass
        raise InvalidArgument(misfit(kind.DESCRIPTOR, text))

    def write(self, message: Message) -> bytes:
        """Return the response; raises FailedPrecondition for the few values that protobuf's JSON cannot say."""
        from google.protobuf import json_format

        try:
            return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()
        except (json_format.SerializeToJsonError, TypeError, ValueError) as error:
            raise FailedPrecondition(
                f"The answer holds a value that JSON cannot carry ({error}); ask with the content type "
                "application/proto, or over gRPC."
            ) from None


BINARY = BinaryCodec()
JSON = JsonCodec()
