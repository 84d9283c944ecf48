"""The calls that put nodes: PutArtifacts, PutExecutions, PutContexts."""

from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store.node_writes import Rules, put_nodes
from mlmd_metadata_store.rpc import mlmd_write
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.update_mask import parse_mask


def _put_artifacts(tx: Transaction, request: service.PutArtifactsRequest) -> service.PutArtifactsResponse:
    rules = Rules(parse_mask(request.update_mask.paths), request.options.abort_if_latest_updated_time_changed)
    return service.PutArtifactsResponse(artifact_ids=put_nodes(tx, Kind.ARTIFACT, request.artifacts, rules))


def _put_executions(tx: Transaction, request: service.PutExecutionsRequest) -> service.PutExecutionsResponse:
    rules = Rules(parse_mask(request.update_mask.paths))
    return service.PutExecutionsResponse(execution_ids=put_nodes(tx, Kind.EXECUTION, request.executions, rules))


def _put_contexts(tx: Transaction, request: service.PutContextsRequest) -> service.PutContextsResponse:
    rules = Rules(parse_mask(request.update_mask.paths))
    return service.PutContextsResponse(context_ids=put_nodes(tx, Kind.CONTEXT, request.contexts, rules))


NODE_WRITE_METHODS = (
    mlmd_write("PutArtifacts", _put_artifacts),
    mlmd_write("PutExecutions", _put_executions),
    mlmd_write("PutContexts", _put_contexts),
)
