"""The statements of a query that asks for every field of the schema do not grow with the nodes that it returns."""

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type, is_composite_type, is_non_null_type, is_object_type
from mlmd_api.graphql.engine import GraphqlSettings
from mlmd_api.graphql.limits import GraphqlLimits
from mlmd_api.graphql.schema import schema
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2, metrics_pb2

from tests.api.graphql.conftest import Graph, World, populate
from tests.metadata_store.calls import counted

FEW, MANY = 8, 24
UNBOUNDED = GraphqlLimits(depth=30, cost=10**9, fields=10**6, aliases=10**6, tokens=10**6, characters=10**8)
INSIDE = 2
"""Objects inside the nodes of a list, inside each other."""


def _selection(kind: Any, levels: int) -> str:
    """Return a selection of every field that can be asked without an argument."""
    if not is_object_type(kind):
        inside = [f"... on {one.name} {_selection(one, levels)}" for one in schema().get_possible_types(kind)]
        return "{ __typename " + " ".join(inside) + " }"
    return "{ __typename " + " ".join(_fields(kind, levels)) + " }"


def _fields(kind: GraphQLObjectType, levels: int) -> Iterator[str]:
    for name, field in kind.fields.items():
        if any(is_non_null_type(argument.type) for argument in field.args.values()):
            continue
        inner = get_named_type(field.type)
        is_page = inner.name.endswith(("Connection", "Edge"))
        alias = f"{kind.name}_{name}: {name}"  # types that share an interface may have fields of one name
        asked = f"{alias}(first: 3)" if "first" in field.args else alias
        if not is_composite_type(inner):
            yield asked
        elif levels or is_page:
            yield f"{asked} {_selection(inner, levels - (not is_page))}"


def _record(graph: Graph, world: World) -> None:
    """Give each artifact metrics, and make as many versions and uploads."""
    for number, artifact in enumerate(world.artifacts[:MANY]):
        owner = metrics_pb2.MetricOwner(artifact_id=artifact)
        key = metrics_pb2.MetricKey(owner=owner, name="test")
        series = metrics_pb2.SeriesData(key=key, steps=[0, 1], values=[0.5, 0.25])
        graph.call("LogSeries", series=[series])
        graph.call("LogScalars", owner=owner, scalars={"seconds": 1.5})
        matrix = {"labels": ["no", "yes"], "counts": [1, 2, 3, 4]}
        graph.call("LogEvaluation", evaluations=[{"key": key, "matrix": matrix}])
        version = {"type_name": "Data", "name": f"c{number}", "artifact": pb.Artifact(uri="s3://b").SerializeToString()}
        graph.call("AddVersion", **version)
        graph.call("MoveAlias", type_name="Data", name=f"c{number}", alias="prod", number=1, reason="r")
        _upload(graph, world.types["Data"], str(number).encode())


def _upload(graph: Graph, type_id: int, content: bytes) -> None:
    file = artifacts_pb2.UploadFile(path="a.txt", size_bytes=len(content))
    file.sha256 = hashlib.sha256(content).digest()
    file.md5s.append(hashlib.md5(content).digest())
    artifact = pb.Artifact(type_id=type_id).SerializeToString()
    begun = graph.artifacts.begin_upload(artifacts_pb2.BeginUploadRequest(artifact=artifact, files=[file]))
    graph.artifacts.put_file(begun.artifact_id, "a.txt", io.BytesIO(content))
    graph.artifacts.commit_upload(begun.artifact_id)


@pytest.fixture
def full(open_graph: Callable[..., Graph], database_url: str) -> Graph:
    """A store with as many of everything, on SQLite and on MariaDB."""
    graph = open_graph(database_url, GraphqlSettings(limits=UNBOUNDED))
    _record(graph, populate(graph.call, MANY))
    return graph


def test_every_field_of_every_list(full: Graph) -> None:
    """From both ends: the first nodes are not those with files and versions."""
    for name in ("artifacts", "executions", "contexts", "collections"):
        selection = _selection(schema().type_map[name[:-1].capitalize()], INSIDE)
        for ascending in ("true",) if name == "collections" else ("true", "false"):
            order = "" if name == "collections" else f", orderBy: {{field: ID, ascending: {ascending}}}"
            query = f"query($n: Int) {{ {name}(first: $n{order}) {{ nodes {selection} }} }}"
            few, many = _statements(full, query, name, FEW), _statements(full, query, name, MANY)
            assert few
            assert len(many) <= len(few), [one for one in many if one not in few]


def _statements(graph: Graph, query: str, name: str, size: int) -> list[str]:
    with counted(graph.store) as statements:
        assert len(graph.ask(query, n=size)[name]["nodes"]) == size
    return statements
