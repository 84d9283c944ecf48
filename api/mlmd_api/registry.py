"""What `mlmd.v1.ModelRegistry` answers beyond one transaction: resolving from a cache, watching."""

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from google.protobuf.message import Message
from mlmd_schemas.caller import Caller, Role
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_api.methods import Method, StreamMethod

if TYPE_CHECKING:
    from mlmd_model_registry.registry import Registry

SERVICE = "mlmd.v1.ModelRegistry"
RESOLVE_PATH = f"/{SERVICE}/ResolveModel"
WATCH_PATH = f"/{SERVICE}/WatchModels"


class TenantRegistries:
    """The registries of all tenants, each put together when its first caller comes."""

    def __init__(self, open_tenant: "Callable[[str], Registry]") -> None:
        self._open = open_tenant
        self._opened: dict[str, Registry] = {}
        self._lock = threading.Lock()

    def opened(self, tenant: str) -> "Registry | None":
        """Return the tenant's registry if somebody asked for it before; takes no time."""
        return self._opened.get(tenant)

    def of(self, tenant: str) -> "Registry":
        """Return the tenant's registry; raises what opening its database raises."""
        found = self._opened.get(tenant)
        if found is None:
            with self._lock:
                found = self._opened.get(tenant)
                if found is None:
                    found = self._opened[tenant] = self._open(tenant)
        return found


def registry_methods(tenants: TenantRegistries) -> list[Method]:
    """Return the unary methods."""

    def resolve(caller: Caller, request: v1.ResolveModelRequest) -> Message:
        return tenants.of(caller.tenant).resolve(request, caller)

    def create_webhook(caller: Caller, request: v1.CreateWebhookRequest) -> Message:
        return tenants.of(caller.tenant).create_webhook(request, caller)

    requests = (v1.ResolveModelRequest, v1.CreateWebhookRequest)
    responses = (v1.ResolveModelResponse, v1.CreateWebhookResponse)
    return [
        Method(SERVICE, "ResolveModel", requests[0], responses[0], Role.READER, resolve),
        Method(SERVICE, "CreateWebhook", requests[1], responses[1], Role.ADMIN, create_webhook),
    ]


def registry_streams(tenants: TenantRegistries) -> list[StreamMethod]:
    """Return the streaming methods."""

    def watch(caller: Caller, request: v1.WatchModelsRequest) -> Iterator[Message]:
        return tenants.of(caller.tenant).watch(request, caller)

    return [StreamMethod(SERVICE, "WatchModels", v1.WatchModelsRequest, v1.WatchModelsResponse, Role.READER, watch)]
