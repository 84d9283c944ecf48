"""The statements of a query depend on its fields, not on how many nodes it returns."""

from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.api.graphql.conftest import Graph, assert_constant, populate


def test_neighbours(graph: Graph) -> None:
    populate(graph.call, 100)
    query = """query($n: Int) { artifacts(first: $n) { nodes { name type { name }
      customProperties { name stringValue } contexts { nodes { name } }
      events(first: 5) { nodes { type execution { name type { name }
        contexts(first: 3) { nodes { name parents(first: 3) { nodes { name } } } } } } }
    } } }"""
    assert_constant(graph, lambda size: graph.ask(query, n=size), 25)


def test_neighbours_of_executions_and_contexts(graph: Graph) -> None:
    populate(graph.call, 100)
    executions = """query($n: Int) { executions(first: $n) { nodes {
      events(first: 5) { nodes { artifact { name contexts(first: 5) { nodes { type { name } } } } } } } } }"""
    assert_constant(graph, lambda size: graph.ask(executions, n=size), 15)
    contexts = """query($n: Int) { contexts(first: $n) { nodes { artifacts(first: 3) { nodes { name } }
      executions { nodes { name } } children(first: 2) { nodes { name } } parents { nodes { name } } } } }"""
    assert_constant(graph, lambda size: graph.ask(contexts, n=size), 15)


def test_nodes_by_opaque_id(graph: Graph) -> None:
    populate(graph.call, 100)
    ids = [node["id"] for node in graph.ask("{ artifacts(first: 100) { nodes { id } } }")["artifacts"]["nodes"]]
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Artifact { name } } }"
    assert_constant(graph, lambda size: graph.ask(query, ids=ids[:size]), 2)


def test_a_thousand_nodes_in_lists_within_a_list(graph: Graph) -> None:
    call, groups, size = graph.call, 10, 100
    data = call("PutArtifactType", artifact_type={"name": "Data", "properties": {"rows": pb.INT}}).type_id
    step = call("PutExecutionType", execution_type={"name": "Step"}).type_id
    group = call("PutContextType", context_type={"name": "Group"}).type_id
    rows = [{"type_id": data, "properties": {"rows": {"int_value": row}}} for row in range(groups * size)]
    artifacts = call("PutArtifacts", artifacts=rows).artifact_ids
    executions = call("PutExecutions", executions=[{"type_id": step}] * len(rows)).execution_ids
    contexts = [{"type_id": group, "name": f"group-{number}"} for number in range(groups)]
    context_ids = call("PutContexts", contexts=contexts).context_ids
    pairs = zip(artifacts, executions, strict=True)
    call("PutEvents", events=[{"artifact_id": one, "execution_id": by, "type": pb.Event.OUTPUT} for one, by in pairs])
    members = [{"artifact_id": one, "context_id": context_ids[at // size]} for at, one in enumerate(artifacts)]
    call("PutAttributionsAndAssociations", attributions=members)
    query = """query($n: Int) { contexts(first: $n) { nodes { artifacts(first: 100) { nodes { type { name }
      properties { name intValue } versions { number } series { name } events(first: 1) { nodes { execution {
      type { name } } } } } } } } }"""
    found = graph.ask(query, n=groups)["contexts"]["nodes"]
    assert [len(one["artifacts"]["nodes"]) for one in found] == [size] * groups
    assert_constant(graph, lambda count: graph.ask(query, n=count), 20, (2, groups))
