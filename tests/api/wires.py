"""One client for each way of saying a call, hand-made, all with the same face.

gRPC-Web is framed by hand, as Kubeflow's page server does it, so that nothing of ours checks itself.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import unquote

import grpc
import httpx
from google.protobuf import json_format
from google.protobuf.message import Message
from mlmd_schemas.errors import Code

from tests.services.trailers import trailers

M = TypeVar("M", bound=Message)
Pairs = Sequence[tuple[str, str]]

WIRES = ("grpc", "connect-json", "connect-proto", "grpc-web", "grpc-web-text")

CONTENT_TYPES = {
    "connect-json": "application/json",
    "connect-proto": "application/proto",
    "grpc-web": "application/grpc-web+proto",
    "grpc-web-text": "application/grpc-web-text",
}
_CONNECT = {"canceled": Code.CANCELLED}


@dataclass(frozen=True)
class Outcome:
    """What a caller heard."""

    code: Code
    message: str
    body: bytes
    request_id: str
    facts: dict[str, str] = field(default_factory=dict)
    """What an error tells programs: the metadata of the call whose keys begin with `mlmd-`."""


def facts(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return what metadata, headers or trailers tell programs."""
    return {key: value for key, value in metadata.items() if key.startswith("mlmd-")}


@dataclass
class Doors:
    """Where a server listens, and what every call carries."""

    grpc_port: int
    http_port: int
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def http(self) -> str:
        """The address of the HTTP listener."""
        return f"http://127.0.0.1:{self.http_port}"


def say(
    wire: str,
    doors: Doors,
    path: str,
    request: Message | bytes,
    metadata: Mapping[str, str] | None = None,
    timeout: float | None = None,
    besides: Pairs = (),
) -> Outcome:
    """Make one call on one wire; `timeout` is the caller's deadline in seconds. Keys may come again in `besides`."""
    said = [*(doors.metadata | dict(metadata or {})).items(), *besides]
    if wire == "grpc":
        return _grpc(doors, path, _bytes(request), said, timeout)
    if wire.startswith("connect"):
        return _connect(wire, doors, path, request, said, timeout)
    return _grpc_web(wire, doors, path, _bytes(request), said, timeout)


def _bytes(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


def _grpc(doors: Doors, path: str, body: bytes, metadata: Pairs, timeout: float | None) -> Outcome:
    options = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.enable_http_proxy", 0),
    ]
    with grpc.insecure_channel(f"127.0.0.1:{doors.grpc_port}", options=options) as channel:
        try:
            method = channel.unary_unary(path, None, None)
            answer, call = method.with_call(body, timeout=timeout, metadata=tuple(metadata))
        except grpc.RpcError as error:
            ended = trailers(error)
            code, message = Code(error.code().value[0]), error.details() or ""
            return Outcome(code, message, b"", ended.get("x-request-id", ""), facts(ended))
        return Outcome(Code.OK, "", answer, trailers(call)["x-request-id"])


def post(doors: Doors, path: str, body: bytes, headers: Mapping[str, str] | Pairs) -> httpx.Response:
    """Send one HTTP request as it is."""
    return httpx.post(doors.http + path, content=body, headers=httpx.Headers(headers), timeout=60, trust_env=False)


def _connect(
    wire: str, doors: Doors, path: str, request: Message | bytes, metadata: Pairs, timeout: float | None
) -> Outcome:
    headers = [("content-type", CONTENT_TYPES[wire]), ("connect-protocol-version", "1"), *metadata]
    if timeout is not None:
        headers.append(("connect-timeout-ms", str(int(timeout * 1000))))
    body = _bytes(request)
    if wire == "connect-json" and isinstance(request, Message):
        body = json_format.MessageToJson(request).encode()
    response = post(doors, path, body, headers)
    request_id = response.headers.get("x-request-id", "")
    if response.status_code != 200:
        error = response.json()
        code = _CONNECT.get(error["code"]) or Code[error["code"].upper()]
        return Outcome(code, error["message"], b"", request_id, facts(response.headers))
    assert response.headers["content-type"] == CONTENT_TYPES[wire]
    return Outcome(Code.OK, "", response.content, request_id)


def _grpc_web(wire: str, doors: Doors, path: str, body: bytes, metadata: Pairs, timeout: float | None) -> Outcome:
    headers = [("content-type", CONTENT_TYPES[wire]), ("x-grpc-web", "1"), *metadata]
    if timeout is not None:
        headers.append(("grpc-timeout", f"{int(timeout * 1000)}m"))
    framed = frame(0, body)
    response = post(doors, path, base64.b64encode(framed) if wire == "grpc-web-text" else framed, headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == CONTENT_TYPES[wire]
    content = base64.b64decode(response.content) if wire == "grpc-web-text" else response.content
    return replace(read_grpc_web(content), request_id=response.headers["x-request-id"])


def frame(flag: int, content: bytes) -> bytes:
    """Return one gRPC-Web frame."""
    return bytes([flag]) + len(content).to_bytes(4, "big") + content


def read_grpc_web(content: bytes) -> Outcome:
    """Read complete frames to the end: data first, then exactly one of trailers."""
    data: list[bytes] = []
    trailers: dict[str, str] = {}
    while content:
        assert not trailers, "nothing may follow the trailers"
        flag, length = content[0], int.from_bytes(content[1:5], "big")
        piece, content = content[5 : 5 + length], content[5 + length :]
        assert len(piece) == length, "the last frame is cut off"
        if flag == 0x80:
            trailers = dict(line.split(":", 1) for line in piece.decode("ascii").splitlines())
        else:
            assert flag == 0
            data.append(piece)
    code = Code(int(trailers["grpc-status"]))
    assert len(data) == (1 if code is Code.OK else 0)
    return Outcome(code, unquote(trailers.get("grpc-message", "")), b"".join(data), "", facts(trailers))


def read(wire: str, outcome: Outcome, kind: type[M]) -> M:
    """Return the response message of an outcome that is OK."""
    assert outcome.code is Code.OK, outcome
    if wire == "connect-json":
        return json_format.ParseDict(json.loads(outcome.body), kind())
    return kind.FromString(outcome.body)
