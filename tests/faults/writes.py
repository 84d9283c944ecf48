"""A request for every call that writes, each touching many tables and leaving its mark wherever text goes."""

import itertools
import json
import math
import re
import secrets
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import archive_pb2 as archive
from mlmd_schemas.pb.v1 import collections_pb2 as v1
from mlmd_schemas.pb.v1 import metrics_pb2 as metrics
from mlmd_schemas.pb.v1 import runs_pb2 as runs
from mlmd_schemas.tables.v10 import TYPE

from tests.metadata_store.calls import node

PROPERTIES = {"count": pb.INT, "label": pb.STRING}
INPUT, OUTPUT = pb.Event.INPUT, pb.Event.OUTPUT


class Ground:
    """A store with a little of everything in it; `call` is `Calls` on a store or `Remote` on a server."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call
        self._names = itertools.count(1)
        made = call(
            "PutTypes",
            artifact_types=[pb.ArtifactType(name="Data", properties=PROPERTIES)],
            execution_types=[pb.ExecutionType(name="Run", properties=PROPERTIES)],
            context_types=[pb.ContextType(name="Group", properties=PROPERTIES)],
        )
        (self.data,), (self.run,), (self.group,) = (
            made.artifact_type_ids,
            made.execution_type_ids,
            made.context_type_ids,
        )
        self.artifact = call("PutArtifacts", artifacts=[self.new_artifact("seed")]).artifact_ids[0]
        self.execution = call("PutExecutions", executions=[self.new_execution("seed")]).execution_ids[0]
        self.context = call("PutContexts", contexts=[self.new_context("seed")]).context_ids[0]
        call(
            "PutAttributionsAndAssociations", attributions=[{"context_id": self.context, "artifact_id": self.artifact}]
        )
        call("AddVersion", type_name="Data", name="kept", artifact=b"")

    def mark(self) -> str:
        """Return a text that is nowhere in the database yet."""
        return f"mark-{next(self._names)}-"

    def new_artifact(self, mark: str, **fields: Any) -> Any:
        return self._node(pb.Artifact, self.data, mark, uri=f"file:///{mark}", **fields)

    def new_execution(self, mark: str, **fields: Any) -> Any:
        return self._node(pb.Execution, self.run, mark, **fields)

    def new_context(self, mark: str, **fields: Any) -> Any:
        return self._node(pb.Context, self.group, mark, **fields)

    @staticmethod
    def _node(kind: Any, type_id: int, mark: str, **fields: Any) -> Any:
        properties = {"count": 7, "label": f"{mark} label"}
        custom = {"text": f"{mark} custom", "number": 0.5, "nothing": math.nan, "map": {"in": mark}}
        return node(kind, properties, custom, type_id=type_id, name=f"{mark}{fields.pop('suffix', '')}", **fields)

    def fresh(self, noun: str) -> int:
        """Put one more artifact, execution or context and return its id."""
        made = getattr(self, f"new_{noun}")(f"fresh-{next(self._names)}")
        response = self.call(f"Put{noun.title()}s", None, **{f"{noun}s": [made]})
        return int(getattr(response, f"{noun}_ids")[0])


def _nodes(noun: str) -> Callable[[Ground, str], Message]:
    """Two nodes to make and one to change."""

    def request(ground: Ground, mark: str) -> Message:
        make, stored = getattr(ground, f"new_{noun}"), getattr(ground, noun)
        changed = make(mark, suffix="-changed", id=stored)
        if noun != "context":
            changed.ClearField("name")
        nodes = [make(mark, suffix="-1", external_id=f"{mark}-x"), make(mark, suffix="-2"), changed]
        made: Message = getattr(service, f"Put{noun.title()}sRequest")(**{f"{noun}s": nodes})
        return made

    return request


def _put_type(ground: Ground, mark: str) -> Message:
    made = pb.ArtifactType(name=f"{mark}type", properties=PROPERTIES, base_type=pb.ArtifactType.DATASET)
    return service.PutArtifactTypeRequest(artifact_type=made)


def _put_execution_type(ground: Ground, mark: str) -> Message:
    made = pb.ExecutionType(name=f"{mark}type", properties=PROPERTIES, base_type=pb.ExecutionType.TRAIN)
    return service.PutExecutionTypeRequest(execution_type=made)


def _put_context_type(ground: Ground, mark: str) -> Message:
    return service.PutContextTypeRequest(context_type=pb.ContextType(name=f"{mark}type", properties=PROPERTIES))


def _put_types(ground: Ground, mark: str) -> Message:
    return service.PutTypesRequest(
        artifact_types=[pb.ArtifactType(name=f"{mark}{n}", properties=PROPERTIES) for n in range(2)],
        execution_types=[pb.ExecutionType(name=f"{mark}e", external_id=f"{mark}x")],
        context_types=[pb.ContextType(name=f"{mark}c", properties=PROPERTIES, version="v1")],
    )


def _put_execution(ground: Ground, mark: str) -> Message:
    pairs = [
        {"artifact": ground.new_artifact(mark), "event": _event(OUTPUT, mark)},
        {"event": pb.Event(type=INPUT, artifact_id=ground.artifact)},
    ]
    stored = pb.Context(id=ground.context)
    return service.PutExecutionRequest(
        execution=ground.new_execution(mark),
        artifact_event_pairs=pairs,
        contexts=[ground.new_context(mark), stored],
        options={"reuse_context_if_already_exist": True, "force_reuse_context": True},
    )


def _put_lineage_subgraph(ground: Ground, mark: str) -> Message:
    edges: list[Any] = [
        {"execution_index": 0, "artifact_index": 0, "event": _event(INPUT, mark)},
        {"execution_index": 0, "artifact_index": 1, "event": _event(OUTPUT, mark)},
    ]
    return service.PutLineageSubgraphRequest(
        artifacts=[ground.new_artifact(mark, suffix=str(n)) for n in range(2)],
        executions=[ground.new_execution(mark)],
        contexts=[ground.new_context(mark)],
        event_edges=edges,
    )


def _event(kind: "pb.Event.Type", mark: str, **ids: Any) -> pb.Event:
    return pb.Event(type=kind, path=pb.Event.Path(steps=[{"key": mark}, {"index": 1}]), **ids)


def _put_events(ground: Ground, mark: str) -> Message:
    execution = ground.fresh("execution")
    ends = {"artifact_id": ground.artifact, "execution_id": execution}
    return service.PutEventsRequest(events=[_event(INPUT, mark, **ends), _event(OUTPUT, mark, **ends)])


def _put_members(ground: Ground, mark: str) -> Message:
    artifact, execution = ground.fresh("artifact"), ground.fresh("execution")
    return service.PutAttributionsAndAssociationsRequest(
        attributions=[pb.Attribution(context_id=ground.context, artifact_id=artifact)],
        associations=[pb.Association(context_id=ground.context, execution_id=execution)],
    )


def _put_parents(ground: Ground, mark: str) -> Message:
    first, second = ground.fresh("context"), ground.fresh("context")
    links = [pb.ParentContext(child_id=child, parent_id=ground.context) for child in (first, second)]
    return service.PutParentContextsRequest(parent_contexts=links)


def _version(name: str) -> Callable[[Ground, str], Message]:
    def request(ground: Ground, mark: str) -> Message:
        artifact = ground.new_artifact(mark)
        artifact.ClearField("name")
        artifact.ClearField("type_id")
        return v1.AddVersionRequest(type_name="Data", name=name.format(mark), artifact=artifact.SerializeToString())

    return request


def _move_alias(ground: Ground, mark: str) -> Message:
    return v1.MoveAliasRequest(type_name="Data", name="kept", alias=mark, number=1, reason=f"because of {mark}")


def _log_scalars(ground: Ground, mark: str) -> Message:
    owner = metrics.MetricOwner(artifact_id=ground.fresh("artifact"))
    return metrics.LogScalarsRequest(owner=owner, scalars={f"{mark}loss": 0.25, f"{mark}nothing": math.nan})


def _log_series(ground: Ground, mark: str) -> Message:
    owner = metrics.MetricOwner(execution_id=ground.execution)
    data = [
        metrics.SeriesData(
            key={"owner": owner, "name": f"{mark}{name}"}, steps=range(3), times_ms=range(3), values=[1, math.nan, 3]
        )
        for name in ("loss", "accuracy")
    ]
    return metrics.LogSeriesRequest(series=data)


def _metric_key(ground: Ground, mark: str) -> metrics.MetricKey:
    return metrics.MetricKey(owner={"artifact_id": ground.fresh("artifact")}, name=mark, slice=f"{mark}slice")


def _matrix(mark: str) -> metrics.MatrixCounts:
    return metrics.MatrixCounts(labels=[f"{mark}a", f"{mark}b"], counts=[3, 1, 2, 4])


def _curve(mark: str) -> metrics.CurveCutoffs:
    return metrics.CurveCutoffs(
        label=f"{mark}a", thresholds=[0.9, 0.5, 0.1], true_positives=[1, 2, 4], false_positives=[0, 1, 6]
    )


def _log_evaluation(ground: Ground, mark: str) -> Message:
    entry = metrics.EvaluationInput(key=_metric_key(ground, mark), matrix=_matrix(mark), curves=[_curve(mark)])
    return metrics.LogEvaluationRequest(evaluations=[entry])


def _log_matrix(ground: Ground, mark: str) -> Message:
    return metrics.LogConfusionMatrixRequest(key=_metric_key(ground, mark), matrix=_matrix(mark))


def _log_curve(ground: Ground, mark: str) -> Message:
    return metrics.LogCurveRequest(key=_metric_key(ground, mark), curve=_curve(mark))


def _start_run(ground: Ground, mark: str) -> Message:
    ground.call("StartRun", experiment="kept", step="train", token=secrets.token_hex(16))  # makes the types
    execution = pb.Execution(custom_properties={"note": pb.Value(string_value=mark)})
    return runs.StartRunRequest(
        experiment=mark, step="train", token=secrets.token_hex(16), execution=execution.SerializeToString()
    )


def _finish_run(ground: Ground, mark: str) -> Message:
    token = secrets.token_hex(16)
    ground.call("StartRun", experiment="kept", step="train", token=token)
    return runs.FinishRunRequest(token=token, state=runs.RUN_STATE_FAILED, reason=f"because of {mark}")


_HEADER = archive.ArchiveHeader(format=1, schema_version=10, store_uuid="elsewhere")


def _begin_import(ground: Ground, mark: str) -> Message:
    return archive.BeginImportRequest(header={"format": 1, "schema_version": 10, "store_uuid": mark})


def _types(mark: str) -> archive.ArchiveRows:
    """Rows of three types that no store has."""
    columns = [column.name for column in TYPE.columns]
    ids = [1_000_000 + 10 * int(re.sub(r"\D", "", mark)) + place for place in range(3)]
    lines = [json.dumps([number, f"{mark}{number}", None, 1, None, None, None, None]) for number in ids]
    return archive.ArchiveRows(table="Type", columns=columns, lines="".join(f"{line}\n" for line in lines).encode())


def _add_to_import(ground: Ground, mark: str) -> Message:
    begun = ground.call("BeginImport", header=_HEADER)
    return archive.AddToImportRequest(import_id=begun.import_id, number=1, rows=_types(mark))


def _commit_import(ground: Ground, mark: str) -> Message:
    begun = ground.call("BeginImport", header=_HEADER)
    ground.call("AddToImport", import_id=begun.import_id, number=1, rows=_types(mark))
    return archive.CommitImportRequest(import_id=begun.import_id, count=1)


WRITES: dict[str, Callable[[Ground, str], Message]] = {
    "PutArtifactType": _put_type,
    "PutExecutionType": _put_execution_type,
    "PutContextType": _put_context_type,
    "PutTypes": _put_types,
    "PutArtifacts": _nodes("artifact"),
    "PutExecutions": _nodes("execution"),
    "PutContexts": _nodes("context"),
    "PutExecution": _put_execution,
    "PutLineageSubgraph": _put_lineage_subgraph,
    "PutEvents": _put_events,
    "PutAttributionsAndAssociations": _put_members,
    "PutParentContexts": _put_parents,
    "AddVersion": _version("{}"),
    "AddVersion again": _version("kept"),
    "MoveAlias": _move_alias,
    "LogScalars": _log_scalars,
    "LogSeries": _log_series,
    "LogEvaluation": _log_evaluation,
    "LogConfusionMatrix": _log_matrix,
    "LogCurve": _log_curve,
    "StartRun": _start_run,
    "FinishRun": _finish_run,
    "BeginImport": _begin_import,
    "AddToImport": _add_to_import,
    "CommitImport": _commit_import,
}
"""By the call's name, with a word after it where one call takes two courses."""

UNMARKED = {"Heartbeat", "AbortImport"}
"""Writes that leave no mark: one sets a time and the other deletes, each in one transaction like the others."""
