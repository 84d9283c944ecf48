"""gRPC-Web: the message in a frame, the status in a frame of trailers after it, both in one HTTP 200.

A frame is a flag, four bytes of length (big-endian) and the content; the flag 0x80 marks the trailers. The `-text`
variants are the same in base64, which may come in several padded pieces.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import quote

from mlmd_schemas.errors import Code, InvalidArgument

from mlmd_api.call import REQUEST_ID_KEY
from mlmd_api.codec import BINARY
from mlmd_api.message_sizes import Limits
from mlmd_api.rest.exchange import Reply, frame, one_message
from mlmd_api.streaming import Answer

_TRAILERS = 0x80
_PIECE = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_UNIT_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNQUOTED = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}"


class GrpcWebProtocol:
    """`application/grpc-web` and its kin; answers in the content type of the request."""

    codec = BINARY

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type
        self._is_text = "-text" in content_type
        self.wire = "grpc-web-text" if self._is_text else "grpc-web"

    def timeout_seconds(self, headers: Mapping[str, str]) -> float | None:
        """Return the seconds of `grpc-timeout`."""
        text = headers.get("grpc-timeout")
        if text is None:
            return None
        match = _TIMEOUT.fullmatch(text)
        if match is None:
            raise InvalidArgument(
                f"grpc-timeout: {text[:40]!r} is no time; write 1 to 8 digits and one of H M S m u n."
            )
        return int(match[1]) * _UNIT_SECONDS[match[2]]

    def message(self, headers: Mapping[str, str], body: bytes, limits: Limits) -> bytes:
        """Return the message of the one data frame in the body."""
        plain = debase64(body) if self._is_text else body
        return one_message(plain, headers.get("grpc-encoding", "gzip"), "grpc-encoding", limits)

    def reply(self, answer: Answer, headers: Mapping[str, str]) -> Reply:
        """Return 200 with a data frame, empty or not, when all is well, and the trailers in any case."""
        body = frame(0, answer.body) if answer.code is Code.OK else b""
        said = {"content-type": self.content_type, REQUEST_ID_KEY: answer.request_id}
        return Reply(200, said, self._said(body + frame(_TRAILERS, trailers(answer))))

    def piece(self, body: bytes) -> bytes:
        """Return a message of a stream in its frame; in base64 each is a piece of its own."""
        return self._said(frame(0, body))

    def ending(self, answer: Answer) -> bytes:
        """Return the frame of trailers."""
        return self._said(frame(_TRAILERS, trailers(answer)))

    def _said(self, framed: bytes) -> bytes:
        return base64.b64encode(framed) if self._is_text else framed


def trailers(answer: Answer) -> bytes:
    """Return the trailers as lines of HTTP/1; the message is percent-encoded as gRPC wants it."""
    lines = [f"grpc-status:{answer.code.value}"]
    if answer.message:
        lines.append(f"grpc-message:{quote(answer.message, safe=_UNQUOTED)}")
    lines += [f"{key}:{value}" for key, value in answer.facts.items()]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def debase64(body: bytes) -> bytes:
    """Return the bytes of base64 in one or several padded pieces; raises InvalidArgument when it is none."""
    compact = b"".join(body.split())
    pieces = _PIECE.findall(compact)
    try:
        if sum(map(len, pieces)) == len(compact):
            return b"".join(base64.b64decode(piece) for piece in pieces)
    except binascii.Error:
        pass
    raise InvalidArgument("request: the body of a gRPC-Web text call is not base64.")
