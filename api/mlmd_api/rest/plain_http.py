"""What the endpoints on HTTP have in common: who called, and errors as JSON."""

import json

from starlette.requests import HTTPConnection
from starlette.responses import Response

from mlmd_api.call import REQUEST_ID_KEY
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
