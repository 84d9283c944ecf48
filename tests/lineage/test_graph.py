"""GetLineageGraph, which Google's server declares and does not answer: the read contract's edge case 62."""

from collections.abc import Iterator
from typing import Any

import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.lineage.graphs import ids, pairs
from tests.metadata_store import fixture
from tests.metadata_store.calls import Calls

Options = pb.LineageGraphQueryOptions
Stop = Options.BoundaryConstraint


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """The fixture of the read contract; nobody writes to it."""
    with fixture.opened(request, tmp_path_factory.mktemp("graph")) as calls:
        fixture.build(calls)
        yield calls


def _options(filter_query: str = "id = 1", *, size: int | None = None, **stop: Any) -> Options:
    listed = pb.ListOperationOptions(filter_query=filter_query)
    return Options(artifacts_options=listed, max_node_size=size, stop_conditions=Stop(**stop) if stop else None)


def _graph(call: Calls, options: Options) -> pb.LineageGraph:
    graph: pb.LineageGraph = call("GetLineageGraph", options=options).subgraph
    return graph


def test_read_62_it_is_answered_and_nodes_are_whole_and_types_are_the_users(shop: Calls) -> None:
    graph = _graph(shop, _options(max_num_hops=1))
    assert list(graph.artifacts) == list(shop("GetArtifactsByID", artifact_ids=[1]).artifacts)
    assert list(graph.executions) == list(shop("GetExecutionsByID", execution_ids=[1, 2]).executions)
    assert pairs(graph) == [(1, 1), (2, 1)]
    assert graph.events[0].path.steps[0].key == "examples"
    assert ids(graph.artifact_types) == [10, 11, 12, 13]
    assert ids(graph.execution_types) == [14, 15]
    assert ids(graph.context_types) == [16, 17]
    assert not graph.contexts
    assert not graph.attributions


def test_the_walk_follows_every_event_to_fresh_nodes(shop: Calls) -> None:
    graph = _graph(shop, _options())
    assert (ids(graph.artifacts), ids(graph.executions)) == ([1, 2, 4, 5, 6, 8], [1, 2, 3])
    assert len(set(pairs(graph))) == len(graph.events) == 9
    alone = _graph(shop, _options(max_num_hops=0))
    assert (ids(alone.artifacts), ids(alone.executions), pairs(alone)) == ([1], [], [])


def test_boundaries_say_which_nodes_to_keep(shop: Calls) -> None:
    graph = _graph(shop, _options(boundary_artifacts="type = 'Model'", boundary_executions="id != 2"))
    assert (ids(graph.artifacts), ids(graph.executions)) == ([1, 4], [1, 3])
    assert sorted(pairs(graph)) == [(1, 1), (1, 4), (3, 4)]


def test_the_graph_has_so_many_nodes_at_most(shop: Calls) -> None:
    for size, artifacts, executions in (
        (1, [1], []),
        (2, [1], [1]),
        (4, [1, 2], [1, 2]),
        (0, [1, 2, 4, 5, 6, 8], [1, 2, 3]),
    ):
        graph = _graph(shop, _options(size=size))
        assert (ids(graph.artifacts), ids(graph.executions)) == (artifacts, executions)
    assert ids(_graph(shop, _options("id > 0", size=3)).artifacts) == [1, 2, 3]


def test_wrong_questions(shop: Calls) -> None:
    def code(options: Options | None) -> Code:
        return shop.code("GetLineageGraph", options=options)

    assert code(None) == code(Options(max_node_size=3)) == Code.INVALID_ARGUMENT
    assert code(_options(max_num_hops=-1)) == Code.INVALID_ARGUMENT
    assert code(_options("garbage(")) == code(_options(boundary_executions="garbage(")) == Code.INVALID_ARGUMENT
    assert code(_options("id = 99")) == Code.NOT_FOUND
