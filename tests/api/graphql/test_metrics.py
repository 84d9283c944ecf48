"""Series, evaluations and comparisons in GraphQL."""

import math

import pytest
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from tests.api.graphql.conftest import Graph, World, assert_constant, populate

SERIES = [3.0, math.nan, -math.inf, 0.25]


@pytest.fixture
def world(graph: Graph) -> World:
    """Four artifacts and three executions; each artifact has a series and an evaluation with a matrix and a curve."""
    world = populate(graph.call)
    for place, artifact in enumerate(world.artifacts):
        owner = v1.MetricOwner(artifact_id=artifact)
        key = v1.MetricKey(owner=owner, name="loss")
        graph.call("LogSeries", series=[v1.SeriesData(key=key, steps=range(4), times_ms=range(4), values=SERIES)])
        matrix = v1.MatrixCounts(labels=["no", "yes"], counts=[5, 1, place, 4])
        curve = v1.CurveCutoffs(
            label="yes", thresholds=[math.inf, 0.5, 0.25], true_positives=[1, 3, 4], false_positives=[0, 1, 2]
        )
        evaluation = v1.EvaluationInput(key=v1.MetricKey(owner=owner, name="test"), matrix=matrix, curves=[curve])
        graph.call("LogEvaluation", evaluations=[evaluation])
        graph.call("LogScalars", owner=owner, scalars={"seconds": 1.5 * place})
    graph.call(
        "LogSeries",
        series=[
            {"key": {"owner": {"execution_id": world.executions[0]}, "name": "speed"}, "steps": [1], "values": [9]}
        ],
    )
    return world


def test_series(graph: Graph, world: World) -> None:
    found = graph.ask(
        """{ artifacts(first: 2) { nodes { series(names: ["loss", "nothing"]) {
             id name slice points lastStep lastValue lastMs lastTime node { id ... on Artifact { name } }
             sample(points: 8, fromStep: 1) { steps values totalPoints } } } }
           executions(first: 1) { nodes { series { name lastValue } } } }"""
    )
    for place, node in enumerate(found["artifacts"]["nodes"]):
        (series,) = node["series"]
        assert (series["name"], series["slice"], series["points"], series["lastStep"]) == ("loss", "", "4", "3")
        assert (series["lastValue"], series["lastTime"]) == (0.25, "1970-01-01T00:00:00.003Z")
        assert series["node"]["name"] == f"data-{place}"
        assert series["sample"] == {"steps": ["1", "2", "3"], "values": ["NaN", "-Infinity", 0.25], "totalPoints": "3"}
    assert found["executions"]["nodes"][0]["series"] == [{"name": "speed", "lastValue": 9.0}]
    own = found["artifacts"]["nodes"][0]["series"][0]["id"]
    query = """query($id: ID!, $token: String) {
      node(id: $id) { id ... on Series { name } }
      seriesPoints(series: $id, points: 3, pageToken: $token) { steps values nextPageToken } }"""
    first = graph.ask(query, id=own)
    assert first["node"] == {"id": own, "name": "loss"}
    assert first["seriesPoints"]["values"] == [3.0, "NaN", "-Infinity"]
    rest = graph.ask(query, id=own, token=first["seriesPoints"]["nextPageToken"])["seriesPoints"]
    assert rest == {"steps": ["3"], "values": [0.25], "nextPageToken": ""}


def test_evaluations_with_every_figure(graph: Graph, world: World) -> None:
    found = graph.ask(
        """query($id: ID!) { artifact(id: $id) { evaluations(name: "test", withCutoffs: true) {
          id origin matrix { labels counts } figures { name value }
          intervals { name value { estimate low high level method } } classes { label precision recall f1 }
          curves { label positives cutoffs { thresholds truePositives } roc { falsePositiveRate thresholds } }
          updateMs updateTime node { ... on Artifact { name } } } } }""",
        id=str(world.artifacts[0]),
    )
    (one,) = found["artifact"]["evaluations"]
    (answer,) = graph.call("GetEvaluations", owners=[{"artifact_id": world.artifacts[0]}]).evaluations
    figures = {entry["name"]: entry["value"] for entry in one["figures"]}
    assert figures["accuracy"] == 0.9
    assert set(figures) == set(answer.figures)
    assert {name: value for name, value in figures.items() if value != "NaN"} == {
        name: value for name, value in answer.figures.items() if not math.isnan(value)
    }
    assert (one["origin"], one["matrix"]) == ("LOGGED", {"labels": ["no", "yes"], "counts": ["5", "1", "0", "4"]})
    (curve,) = one["curves"]
    assert curve["cutoffs"] == {"thresholds": ["Infinity", 0.5, 0.25], "truePositives": ["1", "3", "4"]}
    assert {entry["name"] for entry in one["intervals"]} == set(answer.intervals)
    assert one["node"]["name"] == "data-0"
    same = graph.ask("query($id: ID!) { node(id: $id) { ... on Evaluation { name slice } } }", id=one["id"])
    assert same["node"] == {"name": "test", "slice": ""}


def test_comparisons(graph: Graph, world: World) -> None:
    ids = [node["id"] for node in graph.ask("{ artifacts(first: 2) { nodes { id } } }")["artifacts"]["nodes"]]
    keys = [{"owner": one, "name": "test"} for one in ids]
    found = graph.ask(
        """query($ids: [ID!]!, $before: MatrixChoiceInput!, $after: MatrixChoiceInput!, $key: MetricKeyInput!) {
          compare(nodes: $ids) { owners { id node { ... on Artifact { name } } }
            figures { source name figure values present } }
          diffMatrices(before: $before, after: $after) { labels deltas }
          matrixAtThreshold(key: $key, threshold: 0.5) { matrix { labels counts } figures { name value } } }""",
        ids=ids,
        key=keys[0],
        before={"key": keys[0]},
        after={"key": keys[1]},
    )
    assert [owner["node"]["name"] for owner in found["compare"]["owners"]] == ["data-0", "data-1"]
    figures = {(one["source"], one["name"], one["figure"]): one["values"] for one in found["compare"]["figures"]}
    assert figures["SCALAR", "seconds", ""] == [0.0, 1.5]
    assert figures["EVALUATION", "test", "accuracy"] == [0.9, 9 / 11]
    assert found["diffMatrices"] == {"labels": ["no", "yes"], "deltas": [0.0, 0.0, 1.0, 0.0]}
    assert found["matrixAtThreshold"]["matrix"]["labels"] == ["no", "yes"]


def test_statements_do_not_grow(graph: Graph, world: World) -> None:
    query = """query($n: Int) { artifacts(first: $n) { nodes { evaluations { figures { name value } }
      series { lastValue sample(points: 8) { values } node { id } } } } }"""
    assert_constant(graph, lambda size: graph.ask(query, n=size), 16, (1, 2, 4))


def test_what_cannot_be_asked(small: Graph) -> None:
    for query, code in (
        ('{ compare(nodes: ["?"]) { figures { name } } }', "INVALID_ARGUMENT"),
        ("{ compare(nodes: []) { figures { name } } }", "INVALID_ARGUMENT"),
        ('{ compare(nodes: ["QXJ0aWZhY3Q6OQ"]) { figures { name } } }', "NOT_FOUND"),
        ('{ seriesPoints(series: "QXJ0aWZhY3Q6OQ") { steps } }', "INVALID_ARGUMENT"),
    ):
        assert small.refusal(query)[0] == code, query
