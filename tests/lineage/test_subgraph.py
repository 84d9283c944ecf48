"""GetLineageSubgraph: the read contract's edge cases 50 to 61, by name, and its tables of expectations."""

from collections.abc import Iterator
from typing import Any

import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.lineage.graphs import Query, chain, ending, ids, pairs, put_events, put_nodes, query, subgraph
from tests.metadata_store import fixture
from tests.metadata_store.calls import Calls, counted

UP, DOWN, BOTH = Query.UPSTREAM, Query.DOWNSTREAM, Query.BIDIRECTIONAL
METHOD = "GetLineageSubgraph"


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """The fixture of the read contract; nobody writes to it."""
    with fixture.opened(request, tmp_path_factory.mktemp("lineage")) as calls:
        fixture.build(calls)
        yield calls


def _code(call: Calls, options: Query | None) -> Code:
    return call.code(METHOD, lineage_subgraph_query_options=options)


def _events(text: str) -> list[tuple[int, int]]:
    return sorted((int(event.split(".")[0]), int(event.split(".")[1])) for event in text.split())


def test_read_50_checks_come_in_their_order(shop: Calls) -> None:
    assert _code(shop, None) == Code.INVALID_ARGUMENT
    assert _code(shop, Query(max_num_hops=1)) == Code.INVALID_ARGUMENT
    assert _code(shop, query("")) == Code.INVALID_ARGUMENT
    assert _code(shop, Query(starting_executions=Query.StartingNodes())) == Code.INVALID_ARGUMENT
    assert _code(shop, query("id = 99", hops=-1)) == Code.INVALID_ARGUMENT
    assert _code(shop, query("garbage(")) == Code.INVALID_ARGUMENT
    assert _code(shop, query("id = 99")) == Code.NOT_FOUND
    assert _code(shop, query("id = 99", ending_artifacts=ending("garbage("))) == Code.NOT_FOUND


def test_read_51_an_isolated_artifact_and_no_hops(shop: Calls) -> None:
    for hops in (None, 0, 5):
        graph = subgraph(shop, query("id = 3", hops=hops))
        assert (ids(graph.artifacts), ids(graph.executions), pairs(graph)) == ([3], [], [])
    graph = subgraph(shop, query("id = 1", hops=0), ["contexts", "attributions", "associations"])
    assert ids(graph.contexts) == [1, 2]
    assert [(edge.context_id, edge.artifact_id) for edge in graph.attributions] == [(1, 1), (2, 1)]
    assert not graph.associations
    assert not graph.artifacts


def test_read_52_masks(shop: Calls) -> None:
    for mask in (["bogus"], ["artifacts.id"], ["Artifacts"], [""], ["parent_contexts"]):
        answer = shop(METHOD, lineage_subgraph_query_options=query("id = 1"), read_mask={"paths": mask})
        assert answer.HasField("lineage_subgraph")
        assert answer.lineage_subgraph == pb.LineageGraph()
    for mask in (["events"], ["events", "events"]):
        assert {field.name for field, _ in subgraph(shop, query("id = 1"), mask).ListFields()} == {"events"}
    graph = subgraph(shop, query("id = 1", hops=0))
    assert [kind.name for kind in graph.artifact_types][:4] == [
        "mlmd.Dataset",
        "mlmd.Model",
        "mlmd.Metrics",
        "mlmd.Statistics",
    ]
    assert ids(graph.artifact_types) == [1, 2, 3, 4, 10, 11, 12, 13]
    assert ids(graph.execution_types) == [5, 6, 7, 8, 9, 14, 15]
    assert ids(graph.context_types) == [16, 17]
    assert graph.artifact_types[4].properties["span"] == pb.INT
    assert not graph.artifact_types[5].HasField("base_type")


def test_a_mask_with_types_alone_gives_types_alone(shop: Calls) -> None:
    graph = subgraph(shop, query("id = 1"), ["context_types"])
    assert {field.name for field, _ in graph.ListFields()} == {"context_types"}


def test_read_53_nodes_are_their_ids_and_events_are_whole(shop: Calls) -> None:
    graph = subgraph(shop, query("id = 1", hops=2))
    assert list(graph.artifacts) == [pb.Artifact(id=number) for number in (1, 2, 4, 5)]
    assert list(graph.executions) == [pb.Execution(id=number) for number in (1, 2)]
    assert list(graph.contexts) == [pb.Context(id=number) for number in (1, 2, 3)]
    (event,) = [event for event in graph.events if (event.execution_id, event.artifact_id) == (1, 4)]
    expected = pb.Event(execution_id=1, artifact_id=4, type=pb.Event.OUTPUT, milliseconds_since_epoch=102)
    expected.path.steps.add(key="model")
    expected.path.steps.add(index=0)
    assert event == expected
    assert not [event for event in graph.events if event.artifact_id == 5 and event.HasField("path")]
    memberships = sorted((edge.context_id, edge.artifact_id) for edge in graph.attributions)
    assert memberships == [(1, 1), (1, 2), (1, 4), (2, 1), (2, 4), (3, 2), (3, 5)]
    assert sorted((edge.context_id, edge.execution_id) for edge in graph.associations) == [
        (1, 1),
        (1, 2),
        (2, 1),
        (3, 2),
    ]


WALKS: list[tuple[dict[str, Any], list[int], list[int], str]] = [
    ({"artifacts": "id = 1", "hops": 0}, [1], [], ""),
    ({"artifacts": "id = 1", "hops": 1}, [1], [1, 2], "1.1 2.1"),
    ({"artifacts": "id = 1", "hops": 2}, [1, 2, 4, 5], [1, 2], "1.1 2.1 1.4 2.2 2.5"),
    ({"artifacts": "id = 1", "hops": 3}, [1, 2, 4, 5], [1, 2, 3], "1.1 2.1 1.4 2.2 2.5 3.2 3.4"),
    ({"artifacts": "id = 1"}, [1, 2, 4, 5, 6, 8], [1, 2, 3], "1.1 2.1 1.4 2.2 2.5 3.2 3.4 3.6 3.8"),
    ({"artifacts": "id = 4", "direction": UP, "hops": 1}, [4], [1], "1.4"),
    ({"artifacts": "id = 4", "direction": UP}, [1, 4], [1], "1.4 1.1"),
    ({"artifacts": "id = 4", "direction": DOWN, "hops": 1}, [4], [3], "3.4"),
    ({"artifacts": "id = 4", "direction": DOWN}, [4, 6, 8], [3], "3.4 3.6 3.8"),
    ({"artifacts": "id = 4", "direction": BOTH, "hops": 2}, [1, 2, 4, 6, 8], [1, 3], "1.4 3.4 1.1 3.6 3.2 3.8"),
    ({"artifacts": "id = 7", "direction": UP}, [7], [4], "4.7"),
    ({"artifacts": "id = 7", "direction": DOWN}, [7], [], ""),
    ({"executions": "id = 4", "direction": DOWN}, [7], [4], "4.7"),
    ({"executions": "id = 2", "direction": UP}, [1, 2], [2], "2.1 2.2"),
    ({"executions": "id = 2", "direction": DOWN}, [5], [2], "2.5"),
    ({"executions": "id = 2", "direction": BOTH, "hops": 2}, [1, 2, 5], [1, 2, 3], "2.2 2.1 2.5 1.1 3.2"),
]
ENDED: list[tuple[str, str | None, str | None, bool, list[int], list[int], str]] = [
    ("id = 1", "id = 4", None, False, [1, 2, 5, 6, 8], [1, 2, 3], "1.1 2.1 2.2 2.5 3.2 3.6 3.8"),
    ("id = 1", "id = 4", None, True, [1, 2, 4, 5, 6, 8], [1, 2, 3], "1.1 2.1 2.2 2.5 3.2 3.6 3.8 1.4 3.4"),
    ("id = 1", None, "id IN (1, 2)", False, [1], [], ""),
    ("id = 1", None, "id IN (1, 2)", True, [1], [1, 2], "1.1 2.1"),
    ("id = 1", "id = 1", None, False, [], [], ""),
    ("id = 1", "id = 1", None, True, [1], [], ""),
    ("id IN (1, 2)", "id = 1", None, False, [2, 4, 5, 6, 8], [1, 2, 3], "2.2 3.2 2.5 3.4 3.6 3.8 1.4"),
    ("id IN (1, 2)", "id = 1", None, True, [1, 2, 4, 5, 6, 8], [1, 2, 3], "2.2 3.2 2.5 3.4 3.6 3.8 1.4 2.1 1.1"),
    ("id = 1", "id = 2", "id = 1", False, [1, 5], [2], "2.1 2.5"),
    ("id = 1", "id = 2", "id = 1", True, [1, 2, 5], [1, 2], "1.1 2.1 2.2 2.5"),
]


@pytest.mark.parametrize(("options", "artifacts", "executions", "events"), WALKS)
def test_walks(shop: Calls, options: dict[str, Any], artifacts: list[int], executions: list[int], events: str) -> None:
    graph = subgraph(shop, query(**options))
    assert (ids(graph.artifacts), ids(graph.executions)) == (artifacts, executions)
    assert sorted(pairs(graph)) == _events(events)


@pytest.mark.parametrize(("start", "ending_a", "ending_e", "include", "artifacts", "executions", "events"), ENDED)
def test_walks_that_end(
    shop: Calls,
    start: str,
    ending_a: str | None,
    ending_e: str | None,
    include: bool,
    artifacts: list[int],
    executions: list[int],
    events: str,
) -> None:
    options = query(
        start,
        ending_artifacts=ending(ending_a, include=include) if ending_a else None,
        ending_executions=ending(ending_e, include=include) if ending_e else None,
    )
    graph = subgraph(shop, options)
    assert (ids(graph.artifacts), ids(graph.executions)) == (artifacts, executions)
    assert sorted(pairs(graph)) == _events(events)


def test_read_54_an_ending_filter_set_to_nothing_ends_everything(shop: Calls) -> None:
    assert subgraph(shop, query("id = 1", ending_artifacts=ending("")), ["artifacts", "events"]) == pb.LineageGraph()
    graph = subgraph(shop, query("id = 1", ending_artifacts=ending("", include=True)), ["artifacts", "events"])
    assert graph == pb.LineageGraph(artifacts=[pb.Artifact(id=1)])
    unset = subgraph(shop, query("id = 1", hops=2, ending_artifacts=ending(include=True)))
    assert ids(unset.artifacts) == [1, 2, 4, 5]


def test_an_ending_filter_set_to_nothing_ends_at_no_node_that_only_events_name(call: Calls) -> None:
    put_nodes(call, 2, 1)
    edges = [(1, 1, "INPUT"), (99, 1, "INPUT"), (99, 2, "OUTPUT")]
    made = [{"event": {"execution_id": e, "artifact_id": a, "type": kind}} for e, a, kind in edges]
    call("PutLineageSubgraph", event_edges=made)
    for include in (False, True):
        graph = subgraph(call, query("id = 1", ending_executions=ending("", include=include)))
        assert ids(graph.artifacts) == [1, 2]
        assert ids(graph.executions) == ([1, 99] if include else [99])
        assert sorted(pairs(graph)) == [*([(1, 1)] if include else []), (99, 1), (99, 2)]


def test_read_55_ending_filters_are_read_when_they_are_reached(shop: Calls) -> None:
    wrong = ending("garbage(")
    assert _code(shop, query("id = 1", hops=0, ending_executions=wrong)) == Code.OK
    assert _code(shop, query("id = 3", ending_executions=wrong)) == Code.OK
    assert _code(shop, query("id = 1", hops=1, ending_executions=wrong)) == Code.INVALID_ARGUMENT
    assert _code(shop, query("id = 1", hops=0, ending_artifacts=wrong)) == Code.INVALID_ARGUMENT


def test_an_error_says_which_filter_is_wrong(shop: Calls) -> None:
    ends = {"ending_artifacts": {"filter_query": "id ="}, "ending_executions": {"filter_query": "id <"}}
    for starts, ended, said in (
        ({"starting_artifacts": {"filter_query": "("}}, {}, "starting_artifacts"),
        ({"starting_executions": {"filter_query": "("}}, ends, "starting_executions"),
        ({"starting_artifacts": {"filter_query": "id = 1"}}, ends, "ending_artifacts"),
        ({"starting_executions": {"filter_query": "id = 1"}}, ends, "ending_executions"),
    ):
        message = shop.message("GetLineageSubgraph", lineage_subgraph_query_options={**starts, **ended})
        assert message.startswith(f"Invalid `filter_query`: {said}: expected "), message
        assert message.endswith(("[at 1:2]", "[at 1:5]")), message


@pytest.mark.parametrize(
    "events",
    [
        [(1, 1, "INPUT"), (1, 2, "OUTPUT"), (2, 2, "INPUT"), (2, 1, "OUTPUT")],
        [(1, 1, "INPUT"), (1, 1, "OUTPUT")],
    ],
    ids=["cycle", "self loop"],
)
def test_read_56_circles_end_and_give_no_event_twice(call: Calls, events: list[tuple[int, int, str]]) -> None:
    put_nodes(call, 2, 2)
    put_events(call, events)
    for direction in (None, UP, DOWN, BOTH):
        found = pairs(subgraph(call, query("id = 1", direction=direction)))
        assert sorted(found) == sorted((execution, artifact) for execution, artifact, _ in events)


def test_read_57_an_event_to_a_visited_node_is_part_of_a_directed_walk(call: Calls) -> None:
    put_nodes(call, 2, 2)
    put_events(call, [(1, 1, "INPUT"), (1, 2, "OUTPUT"), (2, 2, "INPUT"), (2, 1, "INPUT")])
    expected = {1: "1.1 2.1", 2: "1.1 2.1 1.2", 3: "1.1 2.1 1.2 2.2"}
    for hops, events in expected.items():
        found = pairs(subgraph(call, query("id = 1", direction=DOWN, hops=hops)))
        assert sorted(found) == _events(events)


def test_read_58_a_pending_output_is_an_output(shop: Calls) -> None:
    for options in (query("id = 7", direction=UP), query(executions="id = 4", direction=DOWN)):
        graph = subgraph(shop, options)
        assert [(event.execution_id, event.artifact_id, event.type) for event in graph.events] == [
            (4, 7, pb.Event.PENDING_OUTPUT)
        ]
        assert (ids(graph.artifacts), ids(graph.executions)) == ([7], [4])
    for options in (query("id = 7", direction=DOWN), query(executions="id = 4", direction=UP)):
        assert not subgraph(shop, options).events


def test_read_59_101_nodes_start(call: Calls) -> None:
    put_nodes(call, 250, 1)
    assert ids(subgraph(call, query("id > 100", hops=0)).artifacts) == list(range(101, 202))


def test_read_60_three_hundred_outputs(call: Calls) -> None:
    put_nodes(call, 300, 1)
    put_events(call, [(1, number, "OUTPUT") for number in range(1, 301)])
    few = subgraph(call, query(executions="id = 1", ending_artifacts=ending("id > 10")))
    assert (ids(few.artifacts), len(few.events)) == (list(range(1, 11)), 10)
    many = subgraph(call, query(executions="id = 1", ending_artifacts=ending("id > 10", include=True)))
    assert (ids(many.artifacts), len(many.events)) == (list(range(1, 301)), 300)


def test_read_61_a_walk_has_a_hundred_hops_of_one_statement_each(call: Calls) -> None:
    put_nodes(call, 121, 120)
    put_events(call, chain(120))
    for hops in (None, 10**6):
        graph = subgraph(call, query("id = 1", hops=hops))
        assert (len(graph.artifacts), len(graph.executions)) == (51, 50)
        assert pairs(graph) == [(e, a) for e, a, _ in chain(50)]
    with counted(call.store) as statements:
        subgraph(call, query("id = 1"), ["artifacts", "executions", "events"])
    assert len(statements) == 1 + 100 + 1  # the start, the hops, the paths


def test_a_wide_walk_sends_few_statements(call: Calls) -> None:
    put_nodes(call, 5000, 2)
    put_events(call, [(1, number, "OUTPUT") for number in range(1, 5001)])
    options = query(executions="id = 1", hops=2, ending_artifacts=ending("id > 4500"))
    with counted(call.store) as statements:
        graph = subgraph(call, options)
    assert (len(graph.artifacts), len(graph.events)) == (4500, 4500)
    # the start; a hop and five tests of its end; five for the second hop; five each for paths and
    # memberships; executions' memberships; types and their properties
    assert len(statements) <= 1 + 1 + 5 + 5 + 5 + 5 + 1 + 6


def test_starts_from_neighbours_come_once(shop: Calls) -> None:
    graph = subgraph(shop, query("contexts_a.type = 'Pipeline' OR contexts_a.type = 'Run'", hops=0))
    assert ids(graph.artifacts) == [1, 2, 4, 5]
