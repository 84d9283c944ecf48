"""What the registry knows of an artifact: which version of a model it is, and what serves it."""

from typing import Any

from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_client.command_line.session import Session
from mlmd_client.versions import Version
from mlmd_client.walks import ref_of


def registrations_of(session: Session, version: Version) -> list[dict[str, Any]]:
    """Return as which versions of registered models an artifact is known, with their aliases and deployments."""
    request = v1.GetImpactRequest(node=ref_of("artifact", version.id), page_size=1)  # the page is the node itself
    models = session.store.service.read(request, v1.GetImpactResponse).models
    itself = version.name, str(version.number)  # its name with versions, which the registry keeps no state of
    return [
        {
            "model": one.model,
            "version": one.version,
            "aliases": list(one.aliases),
            "state": one.state,
            "deployed": served_by(one),
        }
        for model in models
        for one in model.registrations
        if one.state or (one.model, one.version) != itself
    ]


def served_by(registration: v1.ModelRegistration) -> list[str]:
    """Return what serves a version and in which state, a serving without a name by what `mlmd show` knows it by.

    >>> service = v1.ModelDeployment(context_id=3, environment="prod", name="scorer", state="DEPLOYED")
    >>> serving = v1.ModelDeployment(execution_id=7, name="6", state="RUNNING")
    >>> served_by(v1.ModelRegistration(deployments=[service, serving]))
    ['prod/scorer DEPLOYED', 'execution:7 RUNNING']
    """
    return [f"{_served_by(one)} {one.state}".strip() for one in registration.deployments]


def _served_by(deployment: v1.ModelDeployment) -> str:
    if deployment.execution_id:
        return f"execution:{deployment.execution_id}"
    return "/".join(part for part in (deployment.environment, deployment.name) if part)
