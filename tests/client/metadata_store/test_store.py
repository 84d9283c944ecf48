"""Lineage: what is asked for a mask, and what comes back."""

from collections.abc import Callable
from typing import Any

import pytest
from mlmd_client.metadata_store import MetadataStore
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.client.metadata_store.conftest import Stub

ALL = [field.name for field in pb.LineageGraph.DESCRIPTOR.fields]
QUERY = pb.LineageSubgraphQueryOptions(
    starting_artifacts=pb.LineageSubgraphQueryOptions.StartingNodes(filter_query="uri = 'made'"), max_num_hops=5
)


@pytest.fixture
def chain(store: MetadataStore) -> MetadataStore:
    """One artifact read, one made, in one context."""
    artifact_type = store.put_artifact_type(pb.ArtifactType(name="Data", properties={"n": pb.INT}))
    execution_type = store.put_execution_type(pb.ExecutionType(name="Train"))
    context_type = store.put_context_type(pb.ContextType(name="Experiment"))
    store.put_artifact_type(pb.ArtifactType(name="unused"))
    read, made = pb.Artifact(type_id=artifact_type, uri="read"), pb.Artifact(type_id=artifact_type, uri="made")
    store.put_execution(
        pb.Execution(type_id=execution_type),
        [(read, pb.Event(type=pb.Event.INPUT)), (made, pb.Event(type=pb.Event.OUTPUT))],
        [pb.Context(type_id=context_type, name="one")],
    )
    return store


def counts(graph: pb.LineageGraph) -> dict[str, int]:
    """How many there are of each field that is not empty."""
    return {name: len(getattr(graph, name)) for name in ALL if getattr(graph, name)}


WHOLE = {
    "artifact_types": 1, "execution_types": 1, "context_types": 1, "artifacts": 2, "executions": 1, "contexts": 1,
    "events": 2, "attributions": 2, "associations": 1,
}  # fmt: skip


@pytest.mark.parametrize("mask", [None, [], ALL])
def test_the_whole_graph_has_full_nodes_and_their_types_only(chain: MetadataStore, mask: list[str] | None) -> None:
    graph = chain.get_lineage_subgraph(QUERY, mask)
    assert counts(graph) == WHOLE
    assert {artifact.uri for artifact in graph.artifacts} == {"read", "made"}
    assert graph.artifact_types[0].properties == {"n": pb.INT}
    assert [kind.name for kind in graph.execution_types] == ["Train"]


@pytest.mark.parametrize(
    ("mask", "fields"),
    [
        (["artifact_types", "events"], {"events"}),
        (["artifact_types", "artifacts"], {"artifacts", "artifact_types"}),
        (["artifact_types"], {"artifact_types"}),
        (["context_types", "execution_types"], {"context_types", "execution_types"}),
        (["executions", "execution_types"], {"executions", "execution_types"}),
        (["contexts", "context_types", "attributions"], {"contexts", "context_types", "attributions"}),
        (["associations"], {"associations"}),
    ],
)
def test_types_come_with_their_nodes_or_alone(chain: MetadataStore, mask: list[str], fields: set[str]) -> None:
    graph = chain.get_lineage_subgraph(QUERY, field_mask_paths=mask)
    assert counts(graph) == {name: WHOLE[name] for name in fields}


def test_what_is_asked_for_a_whole_graph(stub: Callable[..., Stub]) -> None:
    skeleton = pb.LineageGraph(
        artifacts=[pb.Artifact(id=1)], executions=[pb.Execution(id=2)], contexts=[pb.Context(id=3)]
    )
    answers = {
        "GetLineageSubgraph": service.GetLineageSubgraphResponse(lineage_subgraph=skeleton),
        "GetArtifactsByID": service.GetArtifactsByIDResponse(),
        "GetExecutionsByID": service.GetExecutionsByIDResponse(executions=[pb.Execution(id=2, type_id=20)] * 2),
        "GetExecutionTypesByID": service.GetExecutionTypesByIDResponse(),
        "GetContextsByID": service.GetContextsByIDResponse(contexts=[pb.Context(id=3, type_id=30)]),
        "GetContextTypesByID": service.GetContextTypesByIDResponse(),
    }
    server = stub(lambda name, request: answers[name])
    server.store().get_lineage_subgraph(QUERY)
    assert server.names() == list(answers)
    sent = dict(server.requests)
    assert list(sent["GetLineageSubgraph"].read_mask.paths) == [name for name in ALL if not name.endswith("_types")]
    assert sent["GetArtifactsByID"] == service.GetArtifactsByIDRequest(artifact_ids=[1], populate_artifact_types=True)
    assert list(sent["GetExecutionTypesByID"].type_ids) == [20]
    assert list(sent["GetContextTypesByID"].type_ids) == [30]


def test_a_pair_may_be_an_artifact_alone_and_an_empty_one_is_left_out(stub: Callable[..., Stub]) -> None:
    server = stub(lambda name, request: service.PutExecutionResponse(execution_id=1))
    artifact, event = pb.Artifact(uri="u"), pb.Event(type=pb.Event.INPUT)
    pairs: Any = [(artifact,), (), None, (artifact, event), (artifact, None)]
    answer = server.store().put_execution(pb.Execution(), pairs, None)
    assert answer == (1, [], [])
    sent = server.requests[0][1].artifact_event_pairs
    assert [pair.HasField("event") for pair in sent] == [False, True, False]


def test_edges_may_leave_an_end_to_the_event(stub: Callable[..., Stub]) -> None:
    server = stub(lambda name, request: service.PutLineageSubgraphResponse())
    event = pb.Event(artifact_id=7, type=pb.Event.INPUT)
    server.store().put_lineage_subgraph([pb.Execution()], [], [], [(0, None, event)])
    (edge,) = server.requests[0][1].event_edges
    assert (edge.execution_index, edge.HasField("artifact_index")) == (0, False)
