"""The codec of calls whose request and response are documents already."""

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BytesValue


class DocumentCodec:
    """A body is the value of a BytesValue, as it is."""

    name = "json"

    def read(self, kind: type[Message], body: bytes) -> Message:
        """Return the document as a message."""
        return BytesValue(value=body)

    def write(self, message: Message) -> bytes:
        """Return the document in a message."""
        if not isinstance(message, BytesValue):
            raise TypeError(f"{type(message).__name__} holds no document")
        return message.value


DOCUMENTS = DocumentCodec()
