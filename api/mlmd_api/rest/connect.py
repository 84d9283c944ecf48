"""The Connect protocol: a unary message is the body, the status HTTP's, an error a small JSON object.

A stream is HTTP 200 with each message in an envelope: a flag, four bytes of length (big-endian) and the content. The
flag 0x02 marks the last one, a JSON object that holds the error when there is one.
"""

import json
from collections.abc import Mapping
from typing import Any

from mlmd_schemas.errors import Code, InvalidArgument

from mlmd_api.call import REQUEST_ID_KEY
from mlmd_api.codec import Codec
from mlmd_api.message_sizes import Limits
from mlmd_api.rest.exchange import Reply, compressed, decoded, frame, one_message
from mlmd_api.status import CONNECT_CODE, HTTP_STATUS
from mlmd_api.streaming import Answer

_END = 0x02
_TIMEOUT = "connect-timeout-ms"


class ConnectProtocol:
    """`application/json` or `application/proto`, by the codec."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.wire = f"connect-{codec.name}"

    def timeout_seconds(self, headers: Mapping[str, str]) -> float | None:
        """Return the seconds of `connect-timeout-ms`."""
        return timeout_seconds(headers)

    def message(self, headers: Mapping[str, str], body: bytes, limits: Limits) -> bytes:
        """Return the body, decompressed."""
        return decoded(body, headers.get("content-encoding", "").lower(), "content-encoding", limits)

    def reply(self, answer: Answer, headers: Mapping[str, str]) -> Reply:
        """Return the message with 200, or the error as JSON with its HTTP status."""
        said = {REQUEST_ID_KEY: answer.request_id, **answer.facts}
        if answer.code is not Code.OK:
            said["content-type"] = "application/json"
            return Reply(HTTP_STATUS[answer.code], said, json.dumps(_error(answer), ensure_ascii=False).encode())
        said["content-type"] = f"application/{self.codec.name}"
        body, encoding = compressed(answer.body, headers)
        return Reply(200, said | encoding, body)


class ConnectStreams(ConnectProtocol):
    """`application/connect+json` or `application/connect+proto`, by the codec."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec)
        self.wire = f"connect-stream-{codec.name}"
        self.content_type = f"application/connect+{codec.name}"

    def message(self, headers: Mapping[str, str], body: bytes, limits: Limits) -> bytes:
        """Return the message of the one envelope in the body."""
        return one_message(body, headers.get("connect-content-encoding", "gzip"), "connect-content-encoding", limits)

    def piece(self, body: bytes) -> bytes:
        """Return a message of the stream in its envelope."""
        return frame(0, body)

    def ending(self, answer: Answer) -> bytes:
        """Return the envelope that ends the stream."""
        end: dict[str, Any] = {} if answer.code is Code.OK else {"error": _error(answer)}
        if answer.facts:
            end["metadata"] = {key: [value] for key, value in answer.facts.items()}
        return frame(_END, json.dumps(end, ensure_ascii=False).encode())


def timeout_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long the caller waits, None for ever; raises InvalidArgument for a header that is no time."""
    text = headers.get(_TIMEOUT)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise InvalidArgument(f"{_TIMEOUT}: {text[:40]!r} is no number of milliseconds of 1 to 10 digits.")
    return int(text) / 1000


def _error(answer: Answer) -> dict[str, str]:
    return {"code": CONNECT_CODE[answer.code], "message": answer.message}
