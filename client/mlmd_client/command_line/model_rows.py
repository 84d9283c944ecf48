"""Calls of the registry, and what they answer as rows."""

from typing import Any

from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.calls import CallError
from mlmd_client.command_line.session import Session
from mlmd_client.registry_pages import REGISTRY
from mlmd_client.tables import moment


def read(session: Session, method: str, request: Any) -> Any:
    """Ask the registry."""
    return session.store.service.read(f"{REGISTRY}/{method}", request)


def write(session: Session, method: str, request: Any) -> Any:
    """Change the registry."""
    return session.store.service.write(f"{REGISTRY}/{method}", request)


def number_of(session: Session, model: str, version: str) -> str:
    """Return a version as requests take it: a name or number as it is, for @ALIAS the number it points at now."""
    if not version.startswith("@"):
        return version
    asked = v1.GetModelVersionRequest(model=model, alias=version[1:])
    try:
        return str(read(session, "GetModelVersion", asked).version.number)
    except CallError as error:  # which tells of the alias, where this one is typed as a version
        error.message = error.message.replace("alias: ", "version: ", 1)
        raise


def state_of(state: Any) -> str:
    """Return LIVE or ARCHIVED."""
    return str(v1.ModelState.Name(state)).removeprefix("MODEL_STATE_")


def version_row(version: v1.ModelVersion) -> dict[str, Any]:
    """Return a model version as a row."""
    return {
        "model": version.model,
        "number": version.number,
        "name": version.name,
        "aliases": list(version.aliases),
        "state": state_of(version.state),
        "author": version.author,
        "created": moment(version.create_ms),
        "format": " ".join(part for part in (version.format.name, version.format.version) if part),
        "uri": version.uri,
        "artifact": version.artifact_id,
    }
