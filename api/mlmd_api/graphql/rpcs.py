"""The store's methods that fields are answered by, looked up by name."""

from mlmd_lineage.methods import LINEAGE_METHODS
from mlmd_metadata_store.methods import METADATA_METHODS
from mlmd_metadata_store.rpc import MLMD_SERVICE, Rpc
from mlmd_model_registry.methods import REGISTRY_METHODS, RESOLVE_MODEL

_BY_PATH: dict[str, Rpc] = {
    rpc.path: rpc for rpc in (*METADATA_METHODS, *LINEAGE_METHODS, *REGISTRY_METHODS, RESOLVE_MODEL)
}


def rpc(name: str, service: str = MLMD_SERVICE) -> Rpc:
    """Return a method of a service, MLMD's when no other is named."""
    return _BY_PATH[f"/{service}/{name}"]
