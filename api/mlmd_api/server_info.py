"""`mlmd.v1.Server/GetInfo`: what this server is; answers everybody."""

from dataclasses import dataclass

from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import StoreError
from mlmd_schemas.pb.v1 import server_pb2

from mlmd_api.methods import Method
from mlmd_api.tenants import TenantStores


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What does not change while the process lives; sizes in bytes, walks in hops."""

    version: str
    features: tuple[str, ...]
    http_address: str
    max_message_bytes: int
    max_page_size: int
    max_hops: int


def server_methods(facts: ServerFacts, stores: TenantStores) -> list[Method]:
    """Return the methods of `mlmd.v1.Server`."""

    def get_info(caller: Caller, request: server_pb2.GetInfoRequest) -> server_pb2.GetInfoResponse:
        return server_pb2.GetInfoResponse(
            version=facts.version,
            features=sorted(facts.features),
            http_address=facts.http_address,
            limits=server_pb2.Limits(
                max_message_bytes=facts.max_message_bytes,
                max_page_size=facts.max_page_size,
                max_hops=facts.max_hops,
            ),
            store_uuid=_store_uuid(stores, caller.tenant),
        )

    return [
        Method("mlmd.v1.Server", "GetInfo", server_pb2.GetInfoRequest, server_pb2.GetInfoResponse, None, get_info),
    ]


def _store_uuid(stores: TenantStores, tenant: str) -> str:
    """Return the uuid of the tenant's store, empty when it has none or its database is away."""
    try:
        return stores.of(tenant).store_uuid
    except StoreError:
        return ""
