"""GetLineageSubgraph on fourteen graphs answers what Google's core was recorded to answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.lineage.graphs import Query, ending, ids, put_events, put_nodes, query, subgraph
from tests.metadata_store.calls import Calls

GRAPHS = json.loads((Path(__file__).parent.parent / "data" / "lineage_cases.json").read_text())


def _put(call: Calls, graph: dict[str, Any]) -> None:
    put_nodes(call, graph["num_artifacts"], graph["num_executions"], contexts=2)
    put_events(call, graph["events"])
    call(
        "PutAttributionsAndAssociations",
        attributions=[
            pb.Attribution(context_id=1 + i % 2, artifact_id=i) for i in range(1, graph["num_artifacts"] + 1)
        ],
        associations=[pb.Association(context_id=1, execution_id=i) for i in range(1, graph["num_executions"] + 1, 2)],
    )


def _among(numbers: list[int]) -> str:
    return f"id IN ({', '.join(map(str, numbers))})"


def _ending(case: dict[str, Any], name: str) -> Query.EndingNodes | None:
    given = case.get(name)
    return None if given is None else ending(_among(given["ids"]), include=given["include"])


def _asked(call: Calls, case: dict[str, Any]) -> dict[str, Any]:
    options = query(
        **{case["start_kind"]: _among(case["start"])},
        hops=case["hops"],
        direction=case["direction"],
        ending_artifacts=_ending(case, "ending_artifacts"),
        ending_executions=_ending(case, "ending_executions"),
    )
    found = subgraph(call, options)
    return {
        "artifacts": ids(found.artifacts),
        "executions": ids(found.executions),
        "contexts": ids(found.contexts),
        "events": sorted([e.execution_id, e.artifact_id, pb.Event.Type.Name(e.type)] for e in found.events),
        "attributions": sorted([a.context_id, a.artifact_id] for a in found.attributions),
        "associations": sorted([a.context_id, a.execution_id] for a in found.associations),
    }


def test_all_recorded_walks_are_there() -> None:
    assert sum(len(graph["cases"]) for graph in GRAPHS) == 350


@pytest.mark.parametrize("graph", GRAPHS, ids=[graph["graph"] for graph in GRAPHS])
def test_recorded_walks(call: Calls, graph: dict[str, Any]) -> None:
    _put(call, graph)
    for case in graph["cases"]:
        expected = {name: sorted(value) for name, value in case["expect"].items()}
        assert _asked(call, case) == expected, case
