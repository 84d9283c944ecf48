"""The calls of `mlmd.v1.ModelRegistry` about models and versions."""

from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.update_mask import mask_of_keys
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry.approvals import approve, withdraw
from mlmd_model_registry.kubeflow_types import ARCHIVED, LIVE
from mlmd_model_registry.messages import (
    FORMAT_PROPERTIES,
    SIGNATURE,
    change_tags,
    check_signature,
    model_message,
    set_tags,
    set_texts,
    version_message,
)
from mlmd_model_registry.models import (
    Model,
    change_model,
    create_model,
    find_model,
    find_model_id,
    list_models,
    lock_model,
    set_model_state,
)
from mlmd_model_registry.version_bytes import require_restorable
from mlmd_model_registry.version_reads import (
    Version,
    aliased_version,
    find_version,
    list_model_versions,
    version_by_id,
)
from mlmd_model_registry.versions import (
    attach_artifact,
    change_artifact,
    change_version,
    create_version,
    require_unregistered,
    run_artifact,
    set_version_state,
)


def create(tx: Transaction, request: v1.CreateModelRequest) -> v1.CreateModelResponse:
    """Make a registered model."""
    given = pb.Context(name=request.name)
    if request.external_id:
        given.external_id = request.external_id
    set_texts(given.properties, {"description": request.description, "owner": request.owner})
    set_tags(given.custom_properties, request.tags)
    return v1.CreateModelResponse(model=model_message(create_model(tx, given)))


def get(tx: Transaction, request: v1.GetModelRequest) -> v1.GetModelResponse:
    """Return a model by name."""
    return v1.GetModelResponse(model=model_message(find_model(tx, request.model)))


def list_all(tx: Transaction, request: v1.ListModelsRequest) -> v1.ListModelsResponse:
    """Return a page of models by name."""
    models, token = list_models(
        tx,
        prefix=request.prefix,
        include_archived=request.include_archived,
        size=request.page_size,
        token=request.page_token,
    )
    return v1.ListModelsResponse(models=map(model_message, models), next_page_token=token)


def update(tx: Transaction, request: v1.UpdateModelRequest) -> v1.UpdateModelResponse:
    """Change the fields of a model that are set."""
    model = find_model(tx, request.model)
    given = pb.Context()
    texts = {name: getattr(request, name) for name in ("description", "owner") if request.HasField(name)}
    keys = set_texts(given.properties, texts), change_tags(given.custom_properties, request.tags)
    return v1.UpdateModelResponse(model=model_message(change_model(tx, model.id, given, keys)))


def archive(tx: Transaction, request: v1.ArchiveModelRequest) -> v1.ArchiveModelResponse:
    """Take a model out of use."""
    model = set_model_state(tx, find_model(tx, request.model).id, ARCHIVED)
    return v1.ArchiveModelResponse(model=model_message(model))


def restore(tx: Transaction, request: v1.RestoreModelRequest) -> v1.RestoreModelResponse:
    """Take an archived model back into use."""
    model = set_model_state(tx, find_model(tx, request.model).id, LIVE)
    return v1.RestoreModelResponse(model=model_message(model))


def create_of(tx: Transaction, request: v1.CreateModelVersionRequest) -> v1.CreateModelVersionResponse:
    """Make the next version of a model, from an artifact of a run or from a URI."""
    model = _model(tx, request)
    lock_model(tx, model.id)
    source = request.WhichOneof("source")
    if source is None:
        raise InvalidArgument("source: missing; say artifact_id, an artifact of a run, or uri, where the bytes are.")
    artifact = pb.Artifact()
    run_artifact_id = 0
    if source == "artifact_id":
        run = run_artifact(tx, request.artifact_id)
        require_unregistered(tx, model, run.id)
        run_artifact_id, artifact.uri = run.id, run.uri
    else:
        artifact.uri = _checked_uri(request.uri)
    _fill_artifact(artifact, request)
    given = pb.Context()
    if request.external_id:
        given.external_id = request.external_id
    set_texts(given.properties, {"description": request.description, "author": request.author or tx.caller.subject})
    set_tags(given.custom_properties, request.tags)
    _check_name(request.name)
    version = create_version(tx, model, request.name, given)
    attach_artifact(tx, version, artifact, run_artifact_id)
    return v1.CreateModelVersionResponse(version=version_message(version_by_id(tx, version.id)))


def _model(tx: Transaction, request: v1.CreateModelVersionRequest) -> Model:
    if request.create_model and find_model_id(tx, request.model) is None:
        return create_model(tx, pb.Context(name=request.model), "model")
    return find_model(tx, request.model)


def _check_name(name: str) -> None:
    if name.isdecimal():
        raise InvalidArgument(
            f"name: {name[:40]!r} is a number, and numbers are given by the store; leave it out, or add a letter."
        )


def _checked_uri(uri: str) -> str:
    if "://" not in uri or not uri.isprintable() or " " in uri:
        raise InvalidArgument(f"uri: {uri[:80]!r} is no URI; say where the bytes are, as scheme://…")
    return uri


def _fill_artifact(artifact: pb.Artifact, request: v1.CreateModelVersionRequest) -> None:
    texts = {name: getattr(request.format, field) for field, name in FORMAT_PROPERTIES.items()}
    set_texts(artifact.properties, texts)
    if request.signature:
        check_signature(request.signature)
        artifact.custom_properties[SIGNATURE].string_value = request.signature


def get_of(tx: Transaction, request: v1.GetModelVersionRequest) -> v1.GetModelVersionResponse:
    """Return a version by name, number or alias."""
    return v1.GetModelVersionResponse(version=version_message(selected_version(tx, request)))


def selected_version(tx: Transaction, request: v1.GetModelVersionRequest | v1.GetModelCardRequest) -> Version:
    """Return the version that a request selects; raises InvalidArgument when it selects none."""
    model = find_model(tx, request.model)
    selector = request.WhichOneof("selector")
    if selector is None:
        raise InvalidArgument("selector: say version, a name or number, or alias; the alias 'latest' is the newest.")
    if selector == "alias":
        return aliased_version(tx, model, request.alias)
    return find_version(tx, model, request.version)


def list_of(tx: Transaction, request: v1.ListModelVersionsRequest) -> v1.ListModelVersionsResponse:
    """Return a page of versions, newest first."""
    versions, token = list_model_versions(
        tx,
        find_model(tx, request.model),
        include_archived=request.include_archived,
        size=request.page_size,
        token=request.page_token,
    )
    return v1.ListModelVersionsResponse(versions=map(version_message, versions), next_page_token=token)


def update_of(tx: Transaction, request: v1.UpdateModelVersionRequest) -> v1.UpdateModelVersionResponse:
    """Change the fields of a version that are set."""
    version = find_version(tx, find_model(tx, request.model), request.version)
    given = pb.Context()
    texts = {name: getattr(request, name) for name in ("description", "author") if request.HasField(name)}
    keys = set_texts(given.properties, texts), change_tags(given.custom_properties, request.tags)
    if any(keys):
        change_version(tx, version, given, keys)
    if request.HasField("format") or request.HasField("signature"):
        _update_artifact(tx, version, request)
    return v1.UpdateModelVersionResponse(version=version_message(version_by_id(tx, version.id)))


def _update_artifact(tx: Transaction, version: Version, request: v1.UpdateModelVersionRequest) -> None:
    if version.model_artifact is None:
        raise FailedPrecondition(
            f"format: version {version.name!r} has no artifact yet; attach one before saying its format or signature."
        )
    artifact = pb.Artifact(uri=version.model_artifact.uri)
    properties: frozenset[str] = frozenset()
    custom: frozenset[str] = frozenset()
    if request.HasField("format"):
        texts = {name: getattr(request.format, field) for field, name in FORMAT_PROPERTIES.items()}
        properties = set_texts(artifact.properties, texts)
    if request.HasField("signature"):
        check_signature(request.signature)
        custom = set_texts(artifact.custom_properties, {SIGNATURE: request.signature})
    change_artifact(tx, version.model_artifact.id, artifact, mask_of_keys(properties, custom))


def archive_of(tx: Transaction, request: v1.ArchiveModelVersionRequest) -> v1.ArchiveModelVersionResponse:
    """Take a version out of use."""
    version = find_version(tx, find_model(tx, request.model), request.version)
    return v1.ArchiveModelVersionResponse(version=version_message(set_version_state(tx, version, ARCHIVED)))


def restore_of(tx: Transaction, request: v1.RestoreModelVersionRequest) -> v1.RestoreModelVersionResponse:
    """Take an archived version back into use; raises FailedPrecondition when it was purged or its bytes deleted."""
    version = find_version(tx, find_model(tx, request.model), request.version)
    require_restorable(tx, version)
    return v1.RestoreModelVersionResponse(version=version_message(set_version_state(tx, version, LIVE)))


def approve_of(tx: Transaction, request: v1.ApproveModelVersionRequest) -> v1.ApproveModelVersionResponse:
    """Note the caller's approval of a version, or take it back."""
    version = find_version(tx, find_model(tx, request.model), request.version)
    if request.withdraw:
        withdraw(tx, version.id)
    else:
        approve(tx, version.id, request.reason, tx.agreed_ms())
    return v1.ApproveModelVersionResponse(version=version_message(version_by_id(tx, version.id)))
