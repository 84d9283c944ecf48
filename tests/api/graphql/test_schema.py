"""The committed schema is what the code says."""

import importlib.resources

from graphql import GraphQLInterfaceType, build_schema
from mlmd_api.graphql.schema import sdl

COMMITTED = importlib.resources.files("mlmd_schemas").joinpath("graphql/schema.graphql").read_text("utf-8")


def test_the_committed_schema_is_todays() -> None:
    assert sdl() == COMMITTED, "run `make graphql`"


def test_it_is_valid_and_every_entity_has_an_id() -> None:
    schema = build_schema(COMMITTED)
    node = schema.get_type("Node")
    assert isinstance(node, GraphQLInterfaceType)
    named = {kind.name for kind in schema.get_possible_types(node)}
    assert {"Artifact", "Execution", "Context", "Event", "ArtifactType", "ExecutionType", "ContextType"} <= named
