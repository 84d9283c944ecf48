"""What the HTTP handler and the protocols on it hand each other."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from mlmd_schemas.errors import InvalidArgument, Unimplemented

from mlmd_api.codec import Codec
from mlmd_api.message_sizes import Limits, request_too_large
from mlmd_api.rest.accepted import weight_of
from mlmd_api.streaming import Answer

_HEADER_BYTES = 5
_COMPRESSED = 0x01
_NO_MESSAGE = 0x82

_WORTH_COMPRESSING_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


class RequestProtocol(Protocol):
    """One way of asking over HTTP."""

    @property
    def wire(self) -> str:
        """The name of the protocol in the log and the measurements."""

    @property
    def codec(self) -> Codec:
        """How messages are written in it."""

    def timeout_seconds(self, headers: Mapping[str, str]) -> float | None:
        """Return how long the caller waits, None for ever; raises InvalidArgument for a header that is no time."""

    def message(self, headers: Mapping[str, str], body: bytes, limits: Limits) -> bytes:
        """Return the request message within the HTTP body; raises StoreError when there is none."""


class WireProtocol(RequestProtocol, Protocol):
    """One way of saying a unary call over HTTP."""

    def reply(self, answer: Answer, headers: Mapping[str, str]) -> Reply:
        """Return the HTTP response that says the answer."""


class StreamProtocol(RequestProtocol, Protocol):
    """One way of saying a stream over HTTP."""

    @property
    def content_type(self) -> str:
        """The content type of request and response."""

    def piece(self, body: bytes) -> bytes:
        """Return what is sent for one message."""

    def ending(self, answer: Answer) -> bytes:
        """Return what is sent after the last message."""


def frame(flag: int, content: bytes) -> bytes:
    """Return one frame of gRPC-Web, which is an envelope of Connect: flag, four bytes of length, content."""
    return bytes([flag]) + len(content).to_bytes(4, "big") + content


def frames(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield flag and content of each frame; raises InvalidArgument for a body that does not end with one."""
    start = 0
    while start < len(body):
        end = start + _HEADER_BYTES + int.from_bytes(body[start + 1 : start + _HEADER_BYTES], "big")
        if len(body) < start + _HEADER_BYTES or len(body) < end:
            raise InvalidArgument(
                f"request: the frame at byte {start} is cut off; a frame is a flag, four bytes of length and as many "
                "bytes of content."
            )
        yield body[start], body[start + _HEADER_BYTES : end]
        start = end


def one_message(body: bytes, encoding: str, header: str, limits: Limits) -> bytes:
    """Return the message of the one frame that carries one, decompressed when its flag says so."""
    messages = [
        decoded(content, encoding, header, limits) if flag & _COMPRESSED else content
        for flag, content in frames(body)
        if not flag & _NO_MESSAGE
    ]
    if len(messages) != 1:
        raise InvalidArgument(f"request: the body has {len(messages)} data frames; a call has exactly one.")
    return messages[0]


def gunzip(data: bytes, limits: Limits) -> bytes:
    """Return the data, decompressed; raises ResourceExhausted over the limit and InvalidArgument if it is no gzip."""
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(data, limits.max_message_bytes + 1)
    except zlib.error:
        raise InvalidArgument("request: the body says that it is gzip and is not.") from None
    if len(plain) > limits.max_message_bytes:
        raise request_too_large(None, limits)
    if not stream.eof:
        raise InvalidArgument("request: the gzip body is cut off.")
    if stream.unused_data:  # a second member would be a part of the message that nobody reads
        raise InvalidArgument("request: something follows the end of the gzip body; compress the whole in one piece.")
    return plain


class UnknownEncoding(Unimplemented):
    """A body in an encoding that nobody here reads."""


def decoded(data: bytes, encoding: str, header: str, limits: Limits) -> bytes:
    """Return the data as it was before the encoding that a header names; raises UnknownEncoding."""
    if encoding in ("", "identity"):
        return data
    if encoding == "gzip":
        return gunzip(data, limits)
    raise UnknownEncoding(f"{header}: {encoding!r} is not supported; use gzip or identity.")


def compressed(body: bytes, headers: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """Return a body as the caller likes it, gzip or as it is, and the headers that say so."""
    if len(body) < _WORTH_COMPRESSING_BYTES or not weight_of("gzip", headers.get("accept-encoding", "")):
        return body, {}
    return gzip.compress(body, compresslevel=1), {"content-encoding": "gzip", "vary": "accept-encoding"}
