"""Nodes by id, external id, URI, type and name: the read contract's edge cases 7 to 13, by name, on its fixture."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.any_pb2 import Any as AnyMessage
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import TYPE

from tests.metadata_store import fixture
from tests.metadata_store.calls import Calls, node


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """The fixture of the read contract; nobody writes to it."""
    with fixture.opened(request, tmp_path_factory.mktemp("reads")) as calls:
        fixture.build(calls)
        yield calls


def _ids(nodes: Any) -> list[int]:
    return [node.id for node in nodes]


def test_read_7_artifacts_by_id_come_once_each_by_ascending_id(shop: Calls) -> None:
    assert _ids(shop("GetArtifactsByID", artifact_ids=[3, 3, 1, 99]).artifacts) == [1, 3]
    assert shop("GetArtifactsByID", artifact_ids=[]) == service.GetArtifactsByIDResponse()
    assert shop("GetArtifactsByID", artifact_ids=[-1, 0]) == service.GetArtifactsByIDResponse()


def test_executions_and_contexts_by_id(shop: Calls) -> None:
    assert _ids(shop("GetExecutionsByID", execution_ids=[4, 1, 4, 77]).executions) == [1, 4]
    assert _ids(shop("GetContextsByID", context_ids=[4, 2]).contexts) == [2, 4]
    assert not shop("GetContextsByID").contexts


def test_read_8_artifact_types_come_with_the_artifacts(shop: Calls) -> None:
    found = shop("GetArtifactsByID", artifact_ids=[5, 3, 1, 4], populate_artifact_types=True)
    assert _ids(found.artifacts) == [1, 3, 4, 5]
    assert _ids(found.artifact_types) == [10, 11, 12]
    dataset, model, second = found.artifact_types
    assert (dataset.name, dataset.description, dataset.external_id) == ("Dataset", "a dataset", "ext-t-ds")
    assert dict(dataset.properties)["span"] == pb.INT
    assert not model.HasField("base_type")
    assert (second.name, second.version) == ("Model", "v2")


def test_read_8_no_artifacts_no_types(shop: Calls) -> None:
    found = shop("GetArtifactsByID", artifact_ids=[99], populate_artifact_types=True)
    assert found == service.GetArtifactsByIDResponse()
    assert not shop("GetArtifactsByID", artifact_ids=[1]).artifact_types


def test_read_9_what_was_not_given_is_absent_but_the_uri(shop: Calls) -> None:
    third, sixth = shop("GetArtifactsByID", artifact_ids=[3, 6]).artifacts
    assert not third.HasField("name")
    assert not third.HasField("state")
    assert not third.HasField("external_id")
    assert sixth.HasField("uri")
    assert sixth.uri == ""
    assert sixth.HasField("name")
    assert sixth.name == ""
    assert sixth.state == pb.Artifact.UNKNOWN
    assert sixth.HasField("state")
    assert not sixth.HasField("system_metadata")


@pytest.mark.parametrize("place", range(8))
def test_read_10_artifacts_read_as_they_were_put(shop: Calls, place: int) -> None:
    fields, properties, custom = fixture.ARTIFACTS[place]
    number = place + 1
    (found,) = shop("GetArtifactsByID", artifact_ids=[number]).artifacts
    expected = node(pb.Artifact, properties, custom, **fields)
    expected.id = number
    expected.uri = fields.get("uri", "")
    expected.type = {fixture.DATASET: "Dataset"}.get(fields["type_id"], "Model")
    expected.create_time_since_epoch = 1000 + 10 * number
    expected.last_update_time_since_epoch = 2000 - number // 2 * 10
    assert found == expected


def test_read_10_one_name_in_both_maps(call: Calls) -> None:
    types = {"st": pb.STRUCT, "pr": pb.PROTO, "b": pb.BOOLEAN}
    type_id = call("PutArtifactType", artifact_type={"name": "T", "properties": types}).type_id
    packed = AnyMessage(type_url="type.example/x", value=b"\x00\xff")
    declared, custom = {"st": {"k": 1}, "pr": packed, "b": True}, {"st": packed, "pr": False, "b": {"k": [None]}}
    made = node(pb.Artifact, declared, custom, type_id=type_id)
    (found,) = call("GetArtifactsByID", artifact_ids=call("PutArtifacts", artifacts=[made]).artifact_ids).artifacts
    assert found.properties == made.properties
    assert found.custom_properties == made.custom_properties


def test_executions_and_contexts_read_as_they_were_put(shop: Calls) -> None:
    (execution,) = shop("GetExecutionsByID", execution_ids=[1]).executions
    fields, properties, custom = fixture.EXECUTIONS[0]
    times = {"create_time_since_epoch": 1010, "last_update_time_since_epoch": 2010}
    assert execution == node(pb.Execution, properties, custom, id=1, type="Trainer", **fields, **times)
    (context,) = shop("GetContextsByID", context_ids=[2]).contexts
    fields, properties, custom = fixture.CONTEXTS[1]
    times = {"create_time_since_epoch": 1000, "last_update_time_since_epoch": 2002}
    assert context == node(pb.Context, properties, custom, id=2, type="Run", **fields, **times)


def test_read_11_artifacts_by_uri(shop: Calls) -> None:
    def found(*uris: str) -> list[int]:
        return _ids(shop("GetArtifactsByURI", uris=uris).artifacts)

    assert found("gs://b/1") == [1, 5]
    assert found("gs://b/1", "gs://b/1") == [1, 5]
    assert found("") == [6]
    assert found("gs://nowhere") == []
    assert found() == []


def test_read_11_uris_are_answered_in_the_order_of_the_request(shop: Calls) -> None:
    found = shop("GetArtifactsByURI", uris=["gs://b/3", "gs://b/1", "gs://b/2", "gs://b/3"]).artifacts
    assert _ids(found) == [3, 1, 5, 2]


def test_read_11_the_retired_field_is_refused(shop: Calls) -> None:
    old = service.GetArtifactsByURIRequest.FromString(b"\x0a\x08gs://b/1")
    assert shop.code("GetArtifactsByURI", old) == Code.INVALID_ARGUMENT
    unknown = service.GetArtifactsByURIRequest.FromString(b"\x12\x08gs://b/1" + b"\xa2\x06\x01x")
    assert _ids(shop("GetArtifactsByURI", unknown).artifacts) == [1, 5]


def test_read_12_artifact_by_type_and_name(shop: Calls) -> None:
    def found(**fields: str) -> int | None:
        answer = shop("GetArtifactByTypeAndName", **fields)
        return answer.artifact.id if answer.HasField("artifact") else None

    assert found(type_name="Dataset", artifact_name="zz") is None
    assert found(type_name="Nope", artifact_name="d1") is None
    assert found(type_name="Dataset") == 6
    assert found(type_name="Model", artifact_name="m1") == 4
    assert found(type_name="Model", type_version="v2", artifact_name="m1") == 5
    assert found(type_name="Model", type_version="", artifact_name="m1") == 4
    assert found(type_name="Model", type_version="v3", artifact_name="m1") is None
    assert found(artifact_name="d1") is None
    assert found(type_name="Trainer", artifact_name="run1") is None


def test_read_13_context_by_type_and_name_wants_the_version(shop: Calls) -> None:
    assert not shop("GetContextByTypeAndName", type_name="Run", context_name="r1").HasField("context")
    found = shop("GetContextByTypeAndName", type_name="Run", type_version="1", context_name="r1").context
    assert (found.id, found.type, found.custom_properties["team"].string_value) == (2, "Run", "y")


def test_execution_by_type_and_name(shop: Calls) -> None:
    found = shop("GetExecutionByTypeAndName", type_name="Trainer", execution_name="run2")
    assert found.execution.id == 2
    assert not shop("GetExecutionByTypeAndName", type_name="Evaluator").HasField("execution")


@pytest.mark.parametrize(
    ("method", "there", "field", "expected"),
    [
        ("GetArtifactsByExternalIds", ["name", "ext-a1", "ext-a1", "zz"], "artifacts", [1, 8]),
        ("GetExecutionsByExternalIds", ["ext-e1"], "executions", [1]),
        ("GetContextsByExternalIds", ["zz", "ext-c1"], "contexts", [1]),
    ],
)
def test_nodes_by_external_id(shop: Calls, method: str, there: list[str], field: str, expected: list[int]) -> None:
    assert _ids(getattr(shop(method, external_ids=there), field)) == expected
    assert shop.code(method, external_ids=["zz"]) == Code.NOT_FOUND
    assert shop.code(method, external_ids=[*there, ""]) == Code.INVALID_ARGUMENT
    assert shop.code(method, external_ids=[""]) == Code.INVALID_ARGUMENT
    assert not getattr(shop(method), field)


def test_a_node_whose_type_is_gone_is_still_read(call: Calls) -> None:
    fixture.build(call)

    def drop(tx: Transaction) -> None:
        tx.execute(sa.delete(TYPE).where(TYPE.c.id == fixture.MODEL))

    call.store.database.write(call.caller, drop)
    call.store.database.types.clear()
    found = call("GetArtifactsByID", artifact_ids=[4], populate_artifact_types=True)
    assert found.artifacts[0].type_id == fixture.MODEL
    assert not found.artifacts[0].HasField("type")
    assert list(found.artifact_types) == [pb.ArtifactType(id=fixture.MODEL)]
