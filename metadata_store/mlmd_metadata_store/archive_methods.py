"""The methods of `mlmd.v1.Archive`."""

from mlmd_schemas.caller import Role
from mlmd_schemas.pb.v1 import archive_pb2 as v1

from mlmd_metadata_store.archive_export import export
from mlmd_metadata_store.archive_found import find_imported
from mlmd_metadata_store.archive_import import commit_import
from mlmd_metadata_store.archive_staging import abort_import, add_to_import, begin_import
from mlmd_metadata_store.rpc import Service, StreamRpc

ARCHIVE_SERVICE = "mlmd.v1.Archive"
_ARCHIVE = Service(ARCHIVE_SERVICE, v1)


ARCHIVE_METHODS = (
    _ARCHIVE.writes("BeginImport", begin_import, Role.ADMIN),
    _ARCHIVE.writes("AddToImport", add_to_import, Role.ADMIN),
    _ARCHIVE.writes("CommitImport", commit_import, Role.ADMIN),
    _ARCHIVE.writes("AbortImport", abort_import, Role.ADMIN),
    _ARCHIVE.reads("FindImported", find_imported),
)
ARCHIVE_STREAMS = (StreamRpc(ARCHIVE_SERVICE, "Export", v1.ExportRequest, v1.ExportResponse, Role.READER, export),)
