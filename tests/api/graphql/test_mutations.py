"""What a pipeline step records, written in GraphQL alone, and read by the calls of the other wires."""

from collections.abc import Callable
from typing import Any

import pytest
from mlmd_schemas.caller import Caller, Role
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.api.graphql.conftest import Graph

TYPES = """mutation {
  data: putArtifactType(type: {name: "Data", properties: [{name: "rows", type: INT}]}) { type { id name } }
  step: putExecutionType(type: {name: "Train", version: "1", baseType: TRAIN,
    outputType: {simple: {name: "Data"}}}) { type { id baseType outputType } }
  run: putContextType(type: {name: "Run", description: "one"}) { type { id description } }
}"""

STEP = """mutation($execution: ExecutionInput!, $pairs: [ArtifactEventInput!], $contexts: [ContextInput!]) {
  putExecution(execution: $execution, artifactEventPairs: $pairs, contexts: $contexts, reuseContexts: true) {
    execution { id databaseId state events { nodes { type path { key } timeMs artifact { name } } } }
    artifacts { id name uri state properties { name intValue } customProperties { name structValue } }
    contexts { id name }
  } }"""


def make_types(graph: Graph) -> dict[str, str]:
    """Make a type of each kind; return their ids."""
    return {name: made["type"]["id"] for name, made in graph.ask(TYPES).items()}


def step(types: dict[str, str], name: str = "train") -> dict[str, Any]:
    """Return the variables of STEP: an execution that made one artifact, in a run."""
    artifact = {
        "typeId": types["data"],
        "name": f"{name}-data",
        "uri": "s3://bucket/d",
        "state": "LIVE",
        "properties": [{"name": "rows", "intValue": "9007199254740993"}],
        "customProperties": [{"name": "how", "structValue": {"split": [0.8, 0.2], "seed": 7}}],
    }
    event = {"type": "OUTPUT", "path": [{"key": "data"}], "timeMs": 12345}
    return {
        "execution": {"typeId": types["step"], "name": name, "state": "COMPLETE"},
        "pairs": [{"artifact": artifact, "event": event}],
        "contexts": [{"typeId": types["run"], "name": "run-1"}],
    }


def test_a_step_from_types_to_metrics(graph: Graph) -> None:
    types = make_types(graph)
    made = graph.ask(STEP, **step(types))["putExecution"]
    (artifact,) = made["artifacts"]
    assert artifact["properties"] == [{"name": "rows", "intValue": "9007199254740993"}]
    assert artifact["customProperties"] == [{"name": "how", "structValue": {"split": [0.8, 0.2], "seed": 7}}]
    (event,) = made["execution"]["events"]["nodes"]
    assert event == {"type": "OUTPUT", "path": [{"key": "data"}], "timeMs": "12345", "artifact": {"name": "train-data"}}
    assert [one["name"] for one in made["contexts"]] == ["run-1"]
    answer = graph.ask(
        """mutation($id: ID!, $key: MetricKeyInput!, $loss: MetricKeyInput!) {
          logScalars(owner: $id, scalars: [{name: "acc", value: 0.5}, {name: "nan", value: "NaN"}]) { nodes { id } }
          logSeries(series: [{key: $loss, steps: [1, "2"], values: [0.5, "Infinity"]}]) {
            nodes { ... on Artifact { series { name lastValue } } } }
          logConfusionMatrix(key: $key, matrix: {labels: ["a", "b"], counts: [1, 0, 0, 2]}) { nodes { id } }
          logCurve(key: $key, curve: {label: "b", thresholds: [0.9], truePositives: [1], falsePositives: [0]}) {
            nodes { ... on Artifact { evaluations { figures { name value } } } } }
          logEvaluation(evaluations: [{key: $loss, matrix: {labels: ["a"], counts: [3]}}]) { nodes { id } }
        }""",
        id=artifact["id"],
        key={"owner": artifact["id"], "name": ""},
        loss={"owner": artifact["id"], "name": "loss"},
    )
    assert answer["logSeries"]["nodes"] == [{"series": [{"name": "loss", "lastValue": "Infinity"}]}]
    ((evaluation,),) = [node["evaluations"] for node in answer["logCurve"]["nodes"]]
    assert {"name": "accuracy", "value": 1.0} in evaluation["figures"]
    node = graph.call("GetArtifacts").artifacts[0]
    assert node.custom_properties["acc"].double_value == 0.5
    assert len(graph.call("GetEvaluations", owners=[{"artifact_id": node.id}]).evaluations) == 2


def test_nodes_events_and_links_one_by_one(graph: Graph) -> None:
    types = make_types(graph)
    made = graph.ask(
        """mutation($data: ID!, $step: ID!, $run: ID!) {
          putArtifacts(artifacts: [{typeId: $data, name: "a"}, {typeId: $data, name: "b"}]) { artifacts { id name } }
          putExecutions(executions: [{typeId: $step, name: "e", state: RUNNING}]) { executions { id state } }
          putContexts(contexts: [{typeId: $run, name: "r"}, {typeId: $run, name: "p"}]) { contexts { id databaseId } }
        }""",
        **types,
    )
    (a, b), (e,) = made["putArtifacts"]["artifacts"], made["putExecutions"]["executions"]
    r, p = made["putContexts"]["contexts"]
    links = graph.ask(
        """mutation($a: ID!, $b: ID!, $e: ID!, $r: ID!, $p: ID!, $t: ID!) {
          putEvents(events: [{artifactId: $a, executionId: $e, type: INPUT},
                             {artifactId: $b, executionId: $e, type: OUTPUT}]) {
            executions { events { nodes { type artifact { name } } } } artifacts { name } }
          putAttributionsAndAssociations(attributions: [{artifactId: $a, contextId: $r}],
            associations: [{executionId: $e, contextId: $r}]) {
            contexts { artifacts { nodes { name } } executions { nodes { name } } } }
          putParentContexts(parentContexts: [{childId: $r, parentId: $p}]) {
            parents { children { nodes { name } } } children { name } }
          putArtifacts(artifacts: [{id: $a, typeId: $t, uri: "u"}], updateMask: ["uri"]) { artifacts { name uri } }
        }""",
        t=types["data"],
        a=a["id"],
        b=b["id"],
        e=e["id"],
        r=r["databaseId"],
        p=p["id"],
    )
    used = [{"type": "INPUT", "artifact": {"name": "a"}}, {"type": "OUTPUT", "artifact": {"name": "b"}}]
    assert links["putEvents"] == {
        "executions": [{"events": {"nodes": used}}],
        "artifacts": [{"name": "a"}, {"name": "b"}],
    }
    assert links["putAttributionsAndAssociations"]["contexts"] == [
        {"artifacts": {"nodes": [{"name": "a"}]}, "executions": {"nodes": [{"name": "e"}]}}
    ]
    assert links["putParentContexts"] == {
        "parents": [{"children": {"nodes": [{"name": "r"}]}}],
        "children": [{"name": "r"}],
    }
    assert links["putArtifacts"]["artifacts"] == [{"name": "a", "uri": "u"}]


def test_versions_and_aliases(graph: Graph) -> None:
    graph.ask('mutation { putArtifactType(type: {name: "Model"}) { type { id } } }')
    made = graph.ask(
        """mutation {
          first: addVersion(typeName: "Model", name: "churn", artifact: {uri: "s3://m/1"}) { version { number } }
          second: addVersion(typeName: "Model", name: "churn", artifact: {uri: "s3://m/2"}) { version { number } }
          moveAlias(typeName: "Model", name: "churn", alias: "prod", number: 2, reason: "better") {
            version { number aliases artifact { uri } collection { moves { nodes { reason } } } } }
          removed: moveAlias(typeName: "Model", name: "churn", alias: "prod", number: 0) { version { number } }
        }"""
    )
    assert (made["first"]["version"], made["second"]["version"]) == ({"number": "1"}, {"number": "2"})
    version = made["moveAlias"]["version"]
    assert (version["number"], version["aliases"], version["artifact"]) == ("2", ["prod"], {"uri": "s3://m/2"})
    assert version["collection"]["moves"]["nodes"] == [{"reason": "better"}]
    assert made["removed"] == {"version": None}


def test_a_key_makes_a_write_safe_to_repeat(graph: Graph) -> None:
    types = make_types(graph)
    query = """mutation($t: ID!, $key: String, $name: String) {
      putArtifacts(artifacts: [{typeId: $t, name: $name}], idempotencyKey: $key) { artifacts { id } } }"""
    once = [graph.ask(query, t=types["data"], key="k-1") for _ in range(2)]
    assert once[0] == once[1]
    two = """mutation($t: ID!) { a: putArtifacts(artifacts: [{typeId: $t}]) { artifacts { id } }
      b: putArtifacts(artifacts: [{typeId: $t}]) { artifacts { id } } }"""
    for caller in (Caller(idempotency_key="h-1"), Caller(idempotency_key="h" * 255)):
        answers = [graph.answer(two, {"t": types["data"]}, caller) for _ in range(2)]
        assert answers[0] == answers[1]
        assert answers[0]["data"]["a"] != answers[0]["data"]["b"]
    assert graph.refusal(query, t=types["data"], key="k-1", name="other")[0] == "ALREADY_EXISTS"
    # One field under a header's key is the call that other wires make under it.
    one = graph.answer(query, {"t": types["data"]}, Caller(idempotency_key="k-1"))
    assert one == {"data": once[0]}
    assert len(graph.call("GetArtifacts").artifacts) == 5


def test_who_may_only_read_does_not_write(small: Graph) -> None:
    reader = Caller(subject="rita", roles=frozenset({Role.READER}))
    answer = small.answer(TYPES, caller=reader)
    assert answer["data"] == {"data": None, "step": None, "run": None}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"PERMISSION_DENIED"}
    assert "'rita' has the role reader" in answer["errors"][0]["message"]
    assert small.ask("{ artifactTypes { name } }") == {"artifactTypes": []}


def test_a_field_that_fails_leaves_the_others(small: Graph) -> None:
    types = make_types(small)
    query = """mutation($t: ID!) {
      bad: putArtifacts(artifacts: [{typeId: 999}]) { artifacts { id } }
      good: putArtifacts(artifacts: [{typeId: $t}]) { artifacts { id } } }"""
    answer = small.answer(query, {"t": types["data"]})
    assert answer["data"]["bad"] is None
    assert len(answer["data"]["good"]["artifacts"]) == 1
    assert [error["path"] for error in answer["errors"]] == [["bad"]]


def _with(properties: str) -> str:
    return 'putArtifacts(artifacts: [{typeId: "%(data)s", customProperties: [' + properties + "]}])"


REFUSED = [
    ('putArtifacts(artifacts: [{typeId: "%(step)s"}])', "artifacts[0].typeId: "),
    ('putArtifacts(artifacts: [{typeId: "?"}])', "artifacts[0].typeId: "),
    (_with('{name: "x"}'), "has 0 values"),
    (_with('{name: "x", intValue: 1, boolValue: true}'), "has 2 values"),
    (_with('{name: "x", intValue: 1}, {name: "x", intValue: 2}'), "comes twice"),
    (_with('{name: "x", intValue: 9223372036854775808}'), "64"),
    ('putArtifacts(artifacts: [{typeId: "%(data)s", customProperties: [{name: "x", structValue: 3}]}])', "JSON object"),
    ("putEvents(events: [{artifactId: 1, executionId: 1, type: INPUT, path: [{}]}])", "path[0]: has 0"),
    ('logScalars(owner: "7", scalars: [])', "owner: "),
    (
        'logScalars(owner: "QXJ0aWZhY3Q6MQ", scalars: [{name: "x", value: 1}, {name: "x", value: 2}])',
        "scalars['x']: comes twice",
    ),
    (
        'createModel(name: "m", tags: [{name: "a", value: "1"}, {name: "a", value: "1"}])',
        "tags['a']: comes twice",
    ),
    ('logScalars(owner: "%(data)s", scalars: [])', "owner: "),
]


@pytest.mark.parametrize(("field", "part"), REFUSED)
def test_what_cannot_be_written(small: Graph, field: str, part: str) -> None:
    types = make_types(small)
    code, message = small.refusal(f"mutation {{ {field % types} {{ __typename }} }}")
    assert code == "INVALID_ARGUMENT"
    assert part in message
    assert not small.call("GetArtifacts").artifacts


def test_structs_come_back_as_they_were(small: Graph) -> None:
    types = make_types(small)
    nested: Any = {"deep": True}
    for _ in range(15):
        nested = {"in": [nested, None, "x", 1.5]}
    query = """mutation($t: ID!, $s: JSON) { putArtifacts(artifacts: [{typeId: $t,
      customProperties: [{name: "s", structValue: $s}, {name: "p", protoValue: {typeUrl: "t/x", value: "AP8="}}]}]) {
      artifacts { customProperties { name structValue protoValue { value } } } } }"""
    (made,) = small.ask(query, t=types["data"], s=nested)["putArtifacts"]["artifacts"]
    proto, struct = made["customProperties"]
    assert (struct["structValue"], proto["protoValue"]) == (nested, {"value": "AP8="})
    stored = small.call("GetArtifacts").artifacts[0].custom_properties["p"]
    assert stored == pb.Value(proto_value={"type_url": "t/x", "value": b"\x00\xff"})
    for _ in range(50):
        nested = {"in": nested}
    assert small.refusal(query, t=types["data"], s=nested)[0] == "INVALID_ARGUMENT"


def test_fields_are_done_one_after_the_other(small: Graph) -> None:
    types = make_types(small)
    (made,) = small.ask(
        "mutation($t: ID!) { putArtifacts(artifacts: [{typeId: $t}]) { artifacts { id } } }", t=types["data"]
    )["putArtifacts"]["artifacts"]
    found = small.ask(
        """mutation($id: ID!, $t: ID!) {
          a: putArtifacts(artifacts: [{id: $id, typeId: $t, uri: "first"}]) { artifacts { uri type { name } } }
          b: putArtifacts(artifacts: [{id: $id, typeId: $t, uri: "second"}]) { artifacts { uri } } }""",
        id=made["id"],
        t=types["data"],
    )
    assert found["a"]["artifacts"] == [{"uri": "first", "type": {"name": "Data"}}]
    assert found["b"]["artifacts"] == [{"uri": "second"}]


def test_all_or_nothing(open_graph: Callable[..., Graph], sqlite_url: str) -> None:
    graph = open_graph(sqlite_url)
    types = make_types(graph)
    given = step(types)
    given["contexts"].append({"typeId": "999999", "name": "bad"})
    assert graph.refusal(STEP, **given)[0] in ("INVALID_ARGUMENT", "NOT_FOUND")
    assert not graph.call("GetExecutions").executions
