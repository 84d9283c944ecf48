"""A small graph that has one of everything; the recorded answers of the reference were taken on it.

`build` puts it through any store: the reference, ours in process, ours over a wire. The order of the calls decides the
ids, and the ids are in the recordings. `TIMES` then gives every node the timestamps of the recordings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service

Put = Callable[[str, Message], Any]
"""Calls one RPC by name, returns its response, raises when it fails."""

TIMES = {
    "sqlite": (
        "UPDATE Artifact SET create_time_since_epoch=1000+10*id, last_update_time_since_epoch=2000-(id/2)*10",
        "UPDATE Execution SET create_time_since_epoch=1000+10*id, last_update_time_since_epoch=2000+10*id",
        "UPDATE Context SET create_time_since_epoch=1000, last_update_time_since_epoch=2000+id",
    ),
    "mysql": (
        "UPDATE Artifact SET create_time_since_epoch=1000+10*id, last_update_time_since_epoch=2000-(id DIV 2)*10",
        "UPDATE Execution SET create_time_since_epoch=1000+10*id, last_update_time_since_epoch=2000+10*id",
        "UPDATE Context SET create_time_since_epoch=1000, last_update_time_since_epoch=2000+id",
    ),
}

Properties = dict[str, Any]


@dataclass(frozen=True)
class Fixture:
    """The ids that the store gave; type ids by name, or name/version."""

    types: dict[str, int]
    artifacts: list[int]
    executions: list[int]
    contexts: list[int]


def build(put: Put) -> Fixture:
    """Put the graph into an empty store."""
    types = {key: put(f"Put{kind}Type", request).type_id for key, kind, request in _types()}
    artifacts = service.PutArtifactsRequest(artifacts=_artifacts(types))
    executions = service.PutExecutionsRequest(executions=_executions(types))
    contexts = service.PutContextsRequest(contexts=_contexts(types))
    made = Fixture(
        types,
        list(put("PutArtifacts", artifacts).artifact_ids),
        list(put("PutExecutions", executions).execution_ids),
        list(put("PutContexts", contexts).context_ids),
    )
    put("PutEvents", service.PutEventsRequest(events=_events(made)))
    put("PutAttributionsAndAssociations", _memberships(made))
    put("PutParentContexts", _parents(made))
    return made


def value(plain: Any) -> mlmd.Value:
    """Return the Value that holds a bool, int, float, str, dict (a Struct) or Any message."""
    if isinstance(plain, bool):
        return mlmd.Value(bool_value=plain)
    if isinstance(plain, int):
        return mlmd.Value(int_value=plain)
    if isinstance(plain, float):
        return mlmd.Value(double_value=plain)
    if isinstance(plain, str):
        return mlmd.Value(string_value=plain)
    made = mlmd.Value()
    if isinstance(plain, dict):
        made.struct_value.update(plain)
    else:
        made.proto_value.CopyFrom(plain)
    return made


def _node(kind: Any, properties: Properties, custom: Properties, **fields: Any) -> Any:
    node = kind(**fields)
    for name, plain in properties.items():
        node.properties[name].CopyFrom(value(plain))
    for name, plain in custom.items():
        node.custom_properties[name].CopyFrom(value(plain))
    return node


def _types() -> list[tuple[str, str, Message]]:
    artifact, execution, context = mlmd.ArtifactType, mlmd.ExecutionType, mlmd.ContextType
    dataset = artifact(name="Dataset", description="a dataset", external_id="ext-t-ds")
    dataset.properties.update({"span": mlmd.INT, "acc": mlmd.DOUBLE, "note": mlmd.STRING, "flag": mlmd.BOOLEAN})
    dataset.properties.update({"st": mlmd.STRUCT, "pr": mlmd.PROTO, "CamelProp": mlmd.STRING, "name": mlmd.STRING})
    trainer = execution(name="Trainer", base_type=execution.TRAIN, external_id="ext-t-tr")
    trainer.properties.update({"lr": mlmd.DOUBLE, "span": mlmd.INT})
    pipeline = context(name="Pipeline", external_id="ext-t-pi")
    pipeline.properties["owner"] = mlmd.STRING
    artifacts = {
        "Dataset": dataset,
        "Model": artifact(name="Model", base_type=artifact.MODEL),
        "Model/v2": artifact(name="Model", version="v2"),
        "Empty": artifact(name="Empty"),
    }
    executions = {"Trainer": trainer, "Evaluator": execution(name="Evaluator")}
    contexts = {"Pipeline": pipeline, "Run": context(name="Run", version="1")}
    return [
        *((key, "Artifact", service.PutArtifactTypeRequest(artifact_type=made)) for key, made in artifacts.items()),
        *((key, "Execution", service.PutExecutionTypeRequest(execution_type=made)) for key, made in executions.items()),
        *((key, "Context", service.PutContextTypeRequest(context_type=made)) for key, made in contexts.items()),
    ]


def _artifacts(types: dict[str, int]) -> list[mlmd.Artifact]:
    kind = mlmd.Artifact
    dataset, model, model_v2 = types["Dataset"], types["Model"], types["Model/v2"]
    blob = AnyMessage(type_url="type.googleapis.com/x", value=b"\x01\x02")
    full = {"span": 1, "acc": 0.5, "note": "hello", "flag": True}
    quoted = {"span": 2, "acc": 0.95, "note": "it's", "flag": False}
    odd_names = {"my param": "x y", "a.b": 1, "a+b": 1, "UPPER": 7}
    amy = {"owner": "amy", "n": 5}
    first = {"type_id": dataset, "name": "d1", "uri": "gs://b/1", "state": kind.LIVE, "external_id": "ext-a1"}
    last = {"type_id": dataset, "name": "uri", "uri": "uri", "state": kind.REFERENCE, "external_id": "name"}
    doomed = {"type_id": model_v2, "name": "m1", "uri": "gs://b/1", "state": kind.MARKED_FOR_DELETION}
    return [
        _node(kind, full, amy, **first),
        _node(kind, quoted, {"owner": "bob"}, type_id=dataset, name="d2", uri="gs://b/2", state=kind.PENDING),
        _node(kind, {"span": 3, "st": {"k": 1}, "pr": blob}, odd_names, type_id=dataset, uri="gs://b/3"),
        _node(kind, {}, amy, type_id=model, name="m1", uri="/m/1", state=kind.DELETED),
        _node(kind, {}, {"n": 5.5, "s": "5"}, **doomed),
        _node(kind, {"CamelProp": "Cc", "span": 0}, {"n": "five"}, type_id=dataset, name="", state=kind.UNKNOWN),
        _node(kind, {"name": "zzz"}, {}, type_id=dataset, name="D1", uri="GS://B/1", state=kind.ABANDONED),
        _node(kind, {"note": "note"}, {"owner": "100%_x"}, **last),
    ]


def _executions(types: dict[str, int]) -> list[mlmd.Execution]:
    kind, trainer = mlmd.Execution, types["Trainer"]
    first = {"type_id": trainer, "name": "run1", "last_known_state": kind.COMPLETE, "external_id": "ext-e1"}
    return [
        _node(kind, {"lr": 0.1, "span": 1}, {"k": "v"}, **first),
        _node(kind, {"lr": 0.2}, {}, type_id=trainer, name="run2", last_known_state=kind.RUNNING),
        _node(kind, {}, {"k": "w"}, type_id=types["Evaluator"]),
        _node(kind, {}, {}, type_id=trainer, name="run4", last_known_state=kind.FAILED),
    ]


def _contexts(types: dict[str, int]) -> list[mlmd.Context]:
    kind, pipeline, run = mlmd.Context, types["Pipeline"], types["Run"]
    return [
        _node(kind, {"owner": "amy"}, {"team": "x"}, type_id=pipeline, name="p1", external_id="ext-c1"),
        _node(kind, {}, {"team": "y"}, type_id=run, name="r1"),
        _node(kind, {}, {}, type_id=run, name="r2"),
        _node(kind, {"owner": "bob"}, {}, type_id=pipeline, name="p2"),
    ]


def _events(made: Fixture) -> list[mlmd.Event]:
    kind = mlmd.Event
    rows: list[tuple[int, int, Any, int, tuple[int | str, ...]]] = [
        (2, 2, kind.INPUT, 203, ("examples", 1)),
        (1, 1, kind.INPUT, 101, ("examples", 0)),
        (1, 4, kind.OUTPUT, 102, ("model", 0)),
        (2, 1, kind.INPUT, 201, ("examples", 0)),
        (2, 5, kind.OUTPUT, 202, ()),
        (3, 4, kind.DECLARED_INPUT, 301, ()),
        (3, 6, kind.DECLARED_OUTPUT, 302, ()),
        (4, 7, kind.PENDING_OUTPUT, 401, ()),
        (3, 2, kind.INTERNAL_INPUT, 303, ()),
        (3, 8, kind.INTERNAL_OUTPUT, 304, ()),
    ]
    events = []
    for execution, artifact, type_, milliseconds, steps in rows:
        event = kind(type=type_, milliseconds_since_epoch=milliseconds)
        event.execution_id, event.artifact_id = made.executions[execution - 1], made.artifacts[artifact - 1]
        for step in steps:
            if isinstance(step, int):
                event.path.steps.add(index=step)
            else:
                event.path.steps.add(key=step)
        events.append(event)
    return events


def _memberships(made: Fixture) -> service.PutAttributionsAndAssociationsRequest:
    attributions = [(3, 2), (3, 5), (1, 4), (1, 2), (1, 1), (2, 4), (2, 1)]
    associations = [(3, 3), (3, 2), (1, 2), (1, 1), (2, 1)]
    request = service.PutAttributionsAndAssociationsRequest()
    for context, artifact in attributions:
        request.attributions.add(context_id=made.contexts[context - 1], artifact_id=made.artifacts[artifact - 1])
    for context, execution in associations:
        request.associations.add(context_id=made.contexts[context - 1], execution_id=made.executions[execution - 1])
    return request


def _parents(made: Fixture) -> service.PutParentContextsRequest:
    request = service.PutParentContextsRequest()
    for parent, child in [(1, 3), (1, 2), (4, 3)]:
        request.parent_contexts.add(parent_id=made.contexts[parent - 1], child_id=made.contexts[child - 1])
    return request
