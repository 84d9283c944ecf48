"""Bytes that are no messages, text that is no text: a server answers with a sentence, lives on and writes nothing."""

import contextlib
import itertools
import random
import socket

import grpc
import httpx
import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import collections_pb2 as v1

from tests.api.wires import WIRES as ALL_WIRES
from tests.api.wires import Outcome, say
from tests.faults.fields import is_text, places
from tests.faults.remote import code_of
from tests.faults.target import LIMIT, MLMD, UNSAID, Target, check_sentence
from tests.metadata_store.calls import RPCS

MARK, BROKEN = "@@mark@@", b"@\xff\xfe\x80mark"


@pytest.mark.usefixtures("untouched")
class TestBytes:
    """Requests that are no messages."""

    def test_messages_over_the_limit(self, target: Target) -> None:
        request = service.PutArtifactsRequest(artifacts=[{"uri": "x" * LIMIT}])
        code, message = target.refused("PutArtifacts", request)
        assert code is Code.RESOURCE_EXHAUSTED
        assert str(LIMIT) in message
        for wire in ALL_WIRES[2:]:
            said = say(wire, target.doors, MLMD + "PutArtifacts", request)
            assert (said.code, "max-message-bytes" in said.message) == (Code.RESOURCE_EXHAUSTED, True), said.message

    def test_garbage_is_no_message(self, target: Target) -> None:
        for method in RPCS:
            for body in (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x0f\x0f", b"not protobuf at all"):
                code, message = target.outcome(method, body)
                assert (code, message[:9]) == (Code.INVALID_ARGUMENT, "request: "), method

    def test_messages_cut_short(self, target: Target) -> None:
        artifact = target.ground.new_artifact("cut")
        body = service.PutArtifactsRequest(artifacts=[artifact]).SerializeToString()
        for length in range(1, len(body)):
            code, _ = target.outcome("PutArtifacts", body[:length])
            assert code is Code.INVALID_ARGUMENT

    def test_random_bytes(self, target: Target) -> None:
        chance = random.Random(1)
        for _ in range(300):
            method = chance.choice([method for method in RPCS if method.startswith("Get")])
            code, _ = target.outcome(method, chance.randbytes(chance.randrange(40)))
            assert code not in (Code.UNKNOWN, Code.UNAVAILABLE)

    def test_a_message_nested_for_ever(self, target: Target) -> None:
        inner = b""
        for _ in range(10_000):  # struct_value { fields { key: "" value { struct_value ...
            inner = _delimited(1, b"\x0a\x00" + _delimited(2, _delimited(5, inner)))
        value = _delimited(4, inner)
        body = _delimited(1, _delimited(5, b"\x0a\x01a" + _delimited(2, value)))
        code, message = target.refused("PutArtifacts", body)
        assert code is Code.INVALID_ARGUMENT
        assert "nested" in message

    def test_json_nested_for_ever(self, target: Target) -> None:
        for body in (
            b"[" * 10_000,
            b'{"artifacts":' * 10_000,
            b'{"artifacts":[' * 100 + b"]}" * 100,
            b"{",
            b'"',
            b"\xff{}",
        ):
            said = say("connect-json", target.doors, MLMD + "PutArtifacts", body)
            assert said.code is Code.INVALID_ARGUMENT, body[:20]
            check_sentence(said.message)

    def test_noise_on_the_ports(self, target: Target) -> None:
        noise = random.Random(2).randbytes(5000)
        for port in (target.server.grpc_port, target.server.http_port):
            for said in (noise, b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + noise, b""):
                with socket.create_connection(("127.0.0.1", port)) as connection, contextlib.suppress(OSError):
                    connection.settimeout(0.2)
                    connection.sendall(said)
                    connection.recv(1000)
        assert target.server.serving()
        assert target.remote("GetContexts").contexts


def _delimited(number: int, content: bytes) -> bytes:
    length, head = len(content), bytearray([number << 3 | 2])
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    return bytes(head) + bytes([length]) + content


@pytest.mark.usefixtures("untouched")
class TestText:
    """Strings that are not UTF-8, in every string of every request."""

    def test_every_string_field(self, target: Target) -> None:
        tried = 0
        for method, rpc in RPCS.items():
            for place in places(rpc.request, is_text, MARK):
                body = place.request.SerializeToString().replace(MARK.encode(), BROKEN)
                code, message = target.outcome(method, body)
                assert code is Code.INVALID_ARGUMENT, (method, place.path, code, message)
                assert "UTF-8" in message, (method, place.path)
                assert place.name in message or place.name in ("key", "value"), (method, place.path, message)
                tried += 1
        assert tried > 300

    @pytest.mark.parametrize("wire", ALL_WIRES)
    def test_on_every_wire(self, target: Target, wire: str) -> None:
        if wire == "connect-json":
            body = b'{"artifacts":[{"uri":"' + BROKEN + b'"}]}'
        else:
            request = service.PutArtifactsRequest(artifacts=[{"uri": MARK}])
            body = request.SerializeToString().replace(MARK.encode(), BROKEN)
        said = say(wire, target.doors, MLMD + "PutArtifacts", body)
        assert (said.code, "UTF-8" in said.message) == (Code.INVALID_ARGUMENT, True)

    def test_text_inside_a_version(self, target: Target) -> None:
        artifact = pb.Artifact(uri=MARK).SerializeToString().replace(MARK.encode(), BROKEN)
        request = v1.AddVersionRequest(type_name="Data", name="kept", artifact=artifact)
        code, message = target.refused("AddVersion", request)
        assert code is Code.INVALID_ARGUMENT
        assert "UTF-8" in message


@pytest.mark.usefixtures("untouched")
class TestPaths:
    """Calls to what is not there, and calls with odd metadata."""

    @pytest.mark.parametrize(
        "path",
        [
            "/ml_metadata.MetadataStoreService/GetNothing",
            "/nobody.Service/Method",
            "/",
            "/a",
            "/a/b/c",
            "/" + "x" * 5000,
        ],
    )
    def test_unknown_methods(self, target: Target, path: str) -> None:
        code, message = target.refused(path, b"")
        assert code is Code.UNIMPLEMENTED
        assert path[:200] in message

    @pytest.mark.parametrize("wire", ALL_WIRES[1:])
    def test_unknown_methods_over_http(self, target: Target, wire: str) -> None:
        said = say(wire, target.doors, "/nobody.Service/Method", b"{}" if wire == "connect-json" else b"")
        assert said.code is Code.UNIMPLEMENTED
        check_sentence(said.message)

    def test_pages_that_are_not_there(self, target: Target) -> None:
        for method, path in itertools.product(
            ("GET", "PUT", "DELETE", "OPTIONS", "BREW"), ("/", "/%00", "/a/b", "/..")
        ):
            answer = httpx.request(method, target.server.http_url + path, timeout=60, trust_env=False)
            assert 200 <= answer.status_code < 500, (method, path)
            assert UNSAID.search(answer.text) is None

    @pytest.mark.parametrize("key", ["", "k" * 256, "with space", "a\tb"], ids=range(4))
    def test_keys_that_are_none(self, target: Target, key: str) -> None:
        request = service.PutArtifactsRequest(artifacts=[target.ground.new_artifact("keyed")])
        said: Outcome = say(
            "connect-proto", target.doors, MLMD + "PutArtifacts", request, {"mlmd-idempotency-key": key}
        )
        assert said.code is Code.INVALID_ARGUMENT
        assert "mlmd-idempotency-key" in said.message

    def test_metadata_without_measure(self, target: Target) -> None:
        for metadata in ((("x-large", "x" * 200_000),), tuple((f"x-{number}", "y") for number in range(10_000))):
            with pytest.raises(grpc.RpcError) as refused:  # by gRPC's core, which has no sentence to spare
                target.remote.raw(MLMD + "GetArtifactTypes", b"", metadata)
            assert code_of(refused.value) is Code.RESOURCE_EXHAUSTED
