"""The model registry in GraphQL: written, moved, resolved, with the nodes beside the ids."""

import pytest

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


def test_errors_carry_their_code(fraud: Graph) -> None:
    refused = fraud.refusal(MOVE, version="2", expected="7")
    assert (refused[0], "version 1" in refused[1]) == ("FAILED_PRECONDITION", True)
    assert fraud.refusal('{ resolveModel(uri: "models:/nope@x") { number } }')[0] == "NOT_FOUND"
    assert fraud.refusal('{ resolveModel(uri: "nonsense") { number } }')[0] == "INVALID_ARGUMENT"
