"""Who may not call is told so before the server receives what they send."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from mlmd_schemas.errors import Code

from tests.api.conftest import MLMD, ODD, Served
from tests.api.test_grpc import open_channel
from tests.api.test_wires import Four
from tests.services.trailers import trailers

REFUSALS = [
    (f"{ODD}Note", "", Code.UNAUTHENTICATED, "authorization: not known here.", ""),
    (f"{ODD}Note", "Bearer x", Code.UNAUTHENTICATED, "authorization: not known here.", ""),
    (f"{ODD}Count", "Bearer x", Code.UNAUTHENTICATED, "authorization: not known here.", ""),
    (f"{MLMD}PutArtifacts", "Bearer r", Code.PERMISSION_DENIED, "PutArtifacts needs the role writer", "rita"),
    (f"{ODD}Count", "Bearer r", Code.PERMISSION_DENIED, "Count needs the role writer", "rita"),
    ("/no.such/Method", "Bearer r", Code.UNIMPLEMENTED, "/no.such/Method is no method of this server", ""),
]
"""Path, authorization, what is said of it, and whose the log says that the call was."""


@contextmanager
def unsaid(served: Served, path: str, token: str) -> Iterator[grpc.RpcError]:
    """Begin a call whose message never comes, and yield what is said of it meanwhile."""
    never = threading.Event()

    def messages() -> Iterator[bytes]:
        never.wait(60)
        yield b""

    metadata = (("authorization", token),) if token else ()
    with open_channel(served.doors) as channel:
        call = channel.stream_unary(path, None, None).future(messages(), timeout=30, metadata=metadata)
        try:
            error = call.exception()
            assert isinstance(error, grpc.RpcError)
            yield error
        finally:
            never.set()


def noted_call(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """Return what the log says of the one call that there was."""
    (record,) = [record for record in caplog.records if record.name == "mlmd.calls"]
    fields: dict[str, Any] = record.__dict__["fields"]
    return fields


@pytest.mark.parametrize(("path", "token", "code", "sentence", "subject"), REFUSALS)
def test_grpc_refuses_before_the_message_comes(
    path: str,
    token: str,
    code: Code,
    sentence: str,
    subject: str,
    serve: Callable[..., Served],
    caplog: pytest.LogCaptureFixture,
) -> None:
    served = serve(Four())
    with caplog.at_level(logging.INFO, "mlmd.calls"), unsaid(served, path, token) as error:
        assert error.code().value[0] == code.value
        assert str(error.details()).startswith(sentence)
    noted = noted_call(caplog)
    assert (noted["code"], noted["subject"], noted["wire"]) == (code.name, subject, "grpc")
    assert trailers(error)["x-request-id"] == noted["request_id"]
    assert served.odd.callers == []


@pytest.mark.parametrize(("path", "token", "code", "sentence", "subject"), REFUSALS)
def test_http_refuses_before_the_body_comes(
    path: str,
    token: str,
    code: Code,
    sentence: str,
    subject: str,
    serve: Callable[..., Served],
    caplog: pytest.LogCaptureFixture,
) -> None:
    served = serve(Four())
    kind = "application/connect+json" if path == f"{ODD}Count" else "application/json"
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: 100000\r\n"
    with (
        caplog.at_level(logging.INFO, "mlmd.calls"),
        socket.create_connection(("127.0.0.1", served.doors.http_port), 30) as connection,
    ):
        connection.sendall(f"{head}authorization: {token}\r\n\r\n".encode())
        answer = b""
        while b'"message"' not in answer:
            piece = connection.recv(65536)
            assert piece
            answer += piece
    said = answer[answer.index(b'{"') :].decode()
    told = json.JSONDecoder().raw_decode(said)[0]
    assert told.get("error", told)["message"].startswith(sentence)
    noted = noted_call(caplog)
    assert (noted["code"], noted["subject"]) == (code.name, subject)
