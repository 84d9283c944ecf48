"""The same sentence on gRPC, on HTTP and in GraphQL gets the same result or the same error."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from mlmd_schemas.errors import Code

from tests.api.conftest import Served
from tests.api.graphql.conftest import populate
from tests.api.wires import post, read, say
from tests.metadata_store.calls import RPCS, Calls

Picked = Callable[[Any], Any]


@dataclass(frozen=True)
class Sentence:
    """A call and an operation that say the same, and how the answer of each becomes a plain value."""

    method: str
    request: dict[str, Any]
    query: str
    of_message: Picked = field(default=lambda answer: None)
    of_data: Picked = field(default=lambda data: None)

    def __str__(self) -> str:
        return f"{self.method}({json.dumps(self.request)[:40]})"


def _names(field_name: str) -> Picked:
    return lambda answer: [node.name for node in getattr(answer, field_name)]


def _nodes(field_name: str) -> Picked:
    return lambda data: [node["name"] for node in data[field_name]["nodes"]]


_ASKED = "filterQuery: \"uri = 's3://bucket/1'\""
_BAD = "properties.rows.int_value >"
SENTENCES = [
    Sentence(
        "GetArtifacts",
        {"options": {"filter_query": "uri = 's3://bucket/1'"}},
        f"{{ artifacts({_ASKED}) {{ nodes {{ name }} }} }}",
        _names("artifacts"),
        _nodes("artifacts"),
    ),
    Sentence(
        "GetArtifactsByID",
        {"artifact_ids": [2]},
        "{ artifact(id: 2) { name properties { intValue } } }",
        lambda answer: [(one.name, one.properties["rows"].int_value) for one in answer.artifacts],
        lambda data: [(data["artifact"]["name"], int(data["artifact"]["properties"][0]["intValue"]))],
    ),
    Sentence(
        "GetArtifactsByID",
        {"artifact_ids": [99]},
        "{ artifact(id: 99) { name } }",
        lambda answer: list(answer.artifacts),
        lambda data: [one for one in data.values() if one],
    ),
    Sentence(
        "GetExecutionsByContext",
        {"context_id": 2, "options": {}},
        "{ executions(context: 2) { nodes { name } } }",
        _names("executions"),
        _nodes("executions"),
    ),
    Sentence(
        "GetArtifactTypes",
        {},
        "{ artifactTypes { name } }",
        _names("artifact_types"),
        lambda data: [one["name"] for one in data["artifactTypes"]],
    ),
    Sentence("GetArtifactType", {"type_name": "nobody"}, '{ artifactType(name: "nobody") { id } }'),
    Sentence("GetArtifactsByExternalIds", {"external_ids": ["no"]}, '{ artifact(externalId: "no") { id } }'),
    Sentence("GetArtifactsByExternalIds", {"external_ids": [""]}, '{ artifact(externalId: "") { id } }'),
    Sentence(
        "GetArtifacts",
        {"options": {"filter_query": _BAD}},
        f'{{ artifacts(filterQuery: "{_BAD}") {{ nodes {{ id }} }} }}',
    ),
    Sentence("GetArtifacts", {"options": {"next_page_token": "??"}}, '{ artifacts(after: "??") { nodes { id } } }'),
    Sentence("GetArtifacts", {"options": {"max_result_size": 0}}, "{ artifacts(first: 0) { nodes { id } } }"),
    Sentence(
        "PutArtifacts",
        {"artifacts": [{"type_id": 999}]},
        "mutation { putArtifacts(artifacts: [{typeId: 999}]) { __typename } }",
    ),
    Sentence("PutArtifacts", {"artifacts": [{}]}, "mutation { putArtifacts(artifacts: [{}]) { __typename } }"),
    Sentence(
        "PutArtifacts",
        {"artifacts": [{"id": 99, "uri": "u"}]},
        'mutation { putArtifacts(artifacts: [{id: 99, uri: "u"}]) { __typename } }',
    ),
    Sentence(
        "PutContexts",
        {"contexts": [{"type_id": "Group", "name": "pipeline"}]},
        'mutation { putContexts(contexts: [{typeId: "Group", name: "pipeline"}]) { __typename } }',
    ),
    Sentence(
        "PutEvents",
        {"events": [{"artifact_id": 999, "execution_id": 1, "type": 3}]},
        "mutation { putEvents(events: [{artifactId: 999, executionId: 1, type: INPUT}]) { __typename } }",
    ),
    Sentence(
        "PutParentContexts",
        {"parent_contexts": [{"child_id": 1, "parent_id": 1}]},
        "mutation { putParentContexts(parentContexts: [{childId: 1, parentId: 1}]) { __typename } }",
    ),
    Sentence(
        "ResolveVersion",
        {"type_name": "Data", "name": "no", "number": 1},
        '{ version(typeName: "Data", name: "no", number: 1) { number } }',
    ),
    Sentence(
        "LogConfusionMatrix",
        {"key": {"owner": {"artifact_id": 1}}, "matrix": {"labels": ["a"], "counts": [-1]}},
        """mutation { logConfusionMatrix(key: {owner: "QXJ0aWZhY3Q6MQ"}, matrix: {labels: ["a"], counts: [-1]}) {
          __typename } }""",
    ),
    Sentence(
        "GetProvenance", {"node": {"artifact_id": 99}}, '{ provenance(node: "QXJ0aWZhY3Q6OTk") { nextPageToken } }'
    ),
]


def _graphql(served: Served, query: str) -> tuple[Code, str, Any]:
    response = post(
        served.doors, "/graphql", json.dumps({"query": query}).encode(), {"content-type": "application/json"}
    )
    answer = response.json()
    if "errors" in answer:
        (error,) = answer["errors"]
        return Code[error["extensions"]["code"]], error["message"], None
    return Code.OK, "", answer["data"]


@pytest.mark.parametrize("sentence", SENTENCES, ids=str)
def test_one_sentence_one_answer(sentence: Sentence, served: Served) -> None:
    store: Any = served.stores.of("")
    world = populate(Calls(store))
    rpc = RPCS[sentence.method]
    group = str(world.types["Group"])
    wanted = json.loads(json.dumps(sentence.request).replace('"Group"', group))
    request: Message = rpc.request(**wanted)
    heard = {}
    for wire in ("grpc", "connect-json"):
        outcome = say(wire, served.doors, rpc.path, request)
        ok = outcome.code is Code.OK
        heard[wire] = (outcome.code, sentence.of_message(read(wire, outcome, rpc.response)) if ok else outcome.message)
    assert heard["grpc"] == heard["connect-json"]
    code, message, data = _graphql(served, sentence.query.replace('"Group"', group))
    assert code is heard["grpc"][0], (message, heard, json_format.MessageToDict(request))
    if code is Code.OK:
        assert sentence.of_data(data) == heard["grpc"][1]
