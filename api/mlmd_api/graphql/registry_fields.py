"""Fields of Query and Mutation for the model registry: its calls as they are, on the snapshot of the operation."""

from typing import Any

from google.protobuf.message import Message
from mlmd_model_registry.methods import REGISTRY_SERVICE
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_api.graphql.arguments import arguments_of, message_of
from mlmd_api.graphql.messages import object_of
from mlmd_api.graphql.objects import resolved
from mlmd_api.graphql.rpcs import rpc
from mlmd_api.graphql.writing import call, written

_QUERIES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "models": ("ListModels", "Registered models by name.", ()),
    "model": ("GetModel", "A registered model.", ("model",)),
    "modelVersions": ("ListModelVersions", "The versions of a model, newest first.", ("model",)),
    "modelVersion": ("GetModelVersion", "A version by name, number or alias.", ("model",)),
    "modelAliasMoves": ("ListModelAliasMoves", "Who moved which alias when and why, newest first.", ("model",)),
    "modelGates": ("GetModelGates", "The rules that stand before the aliases of a model.", ("model",)),
    "checkModelGates": ("CheckModelGates", "Gates evaluated for a version; nothing is moved.", ("model", "version")),
    "resolveModel": ("ResolveModel", "Everything that a deployer needs of models:/NAME@ALIAS.", ("uri",)),
    "modelDeployments": ("ListDeployments", "What runs where, newest first.", ()),
    "modelCard": ("GetModelCard", "One page about a version.", ("model",)),
}
_MUTATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CreateModel": ("Make a registered model.", ("name",)),
    "UpdateModel": ("Change the fields of a model that are given.", ("model",)),
    "ArchiveModel": ("Take a model out of use.", ("model",)),
    "RestoreModel": ("Take an archived model back into use.", ("model",)),
    "CreateModelVersion": ("Make the next version of a model, of an artifact or a URI.", ("model",)),
    "UpdateModelVersion": ("Change the fields of a version that are given.", ("model", "version")),
    "ArchiveModelVersion": ("Take a version out of use.", ("model", "version")),
    "RestoreModelVersion": ("Take an archived version back into use.", ("model", "version")),
    "ApproveModelVersion": ("Say that the caller approves of a version.", ("model", "version")),
    "MoveModelAlias": ("Point an alias of a model at a version, or without one remove it.", ("model", "alias")),
    "RollbackModelAlias": ("Point an alias at what it pointed at before.", ("model", "alias")),
    "SetModelGates": ("Replace the gates of an alias, or without one those of every alias.", ("model",)),
    "RecordDeployment": ("Note what became of a version in a service.", ("environment", "service", "model", "version")),
}


def registry_queries() -> dict[str, Any]:
    """Return the fields of Query."""
    return {field: _query(name, text, needed) for field, (name, text, needed) in _QUERIES.items()}


def registry_mutations() -> dict[str, Any]:
    """Return the fields of Mutation."""
    return {
        f"{name[:1].lower()}{name[1:]}": _mutation(name, text, needed) for name, (text, needed) in _MUTATIONS.items()
    }


def _classes(name: str) -> tuple[type[Message], type[Message]]:
    return getattr(v1, f"{name}Request"), getattr(v1, f"{name}Response")


def _query(name: str, text: str, needed: tuple[str, ...]) -> Any:
    request, response = _classes(name)
    method = rpc(name, REGISTRY_SERVICE)

    def resolve(_root: Any, info: Any, **given: Any) -> Any:
        return info.context.ask(method, message_of(request, given))

    kind = object_of(response.DESCRIPTOR, f"{name}Result")
    return resolved(kind, resolve, text, **arguments_of(request, **dict.fromkeys(needed, True)))


def _mutation(name: str, text: str, needed: tuple[str, ...]) -> Any:
    request, response = _classes(name)

    def resolve(_root: Any, info: Any, **given: Any) -> Any:
        return call(info, name, message_of(request, given), given, REGISTRY_SERVICE)

    kind = object_of(response.DESCRIPTOR, f"{name}Payload")
    return written(kind, resolve, text, **arguments_of(request, **dict.fromkeys(needed, True)))
