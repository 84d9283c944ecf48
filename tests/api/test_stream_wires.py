"""Streaming calls: the same messages and the same end on every wire, as they come, for as long as somebody listens."""

import base64
import contextlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from mlmd_api.callers import TokenFile, token_digest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as mlmd

from tests.api.conftest import ODD, Served
from tests.api.wires import Doors, frame, say
from tests.services.trailers import trailers
from tests.services.waiting import wait_for

STREAM_TYPES = {
    "connect-json": "application/connect+json",
    "connect-proto": "application/connect+proto",
    "grpc-web": "application/grpc-web+proto",
    "grpc-web-text": "application/grpc-web-text",
}
STREAM_WIRES = ("grpc", *STREAM_TYPES)


@dataclass
class Heard:
    """What a caller hears of a stream: each message as it comes, then how it ended."""

    messages: list[mlmd.Artifact] = field(default_factory=list)
    code: Code | None = None
    text: str = ""
    request_id: str = ""


@contextlib.contextmanager
def opened(
    wire: str, doors: Doors, name: str, request: mlmd.Artifact, headers: dict[str, str] | None = None
) -> Iterator[tuple[Heard, Iterator[None]]]:
    """Open a stream; each step of the iterator hears one message more, its end hears the end."""
    heard = Heard()
    said = headers or {}
    if wire == "grpc":
        with grpc.insecure_channel(f"127.0.0.1:{doors.grpc_port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
            call = channel.unary_stream(ODD + name, None, None)(
                request.SerializeToString(), timeout=30, metadata=tuple(said.items())
            )
            yield heard, _hear_grpc(call, heard)
        return
    body = json_format.MessageToJson(request).encode() if wire == "connect-json" else request.SerializeToString()
    framed = frame(0, body)
    content = base64.b64encode(framed) if wire == "grpc-web-text" else framed
    kind = {"content-type": STREAM_TYPES[wire]}
    with httpx.stream(
        "POST", doors.http + ODD + name, content=content, headers=kind | said, timeout=30, trust_env=False
    ) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == STREAM_TYPES[wire]
        heard.request_id = response.headers["x-request-id"]
        yield heard, _hear_http(wire, response, heard)


def _hear_grpc(call: Any, heard: Heard) -> Iterator[None]:
    try:
        for body in call:
            heard.messages.append(mlmd.Artifact.FromString(body))
            yield
        heard.code = Code.OK
    except grpc.RpcError as error:
        heard.code, heard.text = Code(error.code().value[0]), error.details() or ""
    heard.request_id = trailers(call).get("x-request-id", "")


def _hear_http(wire: str, response: httpx.Response, heard: Heard) -> Iterator[None]:
    for flag, content in _frames(wire, response):
        assert heard.code is None, "nothing may follow the end"
        if flag == 0x80:
            ended = dict(line.split(":", 1) for line in content.decode().splitlines())
            heard.code, heard.text = Code(int(ended["grpc-status"])), ended.get("grpc-message", "")
        elif flag == 0x02:
            error = json.loads(content).get("error")
            heard.code = Code[error["code"].upper()] if error else Code.OK
            heard.text = error["message"] if error else ""
        else:
            assert flag == 0
            json_wire = wire == "connect-json"
            kind = mlmd.Artifact
            heard.messages.append(json_format.Parse(content, kind()) if json_wire else kind.FromString(content))
            yield
    assert heard.code is not None, "the stream ended without saying how"


def _frames(wire: str, response: httpx.Response) -> Iterator[tuple[int, bytes]]:
    pending = b""
    for piece in response.iter_bytes():
        pending += base64.b64decode(piece) if wire == "grpc-web-text" else piece
        while len(pending) >= 5 and len(pending) >= 5 + int.from_bytes(pending[1:5], "big"):
            length = int.from_bytes(pending[1:5], "big")
            yield pending[0], pending[5 : 5 + length]
            pending = pending[5 + length :]
    assert not pending


@pytest.mark.parametrize("wire", STREAM_WIRES)
def test_every_message_then_the_end(served: Served, wire: str) -> None:
    with opened(wire, served.doors, "Count", mlmd.Artifact(id=100, uri="ünï")) as (heard, steps):
        assert len(list(steps)) == 100
    assert heard.code is Code.OK
    assert [(message.id, message.uri) for message in heard.messages] == [(n, "ünï") for n in range(1, 101)]
    assert heard.request_id


@pytest.mark.parametrize("wire", STREAM_WIRES)
def test_no_message_at_all(served: Served, wire: str) -> None:
    with opened(wire, served.doors, "Count", mlmd.Artifact()) as (heard, steps):
        assert list(steps) == []
    assert heard.code is Code.OK


@pytest.mark.parametrize("wire", STREAM_WIRES)
def test_a_message_is_heard_before_the_next_is_made_and_leaving_is_told(served: Served, wire: str) -> None:
    with opened(wire, served.doors, "Watch", mlmd.Artifact()) as (heard, steps):
        next(steps)
        assert [message.uri for message in heard.messages] == ["first"]
        assert served.odd.entered.wait(60)
        assert not served.odd.release.is_set()
    assert served.odd.release.wait(60)


@pytest.mark.parametrize("wire", STREAM_WIRES)
def test_what_breaks_off_ends_with_an_error_that_tells_no_secret(served: Served, wire: str) -> None:
    with opened(wire, served.doors, "BreakOff", mlmd.Artifact(), {"x-request-id": "abc"}) as (heard, steps):
        assert len(list(steps)) == 1
    assert heard.code is Code.INTERNAL
    assert "secret" not in heard.text
    assert "abc" in heard.text
    assert heard.request_id == "abc"


@pytest.mark.parametrize("wire", STREAM_WIRES)
def test_a_message_over_the_limit_ends_the_stream(served: Served, wire: str) -> None:
    with opened(wire, served.doors, "FloodOnce", mlmd.Artifact()) as (heard, steps):
        assert list(steps) == []
    assert heard.code is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("wire", STREAM_WIRES)
def test_the_end_of_the_server_is_told_and_is_no_error_of_its_log(
    served: Served, wire: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO, "mlmd.calls"),
        opened(wire, served.doors, "Watch", mlmd.Artifact()) as (heard, steps),
    ):
        next(steps)
        served.dispatcher.end_streams()
        assert list(steps) == []
        assert heard.code is Code.UNAVAILABLE
        assert "about to stop" in heard.text
        noted = wait_for(lambda: [record for record in caplog.records if "UNAVAILABLE" in str(record.__dict__)])
    assert [record.levelno for record in noted] == [logging.INFO]


@pytest.mark.parametrize("wire", STREAM_WIRES)
def test_more_streams_than_places_are_refused_and_places_come_back(serve: Callable[..., Served], wire: str) -> None:
    served = serve(streams=1)
    with opened(wire, served.doors, "Watch", mlmd.Artifact()) as (_, steps):
        next(steps)
        with opened(wire, served.doors, "Count", mlmd.Artifact(id=1)) as (refused, none):
            assert list(none) == []
        assert refused.code is Code.RESOURCE_EXHAUSTED
        assert "1 stream open" in refused.text.replace("%20", " ")
        assert served.odd.entered.wait(60), "until then the server need not have noticed that the first was taken"
    assert served.odd.release.wait(60)

    def is_let_in() -> bool:
        with opened(wire, served.doors, "Count", mlmd.Artifact(id=1)) as (heard, again):
            list(again)
        return heard.code is Code.OK

    wait_for(is_let_in)


@pytest.mark.parametrize("wire", STREAM_WIRES)
def test_roles_and_tokens_hold_for_streams(serve: Callable[..., Served], tmp_path: Path, wire: str) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(f'[[token]]\nsha256 = "{token_digest("r")}"\nsubject = "ana"\nroles = ["reader"]\n')
    served = serve(TokenFile(tokens))
    for headers, code in (({}, Code.UNAUTHENTICATED), ({"authorization": "Bearer r"}, Code.PERMISSION_DENIED)):
        with opened(wire, served.doors, "Count", mlmd.Artifact(id=3), headers) as (heard, steps):
            assert list(steps) == []
        assert heard.code is code


def _tokens(*entries: tuple[str, str, str]) -> str:
    return "".join(
        f'[[token]]\nsha256 = "{token_digest(token)}"\nsubject = "ana"\ntenant = "{tenant}"\nroles = ["{role}"]\n'
        for token, role, tenant in entries
    )


@pytest.mark.parametrize(
    ("after", "code"),
    [
        (("other", "writer", ""), Code.UNAUTHENTICATED),
        (("w", "reader", ""), Code.PERMISSION_DENIED),
        (("w", "writer", "vision"), Code.UNAUTHENTICATED),
    ],
    ids=["taken-back", "fewer-roles", "another-tenant"],
)
@pytest.mark.parametrize("wire", STREAM_WIRES)
def test_an_idle_stream_ends_when_its_token_is_taken_back(
    serve: Callable[..., Served], tmp_path: Path, wire: str, after: tuple[str, str, str], code: Code
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(_tokens(("w", "writer", "")))
    served = serve(TokenFile(tokens))
    with opened(wire, served.doors, "Watch", mlmd.Artifact(), {"authorization": "Bearer w"}) as (heard, steps):
        next(steps)
        assert served.odd.entered.wait(60)
        tokens.write_text(_tokens(after))
        assert list(steps) == []
    assert heard.code is code
    assert served.odd.release.is_set(), "whoever made the messages was told"


@pytest.mark.parametrize("wire", STREAM_WIRES)
def test_a_talking_stream_ends_when_its_token_is_taken_back(
    serve: Callable[..., Served], tmp_path: Path, wire: str
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(_tokens(("w", "writer", "")))
    served = serve(TokenFile(tokens))
    headers = {"authorization": "Bearer w"}
    with opened(wire, served.doors, "Count", mlmd.Artifact(id=1 << 40), headers) as (heard, steps):
        next(steps)
        tokens.write_text(_tokens(("other", "writer", "")))
        for _ in steps:
            heard.messages.clear()
    assert heard.code is Code.UNAUTHENTICATED
    assert "token" in heard.text.replace("%20", " ")


def test_a_stream_whose_token_holds_goes_on_while_the_file_changes(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(_tokens(("w", "writer", ""), ("x", "writer", "")))
    served = serve(TokenFile(tokens))
    doors = served.doors
    watch, other = {"authorization": "Bearer w"}, {"authorization": "Bearer x"}
    with (
        opened("grpc", doors, "Watch", mlmd.Artifact(), watch) as (heard, steps),
        opened("grpc", doors, "Watch", mlmd.Artifact(), other) as (_, refused),
    ):
        next(steps)
        next(refused)
        tokens.write_text(_tokens(("w", "writer", "")))
        assert list(refused) == []
        assert heard.code is None
        served.dispatcher.end_streams()
        assert list(steps) == []
    assert heard.code is Code.UNAVAILABLE, "and not UNAUTHENTICATED"


@pytest.mark.parametrize("wire", ["connect-json", "connect-proto"])
def test_a_unary_question_to_a_stream_is_answered_with_how_to_ask(served: Served, wire: str) -> None:
    outcome = say(wire, served.doors, f"{ODD}Count", mlmd.Artifact())
    assert outcome.code is Code.UNIMPLEMENTED
    assert "application/connect+json" in outcome.message


@pytest.mark.parametrize("wire", ["connect-json", "connect-proto"])
def test_a_stream_asked_of_a_unary_method_is_refused(served: Served, wire: str) -> None:
    headers = {"content-type": STREAM_TYPES[wire]}
    response = httpx.post(
        served.doors.http + f"{ODD}Note", content=frame(0, b""), headers=headers, timeout=60, trust_env=False
    )
    assert response.status_code == 415


def test_a_body_that_is_no_frame_is_refused(served: Served) -> None:
    response = httpx.post(
        served.doors.http + f"{ODD}Count",
        content=b"\x00\x00",
        headers={"content-type": "application/connect+proto"},
        timeout=60,
        trust_env=False,
    )
    flag, content = response.content[0], response.content[5:]
    assert (response.status_code, flag) == (200, 2)
    assert json.loads(content)["error"]["code"] == "invalid_argument"


def test_what_streams_is_counted_and_reflected(served: Served) -> None:
    with opened("grpc", served.doors, "Count", mlmd.Artifact(id=2)) as (_, steps):
        list(steps)
    page = httpx.get(f"{served.doors.http}/metrics", timeout=60, trust_env=False).text
    assert 'mlmd_calls_total{code="OK",method="test.v1.Odd/Count",wire="grpc"} 1.0' in page
    assert "mlmd_calls_in_flight 0.0" in page
