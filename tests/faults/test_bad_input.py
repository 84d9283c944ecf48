"""Whatever a client sends, a server process answers with a sentence, stays alive, and writes nothing by half."""

import contextlib
import itertools
import random
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import collections_pb2 as v1

from tests.api.wires import WIRES as ALL_WIRES
from tests.api.wires import Doors, Outcome, say
from tests.faults.contents import contents
from tests.faults.fields import is_enum, is_long, is_text, places
from tests.faults.remote import Remote, code_of
from tests.faults.writes import Ground
from tests.metadata_store.calls import RPCS
from tests.services.server import Server
from tests.services.sql_server import Address

LIMIT = 20_000_000
MARK, BROKEN = "@@mark@@", b"@\xff\xfe\x80mark"
MLMD = "/ml_metadata.MetadataStoreService/"
UNSAID = re.compile(
    r"sqlite3|sqlalchemy|mysqldb|mysqlclient|traceback|\bselect .+ from\b|\binsert into\b|\bupdate .+ set\b|File \"",
    re.IGNORECASE,
)
COUNTER = itertools.count(1)


class Target:
    """A server process, its database, and a client."""

    def __init__(self, server: Server, url: str) -> None:
        self.server, self.url = server, url
        self.remote = Remote(server)
        self.ground = Ground(self.remote)
        self.doors = Doors(server.grpc_port, server.http_port)

    @property
    def is_sqlite(self) -> bool:
        """Tell whether the database is SQLite."""
        return self.url.startswith("sqlite")

    def refused(self, method: str, request: Message | bytes, **options: Any) -> tuple[Code, str]:
        """Make a call that must fail over gRPC; return code and message."""
        code, message = self.outcome(method, request, **options)
        assert code is not Code.OK
        return code, message

    def outcome(self, method: str, request: Message | bytes, **options: Any) -> tuple[Code, str]:
        """Make a call over gRPC; return its code, and its message, which is checked to be a sentence."""
        body = request if isinstance(request, bytes) else request.SerializeToString()
        path = RPCS[method].path if method in RPCS else method
        try:
            self.remote.raw(path, body, **options)
        except grpc.RpcError as error:
            message = error.details() or ""
            check_sentence(message)
            return code_of(error), message
        return Code.OK, ""

    def works(self) -> None:
        """Check that the process is the one that was started and does its work."""
        assert self.server.process is not None
        assert self.server.process.poll() is None
        name = f"good-{next(COUNTER)}"
        artifact = self.ground.new_artifact(name)
        (artifact_id,) = self.remote("PutArtifacts", artifacts=[artifact]).artifact_ids
        (found,) = self.remote("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts
        assert (found.name, found.properties["label"]) == (name, artifact.properties["label"])


def check_sentence(message: str) -> None:
    """Check that a message is written for people and gives no inside away."""
    assert len(message) > 15, message
    assert UNSAID.search(message) is None, message


def _started(database: str, folder: Path) -> Iterator[Target]:
    options = ("--max-message-bytes", str(LIMIT), "--log-level", "error")
    with Server(database, folder, http=True, options=options) as server:
        target = Target(server, database)
        yield target
        target.remote.close()
        assert "Traceback" not in server.output(), server.output()[-3000:]


@pytest.fixture(scope="module")
def _sqlite_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("bad_input")
    yield from _started(f"sqlite:///{folder / 'metadata.db'}", folder)


@pytest.fixture(scope="module")
def _mariadb_target(tmp_path_factory: pytest.TempPathFactory, mariadb: Address, worker_id: str) -> Iterator[Target]:
    with mariadb.database(f"bad_input_{worker_id}") as url:
        yield from _started(url, tmp_path_factory.mktemp("bad_input"))


@pytest.fixture(params=["sqlite", "mariadb"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """A server on each database, one for all tests of this file; after each of them it has to be alive and well."""
    found: Target = request.getfixturevalue(f"_{request.param}_target")
    yield found
    found.works()


@pytest.fixture
def untouched(target: Target) -> Iterator[None]:
    """Check that the test's calls wrote nothing."""
    before = contents(target.url)
    yield
    after = contents(target.url)
    assert after == before, after.differing(before)


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
class TestFilters:
    """Filters that are too much."""

    @pytest.mark.parametrize("method", ["GetArtifacts", "GetExecutions", "GetContexts"])
    def test_ten_thousand_levels(self, target: Target, method: str) -> None:
        depth = 10_000
        for query, expected in (
            ("(" * depth + "id = 1" + ")" * depth, {Code.OK}),
            ("(" * depth, {Code.INVALID_ARGUMENT}),
            ("NOT " * depth + "id = 1", {Code.OK}),
            ("NOT (" * depth + "id = 1" + ")" * depth, {Code.OK, Code.INVALID_ARGUMENT}),
            ("id = 1 AND (name = 'x' OR (" * depth + "id = 1" + "))" * depth, {Code.INVALID_ARGUMENT}),
            ("id = " + "ABS(" * depth + "1" + ")" * depth, {Code.INVALID_ARGUMENT}),
            ("id = " + "-(" * depth + "1" + ")" * depth, {Code.INVALID_ARGUMENT}),
            ("(" * 1_000_000 + "id = 1" + ")" * 1_000_000, {Code.INVALID_ARGUMENT}),
        ):
            options = {"filter_query": query, "max_result_size": 1}
            code, _ = target.outcome(method, RPCS[method].request(options=options))
            assert code in expected, (query[:30], code)

    def test_injections_are_text(self, target: Target) -> None:
        for query in (
            "name = 'x'; DROP TABLE Artifact",
            "name = 'x\\' OR 1=1 -- '",
            "properties.`a'; DROP TABLE Artifact; --`.int_value = 1",
            "custom_properties.`%s`.string_value = '%s'",
            "name = '\\0'",
            "name LIKE '%\\'",
        ):
            code, _ = target.outcome("GetArtifacts", service.GetArtifactsRequest(options={"filter_query": query}))
            assert code in (Code.OK, Code.INVALID_ARGUMENT), query


@pytest.mark.usefixtures("untouched")
class TestNumbers:
    """Integers and enums at and beyond their ends."""

    @pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**31, -1, 0], ids=str)
    def test_every_long_field(self, target: Target, number: int) -> None:
        for method, rpc in RPCS.items():
            for place in places(rpc.request, is_long, number):
                if rpc.write and place.name not in ("id", "type_id") and not place.name.endswith("_id"):
                    continue
                code, message = target.outcome(method, place.request)
                assert code not in (Code.UNKNOWN, Code.INTERNAL, Code.UNAVAILABLE), (method, place.path, message)
                if rpc.write and "base" not in place.path:
                    assert code is not Code.OK or "unknown" in place.path, (method, place.path)

    def test_every_enum_field(self, target: Target) -> None:
        for method, rpc in RPCS.items():
            if rpc.write:
                continue
            for place in places(rpc.request, is_enum, 0 if rpc.write else 1):
                body = place.request.SerializeToString()
                for number in (99, 127):
                    code, message = target.outcome(method, body[:-1] + bytes([number]))
                    assert code not in (Code.UNKNOWN, Code.INTERNAL), (method, place.path, message)

    @pytest.mark.parametrize("token", ["x", "AAAA", "\u0000", "%%%", "a" * 100_000], ids=range(5))
    def test_page_tokens(self, target: Target, token: str) -> None:
        for method in ("GetArtifacts", "GetExecutions", "GetContexts"):
            request = RPCS[method].request(options={"next_page_token": token})
            assert target.outcome(method, request)[0] is Code.INVALID_ARGUMENT
        for request in (v1.ListVersionsRequest(type_name="Data", name="kept", page_token=token),):
            assert target.outcome("ListVersions", request)[0] is Code.INVALID_ARGUMENT

    @pytest.mark.parametrize("size", [-1, 0, -(2**31)])
    def test_page_sizes(self, target: Target, size: int) -> None:
        for method in ("GetArtifacts", "GetExecutions", "GetContexts"):
            code, message = target.refused(method, RPCS[method].request(options={"max_result_size": size}))
            assert code is Code.INVALID_ARGUMENT
            assert "max_result_size" in message


@pytest.mark.usefixtures("untouched")
class TestNodes:
    """Nodes that are wrong, alone or among thousands."""

    def test_five_thousand_nodes_with_one_wrong(self, target: Target) -> None:
        ground = target.ground
        for noun, wrong, field in (
            ("artifact", {"type_id": 4711}, "type_id"),
            ("execution", {"properties": {"undeclared": {"int_value": 1}}}, "undeclared"),
            ("context", {"name": ""}, "name"),
            ("artifact", {"custom_properties": {"empty": {}}}, "empty"),
        ):
            make = getattr(ground, f"new_{noun}")
            nodes = [make(f"many-{number}") for number in range(5000)]
            kind = type(nodes[0])
            nodes[4321].MergeFrom(kind(**wrong))
            request = RPCS[f"Put{noun.title()}s"].request(**{f"{noun}s": nodes})
            code, message = target.refused(f"Put{noun.title()}s", request)
            assert code in (Code.INVALID_ARGUMENT, Code.NOT_FOUND)
            assert field in message

    def test_a_hundred_thousand_properties_with_one_empty(self, target: Target) -> None:
        artifact = target.ground.new_artifact("crowded")
        for number in range(100_000):
            artifact.custom_properties[f"p{number}"].int_value = number
        artifact.custom_properties["empty"].SetInParent()
        code, message = target.refused("PutArtifacts", service.PutArtifactsRequest(artifacts=[artifact]))
        assert code is Code.INVALID_ARGUMENT
        assert "empty" in message

    @pytest.mark.parametrize(
        ("method", "fields", "named"),
        [
            ("PutArtifacts", {"artifacts": [{"name": "N"}]}, "name"),
            ("PutArtifacts", {"artifacts": [{"external_id": "N"}]}, "external_id"),
            ("PutArtifacts", {"artifacts": [{"uri": "N"}]}, "uri"),
            ("PutArtifacts", {"artifacts": [{"custom_properties": {"N": {"int_value": 1}}}]}, "custom_properties"),
            ("PutExecutions", {"executions": [{"name": "N"}]}, "name"),
            ("PutContexts", {"contexts": [{"name": "N"}]}, "name"),
            ("PutArtifactType", {"artifact_type": {"name": "N"}}, "name"),
            ("PutArtifactType", {"artifact_type": {"name": "n", "version": "N"}}, "version"),
            ("PutArtifactType", {"artifact_type": {"name": "n", "properties": {"N": pb.INT}}}, "properties"),
            ("PutArtifactType", {"artifact_type": {"name": "n", "description": "N"}}, "description"),
        ],
        ids=lambda case: case if isinstance(case, str) else "",
    )
    def test_a_name_of_a_megabyte_on_mysql(
        self, target: Target, method: str, fields: dict[str, Any], named: str
    ) -> None:
        if target.is_sqlite:
            pytest.skip("SQLite keeps it; see test_a_name_of_a_megabyte_on_sqlite")
        ids = {"artifacts": target.ground.data, "executions": target.ground.run, "contexts": target.ground.group}
        request = RPCS[method].request(**_enlarged(fields))
        for plural, type_id in ids.items():
            for node in getattr(request, plural, ()):
                node.type_id = type_id
                if plural == "contexts" and not node.name:
                    node.name = "c"
        code, message = target.refused(method, request)
        assert code is Code.INTERNAL, "as Google's server has it"
        assert message.startswith(named), message
        assert "holds" in message

    def test_empty_requests(self, target: Target) -> None:
        for method in RPCS:
            code, message = target.outcome(method, b"")
            assert code not in (Code.UNKNOWN, Code.INTERNAL, Code.UNAVAILABLE), (method, message)


def _enlarged(fields: Any) -> Any:
    """Return the fields with every "N" a text of a megabyte."""
    if isinstance(fields, dict):
        return {_enlarged(key): _enlarged(value) for key, value in fields.items()}
    if isinstance(fields, list):
        return [_enlarged(item) for item in fields]
    return "n" * 1_000_000 if fields == "N" else fields


class TestLarge:
    """What is large and allowed."""

    def test_a_hundred_thousand_properties(self, target: Target) -> None:
        artifact = target.ground.new_artifact(f"crowded-{next(COUNTER)}")
        for number in range(100_000):
            artifact.custom_properties[f"p{number}"].int_value = number
        (artifact_id,) = target.remote("PutArtifacts", artifacts=[artifact]).artifact_ids
        (found,) = target.remote("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts
        assert found.custom_properties == artifact.custom_properties

    def test_a_name_of_a_megabyte_on_sqlite(self, target: Target) -> None:
        if not target.is_sqlite:
            pytest.skip("MySQL's columns hold 255 characters; see test_a_name_of_a_megabyte_on_mysql")
        name = f"{next(COUNTER)}" + "n" * 1_000_000
        artifact = pb.Artifact(type_id=target.ground.data, name=name, uri=name)
        artifact.custom_properties[name].string_value = name
        target.remote("PutArtifacts", artifacts=[artifact])
        found = target.remote("GetArtifactByTypeAndName", type_name="Data", artifact_name=name).artifact
        assert (found.uri, found.custom_properties[name].string_value) == (name, name)
        code, _ = target.refused("PutArtifacts", service.PutArtifactsRequest(artifacts=[artifact]))
        assert code is Code.ALREADY_EXISTS

    def test_an_answer_over_the_limit(self, target: Target) -> None:
        ids = []
        for _ in range(2):
            artifact = target.ground.new_artifact(f"heavy-{next(COUNTER)}")
            artifact.custom_properties["text"].string_value = "x" * (LIMIT * 3 // 5)
            ids += target.remote("PutArtifacts", artifacts=[artifact]).artifact_ids
        code, message = target.refused("GetArtifactsByID", service.GetArtifactsByIDRequest(artifact_ids=ids))
        assert code is Code.RESOURCE_EXHAUSTED
        assert "max_result_size" in message
        assert target.remote("GetArtifactsByID", artifact_ids=ids[:1]).artifacts


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
        assert path[:1000] in message

    @pytest.mark.parametrize("wire", ALL_WIRES[1:])
    def test_unknown_methods_over_http(self, target: Target, wire: str) -> None:
        said = say(wire, target.doors, "/nobody.Service/Method", b"{}" if wire == "connect-json" else b"")
        assert said.code is Code.UNIMPLEMENTED
        check_sentence(said.message)

    def test_pages_that_are_not_there(self, target: Target) -> None:
        for method, path in itertools.product(
            ("GET", "PUT", "DELETE", "OPTIONS", "BREW"), ("/", "/%00", "/a/b", "/..")
        ):
            answer = httpx.request(method, target.server.http_url + path, trust_env=False)
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
            code, _ = target.refused("GetArtifactTypes", b"", metadata=metadata)
            assert code is Code.RESOURCE_EXHAUSTED


@contextlib.contextmanager
def held(target: Target) -> Iterator[None]:
    """Somebody else holds the locks that a write of artifacts needs."""
    if target.is_sqlite:
        with contextlib.closing(sqlite3.connect(target.url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    from mlmd_metadata_store.addresses import parse_url

    url = parse_url(target.url)
    with contextlib.closing(Address(url.port or 0).connect(url.database or "", autocommit=False)) as other:
        other.cursor().execute("SELECT * FROM Artifact FOR UPDATE")
        yield
        other.rollback()


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("wire", ["grpc", "connect-proto", "grpc-web"])
def test_a_deadline_that_passes_in_the_middle(target: Target, wire: str) -> None:
    changed = target.ground.new_artifact("too-late", id=target.ground.artifact)
    changed.ClearField("name")
    request = service.PutArtifactsRequest(artifacts=[changed, target.ground.new_artifact("too-late")])
    with held(target):
        began = time.monotonic()
        said = say(wire, target.doors, MLMD + "PutArtifacts", request, timeout=0.6)
        assert said.code is Code.DEADLINE_EXCEEDED
        if wire == "grpc":
            assert time.monotonic() - began < 5
    time.sleep(0.5)  # the call that waited gets its locks, sees that it is too late, and goes


def test_a_deadline_that_passed_before_the_call(target: Target) -> None:
    for wire in ("grpc", "connect-json"):
        said = say(wire, target.doors, MLMD + "GetArtifactTypes", service.GetArtifactTypesRequest(), timeout=0.000001)
        assert said.code is Code.DEADLINE_EXCEEDED
