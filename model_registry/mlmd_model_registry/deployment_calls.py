"""The calls of `mlmd.v1.ModelRegistry` about what runs where."""

from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry.deployments import list_deployments, record_deployment
from mlmd_model_registry.models import find_model
from mlmd_model_registry.version_reads import find_version


def record(tx: Transaction, request: v1.RecordDeploymentRequest) -> v1.RecordDeploymentResponse:
    """Note what became of a version in a service."""
    version = find_version(tx, find_model(tx, request.model), request.version)
    deployment = record_deployment(tx, request.environment, request.service, version, request.state, request.runtime)
    return v1.RecordDeploymentResponse(deployment=deployment)


def list_all(tx: Transaction, request: v1.ListDeploymentsRequest) -> v1.ListDeploymentsResponse:
    """Return a page of deployments, newest first."""
    deployments, token = list_deployments(
        tx,
        model=find_model(tx, request.model) if request.model else None,
        environment=request.environment,
        size=request.page_size,
        token=request.page_token,
    )
    return v1.ListDeploymentsResponse(deployments=deployments, next_page_token=token)
