"""What only HTTP has: framing, compression, content types, limits of headers."""

import base64
import gzip
import json
import socket
import threading
import time
import zlib

import httpx
import pytest
from mlmd_api.rest.grpc_web import GrpcWebProtocol
from mlmd_api.rest.server import HttpServer, HttpSettings
from mlmd_schemas.errors import Code, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.api.conftest import LIMIT_BYTES, MLMD, ODD, Served
from tests.api.notes import BODY, GRPC_WEB, NOTE, PROTO
from tests.api.wires import frame, post, read_grpc_web

JSON = {"content-type": "application/json"}


def test_kubeflows_validator_is_understood(served: Served) -> None:
    """The frames of mlmd-validator.ts, byte by byte: GetArtifactsByURI(['minio://a']) on an empty store."""
    request = b"\x00\x00\x00\x00\x0b\x12\x09minio://a"
    response = post(served.doors, f"{MLMD}GetArtifactsByURI", request, GRPC_WEB)
    assert response.content.startswith(b"\x00\x00\x00\x00\x00\x80\x00\x00\x00")
    assert b"grpc-status:0\r\n" in response.content


@pytest.mark.parametrize("content_type", ["application/grpc-web", "application/grpc-web+proto"])
def test_grpc_web_answers_in_the_content_type_of_the_question(served: Served, content_type: str) -> None:
    response = post(served.doors, NOTE, frame(0, BODY), {"content-type": content_type})
    assert response.headers["content-type"] == content_type
    assert read_grpc_web(response.content).body == BODY


@pytest.mark.parametrize("content_type", ["application/grpc-web-text", "application/grpc-web-text+proto"])
def test_grpc_web_text_may_come_in_padded_pieces_and_lines(served: Served, content_type: str) -> None:
    framed = frame(0, BODY)
    pieces = base64.b64encode(framed[:4]) + b"\r\n" + base64.b64encode(framed[4:6]) + base64.b64encode(framed[6:])
    response = post(served.doors, NOTE, pieces, {"content-type": content_type})
    assert response.headers["content-type"] == content_type
    assert read_grpc_web(base64.b64decode(response.content)).body == BODY


def test_compressed_frames_are_read(served: Served) -> None:
    headers = GRPC_WEB | {"grpc-encoding": "gzip"}
    response = post(served.doors, NOTE, frame(1, gzip.compress(BODY)), headers)
    assert read_grpc_web(response.content).body == BODY


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\x00\x00",
        b"\x00\x00\x00\x00\x09abc",
        frame(0, BODY) + frame(0, BODY),
        frame(0x80, b"grpc-status:0\r\n"),
        frame(1, b"this is no gzip"),
        frame(1, gzip.compress(BODY, mtime=0)[:-4]),
        frame(0, BODY) + b"\x00",
    ],
)
def test_broken_frames_get_a_well_formed_refusal(served: Served, body: bytes) -> None:
    response = post(served.doors, NOTE, body, GRPC_WEB)
    outcome = read_grpc_web(response.content)
    assert outcome.code is Code.INVALID_ARGUMENT
    assert outcome.message.startswith("request: ")
    assert served.odd.callers == []


def test_text_that_is_no_base64_is_refused(served: Served) -> None:
    for body in (b"!!!!", b"AAA", b"AAAA=AAA", b"====", "ä".encode()):
        response = post(served.doors, NOTE, body, {"content-type": "application/grpc-web-text"})
        assert read_grpc_web(base64.b64decode(response.content)).code is Code.INVALID_ARGUMENT


def test_trailers_are_ascii_whatever_the_message_says(served: Served) -> None:
    request = service.GetArtifactTypeRequest(type_name="100 % ünïcode\r\nx: y")
    response = post(served.doors, f"{MLMD}GetArtifactType", frame(0, request.SerializeToString()), GRPC_WEB)
    trailers = response.content[5:].decode("ascii")
    assert trailers.count("\r\n") == 2
    assert "100 %25 %C3%BCn%C3%AFcode" in trailers
    assert "100 % ünïcode" in read_grpc_web(response.content).message


@pytest.mark.parametrize("value", ["", "123456789S", "1d", "-1", "1e3"])
def test_a_timeout_that_is_none_is_refused(served: Served, value: str) -> None:
    response = post(served.doors, NOTE, frame(0, BODY), GRPC_WEB | {"grpc-timeout": value})
    assert read_grpc_web(response.content).message.startswith("grpc-timeout: ")
    response = post(served.doors, NOTE, BODY, PROTO | {"connect-timeout-ms": value})
    assert response.json()["message"].startswith("connect-timeout-ms: ")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2H", 7200), ("3M", 180), ("5S", 5), ("250m", 0.25), ("400000u", 0.4), ("99999999n", 0.099999999)],
)
def test_every_unit_of_grpc_timeout(text: str, seconds: float) -> None:
    wire = GrpcWebProtocol("application/grpc-web")
    assert wire.timeout_seconds({"grpc-timeout": text}) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "seconds"), [("2H", 7200), ("99999999u", 99.999999)])
def test_a_grpc_timeout_is_the_deadline_of_the_call(served: Served, text: str, seconds: float) -> None:
    started = time.monotonic()
    post(served.doors, NOTE, frame(0, BODY), GRPC_WEB | {"grpc-timeout": text})
    (caller,) = served.odd.callers
    assert caller.deadline is not None
    assert started + seconds - 0.01 <= caller.deadline <= time.monotonic() + seconds


def test_connect_takes_and_gives_gzip(served: Served) -> None:
    big = mlmd.Artifact(uri="x" * 5000).SerializeToString()
    headers = PROTO | {"content-encoding": "gzip", "accept-encoding": "gzip"}
    with httpx.Client(timeout=60, trust_env=False) as client:
        request = client.build_request("POST", served.doors.http + NOTE, content=gzip.compress(big), headers=headers)
        response = client.send(request, stream=True)
        raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == big
    assert len(raw) < 500


@pytest.mark.parametrize(
    "behind", [b"\0", gzip.compress(mlmd.Artifact(name="second").SerializeToString())], ids=["a byte", "another"]
)
def test_what_follows_gzip_is_not_passed_over(served: Served, behind: bytes) -> None:
    response = post(served.doors, NOTE, gzip.compress(BODY) + behind, PROTO | {"content-encoding": "gzip"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_argument")
    assert "something follows the end of the gzip body" in response.json()["message"]


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("br, GZIP;q=0.5", "gzip"),
        ("deflate,gzip ; q=0.001", "gzip"),
        ("gzip;q=0", None),
        ("br, gzip; q=0.000", None),
        ("gzipped", None),
        ("identity", None),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(served: Served, accepted: str, encoding: str | None) -> None:
    big = mlmd.Artifact(uri="x" * 5000).SerializeToString()
    response = post(served.doors, NOTE, big, PROTO | {"accept-encoding": accepted})
    assert response.headers.get("content-encoding") == encoding
    assert response.content == big


def test_what_an_answer_depends_on_is_told_to_those_who_keep_it(served: Served) -> None:
    big = mlmd.Artifact(uri="x" * 5000).SerializeToString()
    gzipped, page = {"accept-encoding": "gzip"}, {"origin": "https://kubeflow.example"}
    assert post(served.doors, NOTE, big, PROTO | gzipped | page).headers["vary"] == "accept-encoding, origin"
    assert post(served.doors, NOTE, big, PROTO | gzipped).headers["vary"] == "accept-encoding, origin"
    assert post(served.doors, NOTE, b"", PROTO | page).headers["vary"] == "origin"


def test_a_gzip_bomb_does_not_go_off(served: Served) -> None:
    bomb = zlib.compressobj(9, wbits=31)
    body = b"".join(bomb.compress(b"\0" * 1_000_000) for _ in range(200)) + bomb.flush()
    response = post(served.doors, NOTE, body[: LIMIT_BYTES - 1], PROTO | {"content-encoding": "gzip"})
    assert (response.status_code, response.json()["code"]) == (429, "resource_exhausted")


def test_an_unknown_encoding_is_unimplemented(served: Served) -> None:
    response = post(served.doors, NOTE, BODY, PROTO | {"content-encoding": "br"})
    assert (response.status_code, response.json()["code"]) == (501, "unimplemented")
    assert "content-encoding: 'br'" in response.json()["message"]


def test_an_unknown_content_type_hears_the_known_ones(served: Served) -> None:
    for content_type in ("text/plain", "application/grpc", "application/connect+json"):
        response = post(served.doors, NOTE, BODY, {"content-type": content_type})
        assert response.status_code == 415
        assert "application/json" in response.headers["accept-post"]
        assert content_type in response.json()["message"]
        assert response.json()["code"] == "invalid_argument"
        assert response.headers["x-request-id"]


def test_json_may_say_its_charset_and_use_either_spelling(served: Served, artifact_type: int) -> None:
    headers = {"content-type": "application/json; charset=utf-8"}
    for name in ("typeId", "type_id"):
        body = json.dumps({"artifacts": [{name: str(artifact_type)}]}).encode()
        (artifact_id,) = post(served.doors, f"{MLMD}PutArtifacts", body, headers).json()["artifactIds"]
        found = post(served.doors, f"{MLMD}GetArtifactsByID", json.dumps({"artifactIds": [artifact_id]}).encode(), JSON)
        assert found.json()["artifacts"][0]["typeId"] == str(artifact_type)


def test_an_empty_json_body_is_an_empty_message(served: Served) -> None:
    assert post(served.doors, f"{ODD}Note", b"", JSON).json() == {}
    assert served.odd.callers


def test_numbers_in_json_are_exact(served: Served) -> None:
    body = (
        b'{"id":"9007199254740993","customProperties":{"nan":{"doubleValue":"NaN"},"inf":{"doubleValue":"-Infinity"}}}'
    )
    answer = post(served.doors, NOTE, body, JSON).json()
    assert answer["id"] == "9007199254740993"
    assert answer["customProperties"]["nan"]["doubleValue"] == "NaN"
    assert answer["customProperties"]["inf"]["doubleValue"] == "-Infinity"


def test_what_json_cannot_say_is_told(served: Served, artifact_type: int) -> None:
    artifact = mlmd.Artifact(type_id=artifact_type)
    artifact.custom_properties["x"].struct_value["nan"] = float("nan")
    request = service.PutArtifactsRequest(artifacts=[artifact])
    assert post(served.doors, f"{MLMD}PutArtifacts", request.SerializeToString(), PROTO).status_code == 200
    response = post(served.doors, f"{MLMD}GetArtifacts", b"{}", JSON)
    assert (response.status_code, response.json()["code"]) == (400, "failed_precondition")
    assert "application/proto" in response.json()["message"]
    assert post(served.doors, f"{MLMD}GetArtifacts", b"", PROTO).status_code == 200


@pytest.mark.parametrize(
    "body", [b'{"name":"\\ud800"}', b"[1]", b'{"id":1}{"id":2}', b'{"id":1e400}', b'{"id":' + b"9" * 5000 + b"}"]
)
def test_json_that_is_no_message_is_refused(served: Served, body: bytes) -> None:
    response = post(served.doors, NOTE, body, JSON)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_argument")


def test_other_verbs_are_refused(served: Served) -> None:
    response = httpx.get(served.doors.http + NOTE, timeout=60, trust_env=False)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST, OPTIONS"
    message = "'GET' is no verb of a method; call it with POST."
    assert response.json() == {"code": "unimplemented", "message": message}
    assert response.headers["x-request-id"]


def test_what_is_in_no_protocol_is_logged_under_the_id_that_the_caller_got(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        response = post(served.doors, NOTE, BODY, {"content-type": "text/plain"})
    calls = [vars(record)["fields"] for record in caplog.records if record.name == "mlmd.calls"]
    assert [(call["wire"], call["code"]) for call in calls] == [("http", "INVALID_ARGUMENT")]
    assert calls[0]["request_id"] == response.headers["x-request-id"]


def test_cookies_of_many_kilobytes_pass(served: Served) -> None:
    cookie = "; ".join(f"c{number}={'v' * 1000}" for number in range(40))
    response = post(served.doors, NOTE, BODY, PROTO | {"cookie": cookie})
    assert (response.status_code, response.content) == (200, BODY)


def heard_by_now(served: Served) -> None:
    """Return when the listener has seen what its connections said: its loop has gone round several times since."""
    for _ in range(3):
        httpx.get(f"{served.doors.http}/healthz", trust_env=False, timeout=60)


def test_who_leaves_early_leaves_no_trace_and_a_queued_call_never_runs(serve: object) -> None:
    assert callable(serve)
    served: Served = serve(threads=1)
    busy = threading.Thread(target=post, args=(served.doors, f"{ODD}Wait", BODY, PROTO))
    busy.start()
    assert served.odd.entered.wait(60)
    with socket.create_connection(("127.0.0.1", served.doors.http_port)) as client:
        head = (
            f"POST {NOTE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/proto\r\ncontent-length: {len(BODY)}\r\n\r\n"
        )
        client.sendall(head.encode() + BODY)
        heard_by_now(served)
    heard_by_now(served)
    served.odd.release.set()
    busy.join(60)
    assert post(served.doors, NOTE, mlmd.Artifact(uri="later").SerializeToString(), PROTO).status_code == 200
    assert len(served.odd.callers) == 1


def test_a_listener_that_cannot_begin_says_so(served: Served) -> None:
    settings = HttpSettings(port=0, threads=1, streams=1)
    server = HttpServer(served.dispatcher, settings, served.stores.ping, served.measurements)
    taken = socket.fromfd(server._socket.fileno(), socket.AF_INET, socket.SOCK_STREAM)
    server._socket.close()
    with taken, pytest.raises(Unavailable, match=r"^http: the listener ended before it could answer"):
        server.start()
