"""No alias comes to a version of which something was purged or deleted, and nothing is purged under one."""

import pytest
from mlmd_artifact_store.garbage_collection import collect
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.verification import verify
from mlmd_model_registry.resolution import resolve
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, FailedPrecondition, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1 import registry_pb2

from tests.artifact_store.care import Admin, upload
from tests.artifact_store.conformance.suite import keys
from tests.model_registry.conftest import Registry

ARTIFACT, CONTEXT = v1.NODE_KIND_ARTIFACT, v1.NODE_KIND_CONTEXT
CHAMPION = {"model": "fraud", "alias": "champion"}


@pytest.fixture
def registry(requests: Requests) -> Registry:
    """A registry on it; `fraud@champion` was version 1 and is version 2."""
    registry = Registry(requests.artifacts.store)
    for number in (1, 2):
        registry.version(artifact_id=upload(requests, b"model %d" % number))
        registry("MoveModelAlias", **CHAMPION, version=str(number))
    return registry


def version(registry: Registry, number: int) -> registry_pb2.ModelVersion:
    """Return a version of the model."""
    found: registry_pb2.ModelVersion
    found = registry("GetModelVersion", model="fraud", version=str(number)).version
    return found


def check_refused(registry: Registry, code: Code, *words: str) -> None:
    """Neither a rollback, a move, a deployment nor a resolution gets to version 1, and the alias is where it was."""

    def resolved() -> None:
        request = registry_pb2.ResolveModelRequest(uri="models:/fraud/1")
        registry.store.database.read(LOCAL, lambda tx: resolve(tx, request))

    deployment = {"environment": "e", "service": "s", "model": "fraud", "version": "1"}
    refusals = [
        registry.error("RollbackModelAlias", **CHAMPION),
        registry.error("MoveModelAlias", model="fraud", alias="other", version="1"),
        registry.error("RecordDeployment", **deployment, state=registry_pb2.DEPLOYMENT_STATE_RUNNING),
    ]
    with pytest.raises(StoreError) as raised:
        resolved()
    for refusal in (*refusals, raised.value):
        assert refusal.code is code
        assert all(word in refusal.message for word in ("version 1", *words)), refusal.message
    assert dict(registry("GetModel", model="fraud").model.aliases) == {"champion": 2}


def test_an_artifact_whose_facts_were_purged(registry: Registry, admin: Admin) -> None:
    artifact_id = version(registry, 1).artifact_id
    admin.purge(kind=ARTIFACT, ids=[artifact_id])
    check_refused(registry, Code.FAILED_PRECONDITION, f"artifact {artifact_id} was purged", "ListTombstones")


@pytest.mark.parametrize("include_bytes", [False, True])
def test_what_was_purged_cannot_be_registered(
    registry: Registry, requests: Requests, admin: Admin, include_bytes: bool
) -> None:
    made = upload(requests, name="jane")
    admin.purge(kind=ARTIFACT, ids=[made], include_bytes=include_bytes)
    refused = registry.error("CreateModelVersion", model="fraud", artifact_id=made)
    assert refused.code is Code.FAILED_PRECONDITION
    assert f"artifact {made} was purged" in refused.message
    assert "jane" not in refused.message


def test_a_version_of_a_uri_alone_that_was_purged(registry: Registry, admin: Admin) -> None:
    other = registry.version(model="churn", uri="s3://models/churn/1")
    admin.purge(kind=ARTIFACT, ids=[other.artifact_id])
    refused = registry.error("MoveModelAlias", model="churn", alias="champion", version="1")
    assert (refused.code, "was purged" in refused.message) == (Code.FAILED_PRECONDITION, True)


def test_what_others_write_on_what_was_deleted_brings_nothing_back(registry: Registry, requests: Requests) -> None:
    artifact_id = version(registry, 1).artifact_id
    registry("ArchiveModelVersion", model="fraud", version="1")
    assert [[one.artifact_id for one in batch] for batch in collect(requests.artifacts, [artifact_id])] == [
        [artifact_id]
    ]
    (context,) = registry("GetContextsByID", context_ids=[version(registry, 1).id]).contexts
    context.properties["state"].string_value = "LIVE"
    registry("PutContexts", contexts=[context])  # as any program may write it
    check_refused(registry, Code.FAILED_PRECONDITION, "DELETED")
    registry("PutArtifacts", artifacts=[pb.Artifact(id=artifact_id, uri="s3://x/y", state=pb.Artifact.LIVE)])
    check_refused(registry, Code.FAILED_PRECONDITION, f"the files of artifact {artifact_id} were deleted")


def test_a_version_whose_context_was_purged(registry: Registry, admin: Admin) -> None:
    context_id = version(registry, 1).id
    admin.purge(kind=CONTEXT, ids=[context_id])
    check_refused(registry, Code.FAILED_PRECONDITION, f"its context {context_id} was purged")


def test_a_version_whose_model_artifact_was_purged(registry: Registry, admin: Admin) -> None:
    admin.purge(kind=ARTIFACT, ids=[version(registry, 1).model_artifact_id])
    check_refused(registry, Code.FAILED_PRECONDITION, "its kf.ModelArtifact was purged")


def test_what_was_purged_elsewhere_keeps_no_version_from_an_alias(
    registry: Registry, admin: Admin, requests: Requests
) -> None:
    gone = upload(requests, b"no version")
    admin.purge(kind=ARTIFACT, ids=[gone], include_bytes=True)
    # Nodes of other kinds have the ids of the version's artifact and context.
    first = version(registry, 1)
    runs = registry("PutExecutionType", execution_type=pb.ExecutionType(name="Run")).type_id
    made = [pb.Execution(type_id=runs) for _ in range(max(first.artifact_id, first.id))]
    executions = registry("PutExecutions", executions=made).execution_ids
    admin.purge(kind=v1.NODE_KIND_EXECUTION, ids=executions)
    assert registry("RollbackModelAlias", **CHAMPION).move.to_number == 1


def test_the_model_artifact_of_what_is_served_is_not_purged(registry: Registry, admin: Admin) -> None:
    served, other = version(registry, 2).model_artifact_id, version(registry, 1).model_artifact_id
    (obstacle,) = admin("Purge", kind=ARTIFACT, ids=[served]).obstacles
    assert obstacle == f"The alias 'champion' of fraud points at artifact {served}; move or remove it first."
    with pytest.raises(FailedPrecondition, match="'champion'"):
        admin.purge(kind=ARTIFACT, ids=[served])
    assert version(registry, 2).uri
    assert admin.purge(kind=ARTIFACT, ids=[other]).purged
    registry("MoveModelAlias", **CHAMPION, version="")
    assert admin.purge(kind=ARTIFACT, ids=[served]).purged


def test_files_that_somebody_deleted_and_a_verification_missed(registry: Registry, requests: Requests) -> None:
    artifact_id = version(registry, 1).artifact_id
    requests.artifacts.blobs.delete([key for key in keys(requests.artifacts.blobs) if f"/{artifact_id}/" in key])
    list(verify(requests.artifacts, artifact_ids=[artifact_id]))
    check_refused(registry, Code.DATA_LOSS, "the file 'f'", "missing or changed")


def test_versions_of_a_collection_whose_files_are_gone(registry: Registry, requests: Requests) -> None:
    name = {"type_name": "system.Model", "name": "data"}
    made = [upload(requests, b"data %d" % number, collection="data") for number in range(3)]
    requests.artifacts.blobs.delete([key for key in keys(requests.artifacts.blobs) if f"/{made[0]}/" in key])
    list(verify(requests.artifacts, artifact_ids=made))
    registry("PutArtifacts", artifacts=[pb.Artifact(id=made[1], state=pb.Artifact.MARKED_FOR_DELETION)])
    for number, code, word in ((1, Code.DATA_LOSS, "'f'"), (2, Code.FAILED_PRECONDITION, "MARKED_FOR_DELETION")):
        refused = registry.error("MoveAlias", **name, alias="a", number=number)
        assert (refused.code, word in refused.message, f"version {number} of" in refused.message) == (code, True, True)
    assert registry("MoveAlias", **name, alias="a", number=3).move.to_number == 3
    assert registry("MoveAlias", **name, alias="a", number=0).move.to_number == 0
