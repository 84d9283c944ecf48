"""Collections, versions, aliases and moves in GraphQL."""

from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.api.graphql.conftest import Graph, assert_constant


def fill(graph: Graph, names: tuple[str, ...] = ("churn", "fraud"), count: int = 3) -> None:
    """Make collections with versions; `prod` moves from 1 to 2."""
    graph.call("PutArtifactType", artifact_type={"name": "Model"})
    for name in names:
        for number in range(1, count + 1):
            artifact = pb.Artifact(uri=f"s3://models/{name}/{number}").SerializeToString()
            graph.call("AddVersion", type_name="Model", name=name, artifact=artifact)
        for number in range(1, min(count, 2) + 1):
            graph.call("MoveAlias", type_name="Model", name=name, alias="prod", number=number, reason=f"r{number}")


def test_a_collection_and_all_that_belongs_to_it(graph: Graph) -> None:
    fill(graph)
    found = graph.ask(
        """{ collection(typeName: "Model", name: "churn") { id name typeName latestNumber
            context { name collection { name } } latest { number }
            aliases { name version { number artifact { uri } } }
            versions(first: 2) { nodes { number aliases createTime collection { name }
              artifact { name versions { number } } } pageInfo { hasNextPage endCursor } }
            moves { nodes { sequence alias fromNumber toNumber reason moveTime fromVersion { number }
              toVersion { artifact { uri } } } } }
          version(typeName: "Model", name: "churn", alias: "prod") { id number }
          latest: version(typeName: "Model", name: "churn", alias: "latest") { number }
          first: version(typeName: "Model", name: "churn", number: 1) { artifact { uri } } }"""
    )
    one = found["collection"]
    assert (one["name"], one["latestNumber"], one["latest"]["number"]) == ("churn", "3", "3")
    assert one["context"] == {"name": "Model/churn", "collection": {"name": "churn"}}
    prod = {"name": "prod", "version": {"number": "2", "artifact": {"uri": "s3://models/churn/2"}}}
    assert one["aliases"] == [prod]
    newest, second = one["versions"]["nodes"]
    assert (newest["number"], second["number"], second["aliases"]) == ("3", "2", ["prod"])
    assert newest["artifact"] == {"name": "churn/3", "versions": [{"number": "3"}]}
    last, first = one["moves"]["nodes"]
    assert (last["sequence"], last["fromNumber"], last["toNumber"], last["reason"]) == ("2", "1", "2", "r2")
    assert (last["fromVersion"]["number"], last["toVersion"]["artifact"]["uri"]) == ("1", "s3://models/churn/2")
    assert (first["fromNumber"], first["fromVersion"]) == ("0", None)
    assert (found["version"]["number"], found["latest"]["number"]) == ("2", "3")
    assert found["first"]["artifact"]["uri"] == "s3://models/churn/1"
    rest = graph.ask(
        """query($after: String) { collection(typeName: "Model", name: "churn") {
             versions(after: $after) { nodes { number } pageInfo { hasNextPage } } } }""",
        after=one["versions"]["pageInfo"]["endCursor"],
    )["collection"]["versions"]
    assert rest == {"nodes": [{"number": "1"}], "pageInfo": {"hasNextPage": False}}
    ids = [one["id"], found["version"]["id"]]
    again = graph.ask(
        """query($ids: [ID!]!) { nodes(ids: $ids) { ... on Collection { name }
             ... on Version { number collection { name } } } }""",
        ids=ids,
    )
    assert again["nodes"] == [{"name": "churn"}, {"number": "2", "collection": {"name": "churn"}}]


def test_lists_of_collections(graph: Graph) -> None:
    fill(graph, ("a", "b", "c"), 1)
    query = """query($after: String, $type: String) { collections(first: 2, after: $after, typeName: $type) {
      nodes { name } pageInfo { hasNextPage endCursor } } }"""
    page = graph.ask(query, type="Model")["collections"]
    assert [one["name"] for one in page["nodes"]] == ["a", "b"]
    rest = graph.ask(query, after=page["pageInfo"]["endCursor"])["collections"]
    assert [one["name"] for one in rest["nodes"]] == ["c"]
    assert graph.ask(query, type="Other")["collections"]["nodes"] == []


def test_statements_do_not_grow(graph: Graph) -> None:
    fill(graph, ("a", "b", "c", "d"), 2)
    query = """query($n: Int) { collections(first: $n) { nodes { context { name } aliases { name version { number } }
      versions(first: 5) { nodes { artifact { name versions { number } } } } moves { nodes { alias } } } } }"""
    assert_constant(graph, lambda size: graph.ask(query, n=size), 20, (1, 2, 4))


def test_what_is_not_there(small: Graph) -> None:
    fill(small, ("a",), 1)
    assert small.refusal('{ collection(typeName: "Model", name: "z") { name } }')[0] == "NOT_FOUND"
    assert small.refusal('{ version(typeName: "Model", name: "a", number: 9) { number } }')[0] == "NOT_FOUND"
    assert small.refusal('{ version(typeName: "Model", name: "a") { number } }')[0] == "INVALID_ARGUMENT"
