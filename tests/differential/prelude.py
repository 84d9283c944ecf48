"""What every session begins with: types 10 to 15, four nodes of each kind, some edges."""

from typing import Any

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.differential.pools import DECLARED
from tests.differential.source import Call


def prelude() -> list[Call]:
    """Return the calls."""
    return [Call("PutTypes", _types()), *_nodes(), *_edges()]


def _types() -> service.PutTypesRequest:
    properties: Any = DECLARED
    artifact, execution, context = pb.ArtifactType, pb.ExecutionType, pb.ContextType
    return service.PutTypesRequest(
        artifact_types=[artifact(name="A", properties=properties), artifact(name="B", properties=properties)],
        execution_types=[
            execution(name="E", properties=properties),
            execution(name="F", version="v", properties=properties, base_type=execution.TRAIN),
        ],
        context_types=[context(name="C", properties=properties), context(name="D", version="v", properties=properties)],
    )


def _nodes() -> list[Call]:
    one, half, text = pb.Value(int_value=1), pb.Value(double_value=0.5), pb.Value(string_value="it's")
    artifacts = [
        pb.Artifact(type_id=10, name="a", uri="u", state=pb.Artifact.LIVE, properties={"i": one, "s": text}),
        pb.Artifact(type_id=10, custom_properties={"x": one, "my param": text}),
        pb.Artifact(type_id=11, name="a", external_id="x", uri="u", properties={"d": half}),
        pb.Artifact(type_id=1),
    ]
    executions = [
        pb.Execution(type_id=12, name="a", last_known_state=pb.Execution.RUNNING, properties={"i": one}),
        pb.Execution(type_id=12, external_id="x", custom_properties={"x": text}),
        pb.Execution(type_id=13, name="a", properties={"b": pb.Value(bool_value=True)}),
        pb.Execution(type_id=5),
    ]
    contexts = [
        pb.Context(type_id=14, name="a", properties={"s": text}, custom_properties={"x": one}),
        pb.Context(type_id=14, name="b", external_id="x"),
        pb.Context(type_id=15, name="a"),
        pb.Context(type_id=15, name="b"),
    ]
    return [
        Call("PutArtifacts", service.PutArtifactsRequest(artifacts=artifacts)),
        Call("PutExecutions", service.PutExecutionsRequest(executions=executions)),
        Call("PutContexts", service.PutContextsRequest(contexts=contexts)),
    ]


def _edges() -> list[Call]:
    events = [
        pb.Event(artifact_id=artifact, execution_id=execution, type=type_)
        for execution, artifact, type_ in ((1, 1, pb.Event.INPUT), (1, 2, pb.Event.OUTPUT), (2, 2, pb.Event.INPUT))
    ]
    members = service.PutAttributionsAndAssociationsRequest()
    for context, member in ((2, 1), (1, 1), (1, 2), (3, 3)):
        members.attributions.add(context_id=context, artifact_id=member)
        members.associations.add(context_id=context, execution_id=member)
    parents = [pb.ParentContext(child_id=1, parent_id=2)]
    return [
        Call("PutEvents", service.PutEventsRequest(events=events)),
        Call("PutAttributionsAndAssociations", members),
        Call("PutParentContexts", service.PutParentContextsRequest(parent_contexts=parents)),
    ]
