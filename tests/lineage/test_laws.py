"""Laws of walks, on small graphs of every shape: cycles, DAGs of orchestrators, nodes that are gone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.lineage.questions import all_edges, all_nodes, cuts, edges, nodes, pages, ref
from tests.metadata_store import fixture
from tests.metadata_store.calls import Calls

LAW = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
WAYS = st.sampled_from(["GetProvenance", "GetImpact"])


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def call(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """One store for all examples: each adds nodes of its own."""
    with fixture.opened(request, tmp_path_factory.mktemp("laws")) as calls:
        yield calls


@dataclass(frozen=True)
class Shape:
    """A graph by places: which executions are an orchestrator's, what each reads and makes, and where to start."""

    artifacts: int
    hidden: Sequence[bool]
    events: Sequence[tuple[int, int, bool]]
    """Execution, artifact, and whether it is an output."""


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    artifacts, executions = draw(st.integers(1, 7)), draw(st.integers(1, 6))
    event = st.tuples(st.integers(0, executions - 1), st.integers(0, artifacts - 1), st.booleans())
    events = draw(st.lists(event, max_size=24, unique=True))
    hidden = draw(st.lists(st.sampled_from([False, False, True]), min_size=executions, max_size=executions))
    return Shape(artifacts, hidden, events)


@dataclass(frozen=True)
class Made:
    """The graph as it is in the store; nodes are called as `questions.short` does."""

    start: str
    hidden: frozenset[str]
    graph: "nx.DiGraph[str]"

    def flow(self, method: str) -> "nx.DiGraph[str]":
        """Return the graph in the direction of a walk."""
        return self.graph if method == "GetImpact" else self.graph.reverse()


def _make(call: Calls, shape: Shape) -> Made:
    types = call(
        "PutTypes",
        artifact_types=[pb.ArtifactType(name="Thing")],
        execution_types=[pb.ExecutionType(name="Step"), pb.ExecutionType(name="system.DAGExecution")],
    )
    (artifact_type,), execution_types = types.artifact_type_ids, types.execution_type_ids
    artifacts = call("PutArtifacts", artifacts=[pb.Artifact(type_id=artifact_type)] * shape.artifacts).artifact_ids
    made = [pb.Execution(type_id=execution_types[hidden]) for hidden in shape.hidden]
    executions = call("PutExecutions", executions=made).execution_ids
    events = [
        pb.Event(execution_id=executions[e], artifact_id=artifacts[a], type=pb.Event.OUTPUT if out else pb.Event.INPUT)
        for e, a, out in shape.events
    ]
    if events:
        call("PutEvents", events=events)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(f"a{artifact}" for artifact in artifacts)
    graph.add_nodes_from(f"e{execution}" for execution in executions)
    for e, a, out in shape.events:
        ends = (f"e{executions[e]}", f"a{artifacts[a]}")
        graph.add_edge(*(ends if out else ends[::-1]))
    hidden = {f"e{execution}" for execution, is_hidden in zip(executions, shape.hidden, strict=True) if is_hidden}
    return Made(f"a{artifacts[0]}", frozenset(hidden), graph)


def _expected_edges(made: Made, method: str) -> set[str]:
    """Return the edges among shown nodes that a walk passes, and the ways through hidden ones alone."""
    flow = made.flow(method)
    reached = {made.start, *nx.descendants(flow, made.start)}
    shown = reached - made.hidden
    found = set()
    for near in shown:
        for far in flow[near]:
            if far in shown:
                found.add((near, far, ">"))
        inner = flow.subgraph((made.hidden & reached) | {near})
        for middle in nx.descendants(inner, near) - {near}:
            found |= {(near, far, "~") for far in flow[middle] if far in shown and far != near}
    forward = method == "GetImpact"
    return {f"{a}{sign}{b}" if forward else f"{b}{sign}{a}" for a, b, sign in found}


@LAW
@given(shape=shapes(), method=WAYS)
def test_a_walk_reaches_what_a_graph_library_reaches(call: Calls, shape: Shape, method: str) -> None:
    made = _make(call, shape)
    answer = call(method, node=ref(made.start))
    distances = nx.single_source_shortest_path_length(made.flow(method), made.start)
    assert {name: node.hops for name, node in zip(nodes(answer.graph), answer.graph.nodes, strict=True)} == {
        name: distance for name, distance in distances.items() if name not in made.hidden
    }
    assert set(edges(answer.graph)) == _expected_edges(made, method)
    assert len(edges(answer.graph)) == len(set(edges(answer.graph)))
    assert not cuts(answer.graph)


@LAW
@given(shape=shapes(), method=WAYS, size=st.integers(1, 4), system=st.booleans())
def test_pages_joined_are_the_whole(call: Calls, shape: Shape, method: str, size: int, system: bool) -> None:
    made = _make(call, shape)
    asked: dict[str, Any] = {"node": ref(made.start), "options": {"with_system_nodes": system}}
    whole = [call(method, **asked)]
    parts = pages(call, method, **asked, page_size=size)
    assert all_nodes(parts) == all_nodes(whole)
    assert all(len(part.graph.nodes) <= size for part in parts)
    # A way through hidden nodes may be told once more when a second one is found on a later page.
    assert set(all_edges(parts)) == set(all_edges(whole))
    assert [one for one in all_edges(parts) if "~" not in one] == [one for one in all_edges(whole) if "~" not in one]
    if method == "GetProvenance":
        assert [source for part in parts for source in part.data] == list(whole[0].data)


@LAW
@given(shape=shapes(), method=WAYS, hops=st.integers(1, 3), size=st.integers(1, 4))
def test_going_deeper_is_the_whole(call: Calls, shape: Shape, method: str, hops: int, size: int) -> None:
    made = _make(call, shape)
    asked: dict[str, Any] = {"node": ref(made.start)}
    whole = [call(method, **asked)]
    parts = pages(call, method, deeper=True, **asked, options={"max_hops": hops}, page_size=size)
    assert all_nodes(parts) == all_nodes(whole)
    assert set(all_edges(parts)) == set(all_edges(whole))


@LAW
@given(shape=shapes(), method=WAYS, hops=st.integers(1, 4))
def test_every_node_that_more_lies_behind_is_marked(call: Calls, shape: Shape, method: str, hops: int) -> None:
    made = _make(call, shape)
    answer = call(method, node=ref(made.start), options={"max_hops": hops, "with_system_nodes": True})
    flow = made.flow(method)
    distances = nx.single_source_shortest_path_length(flow, made.start)
    marked = {name for name, d in distances.items() if d == hops and any(distances[far] > hops for far in flow[name])}
    assert cuts(answer.graph) == dict.fromkeys(marked, "hops")
    assert bool(answer.deeper_page_token) == bool(marked)


@LAW
@given(shape=shapes())
def test_a_path_is_as_short_as_a_graph_library_finds(call: Calls, shape: Shape) -> None:
    made = _make(call, shape)
    for name in sorted(made.graph.nodes - {made.start}):
        answer = call("FindPath", first=ref(made.start), second=ref(name), options={"with_system_nodes": True})
        ways = [(made.start, name), (name, made.start)]
        lengths = [nx.shortest_path_length(made.graph, *way) for way in ways if nx.has_path(made.graph, *way)]
        assert answer.found == bool(lengths)
        if lengths:
            assert len(answer.path.edges) == lengths[0]
            assert answer.reversed == (not nx.has_path(made.graph, *ways[0]))
            path = nodes(answer.path)
            assert (path[0], path[-1]) == ways[answer.reversed]
            assert nx.is_path(made.graph, path)
            assert edges(answer.path) == [f"{a}>{b}" for a, b in pairwise(path)]
