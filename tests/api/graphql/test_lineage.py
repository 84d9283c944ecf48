"""The lineage questions in GraphQL, asked of two recorded runs of Kubeflow Pipelines; answers written beforehand."""

import json

import pytest
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.api.graphql.conftest import Graph
from tests.kubeflow.traffic import recording
from tests.metadata_store.calls import counted


@pytest.fixture
def iris(graph: Graph) -> Graph:
    """A store that has taken in the recorded calls."""
    for step in recording():
        graph.call.code(step.method, step.request)
    return graph


def opaque(graph: Graph, kind: str, number: int) -> str:
    """Return the opaque id of a node."""
    found: str = graph.ask(f"query($id: ID!) {{ {kind}(id: $id) {{ id }} }}", id=str(number))[kind]["id"]
    return found


def test_what_the_model_was_made_of(iris: Graph) -> None:
    query = """query($model: ID!) { provenance(node: $model) {
      data { node { id artifactId } name type isOrigin hops }
      parameters { step execution { executionId node { ... on Execution { state } } }
        parameters { name value { doubleValue intValue stringValue } } }
      graph { nodes { name hops node { artifactId executionId } } edges { key kind source { id } target { id } } }
      nextPageToken } }"""
    model = opaque(iris, "artifact", 2)
    with counted(iris.store) as statements:
        found = iris.ask(query, model=model)["provenance"]
    assert len(statements) < 40
    (data,) = found["data"]
    assert (data["node"]["artifactId"], data["type"], data["name"], data["hops"]) == ("1", "system.Dataset", "data", 2)
    train, *others = found["parameters"]
    assert (train["step"], train["execution"]) == ("train", {"executionId": "3", "node": {"state": "COMPLETE"}})
    assert [one["name"] for one in train["parameters"]] == ["lr", "n"]
    assert train["parameters"][0]["value"]["doubleValue"] == 0.1
    assert [one["step"] for one in others] == ["preprocess", "preprocess"]
    assert [one["key"] for one in found["graph"]["edges"]] == ["data", "data", "model", "data"]
    assert {one["kind"] for one in found["graph"]["edges"]} == {"INPUT", "OUTPUT"}
    assert found["nextPageToken"] == ""


def test_what_the_data_touched(iris: Graph) -> None:
    query = """query($data: ID!) { impact(node: $data) { models { name hops node { id node { id ... on Artifact { uri
      events { nodes { execution { name } } } } } } registrations { model } } } }"""
    models = iris.ask(query, data=opaque(iris, "artifact", 1))["impact"]["models"]
    assert [(one["name"], one["hops"], one["registrations"]) for one in models] == [("model", 2, [])] * 2
    assert all(one["node"]["node"]["uri"].endswith("/model") for one in models)
    assert all(one["node"]["id"] == one["node"]["node"]["id"] for one in models)
    assert models[0]["node"]["id"] == opaque(iris, "artifact", 2)


def test_how_one_came_from_the_other(iris: Graph) -> None:
    query = """query($first: ID!, $second: ID!) { path(first: $first, second: $second) { found reversed
      path { nodes { name } } } }"""
    data, model = opaque(iris, "artifact", 1), opaque(iris, "artifact", 2)
    found = iris.ask(query, first=model, second=data)["path"]
    assert (found["found"], found["reversed"]) == (True, True)
    assert [one["name"] for one in found["path"]["nodes"]] == ["data", "train", "model"]


def test_why_two_models_differ(iris: Graph) -> None:
    query = """query($first: ID!, $second: ID!) { difference(first: $first, second: $second) { isCut sameContent
      steps { step differences { aspect name first { doubleValue } second { doubleValue } } } } }"""
    first, second = (opaque(iris, "artifact", number) for number in (2, 5))
    found = iris.ask(query, first=first, second=second)["difference"]
    answer = iris.call("DiffProvenance", first={"artifact_id": 2}, second={"artifact_id": 5})
    assert [one["step"] for one in found["steps"]] == [step.step for step in answer.steps]
    assert (found["isCut"], found["sameContent"]) == (answer.is_cut, answer.same_content)


def test_the_graph_as_a_document(iris: Graph) -> None:
    query = """query($node: ID!, $format: LineageFormat) { lineageDocument(node: $node, format: $format) {
      content mediaType isCut } }"""
    model = opaque(iris, "artifact", 2)
    svg = iris.ask(query, node=model, format="SVG")["lineageDocument"]
    assert (svg["content"][:4], svg["mediaType"]) == ("<svg", "image/svg+xml")
    plain = iris.ask(query, node=model)["lineageDocument"]
    assert json.loads(plain["content"])["nodes"]


def test_mlmds_subgraph(iris: Graph) -> None:
    query = """query($hops: Int) { lineageSubgraph(startingArtifacts: "id = 2", maxHops: $hops) {
      artifacts { databaseId typeName } executions { id type { name } }
      events { type artifact { name } execution { name } } } }"""
    found = iris.ask(query, hops=1)["lineageSubgraph"]
    assert found["artifacts"] == [{"databaseId": "2", "typeName": "system.Model"}]
    assert len(found["executions"]) == len(found["events"]) >= 2
    ids = [one["id"] for one in found["executions"]]
    ended = """query($end: String) { lineageSubgraph(startingArtifacts: "id = 2", maxHops: 1, endingExecutions: $end) {
      executions { id databaseId } } }"""
    (first, *others) = iris.ask(ended)["lineageSubgraph"]["executions"]
    assert sorted(one["id"] for one in (first, *others)) == sorted(ids)
    left = iris.ask(ended, end=f"id = {first['databaseId']}")["lineageSubgraph"]["executions"]
    assert left == others


def test_a_subgraph_of_more_nodes_than_allowed_is_refused_whatever_their_kind(small: Graph) -> None:
    data = small.call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    step = small.call("PutExecutionType", execution_type={"name": "Step"}).type_id
    start, *made = small.call("PutArtifacts", artifacts=[{"type_id": data}] * 500).artifact_ids
    executions = small.call("PutExecutions", executions=[{"type_id": step}] * 501).execution_ids
    events = [{"artifact_id": start, "execution_id": one, "type": pb.Event.INPUT} for one in executions]
    events += [
        {"artifact_id": artifact, "execution_id": one, "type": pb.Event.OUTPUT}
        for artifact, one in zip(made, executions, strict=False)
    ]
    small.call("PutEvents", events=events)
    query = """query($start: String, $ended: String) {
      lineageSubgraph(startingArtifacts: $start, maxHops: 2, endingExecutions: $ended) { executions { id } } }"""
    code, message = small.refusal(query, start=f"id = {start}")
    assert (code, "has 1,001 nodes and 1,000 are allowed" in message) == ("RESOURCE_EXHAUSTED", True)
    allowed = small.ask(query, start=f"id = {start}", ended=f"id = {executions[-1]}")["lineageSubgraph"]["executions"]
    assert len(allowed) == 500


def test_what_cannot_be_asked(small: Graph) -> None:
    for query, code in (
        ('{ provenance(node: "x") { nextPageToken } }', "INVALID_ARGUMENT"),
        ('{ provenance(node: "QXJ0aWZhY3Q6OQ") { nextPageToken } }', "NOT_FOUND"),
        ('{ provenance(node: "QXJ0aWZhY3Q6OQ", pageSize: 5000) { nextPageToken } }', "INVALID_ARGUMENT"),
    ):
        assert small.refusal(query)[0] == code, query
