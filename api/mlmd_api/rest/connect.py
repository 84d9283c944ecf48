"""The Connect protocol's unary calls: the message is the body, the status HTTP's, an error a small JSON object."""

import gzip
import json
from collections.abc import Mapping

from mlmd_schemas.errors import Code, InvalidArgument

from mlmd_api.codec import Codec
from mlmd_api.dispatch import REQUEST_ID_KEY, Answer, Limits
from mlmd_api.rest.exchange import Reply, decoded
from mlmd_api.status import CONNECT_CODE, HTTP_STATUS

_WORTH_COMPRESSING_BYTES = 1024


class ConnectProtocol:
    """`application/json` or `application/proto`, by the codec."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.wire = f"connect-{codec.name}"

    def timeout_seconds(self, headers: Mapping[str, str]) -> float | None:
        """Return the seconds of `connect-timeout-ms`."""
        text = headers.get("connect-timeout-ms")
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) <= 10):
            raise InvalidArgument(f"connect-timeout-ms: {text[:40]!r} is no number of milliseconds of 1 to 10 digits.")
        return int(text) / 1000

    def message(self, headers: Mapping[str, str], body: bytes, limits: Limits) -> bytes:
        """Return the body, decompressed."""
        return decoded(body, headers.get("content-encoding", "").lower(), "content-encoding", limits)

    def reply(self, answer: Answer, headers: Mapping[str, str]) -> Reply:
        """Return the message with 200, or the error as JSON with its HTTP status."""
        said = {REQUEST_ID_KEY: answer.request_id}
        if answer.code is not Code.OK:
            error = {"code": CONNECT_CODE[answer.code], "message": answer.message}
            said["content-type"] = "application/json"
            return Reply(HTTP_STATUS[answer.code], said, json.dumps(error, ensure_ascii=False).encode())
        said["content-type"] = f"application/{self.codec.name}"
        body = answer.body
        if len(body) >= _WORTH_COMPRESSING_BYTES and "gzip" in headers.get("accept-encoding", ""):
            body = gzip.compress(body, compresslevel=1)
            said |= {"content-encoding": "gzip", "vary": "accept-encoding"}
        return Reply(200, said, body)
