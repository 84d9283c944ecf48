"""The statements of a query depend on its fields, not on how many nodes it returns."""

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
