"""A graph of a hundred thousand nodes: what is found is what a graph library finds on the same edges."""

from collections.abc import Iterator
from typing import Any

import networkx as nx
import pytest

from tests.lineage.generated import Generated, generated, write
from tests.lineage.questions import artifact, nodes, pages
from tests.metadata_store import fixture
from tests.metadata_store.calls import Calls

EDGES = 240_000
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def graph() -> Generated:
    """The edges, and nothing of a store."""
    return generated(EDGES)


@pytest.fixture(scope="module")
def library(graph: Generated) -> "nx.DiGraph[str]":
    """The same edges in networkx."""
    found: nx.DiGraph[str] = nx.DiGraph()
    found.add_edges_from((f"a{a}", f"e{e}") for a, e in graph.inputs)
    found.add_edges_from((f"e{e}", f"a{a}") for e, a in graph.outputs)
    return found


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def call(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, graph: Generated) -> Iterator[Calls]:
    """A store that holds the graph."""
    with fixture.opened(request, tmp_path_factory.mktemp("generated")) as calls:
        write(calls.store, graph)
        yield calls


def _hops(answers: list[Any]) -> dict[str, int]:
    return {
        name: node.hops
        for answer in answers
        for name, node in zip(nodes(answer.graph), answer.graph.nodes, strict=True)
    }


def test_the_graph_is_large(graph: Generated) -> None:
    assert graph.artifacts + graph.executions > 100_000


@pytest.mark.parametrize("method", ["GetProvenance", "GetImpact"])
def test_everything_around_a_node(call: Calls, graph: Generated, library: "nx.DiGraph[str]", method: str) -> None:
    start = graph.artifacts // 2
    flow = library if method == "GetImpact" else library.reverse(copy=False)
    for hops, size in ((6, 10_000), (10, 700)):
        expected = nx.single_source_shortest_path_length(flow, f"a{start}", cutoff=hops)
        found = pages(call, method, node=artifact(start), options={"max_hops": hops}, page_size=size, graph_only=True)
        assert _hops(found) == expected
        edges = sum(len(page.graph.edges) for page in found)
        assert edges == flow.subgraph(expected).number_of_edges()


def test_the_whole_of_what_it_came_from(call: Calls, graph: Generated, library: "nx.DiGraph[str]") -> None:
    start = graph.artifacts // 8
    found = pages(
        call, "GetProvenance", node=artifact(start), options={"max_hops": 1000}, page_size=10_000, graph_only=True
    )
    expected = nx.ancestors(library, f"a{start}") | {f"a{start}"}
    assert len(expected) > 10_000, "more than one page"
    assert _hops(found).keys() == expected


def test_the_shortest_way(call: Calls, graph: Generated, library: "nx.DiGraph[str]") -> None:
    ends = [(graph.artifacts - 5, 20), (graph.artifacts - 100, graph.artifacts // 2), (7, graph.artifacts - 3)]
    for first, second in ends:
        answer = call("FindPath", first=artifact(first), second=artifact(second), options={"max_hops": 1000})
        ways = [(f"a{first}", f"a{second}"), (f"a{second}", f"a{first}")]
        known = [nx.shortest_path_length(library, *way) for way in ways if nx.has_path(library, *way)]
        assert answer.found == bool(known)
        assert [len(answer.path.edges)] == known
        assert nx.is_path(library, nodes(answer.path))
