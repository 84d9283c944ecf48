"""Graphs as documents: what each says, that odd names do no harm, and that a drawing is the same each time."""

import json
import re
import uuid
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from mlmd_lineage.documents import Graph
from mlmd_lineage.layout import laid_out
from mlmd_lineage.openlineage import openlineage
from mlmd_lineage.prov import prov_json
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from tests.lineage.questions import artifact, edges, execution, nodes
from tests.lineage.story import Story
from tests.metadata_store.calls import Calls

ODD = '"><script>alert(1)</script>\\"; ]}\n`ü🙂 <&>'
FORMATS = [
    v1.LINEAGE_FORMAT_UNSPECIFIED,
    v1.LINEAGE_FORMAT_SVG,
    v1.LINEAGE_FORMAT_DOT,
    v1.LINEAGE_FORMAT_MERMAID,
    v1.LINEAGE_FORMAT_OPENLINEAGE,
    v1.LINEAGE_FORMAT_PROV_JSON,
]


@pytest.fixture
def training(call: Calls, story: Story) -> Calls:
    """A data set (a1), imported (e1), a training on it (e2) that made a model (a2), and its log (a3)."""
    data = story.version("churn", uri="s3://bucket/churn/1")
    model = story.artifact("system.Model", {"accuracy": float("nan")}, name="forest")
    log = story.artifact("system.Artifact", uri="s3://bucket/executor-logs")
    story.step({}, {"data": data}, type_name="system.ImporterExecution", last_known_state=3)
    outputs = {"model": model, "executor-logs": log}
    story.step({"data": data}, outputs, custom={"task_name": "train", "lr": 2**60}, last_known_state=3)
    return call


def exported(call: Calls, wanted: Any, **fields: Any) -> str:
    """Return the content of a document."""
    return str(call("ExportGraph", node=fields.pop("node", artifact(2)), format=wanted, **fields).content)


def test_json_is_a_page(training: Calls) -> None:
    page = json_format.Parse(exported(training, v1.LINEAGE_FORMAT_UNSPECIFIED), v1.LineagePage())
    assert nodes(page) == ["a2", "e2", "a1"]
    assert edges(page) == ["a1>e2", "e2>a2"]


@pytest.mark.parametrize("format", FORMATS)
def test_of_a_graph_the_nodes_that_are_named(training: Calls, format: Any) -> None:
    named = [artifact(1), execution(2), artifact(99)]
    text = exported(training, format, only=named)
    whole = exported(training, format, only=[*named, artifact(2), artifact(3), execution(1)])
    assert whole == exported(training, format)
    assert ("forest" in whole) == (format != v1.LINEAGE_FORMAT_OPENLINEAGE), "which knows it by another name"
    assert "forest" not in text
    assert len({text, whole, exported(training, format, only=[artifact(99)])}) == 3


def test_of_a_graph_no_more_nodes_are_named_than_a_walk_has(training: Calls) -> None:
    said = training.message("ExportGraph", node=artifact(2), only=[artifact(1)] * 10_001)
    assert said == "only: 10001 nodes are more than 10,000; ask for fewer."


def test_a_page_has_the_named_nodes_and_the_edges_between_them(training: Calls) -> None:
    text = exported(training, v1.LINEAGE_FORMAT_UNSPECIFIED, only=[artifact(1), execution(2)])
    page = json_format.Parse(text, v1.LineagePage())
    assert (nodes(page), edges(page)) == (["e2", "a1"], ["a1>e2"])
    assert "a2" not in exported(training, v1.LINEAGE_FORMAT_MERMAID, only=[artifact(1), execution(2)])


def test_directions(training: Calls) -> None:
    def found(direction: Any) -> list[str]:
        text = exported(training, v1.LINEAGE_FORMAT_UNSPECIFIED, node=execution(2), direction=direction)
        return nodes(json_format.Parse(text, v1.LineagePage()))

    assert found(v1.LINEAGE_DIRECTION_UNSPECIFIED) == ["e2", "a1", "a2"]
    assert found(v1.LINEAGE_DIRECTION_UPSTREAM) == ["e2", "a1"]
    assert found(v1.LINEAGE_DIRECTION_DOWNSTREAM) == ["e2", "a2"]
    for wrong in ({"direction": 9}, {"format": 99}, {"max_nodes": 10_001}):
        assert training.code("ExportGraph", node=artifact(1), **wrong) is Code.INVALID_ARGUMENT


def test_graphviz_and_mermaid(training: Calls) -> None:
    assert exported(training, v1.LINEAGE_FORMAT_DOT) == (
        "digraph lineage {\n"
        "  rankdir=LR;\n"
        '  node [fontname="Helvetica" fontsize=11];\n'
        '  edge [fontname="Helvetica" fontsize=9];\n'
        '  a2 [label="forest\\nsystem.Model" shape=ellipse style="bold"];\n'
        '  e2 [label="train\\nStep" shape=box style="rounded"];\n'
        '  a1 [label="churn/1\\nsystem.Dataset" shape=ellipse style=""];\n'
        '  a1 -> e2 [label="data"];\n'
        '  e2 -> a2 [label="model"];\n'
        "}\n"
    )
    assert exported(training, v1.LINEAGE_FORMAT_MERMAID) == (
        "flowchart LR\n"
        '  a2(["forest<br/>system.Model"])\n'
        '  e2["train<br/>Step"]\n'
        '  a1(["churn/1<br/>system.Dataset"])\n'
        '  a1 -- "data" --> e2\n'
        '  e2 -- "model" --> a2\n'
        "  style a2 stroke-width:3px\n"
    )


def test_openlineage(training: Calls) -> None:
    options = {"detail": v1.LINEAGE_DETAIL_PROPERTIES}
    lines = exported(training, v1.LINEAGE_FORMAT_OPENLINEAGE, options=options).splitlines()
    events = [json.loads(line) for line in lines]
    times = [event["eventTime"] for event in events]
    assert times == sorted(times)
    told = [(event["job"]["name"], event["eventType"]) for event in events]
    for job in ("system.ImporterExecution", "train"):
        assert [kind for name, kind in told if name == job] == ["START", "COMPLETE"]
    for event in events:
        assert event.keys() >= {"eventTime", "producer", "schemaURL", "run", "job"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["eventTime"])
        assert uuid.UUID(event["run"]["runId"]).version == 5
        facets = [
            event["run"]["facets"],
            *(data["facets"] for data in event.get("inputs", []) + event.get("outputs", [])),
        ]
        assert all(facet.keys() >= {"_producer", "_schemaURL"} for some in facets for facet in some.values())
    begun, train = (event for event in events if event["job"]["name"] == "train")
    runs = {event["run"]["runId"] for event in events}
    assert len(runs) == 2
    assert train["run"]["runId"] == begun["run"]["runId"]
    assert train["run"]["facets"]["mlmd_execution"]["properties"] == {"lr": str(2**60), "task_name": "train"}
    (data,) = train["inputs"]
    assert data["name"] == f"{training.store.store_uuid}/artifact/1"
    assert data["facets"]["version"]["datasetVersion"] == "system.Dataset/churn/1"
    (place,) = data["facets"]["symlinks"]["identifiers"]
    assert (place["namespace"], place["name"]) == ("s3://bucket", "churn/1")
    assert [output["name"].rpartition("/")[2] for output in train["outputs"]] == ["2"]


def test_openlineage_goes_by_time_and_within_a_millisecond_by_id() -> None:
    def told(*times: tuple[int, int]) -> list[tuple[str, str, str]]:
        nodes = [
            v1.LineageNode(
                node=execution(place), name=f"s{place}", state="COMPLETE", create_ms=created, update_ms=updated
            )
            for place, (created, updated) in enumerate(times, 1)
        ]
        lines = openlineage(Graph(("execution_id", 1), nodes, [], "store")).splitlines()
        return [(said["job"]["name"], said["eventType"], said["eventTime"][-4:-1]) for said in map(json.loads, lines)]

    first, second = (
        [("s1", "START", "007"), ("s1", "COMPLETE", "007")],
        [("s2", "START", "007"), ("s2", "COMPLETE", "007")],
    )
    assert told((7, 7), (7, 7)) == first + second
    assert told((9, 5), (7, 7)) == [*second, ("s1", "START", "009"), ("s1", "COMPLETE", "009")]


def test_prov(training: Calls) -> None:
    options = {"detail": v1.LINEAGE_DETAIL_PROPERTIES}
    said = json.loads(exported(training, v1.LINEAGE_FORMAT_PROV_JSON, options=options))
    assert said["prefix"]["store"] == f"urn:mlmd:{training.store.store_uuid}/"
    assert said["entity"].keys() == {"store:artifact/1", "store:artifact/2"}
    assert said["entity"]["store:artifact/2"] == {
        "mlmd:accuracy": "NaN",
        "prov:label": "forest",
        "prov:type": "system.Model",
    }
    assert said["entity"]["store:artifact/1"]["prov:location"] == "s3://bucket/churn/1"
    activity = said["activity"]["store:execution/2"]
    assert (activity["prov:label"], activity["mlmd:lr"], activity["mlmd:state"]) == ("train", str(2**60), "COMPLETE")
    (used,) = said["used"].values()
    assert (used["prov:activity"], used["prov:entity"], used["prov:role"]) == (
        "store:execution/2",
        "store:artifact/1",
        "data",
    )
    (made,) = said["wasGeneratedBy"].values()
    assert (made["prov:entity"], made["prov:activity"]) == ("store:artifact/2", "store:execution/2")


def test_ways_through_hidden_nodes_in_every_format(call: Calls, story: Story) -> None:
    before, after = story.artifact(), story.artifact()
    story.step({"in": before}, {"out": after}, type_name="system.DAGExecution")
    assert "a1 -> a2 [style=dashed]" in exported(call, v1.LINEAGE_FORMAT_DOT)
    assert "a1 -.-> a2" in exported(call, v1.LINEAGE_FORMAT_MERMAID)
    said = json.loads(exported(call, v1.LINEAGE_FORMAT_PROV_JSON))
    assert list(said["wasDerivedFrom"].values()) == [
        {"prov:generatedEntity": "store:artifact/2", "prov:usedEntity": "store:artifact/1"}
    ]
    assert "through nodes that are not shown" in exported(call, v1.LINEAGE_FORMAT_SVG)
    lines = exported(call, v1.LINEAGE_FORMAT_OPENLINEAGE).splitlines()
    assert [json.loads(line)["job"]["name"] for line in lines] == ["system.DAGExecution"] * 2


def test_odd_names_do_no_harm(call: Calls, story: Story) -> None:
    made = story.artifact("Odd " + ODD, {ODD: ODD}, name=ODD, uri=ODD)
    story.step({ODD: made}, {}, custom={"task_name": ODD})
    options = {"detail": v1.LINEAGE_DETAIL_PROPERTIES}
    for wanted in FORMATS:
        text = exported(call, wanted, node=artifact(made), options=options)
        if wanted == v1.LINEAGE_FORMAT_SVG:
            root = ElementTree.fromstring(text)
            assert not [element for element in root.iter() if "script" in element.tag]
        elif wanted == v1.LINEAGE_FORMAT_DOT:
            assert all(line.count('"') % 2 == 0 for line in text.replace('\\"', "").splitlines())
        elif wanted == v1.LINEAGE_FORMAT_MERMAID:
            assert "<script" not in text
            assert len(text.splitlines()) == 5
        elif wanted == v1.LINEAGE_FORMAT_OPENLINEAGE:
            assert all(json.loads(line) for line in text.splitlines())
        else:
            assert json.loads(text)


def test_a_drawing_is_the_same_each_time_and_stands_alone(training: Calls) -> None:
    drawn = exported(training, v1.LINEAGE_FORMAT_SVG)
    assert drawn == exported(training, v1.LINEAGE_FORMAT_SVG)
    root = ElementTree.fromstring(drawn)
    assert {attribute for element in root.iter() for attribute in element.attrib if "href" in attribute} == set()
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Lineage of forest", "forest", "train", "churn/1", "data", "model"} <= set(texts)
    assert "url(" not in drawn
    assert "@import" not in drawn


def test_a_graph_that_is_cut_says_so(training: Calls) -> None:
    for wanted, mark in ((v1.LINEAGE_FORMAT_SVG, "more lies behind"), (v1.LINEAGE_FORMAT_DOT, "dashed"),
                         (v1.LINEAGE_FORMAT_MERMAID, "class e2 cut")):  # fmt: skip
        answer = training("ExportGraph", node=artifact(2), format=wanted, options={"max_hops": 1})
        assert answer.is_cut
        assert mark in answer.content
    assert not training("ExportGraph", node=artifact(2)).is_cut


def test_a_drawing_of_the_largest_graph_is_bounded(call: Calls, story: Story) -> None:
    data = story.artifact()
    type_id = story.type_id("Artifact", "system.Model")
    made = call("PutArtifacts", artifacts=[{"type_id": type_id}] * 600).artifact_ids
    story.step({"data": data}, {f"m{place}": artifact_id for place, artifact_id in enumerate(made)})
    answer = call("ExportGraph", node=artifact(data), format=v1.LINEAGE_FORMAT_SVG)
    assert answer.is_cut
    assert answer.content.count("system.Model</text>") == 498


graphs = st.integers(1, 9).flatmap(
    lambda size: st.tuples(
        st.just(size), st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=25)
    )
)


@settings(max_examples=200, deadline=None)
@given(graph=graphs)
def test_places_of_a_drawing(graph: tuple[int, list[tuple[int, int]]]) -> None:
    size, lines = graph
    layout = laid_out(list(range(size)), lines)
    assert {key for key in layout.columns if isinstance(key, int)} == set(range(size))
    for column in range(layout.width):
        rows = sorted(layout.rows[key] for key in range(size) if layout.columns[key] == column)
        assert all(below - above >= 1 - 1e-9 for above, below in pairwise(rows)), "nodes overlap"
    for place, (source, target) in enumerate(lines):
        step = abs(layout.columns[target] - layout.columns[source])
        assert step >= (source != target), "an edge within a column"
        assert len(layout.bends.get(place, ())) == max(step - 1, 0)
        path = [layout.columns[key] for key in (source, *layout.bends.get(place, ()), target)]
        assert path in (sorted(path), sorted(path, reverse=True)), "an edge that turns back"
    assert min(layout.rows.values()) == 0
    assert laid_out(list(range(size)), lines) == layout


def test_prov_tells_times_of_what_is_known_and_ends_of_what_ended() -> None:
    def times(state: str) -> set[str]:
        node = v1.LineageNode(node=execution(1), state=state, create_ms=7, update_ms=9)
        (said,) = json.loads(prov_json(Graph(("execution_id", 1), [node], [], "store")))["activity"].values()
        return {f"{name} {said[name][-4:-1]}" for name in said if name.endswith("Time")}

    assert times("RUNNING") == {"prov:startTime 007"}
    assert times("FAILED") == {"prov:startTime 007", "prov:endTime 009"}
