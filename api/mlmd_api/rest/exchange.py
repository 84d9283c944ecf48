"""What the HTTP handler and the protocols on it hand each other."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mlmd_schemas.errors import InvalidArgument, Unimplemented

from mlmd_api.codec import Codec
from mlmd_api.dispatch import Answer, Limits, request_too_large


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


class WireProtocol(Protocol):
    """One way of saying a unary call over HTTP."""

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

    def reply(self, answer: Answer, headers: Mapping[str, str]) -> Reply:
        """Return the HTTP response that says the answer."""


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
    return plain


def decoded(data: bytes, encoding: str, header: str, limits: Limits) -> bytes:
    """Return the data as it was before the encoding that a header names; raises Unimplemented for an unknown one."""
    if encoding in ("", "identity"):
        return data
    if encoding == "gzip":
        return gunzip(data, limits)
    raise Unimplemented(f"{header}: {encoding!r} is not supported; use gzip or identity.")
