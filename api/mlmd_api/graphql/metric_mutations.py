"""Fields of Mutation that log metrics, and those that add versions and move aliases."""

from typing import Any

import graphene
from google.protobuf.message import Message
from mlmd_metadata_store.collection_methods import COLLECTIONS_SERVICE
from mlmd_metadata_store.metric_methods import METRICS_SERVICE
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import collections_pb2, metrics_pb2
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql.arguments import arguments_of, message_of
from mlmd_api.graphql.batches import nodes
from mlmd_api.graphql.entities import Node, entity
from mlmd_api.graphql.metric_objects import owner_of
from mlmd_api.graphql.node_inputs import NODE_INPUTS, fill_node
from mlmd_api.graphql.objects import made_object, many, resolved
from mlmd_api.graphql.rpcs import rpc
from mlmd_api.graphql.writing import call, payload, written


async def _owners(found: list[Any], info: Any) -> Any:
    futures = [info.context.loading.load(nodes, node_id, kind) for kind, node_id in found]
    return [one for one in [await future for future in futures] if one is not None]


def metric_mutations() -> dict[str, Any]:
    """Return the fields that log metrics."""
    answer = made_object("LoggedPayload", {"nodes": resolved(many(Node), _owners, "What the metrics belong to.")})
    needed: dict[str, tuple[type[Message], dict[str, bool], str]] = {
        "LogScalars": (metrics_pb2.LogScalarsRequest, {"owner": True}, "Write numbers as properties of a node."),
        "LogSeries": (metrics_pb2.LogSeriesRequest, {"series": True}, "Add points to series."),
        "LogEvaluation": (metrics_pb2.LogEvaluationRequest, {"evaluations": True}, "Write whole evaluations."),
        "LogConfusionMatrix": (
            metrics_pb2.LogConfusionMatrixRequest,
            {"key": True, "matrix": True},
            "Write the confusion matrix of an evaluation and leave its curves.",
        ),
        "LogCurve": (
            metrics_pb2.LogCurveRequest,
            {"key": True, "curve": True},
            "Write one curve of an evaluation and leave the rest.",
        ),
    }
    return {
        f"{name[:1].lower()}{name[1:]}": written(answer, _logs(name, kind), text, **arguments_of(kind, **required))
        for name, (kind, required, text) in needed.items()
    }


def _logs(name: str, kind: type[Message]) -> Any:
    def resolve(_root: Any, info: Any, **given: Any) -> Any:
        request: Any = message_of(kind, given)
        call(info, name, request, given, METRICS_SERVICE)
        if name == "LogScalars":
            keys = [metrics_pb2.MetricKey(owner=request.owner)]
        else:
            parts = {"LogSeries": "series", "LogEvaluation": "evaluations"}
            keys = [one.key for one in getattr(request, parts[name])] if name in parts else [request.key]
        return list(dict.fromkeys(owner_of(key) for key in keys))

    return resolve


def collection_mutations() -> dict[str, Any]:
    """Return the fields that add versions and move aliases."""
    text = graphene.Argument(graphene.String, required=True)
    version = payload("addVersion", {"version": resolved(entity("Version"), lambda response, _info: response.version)})
    move = collections_pb2.MoveAliasRequest
    return {
        "addVersion": written(
            version,
            _add_version,
            "Add an artifact as the next version of a collection, which is made when it is not there yet.",
            type_name=text,
            name=text,
            artifact=graphene.Argument(NODE_INPUTS[Kind.ARTIFACT], required=True),
        ),
        "moveAlias": written(
            _move_payload(),
            _move_alias,
            "Point an alias at a version; with number 0 remove it.",
            **arguments_of(move, type_name=True, name=True, alias=True, number=True),
        ),
    }


def _move_payload() -> Any:
    return payload("moveAlias", {"version": resolved(entity("Version"), _moved_to, "Null when the alias is removed.")})


def _moved_to(request: collections_pb2.MoveAliasRequest, info: Any) -> Any:
    if not request.number:
        return None
    method = rpc("ResolveVersion", COLLECTIONS_SERVICE)
    asked = method.request(type_name=request.type_name, name=request.name, number=request.number)
    return info.context.ask(method, asked).version


def _add_version(_root: Any, info: Any, artifact: Any, **given: Any) -> Any:
    message = pb.Artifact()
    fill_node(message, Kind.ARTIFACT, artifact, "artifact")
    request = collections_pb2.AddVersionRequest(
        type_name=given["type_name"], name=given["name"], artifact=message.SerializeToString(deterministic=True)
    )
    return call(info, "AddVersion", request, given, COLLECTIONS_SERVICE)


def _move_alias(_root: Any, info: Any, **given: Any) -> Any:
    request: Any = message_of(collections_pb2.MoveAliasRequest, given)
    call(info, "MoveAlias", request, given, COLLECTIONS_SERVICE)
    return request
