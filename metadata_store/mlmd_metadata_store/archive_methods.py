"""The methods of `mlmd.v1.Archive`."""

from collections.abc import Callable
from typing import Any

from mlmd_schemas.caller import Role
from mlmd_schemas.pb.v1 import archive_pb2 as v1

from mlmd_metadata_store.archive_export import export
from mlmd_metadata_store.archive_found import find_imported
from mlmd_metadata_store.archive_import import commit_import
from mlmd_metadata_store.archive_staging import abort_import, add_to_import, begin_import
from mlmd_metadata_store.rpc import Rpc, StreamRpc
from mlmd_metadata_store.transaction import Transaction

ARCHIVE_SERVICE = "mlmd.v1.Archive"


def _rpc(name: str, body: Callable[[Transaction, Any], Any], role: Role = Role.ADMIN) -> Rpc:
    request, response = getattr(v1, f"{name}Request"), getattr(v1, f"{name}Response")
    return Rpc(ARCHIVE_SERVICE, name, request, response, role, role is not Role.READER, body)


ARCHIVE_METHODS = (
    _rpc("BeginImport", begin_import),
    _rpc("AddToImport", add_to_import),
    _rpc("CommitImport", commit_import),
    _rpc("AbortImport", abort_import),
    _rpc("FindImported", find_imported, Role.READER),
)
ARCHIVE_STREAMS = (StreamRpc(ARCHIVE_SERVICE, "Export", v1.ExportRequest, v1.ExportResponse, Role.READER, export),)
