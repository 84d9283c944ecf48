"""What is too much is refused before anything is read, with what to change."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from mlmd_api.graphql.engine import GraphqlSettings
from mlmd_api.graphql.limits import GraphqlLimits
from mlmd_schemas.caller import Caller, Role
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.api.graphql.conftest import Graph, populate
from tests.metadata_store.calls import counted


def nested(levels: int) -> str:
    """Return a query that goes from artifact to execution and back, so many times."""
    inner = "name"
    for _ in range(levels):
        inner = f"events(first: 1) {{ nodes {{ artifact {{ {inner} }} }} }}"
        inner = f"events(first: 1) {{ nodes {{ execution {{ {inner} }} }} }}"
    return f"{{ artifacts(first: 1) {{ nodes {{ {inner} }} }} }}"


WIDE = """{ artifacts(first: 100) { nodes { events(first: 100) { nodes {
  artifact { events(first: 100) { nodes { id } } } } } } } }"""
CHAIN = " ".join(f"fragment f{n} on Artifact {{ ...f{n + 1} ...f{n + 1} }}" for n in range(20))
REFUSED = {
    "deep": (nested(5), "RESOURCE_EXHAUSTED", "depth: "),
    "deeper than the parser goes": ("{ a " * 3000 + "}" * 3000, "INVALID_ARGUMENT", "nested too deeply"),
    "wide": (WIDE, "RESOURCE_EXHAUSTED", "cost: "),
    "aliases": (
        "{ " + " ".join(f"a{n}: artifact(id: {n}) {{ id }}" for n in range(60)) + " }",
        "RESOURCE_EXHAUSTED",
        "artifact: is asked more than 50 times",
    ),
    "fragments of fragments": (
        "{ artifact(id: 1) { ...f0 } } " + CHAIN + " fragment f20 on Artifact { id }",
        "RESOURCE_EXHAUSTED",
        "id: is asked more than 50 times",
    ),
    "tokens": ("{ artifact(id: 1) { " + "id " * 20_000 + "} }", "INVALID_ARGUMENT", "tokens"),
    "characters": ('{ artifact(externalId: "' + "x" * 300_000 + '") { id } }', "RESOURCE_EXHAUSTED", "characters"),
    "the same field again and again": (
        "{ " + "artifacts { nodes { contexts { nodes { id } } } } " * 500 + "}",
        "RESOURCE_EXHAUSTED",
        "query: the document says the same fields too often",
    ),
    "the same fragments again and again": (
        "{ artifacts { nodes { "
        + " ".join(f"...f{n}" for n in range(500))
        + " } } } "
        + " ".join(f"fragment f{n} on Artifact {{ id name }}" for n in range(500)),
        "RESOURCE_EXHAUSTED",
        "query: the document says the same fields too often",
    ),
    "a page": ("{ artifacts(first: 101) { nodes { id } } }", "INVALID_ARGUMENT", "first: 101 is not 1 to 100"),
    "points": (
        "{ artifacts(first: 100) { nodes { series { sample(points: 100000) { values } } } } }",
        "RESOURCE_EXHAUSTED",
        "cost: ",
    ),
    "ids": (
        '{ nodes(ids: ["QXJ0aWZhY3Q6MQ"' + ', "QXJ0aWZhY3Q6MQ"' * 100 + "]) { id } }",
        "INVALID_ARGUMENT",
        "ids: 101 of them",
    ),
    "introspection in circles": (
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
        "INVALID_ARGUMENT",
        "introspection",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_too_much_is_refused_without_a_statement(small: Graph, case: str) -> None:
    query, code, part = REFUSED[case]
    small.ask("{ artifactTypes { id } }")
    with counted(small.store) as statements:
        told = small.refusal(query)
    assert told[0] == code
    assert part in told[1]
    assert not statements


def test_what_is_just_allowed_is_answered(small: Graph) -> None:
    populate(small.call, 3)
    assert small.ask(nested(2))["artifacts"]["nodes"]
    aliases = " ".join(f"a{n}: artifact(id: {n}) {{ id }}" for n in range(1, 51))
    assert len(small.ask(f"{{ {aliases} }}")) == 50


def test_an_operator_decides(open_graph: Callable[..., Graph], sqlite_url: str) -> None:
    graph = open_graph(sqlite_url, GraphqlSettings(introspection=False, limits=GraphqlLimits(depth=3, cost=100)))
    assert graph.ask("{ artifacts(first: 5) { nodes { id } } }")
    assert graph.refusal("{ artifacts(first: 5) { nodes { type { id } } } }")[1].startswith("depth: ")
    assert graph.refusal("{ artifacts(first: 100) { nodes { id } } }")[1].startswith("cost: ")
    for query in ("{ __schema { types { name } } }", '{ __type(name: "Artifact") { name } }'):
        assert graph.refusal(query)[0] == "INVALID_ARGUMENT"
    assert graph.ask("{ artifacts(first: 1) { __typename } }") == {"artifacts": {"__typename": "ArtifactConnection"}}
    assert "Did you mean" not in graph.refusal("{ artifactz { nodes { id } } }")[1]


def test_variables_count_as_what_they_hold(small: Graph) -> None:
    query = """query($n: Int = 100) { artifacts(first: $n) { nodes { events(first: $n) { nodes { artifact {
      contexts(first: $n) { nodes { id } } } } } } } }"""
    assert small.refusal(query)[1].startswith("cost: ")
    assert small.ask(query, n=5) == {"artifacts": {"nodes": []}}


@pytest.mark.parametrize(
    "query",
    [
        """query($n: Int) { artifacts(first: 100) { nodes { events(first: $n) { nodes { artifact {
          contexts(first: $n) { nodes { id } } } } } } } }""",
        "query($n: Int) { artifacts(first: 100) { nodes { series { sample(points: $n) { values } } } } }",
        "query($n: Int) { artifacts(first: 100) { nodes { evaluations(curvePoints: $n) { name } } } }",
    ],
)
def test_a_number_written_with_a_point_counts_as_what_it_is(small: Graph, query: str) -> None:
    """GraphQL takes 100.0 for an Int, since JSON has one kind of number."""
    assert small.answer(query, {"n": 1.0}) == {"data": {"artifacts": {"nodes": []}}}
    assert small.refusal(query, n=1e5)[1].startswith("cost: ")


URIS = "query($uris: [String!]!) { artifactsByUri(uris: $uris) { id } }"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (URIS, {"uris": ["s3://b/x"] * 20_001}),
        (URIS, {"uris": [["s3://b/x"] * 200] * 100}),
        ("query($model: ID!) { impact(node: $model) { nextPageToken } }", {"model": {"a": {"b": list(range(20_000))}}}),
    ],
)
def test_a_variable_of_a_query_has_only_so_many_values(small: Graph, query: str, variables: dict[str, Any]) -> None:
    """They are counted before they are converted, which takes ten times as long as reading them did."""
    code, message = small.refusal(query, **variables)
    (name,) = variables
    assert (code, message.partition(":")[0]) == ("RESOURCE_EXHAUSTED", f"variables.{name}")


def test_as_many_as_are_allowed_come_to_the_field(small: Graph) -> None:
    code, message = small.refusal(URIS, uris=["s3://b/x"] * 20_000)
    assert (code, message.partition(":")[0]) == ("INVALID_ARGUMENT", "uris")


def test_a_mutation_records_as_much_as_it_is_given(small: Graph) -> None:
    (artifact,) = small.call("PutArtifacts", artifacts=[{"type_id": _type(small)}]).artifact_ids
    query = """mutation($owner: ID!, $steps: [Int64!]!, $values: [Double!]!) {
      logSeries(series: [{key: {owner: $owner, name: "loss"}, steps: $steps, values: $values}]) { nodes { id } } }"""
    steps = list(range(20_001))
    owner = base64.b64encode(f"Artifact:{artifact}".encode()).decode()
    assert small.ask(query, owner=owner, steps=steps, values=[0.5] * len(steps))["logSeries"]["nodes"]


@pytest.mark.parametrize(
    ("roles", "most"), [(frozenset({Role.READER}), 20_000), (frozenset({Role.READER, Role.WRITER}), 30_000)]
)
def test_a_mutation_has_only_so_many_values(
    open_graph: Callable[..., Graph], sqlite_url: str, roles: frozenset[Role], most: int
) -> None:
    """Those of who may not write are counted as those of a query."""
    graph = open_graph(sqlite_url, GraphqlSettings(limits=GraphqlLimits(written_values=30_000)))
    query = """mutation($owner: ID!, $steps: [Int64!]!, $values: [Double!]!) {
      logSeries(series: [{key: {owner: $owner, name: "loss"}, steps: $steps, values: $values}]) { nodes { id } } }"""
    refused = []
    for count in (most, most + 1):
        variables = {"owner": "x", "steps": list(range(count)), "values": []}
        (error,) = graph.answer(query, variables, Caller("somebody", roles=roles))["errors"]
        refused.append(error["message"].startswith(f"variables.steps: has more than the {most:,} values"))
    assert refused == [False, True]


def _type(graph: Graph) -> int:
    return int(graph.call("PutArtifactType", artifact_type=pb.ArtifactType(name="A")).type_id)


def test_many_fragments_of_one_object_are_read(small: Graph) -> None:
    """As a page asks that is made of many parts, each with a fragment of its own."""
    fragments = " ".join(f"fragment f{n} on Artifact {{ id name uri type {{ id name }} }}" for n in range(40))
    spreads = " ".join(f"...f{n}" for n in range(40))
    assert small.ask(f"{{ artifacts {{ nodes {{ {spreads} }} }} }} {fragments}") == {"artifacts": {"nodes": []}}


def test_a_refusal_says_where_the_operation_is_too_large(small: Graph) -> None:
    deep, wide = small.refusal(nested(5))[1], small.refusal(WIDE)[1]
    assert "below `artifacts.nodes.….nodes.artifact`" in deep, deep
    where = "`artifacts.nodes.events.nodes.artifact.events.nodes` alone may be 1,000,000 objects"
    assert where in wide, wide


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ artifacts(first: 10) { nodes { id } } }", 1 + 1 + 10),
        ("{ artifacts(first: 10) { nodes { id name } pageInfo { hasNextPage } } }", 1 + 1 + 20 + 1 + 1),
        ("{ artifacts(first: 4) { nodes { events(first: 3) { nodes { type } } } } }", 1 + 1 + 4 + 4 + 12),
    ],
)
def test_the_cost_is_the_number_of_values(
    open_graph: Callable[..., Graph], sqlite_url: str, query: str, cost: int
) -> None:
    """Each field counts once for each object that may have it."""
    allowed = open_graph(sqlite_url, GraphqlSettings(limits=GraphqlLimits(cost=cost)))
    assert allowed.ask(query)["artifacts"]["nodes"] == []
    refused = open_graph(sqlite_url, GraphqlSettings(limits=GraphqlLimits(cost=cost - 1)))
    assert refused.refusal(query)[0] == "RESOURCE_EXHAUSTED"
