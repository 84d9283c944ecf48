"""The methods of `mlmd.v1.ModelRegistry` that one transaction answers."""

from collections.abc import Callable
from typing import Any

from mlmd_metadata_store.rpc import Rpc
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import Role
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry import alias_calls, cards, deployment_calls, model_calls, webhooks
from mlmd_model_registry.resolution import resolve

REGISTRY_SERVICE = "mlmd.v1.ModelRegistry"
_Glance = Callable[[Transaction, Any], None] | None


def _rpc(
    name: str, role: Role, body: Callable[[Transaction, Any], Any], *, writes: bool, glance: _Glance = None
) -> Rpc:
    request, response = getattr(v1, f"{name}Request"), getattr(v1, f"{name}Response")
    return Rpc(REGISTRY_SERVICE, name, request, response, role, writes, body, glance)


def _reads(name: str, body: Callable[[Transaction, Any], Any]) -> Rpc:
    return _rpc(name, Role.READER, body, writes=False)


def _writes(
    name: str, body: Callable[[Transaction, Any], Any], role: Role = Role.WRITER, glance: _Glance = None
) -> Rpc:
    return _rpc(name, role, body, writes=True, glance=glance)


REGISTRY_METHODS: tuple[Rpc, ...] = (
    _writes("CreateModel", model_calls.create),
    _reads("GetModel", model_calls.get),
    _reads("ListModels", model_calls.list_all),
    _writes("UpdateModel", model_calls.update),
    _writes("ArchiveModel", model_calls.archive),
    _writes("RestoreModel", model_calls.restore),
    _writes("CreateModelVersion", model_calls.create_of),
    _reads("GetModelVersion", model_calls.get_of),
    _reads("ListModelVersions", model_calls.list_of),
    _writes("UpdateModelVersion", model_calls.update_of),
    _writes("ArchiveModelVersion", model_calls.archive_of),
    _writes("RestoreModelVersion", model_calls.restore_of),
    _writes("ApproveModelVersion", model_calls.approve_of),
    _writes("MoveModelAlias", alias_calls.move, glance=alias_calls.glance),
    _writes("RollbackModelAlias", alias_calls.roll_back, glance=alias_calls.glance),
    _reads("ListModelAliasMoves", alias_calls.list_alias_moves),
    _writes("SetModelGates", alias_calls.put_gates, Role.ADMIN),
    _reads("GetModelGates", alias_calls.get_gates),
    _reads("CheckModelGates", alias_calls.check),
    _writes("RecordDeployment", deployment_calls.record),
    _reads("ListDeployments", deployment_calls.list_all),
    _reads("GetModelCard", cards.get_model_card),
    _writes("DeleteWebhook", webhooks.delete_webhook, Role.ADMIN),
    _rpc("ListWebhooks", Role.ADMIN, webhooks.list_webhooks, writes=False),
    _rpc("ListWebhookDeliveries", Role.ADMIN, webhooks.list_deliveries, writes=False),
)

CREATE_WEBHOOK = _writes("CreateWebhook", webhooks.create_webhook, Role.ADMIN)
"""Not in the table above: where a webhook may lead is for the server's settings to say."""

RESOLVE_MODEL = _reads("ResolveModel", lambda tx, request: resolve(tx, request).response)
"""Resolving within a transaction, without signed requests; `Registry` answers the wires' call from its cache."""
