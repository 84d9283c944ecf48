"""The methods of `mlmd.v1.ModelRegistry` that one transaction answers."""

from mlmd_metadata_store.rpc import Rpc, Service
from mlmd_schemas.caller import Role
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry import alias_calls, cards, deployment_calls, model_calls, webhooks
from mlmd_model_registry.resolution import resolve

REGISTRY_SERVICE = "mlmd.v1.ModelRegistry"
_REGISTRY = Service(REGISTRY_SERVICE, v1)

REGISTRY_METHODS: tuple[Rpc, ...] = (
    _REGISTRY.writes("CreateModel", model_calls.create),
    _REGISTRY.reads("GetModel", model_calls.get),
    _REGISTRY.reads("ListModels", model_calls.list_all),
    _REGISTRY.writes("UpdateModel", model_calls.update),
    _REGISTRY.writes("ArchiveModel", model_calls.archive),
    _REGISTRY.writes("RestoreModel", model_calls.restore),
    _REGISTRY.writes("CreateModelVersion", model_calls.create_of),
    _REGISTRY.reads("GetModelVersion", model_calls.get_of),
    _REGISTRY.reads("ListModelVersions", model_calls.list_of),
    _REGISTRY.writes("UpdateModelVersion", model_calls.update_of),
    _REGISTRY.writes("ArchiveModelVersion", model_calls.archive_of),
    _REGISTRY.writes("RestoreModelVersion", model_calls.restore_of),
    _REGISTRY.writes("ApproveModelVersion", model_calls.approve_of),
    _REGISTRY.writes("MoveModelAlias", alias_calls.move, glance=alias_calls.glance),
    _REGISTRY.writes("RollbackModelAlias", alias_calls.roll_back, glance=alias_calls.glance),
    _REGISTRY.reads("ListModelAliasMoves", alias_calls.list_alias_moves),
    _REGISTRY.writes("SetModelGates", alias_calls.put_gates, Role.ADMIN),
    _REGISTRY.reads("GetModelGates", alias_calls.get_gates),
    _REGISTRY.reads("CheckModelGates", alias_calls.check),
    _REGISTRY.writes("RecordDeployment", deployment_calls.record),
    _REGISTRY.reads("ListDeployments", deployment_calls.list_all),
    _REGISTRY.reads("GetModelCard", cards.get_model_card),
    _REGISTRY.writes("DeleteWebhook", webhooks.delete_webhook, Role.ADMIN),
    _REGISTRY.reads("ListWebhooks", webhooks.list_webhooks, Role.ADMIN),
    _REGISTRY.reads("ListWebhookDeliveries", webhooks.list_deliveries, Role.ADMIN),
)

CREATE_WEBHOOK = _REGISTRY.writes("CreateWebhook", webhooks.create_webhook, Role.ADMIN)
"""Not in the table above: where a webhook may lead is for the server's settings to say."""

RESOLVE_MODEL = _REGISTRY.reads("ResolveModel", lambda tx, request: resolve(tx, request).response)
"""Resolving within a transaction, without signed requests; `Registry` answers the wires' call from its cache."""
