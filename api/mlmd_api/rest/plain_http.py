"""What the endpoints on HTTP have in common: who called, and errors as JSON, or as trailers to who asks by gRPC-Web."""

import json

from mlmd_schemas.errors import Code
from starlette.requests import HTTPConnection
from starlette.responses import Response

from mlmd_api.call import REQUEST_ID_KEY
from mlmd_api.rest.exchange import Reply
from mlmd_api.rest.grpc_web import GrpcWebProtocol
from mlmd_api.rest.streams import STREAM_PROTOCOLS
from mlmd_api.status import CONNECT_CODE, HTTP_STATUS
from mlmd_api.streaming import Answer


def peer_of(request: HTTPConnection) -> str:
    """Return the address and port that a request came from, "" where the server does not know."""
    return f"{request.client.host}:{request.client.port}" if request.client else ""


def refusal(answer: Answer) -> Response:
    """Return an error as Connect has it: the status of its code, code and sentence as JSON, its facts as headers."""
    body = json.dumps({"code": CONNECT_CODE[answer.code], "message": answer.message}, ensure_ascii=False)
    headers = {**answer.facts, REQUEST_ID_KEY: answer.request_id}
    return Response(body, HTTP_STATUS[answer.code], headers, media_type="application/json")


def refused(content_type: str, code: Code, status: int, sentence: str) -> Reply:
    """Return what is said to a request that reached no endpoint: a status with JSON.

    A client of gRPC-Web reads of such an answer that its content type is none of its own, and nothing else: it is told
    as every other error is in that protocol.
    """
    protocol = STREAM_PROTOCOLS.get(content_type.partition(";")[0].strip().lower())
    if isinstance(protocol, GrpcWebProtocol):
        return Reply(200, {"content-type": protocol.content_type}, protocol.ending(Answer(code, sentence, b"", "")))
    body = json.dumps({"code": CONNECT_CODE[code], "message": sentence}, ensure_ascii=False).encode()
    return Reply(status, {"content-type": "application/json"}, body)
