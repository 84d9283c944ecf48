"""Nodes, types, events and what they are connected with, read in GraphQL."""

import math

import pytest
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.api.graphql.conftest import Graph, populate


def test_a_node_by_id_name_and_external_id(graph: Graph) -> None:
    world = populate(graph.call)
    found = graph.ask(
        """query($id: ID!) {
          id: artifact(id: $id) { ...it }
          name: artifact(typeName: "Data", name: "data-1") { ...it }
          external: artifact(externalId: "x-1") { ...it }
          uri: artifactsByUri(uris: ["s3://bucket/1"]) { ...it }
          none: artifact(typeName: "Data", name: "nobody") { ...it }
          gone: artifact(id: 999) { ...it }
        }
        fragment it on Artifact {
          id databaseId name uri externalId state typeId typeName type { id name } createMs createTime
          properties { name kind intValue stringValue }
          customProperties(names: ["note", "nothing"]) { name stringValue }
        }""",
        id=str(world.artifacts[1]),
    )
    one = found["id"]
    assert found["name"] == found["external"] == one == found["uri"][0]
    assert (found["none"], found["gone"]) == (None, None)
    assert (one["databaseId"], one["name"], one["state"]) == (str(world.artifacts[1]), "data-1", "LIVE")
    assert (one["typeName"], one["type"]["name"], one["typeId"]) == ("Data", "Data", str(world.types["Data"]))
    rows = {"name": "rows", "kind": "INT", "intValue": str(2**53 + 1), "stringValue": None}
    assert one["properties"] == [rows]
    assert one["customProperties"] == [{"name": "note", "stringValue": "n1"}]
    assert one["createTime"].endswith("Z")
    again = graph.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Artifact { name } } }", ids=[one["id"]])
    assert again["nodes"] == [{"id": one["id"], "name": "data-1"}]


def test_every_node_links_to_what_it_belongs_to(graph: Graph) -> None:
    populate(graph.call, 2)
    found = graph.ask(
        """{ execution(typeName: "Step", typeVersion: "2", name: "step-1") {
          state type { name version executions { nodes { name } } }
          contexts { nodes { name parents { nodes { name children { nodes { name } } type { description } } }
            executions { nodes { name } } } }
          events { nodes { type timeMs time path { key index } execution { name }
            artifact { name contexts { nodes { name artifacts(first: 1) { nodes { name } } } } } } }
        } }"""
    )["execution"]
    assert (found["state"], found["type"]["version"]) == ("COMPLETE", "2")
    assert [node["name"] for node in found["type"]["executions"]["nodes"]] == ["step-0", "step-1"]
    (run,) = found["contexts"]["nodes"]
    assert (run["name"], run["executions"]["nodes"]) == ("run-1", [{"name": "step-1"}])
    (pipeline,) = run["parents"]["nodes"]
    assert pipeline["children"]["nodes"] == [{"name": "run-0"}, {"name": "run-1"}]
    assert pipeline["type"] == {"description": "of runs"}
    used, made = found["events"]["nodes"]
    assert (used["type"], used["timeMs"], used["time"]) == ("INPUT", "1000", "1970-01-01T00:00:01.000Z")
    assert used["path"] == [{"key": "data", "index": None}, {"key": None, "index": "1"}]
    assert (used["execution"]["name"], used["artifact"]["name"]) == ("step-1", "data-1")
    assert (made["type"], made["artifact"]["name"], made["path"]) == ("OUTPUT", "data-2", [])
    groups = made["artifact"]["contexts"]["nodes"]
    assert [group["name"] for group in groups] == ["pipeline", "run-0"]
    assert groups[1]["artifacts"]["nodes"] == [{"name": "data-0"}]


@pytest.mark.parametrize("order", ["ID", "CREATE_TIME", "LAST_UPDATE_TIME"])
@pytest.mark.parametrize("ascending", [True, False])
def test_every_cursor_goes_on_where_it_stands(graph: Graph, order: str, ascending: bool) -> None:
    populate(graph.call, 6)
    query = """query($after: String, $first: Int, $order: NodeOrder) {
      artifacts(first: $first, after: $after, orderBy: $order, filterQuery: "uri LIKE 's3://%'") {
        edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
    by = {"field": order, "ascending": ascending}
    whole = graph.ask(query, first=100, order=by)["artifacts"]
    names = [edge["node"]["name"] for edge in whole["edges"]]
    assert names == [f"data-{number}" for number in (range(7) if ascending else range(6, -1, -1))]
    assert whole["pageInfo"]["hasNextPage"] is whole["pageInfo"]["hasPreviousPage"] is False
    for place, edge in enumerate(whole["edges"]):
        page = graph.ask(query, first=2, order=by, after=edge["cursor"])["artifacts"]
        assert [one["node"]["name"] for one in page["edges"]] == names[place + 1 : place + 3]
        assert page["pageInfo"]["hasNextPage"] is (place + 3 < len(names))
        assert page["pageInfo"]["hasPreviousPage"] is True


def test_neighbours_come_in_pages(graph: Graph) -> None:
    populate(graph.call, 5)
    query = """query($after: String) { contexts(filterQuery: "name IN ('pipeline', 'run-0')") { nodes {
      artifacts(first: 4, after: $after) { nodes { name } pageInfo { hasNextPage endCursor } } } } }"""
    pages = [node["artifacts"] for node in graph.ask(query)["contexts"]["nodes"]]
    assert [len(page["nodes"]) for page in pages] == [4, 4]
    after = pages[0]["pageInfo"]["endCursor"]
    assert pages[1]["pageInfo"] == {"hasNextPage": True, "endCursor": after}
    for page in (node["artifacts"] for node in graph.ask(query, after=after)["contexts"]["nodes"]):
        assert [node["name"] for node in page["nodes"]] == ["data-4", "data-5"]
        assert page["pageInfo"]["hasNextPage"] is False


def test_lists_of_a_type_and_of_a_context(graph: Graph) -> None:
    world = populate(graph.call, 2)
    found = graph.ask(
        """query($context: ID!) {
          typed: executions(typeName: "Step", typeVersion: "2", first: 1) {
            nodes { name } pageInfo { hasNextPage endCursor } }
          none: executions(typeName: "Step") { nodes { name } }
          within: artifacts(context: $context, filterQuery: "name = 'data-1'") { nodes { name } }
        }""",
        context=str(world.contexts[0]),
    )
    assert (found["typed"]["nodes"], found["none"]["nodes"]) == ([{"name": "step-0"}], [])
    assert found["within"]["nodes"] == [{"name": "data-1"}]
    after = found["typed"]["pageInfo"]["endCursor"]
    rest = 'query($after: String) { executions(typeName: "Step", typeVersion: "2", after: $after) { nodes { name } } }'
    assert graph.ask(rest, after=after)["executions"]["nodes"] == [{"name": "step-1"}]


def test_types(graph: Graph) -> None:
    populate(graph.call, 1)
    found = graph.ask(
        """{ artifactTypes { name properties { name type } }
          byName: executionType(name: "Step", version: "2") { id databaseId name version }
          byExternal: artifactType(externalId: "t-data") {
            name externalId description artifacts { nodes { name } } } }"""
    )
    assert {"name": "Data", "properties": [{"name": "rows", "type": "INT"}]} in found["artifactTypes"]
    told = {"name": "Data", "externalId": "t-data", "description": None}
    assert found["byExternal"] == told | {"artifacts": {"nodes": [{"name": "data-0"}, {"name": "data-1"}]}}
    own = found["byName"]["id"]
    same = graph.ask("query($id: ID!) { executionType(id: $id) { name } node(id: $id) { id } }", id=own)
    assert same == {"executionType": {"name": "Step"}, "node": {"id": own}}
    assert graph.refusal('{ contextType(name: "nobody") { id } }')[0] == "NOT_FOUND"


def test_every_kind_of_value_is_exact(graph: Graph) -> None:
    type_id = graph.call("PutArtifactType", artifact_type={"name": "V"}).type_id
    made = pb.Artifact(type_id=type_id)
    values = made.custom_properties
    values["int"].int_value = -(2**63)
    for name, number in (("nan", math.nan), ("inf", math.inf), ("less", -math.inf), ("sum", 0.1 + 0.2)):
        values[name].double_value = number
    values["text"].string_value = "zero \0 ünï"
    values["struct"].struct_value.update({"a": [1, None, True, {"b": math.nan}], "half": 0.5})
    values["proto"].proto_value.type_url = "type.example/x"
    values["proto"].proto_value.value = b"\x00\xff"
    values["bool"].bool_value = False
    graph.call("PutArtifacts", artifacts=[made])
    found = graph.ask(
        """{ artifacts { nodes { customProperties { name kind intValue doubleValue stringValue structValue
             protoValue { typeUrl value } boolValue } } } }"""
    )["artifacts"]["nodes"][0]["customProperties"]
    said = {
        one["name"]: {key: given for key, given in one.items() if key not in ("name", "kind") and given is not None}
        for one in found
    }
    assert said == {
        "int": {"intValue": str(-(2**63))},
        "nan": {"doubleValue": "NaN"},
        "inf": {"doubleValue": "Infinity"},
        "less": {"doubleValue": "-Infinity"},
        "sum": {"doubleValue": 0.1 + 0.2},
        "text": {"stringValue": "zero \0 ünï"},
        "struct": {"structValue": {"a": [1, None, True, {"b": "NaN"}], "half": 0.5}},
        "proto": {"protoValue": {"typeUrl": "type.example/x", "value": "AP8="}},
        "bool": {"boolValue": False},
    }
    assert {one["name"]: one["kind"] for one in found}["proto"] == "PROTO"
