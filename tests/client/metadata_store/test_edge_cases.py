"""MLMD's client on each database: the read contract's edge cases 63 to 66 and 68, by name."""

from collections.abc import Callable, Iterator

import pytest
from mlmd_client.metadata_store import ListOptions, MetadataStore, errors
from mlmd_metadata_store.store import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.client.metadata_store.conftest import Stub, client_config
from tests.metadata_store import fixture
from tests.metadata_store.calls import Calls


@pytest.fixture
def client(database_url: str, serve_grpc: Callable[[str], str]) -> Iterator[MetadataStore]:
    """MLMD's client of a server on an empty database."""
    opened = MetadataStore(client_config(serve_grpc(database_url)))
    yield opened
    opened.close()


@pytest.fixture
def shop(database_url: str, client: MetadataStore) -> MetadataStore:
    """MLMD's client of a server on the fixture of the read contract."""
    store = Store.open(database_url)
    fixture.build(Calls(store))
    store.close()
    return client


def test_read_63_executions_of_a_context_come_newest_first_and_artifacts_by_id(shop: MetadataStore) -> None:
    assert [execution.id for execution in shop.get_executions_by_context(1)] == [2, 1]
    assert [artifact.id for artifact in shop.get_artifacts_by_context(1)] == [1, 2, 4]


def test_read_64_limits_over_several_pages(client: MetadataStore) -> None:
    type_id = client.put_artifact_type(pb.ArtifactType(name="Data"))
    ids = client.put_artifacts([pb.Artifact(type_id=type_id) for _ in range(250)])
    assert [artifact.id for artifact in client.get_artifacts(ListOptions(limit=120))] == ids[:120]
    assert [artifact.id for artifact in client.get_artifacts(ListOptions(limit=0))] == ids


def test_read_64_a_negative_limit_is_refused_without_a_call(stub: Callable[..., Stub]) -> None:
    server = stub(lambda name, request: service.GetArtifactsResponse())
    with pytest.raises(errors.InvalidArgumentError):
        server.store().get_artifacts(ListOptions(limit=-1))
    assert server.requests == []


def test_read_65_aborted_is_tried_five_times_and_unavailable_once(
    stub: Callable[..., Stub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlmd_client.metadata_store.connection.CHANCE.expovariate", lambda rate: 0.0)
    for code, raised, attempts in (
        (errors.ABORTED, errors.AbortedError, 5),
        (errors.UNAVAILABLE, errors.UnavailableError, 1),
    ):
        server = stub(lambda name, request, code=code: (code, "not now"))
        with pytest.raises(raised):
            server.store().get_artifacts()
        assert server.names() == ["GetArtifacts"] * attempts


def test_read_66_types_do_not_come_without_their_nodes(shop: MetadataStore) -> None:
    query = pb.LineageSubgraphQueryOptions()
    query.starting_artifacts.filter_query = "id = 1"
    graph = shop.get_lineage_subgraph(query, ["artifact_types", "events"])
    assert {field.name for field, _ in graph.ListFields()} == {"events"}
    assert len(graph.events) == 9


def test_read_68_doubles_come_back_exactly_and_a_value_without_a_member_ends_no_server(client: MetadataStore) -> None:
    type_id = client.put_artifact_type(pb.ArtifactType(name="Data", properties={"d": pb.DOUBLE}))
    made = pb.Artifact(type_id=type_id)
    for value in (made.properties["d"], made.custom_properties["d"]):
        value.double_value = 0.1234567891
    (found,) = client.get_artifacts_by_id(client.put_artifacts([made]))
    assert found.properties["d"].double_value == found.custom_properties["d"].double_value == 0.1234567891
    for field in ("properties", "custom_properties"):
        empty = pb.Artifact(type_id=type_id)
        getattr(empty, field)["d"].SetInParent()
        with pytest.raises(errors.InvalidArgumentError, match="d"):
            client.put_artifacts([empty])
    assert client.get_artifacts() == [found], "and it goes on"
