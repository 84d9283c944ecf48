"""The model registry in GraphQL: written, moved, resolved, with the nodes beside the ids."""

import pytest
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.api.graphql.conftest import Graph

MAKE = """mutation($uri: String) { createModelVersion(model: "team/模型", uri: $uri, createModel: true,
  tags: [{name: "team", value: "risk"}], format: {name: "onnx"}) { version { number name model aliases
  artifact { id uri } tags { name value } format { name } createMs createTime } } }"""
MOVE = """mutation($version: String, $expected: Int64) { moveModelAlias(model: "team/模型", alias: "champion",
  version: $version, expectedNumber: $expected, reason: "r") { move { sequence fromNumber toNumber subject } } }"""


@pytest.fixture
def fraud(graph: Graph) -> Graph:
    """A model with two versions, the alias on the first."""
    for number in range(2):
        graph.ask(MAKE, uri=f"s3://b/{number}")
    graph.ask(MOVE, version="1", expected="0")
    return graph


def test_a_version_has_its_artifact_beside_it(graph: Graph) -> None:
    made = graph.ask(MAKE, uri="s3://b/1")["createModelVersion"]["version"]
    assert (made["number"], made["name"], made["model"]) == ("1", "1", "team/模型")
    assert made["artifact"]["uri"] == "s3://b/1"
    assert made["tags"] == [{"name": "team", "value": "risk"}]
    assert (made["format"], made["createTime"][:2]) == ({"name": "onnx"}, "20")


def test_aliases_move_and_are_resolved(fraud: Graph) -> None:
    moved = fraud.ask(MOVE, version="2", expected="1")["moveModelAlias"]["move"]
    assert (moved["sequence"], moved["fromNumber"], moved["toNumber"]) == ("2", "1", "2")
    query = """{ resolveModel(uri: "models:/team%2F模型@champion") { number uri digest aliases }
      model(model: "team/模型") { model { latestNumber aliases { name value } } }
      modelAliasMoves(model: "team/模型") { moves { alias toNumber moveTime } }
      modelVersions(model: "team/模型") { versions { number } }
      modelVersion(model: "team/模型", alias: "champion") { version { number } }
      models { models { name state } } modelCard(model: "team/模型", version: "2") { mediaType card } }"""
    found = fraud.ask(query)
    assert (found["resolveModel"]["number"], found["resolveModel"]["uri"]) == ("2", "s3://b/1")
    assert found["model"]["model"] == {"latestNumber": "2", "aliases": [{"name": "champion", "value": "2"}]}
    assert [move["toNumber"] for move in found["modelAliasMoves"]["moves"]] == ["2", "1"]
    assert [version["number"] for version in found["modelVersions"]["versions"]] == ["2", "1"]
    assert found["modelVersion"]["version"]["number"] == "2"
    assert [model["name"] for model in found["models"]["models"]] == ["team/模型"]
    assert "team/模型" in found["modelCard"]["card"]
    back = """mutation { rollbackModelAlias(model: "team/模型", alias: "champion") { move { toNumber rollsBack } } }"""
    assert fraud.ask(back)["rollbackModelAlias"]["move"] == {"toNumber": "1", "rollsBack": "2"}


def test_an_artifact_tells_which_version_of_a_model_it_is(fraud: Graph) -> None:
    asked = """{ modelVersion(model: "team/模型", version: "1") { version { artifact {
      versions { typeName name number aliases collection { name } } } } } }"""
    (version,) = fraud.ask(asked)["modelVersion"]["version"]["artifact"]["versions"]
    assert (version["typeName"], version["name"], version["aliases"]) == ("", "team/模型", ["champion"])
    assert version["collection"] is None, "a registered model is asked for by `model`"


def test_errors_carry_their_code(fraud: Graph) -> None:
    refused = fraud.refusal(MOVE, version="2", expected="7")
    assert (refused[0], "version 1" in refused[1]) == ("FAILED_PRECONDITION", True)
    assert fraud.refusal('{ resolveModel(uri: "models:/nope@x") { number } }')[0] == "NOT_FOUND"
    assert fraud.refusal('{ resolveModel(uri: "nonsense") { number } }')[0] == "INVALID_ARGUMENT"


def test_what_is_refused_elsewhere_is_refused_here(fraud: Graph) -> None:
    error = fraud.answer(MOVE, {"version": "2", "expected": "7"})["errors"][0]
    assert error["extensions"]["facts"] == {"mlmd-alias-number": "1"}
    error = fraud.answer('{ resolveModel(uri: "models:/nope@x") { number } }')["errors"][0]
    assert error["extensions"]["facts"] == {"mlmd-missing": "model"}
    assert fraud.refusal('{ model(model: "unknown") { model { name } } }') == (
        "NOT_FOUND",
        "model: there is no registered model 'unknown'; ListModels lists them.",
    )
    version = """mutation { %s(model: "team/模型", version: "%s") { version { state } } }"""
    assert fraud.ask(version % ("archiveModelVersion", "2"))["archiveModelVersion"]["version"]["state"]
    for query, variables, part in (
        (MOVE, {"version": "2"}, "archived"),
        (version % ("archiveModelVersion", "1"), {}, "'champion'"),
    ):
        code, message = fraud.refusal(query, **variables)
        assert (code, part in message) == ("FAILED_PRECONDITION", True), message
    gates = """mutation {
      setModelGates(model: "team/模型", alias: "champion", rules: ["auc >= 0.9"]) { gates { alias rules } } }"""
    assert "errors" not in fraud.answer(gates)
    assert "no metric 'auc'" in fraud.refusal(MOVE, version="1")[1]
    again = """mutation($id: Int64) {
      createModelVersion(model: "team/模型", artifactId: $id) { version { number } } }"""
    kind = fraud.call("PutArtifactType", artifact_type=pb.ArtifactType(name="system.Model")).type_id
    (own,) = fraud.call("PutArtifacts", artifacts=[pb.Artifact(type_id=kind, uri="s3://b/own")]).artifact_ids
    assert fraud.ask(again, id=str(own))["createModelVersion"]["version"]["number"] == "3"
    code, message = fraud.refusal(again, id=str(own))
    assert (code, "version 3 of 'team/模型'" in message) == ("ALREADY_EXISTS", True)
    served = """{ modelVersion(model: "team/模型", version: "1") { version { artifactId uri } } }"""
    found = fraud.ask(served)["modelVersion"]["version"]
    lost = pb.Artifact(id=int(found["artifactId"]), uri=found["uri"], state=pb.Artifact.DELETED)
    fraud.call("PutArtifacts", artifacts=[lost])
    code, message = fraud.refusal('{ resolveModel(uri: "models:/team%2F模型@champion") { number } }')
    assert (code, "gone" in message) == ("FAILED_PRECONDITION", True)
