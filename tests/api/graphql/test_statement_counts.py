"""The statements of a query depend on its fields, not on how many nodes it returns."""

from tests.api.graphql.conftest import Graph, populate
from tests.metadata_store.calls import counted

SIZES = (10, 30, 100)


def counts(graph: Graph, query: str) -> list[int]:
    """Return how many statements a query of $n nodes makes, for each size."""
    graph.ask(query, n=1)  # fills the cache of types
    found = []
    for size in SIZES:
        with counted(graph.store) as statements:
            graph.ask(query, n=size)
        found.append(len(statements))
    return found


def assert_constant(found: list[int], most: int) -> None:
    """Fail when more nodes make more statements, or when there are more than `most`."""
    assert len(set(found)) == 1, f"statements at {SIZES}: {found}"
    assert found[0] <= most


def test_neighbours(graph: Graph) -> None:
    populate(graph.call, 100)
    query = """query($n: Int) { artifacts(first: $n) { nodes { name type { name }
      customProperties { name stringValue } contexts { nodes { name } }
      events(first: 5) { nodes { type execution { name type { name }
        contexts(first: 3) { nodes { name parents(first: 3) { nodes { name } } } } } } }
    } } }"""
    assert_constant(counts(graph, query), 25)


def test_neighbours_of_executions_and_contexts(graph: Graph) -> None:
    populate(graph.call, 100)
    query = """query($n: Int) {
      executions(first: $n) { nodes {
        events(first: 5) { nodes { artifact { name contexts(first: 5) { nodes { type { name } } } } } } } }
      contexts(first: $n) { nodes { artifacts(first: 3) { nodes { name } } executions { nodes { name } }
        children(first: 2) { nodes { name } } parents { nodes { name } } } }
    }"""
    assert_constant(counts(graph, query), 30)


def test_nodes_by_opaque_id(graph: Graph) -> None:
    populate(graph.call, 100)
    ids = [node["id"] for node in graph.ask("{ artifacts(first: 100) { nodes { id } } }")["artifacts"]["nodes"]]
    found = []
    for size in SIZES:
        with counted(graph.store) as statements:
            graph.ask("query($ids: [ID!]!) { nodes(ids: $ids) { ... on Artifact { name } } }", ids=ids[:size])
        found.append(len(statements))
    assert_constant(found, 2)
