"""Requests that say too much, come too late or are wrong: each gets a sentence, and nothing is written by half."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import collections_pb2 as v1

from tests.api.wires import say
from tests.faults.fields import is_enum, is_long, places
from tests.faults.target import COUNTER, LIMIT, MLMD, Target
from tests.metadata_store.calls import RPCS
from tests.services.sql_server import Address
from tests.services.waiting import wait_for


@pytest.mark.usefixtures("untouched")
class TestFilters:
    """Filters that are too much."""

    @pytest.mark.parametrize("method", ["GetArtifacts", "GetExecutions", "GetContexts"])
    def test_ten_thousand_levels(self, target: Target, method: str) -> None:
        depth = 10_000
        for query, expected in (
            ("(" * depth + "id = 1" + ")" * depth, {Code.OK, Code.INVALID_ARGUMENT}),
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
        asked = 0
        for method, rpc in RPCS.items():
            for place in places(rpc.request, is_long, number):
                if rpc.write and place.name not in ("id", "type_id") and not place.name.endswith("_id"):
                    continue
                asked += 1
                code, message = target.outcome(method, place.request)
                assert code not in (Code.UNKNOWN, Code.INTERNAL, Code.UNAVAILABLE), (method, place.path, message)
                if rpc.write and "base" not in place.path:
                    assert code is not Code.OK or "unknown" in place.path, (method, place.path)
        assert asked > 20

    def test_every_enum_field(self, target: Target) -> None:
        asked = 0
        for method, rpc in RPCS.items():
            if rpc.write:
                continue
            for place in places(rpc.request, is_enum, 0 if rpc.write else 1):
                body = place.request.SerializeToString()
                for number in (99, 127):
                    asked += 1
                    code, message = target.outcome(method, body[:-1] + bytes([number]))
                    assert code not in (Code.UNKNOWN, Code.INTERNAL), (method, place.path, message)
        assert asked > 0

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
        ):
            make = getattr(ground, f"new_{noun}")
            nodes = [make(f"many-{number}") for number in range(5000)]
            kind = type(nodes[0])
            nodes[1234].MergeFrom(kind(**wrong))
            request = RPCS[f"Put{noun.title()}s"].request(**{f"{noun}s": nodes})
            code, message = target.refused(f"Put{noun.title()}s", request)
            assert code in (Code.INVALID_ARGUMENT, Code.NOT_FOUND)
            assert field in message

    @pytest.mark.parametrize("field", ["properties", "custom_properties"])
    def test_write_36_a_value_without_a_member(self, target: Target, field: str) -> None:
        ground = target.ground
        for noun in ("artifact", "execution", "context"):
            for there in ({}, {"id": getattr(ground, noun)}):  # made and changed
                empty = getattr(ground, f"new_{noun}")("empty", **there)
                getattr(empty, field)["label"].CopyFrom(pb.Value())
                request = RPCS[f"Put{noun.title()}s"].request(**{f"{noun}s": [empty]})
                code, message = target.refused(f"Put{noun.title()}s", request)
                assert code is Code.INVALID_ARGUMENT
                assert "label" in message

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
    @pytest.mark.parametrize("target", ["mariadb"], indirect=True)
    def test_a_name_of_a_megabyte_on_mysql(
        self, target: Target, method: str, fields: dict[str, Any], named: str
    ) -> None:
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


def writers(target: Target) -> int:
    """Return how many connections the server's calls have in use to write."""
    page = httpx.get(target.doors.http + "/metrics", timeout=60, trust_env=False).text
    (use,) = re.findall(r'^mlmd_pool_connections_in_use\{pool="write"\} (\S+)$', page, flags=re.M)
    return int(float(use))


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("wire", ["grpc", "connect-proto", "grpc-web"])
def test_a_deadline_that_passes_in_the_middle(target: Target, wire: str) -> None:
    changed = target.ground.new_artifact("too-late", id=target.ground.artifact)
    changed.ClearField("name")
    request = service.PutArtifactsRequest(artifacts=[changed, target.ground.new_artifact("too-late")])
    with held(target):
        said = say(wire, target.doors, MLMD + "PutArtifacts", request, timeout=0.6)
        assert said.code is Code.DEADLINE_EXCEEDED
    wait_for(lambda: writers(target) == 0)  # the call that waited gets its locks, sees that it is too late, and goes


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("wire", ["connect-json", "connect-proto", "grpc-web"])
def test_a_deadline_that_passed_before_the_call(target: Target, wire: str) -> None:
    # Not over gRPC: its library rounds deadlines up to the millisecond, and in one the server may well have answered.
    request = service.PutArtifactsRequest(artifacts=[target.ground.new_artifact("too-late-before-it-began")])
    assert say(wire, target.doors, MLMD + "PutArtifacts", request, timeout=0).code is Code.DEADLINE_EXCEEDED


class TestLarge:
    """What is large and allowed."""

    def test_a_hundred_thousand_properties(self, target: Target) -> None:
        artifact = target.ground.new_artifact(f"crowded-{next(COUNTER)}")
        for number in range(100_000):
            artifact.custom_properties[f"p{number}"].int_value = number
        (artifact_id,) = target.remote("PutArtifacts", artifacts=[artifact]).artifact_ids
        (found,) = target.remote("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts
        assert found.custom_properties == artifact.custom_properties

    @pytest.mark.parametrize("target", ["sqlite"], indirect=True)
    def test_a_name_of_a_megabyte_on_sqlite(self, target: Target) -> None:
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
