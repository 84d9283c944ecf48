"""What a service runs is neither purged nor collected, and the refusal names the service."""

from typing import Any

import pytest
from mlmd_artifact_store.garbage_collection import collect, plan
from mlmd_artifact_store.keep_rules import Rules
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1.registry_pb2 import (
    DEPLOYMENT_STATE_FAILED,
    DEPLOYMENT_STATE_PENDING,
    DEPLOYMENT_STATE_RUNNING,
    DEPLOYMENT_STATE_STOPPED,
)

from tests.artifact_store.care import Admin, upload
from tests.artifact_store.test_source_races import between
from tests.model_registry.conftest import Registry
from tests.model_registry.kubeflow.direct import Direct

ARTIFACT, EXECUTION, CONTEXT = v1.NODE_KIND_ARTIFACT, v1.NODE_KIND_EXECUTION, v1.NODE_KIND_CONTEXT
SCORER = {"environment": "prod/eu", "service": "scorer", "model": "fraud"}
MEND = "let another version run there, or record with RecordDeployment that it is STOPPED."


@pytest.fixture
def version(requests: Requests, registry: Registry) -> Any:
    """Version 1 of `fraud`, with files here."""
    return registry.version(artifact_id=upload(requests, b"model"))


def runs(registry: Registry, state: int = DEPLOYMENT_STATE_RUNNING, version: str = "1") -> Any:
    """Record what became of the service; return the deployment."""
    return registry("RecordDeployment", **SCORER, version=version, state=state).deployment


def obstacles(admin: Admin, kind: v1.NodeKind, node_id: int, **fields: Any) -> list[str]:
    """Return what forbids the purge of a node."""
    return list(admin("Purge", kind=kind, ids=[node_id], **fields).obstacles)


@pytest.mark.parametrize("state", [DEPLOYMENT_STATE_PENDING, DEPLOYMENT_STATE_RUNNING])
def test_what_a_service_runs_is_not_purged(registry: Registry, admin: Admin, version: Any, state: int) -> None:
    deployment = runs(registry, state)
    told = f"The service 'scorer' in 'prod/eu' serves version 1 of the model 'fraud' ({{}}); {MEND}"
    for kind, node_id, fields in (
        (ARTIFACT, version.artifact_id, {"include_bytes": True}),
        (ARTIFACT, version.artifact_id, {}),
        (ARTIFACT, version.model_artifact_id, {}),
        (CONTEXT, version.id, {}),
        (CONTEXT, deployment.id, {}),
        (EXECUTION, deployment.execution_id, {}),
    ):
        noun = v1.NodeKind.Name(kind).removeprefix("NODE_KIND_").lower()
        assert obstacles(admin, kind, node_id, **fields) == [told.format(f"{noun} {node_id}")]
        with pytest.raises(FailedPrecondition, match=r"'scorer' in 'prod/eu' .* Nothing was purged"):
            admin.purge(kind=kind, ids=[node_id], **fields)
    assert b"".join(admin.requests.artifacts.read(version.artifact_id, "f")) == b"model"


@pytest.mark.parametrize("state", [DEPLOYMENT_STATE_STOPPED, DEPLOYMENT_STATE_FAILED])
def test_what_no_service_runs_any_more_can_be_purged(
    registry: Registry, admin: Admin, version: Any, state: int
) -> None:
    deployment = runs(registry)
    runs(registry, state)
    assert admin.purge(kind=CONTEXT, ids=[version.id]).purged
    assert admin.purge(kind=ARTIFACT, ids=[version.artifact_id], include_bytes=True).purged
    assert admin.purge(kind=EXECUTION, ids=[deployment.execution_id]).purged


def test_another_version_that_runs_there_lets_the_first_go(
    requests: Requests, registry: Registry, admin: Admin, version: Any
) -> None:
    other = registry.version(artifact_id=upload(requests, b"other"))
    runs(registry)
    runs(registry, version="2")
    assert not obstacles(admin, ARTIFACT, version.artifact_id)
    assert "version 2" in obstacles(admin, ARTIFACT, other.artifact_id)[0]


@pytest.fixture
def wished(registry: Registry, version: Any) -> Direct:
    """Version 1 archived, and a service of Kubeflow's registry that is to be DEPLOYED with it, without executions."""
    registry("ArchiveModelVersion", model="fraud", version="1")
    direct = Direct(registry.store)
    environment = direct("createServingEnvironment", body={"name": "prod"})["id"]
    service = {"name": "scorer", "servingEnvironmentId": environment, "registeredModelId": str(version.model_id)}
    direct("createInferenceService", body=service | {"modelVersionId": str(version.id)})
    return direct


def test_a_service_that_is_to_be_deployed_keeps_its_version(
    wished: Direct, registry: Registry, admin: Admin, version: Any
) -> None:
    (obstacle,) = obstacles(admin, ARTIFACT, version.artifact_id, include_bytes=True)
    assert obstacle.startswith("The service 'scorer' in 'prod' serves version 1 of the model 'fraud'")
    assert admin.garbage(dry_run=False) == []
    (reason,) = admin.why(version.artifact_id).reasons
    assert reason.rule == v1.KeptReason.RULE_RUNNING
    assert reason.text == "the service 'scorer' in 'prod' serves it as version 1 of the model 'fraud'"
    (service,) = wished("getInferenceServices")["items"]
    wished("updateInferenceService", service["id"], {"desiredState": "UNDEPLOYED"})
    assert not obstacles(admin, ARTIFACT, version.artifact_id)
    assert admin.garbage(dry_run=False) == [version.artifact_id]


def test_what_is_only_to_be_deployed_can_be_archived_and_keeps_its_bytes(
    wished: Direct, registry: Registry, admin: Admin, version: Any
) -> None:
    registry("RestoreModelVersion", model="fraud", version="1")
    registry("ArchiveModelVersion", model="fraud", version="1")
    registry("ArchiveModel", model="fraud")
    assert admin.garbage(dry_run=False) == []


def test_what_is_to_be_deployed_since_the_plan_stays(
    requests: Requests, registry: Registry, wished: Direct, version: Any
) -> None:
    (service,) = wished("getInferenceServices")["items"]
    wished("updateInferenceService", service["id"], {"desiredState": "UNDEPLOYED"})
    chosen = plan(requests.artifacts, Rules(0, 0))
    assert chosen.garbage == [version.artifact_id]
    wished("updateInferenceService", service["id"], {"desiredState": "DEPLOYED"})
    assert list(collect(requests.artifacts, chosen.garbage, seen=chosen.keeping)) == [[]]


def test_why_names_the_service(registry: Registry, admin: Admin, version: Any) -> None:
    deployment = runs(registry)
    texts = [reason.text for reason in admin.why(version.artifact_id).reasons]
    assert texts == [
        "it is version 1 of the registered model fraud, which is not archived",
        f"the execution {deployment.execution_id}, which has not ended, uses it",
        "the service 'scorer' in 'prod/eu' serves it as version 1 of the model 'fraud'",
    ]
    assert admin.garbage() == []


def test_contexts_that_serve_nothing_forbid_nothing(registry: Registry, admin: Admin, version: Any) -> None:
    deployment = runs(registry)
    kind = registry("PutContextType", context_type={"name": "Team"}).type_id
    (team,) = registry("PutContexts", contexts=[{"type_id": kind, "name": "team"}]).context_ids
    link = {"context_id": team, "execution_id": deployment.execution_id}
    registry("PutAttributionsAndAssociations", associations=[link])
    assert len(obstacles(admin, ARTIFACT, version.artifact_id)) == 1
    assert not obstacles(admin, CONTEXT, team)


@pytest.mark.parametrize("kind", [ARTIFACT, CONTEXT])
def test_what_comes_to_run_during_a_purge_is_refused(
    registry: Registry, admin: Admin, version: Any, database_url: str, kind: v1.NodeKind
) -> None:
    fields = {"kind": kind, "ids": [version.artifact_id if kind == ARTIFACT else version.id]}
    digest, other = admin("Purge", **fields).digest, Store.open(database_url)
    purged, refused = between(
        registry.store,
        "DELETE ContextProperty" if kind == CONTEXT else "DELETE ArtifactProperty",
        lambda: admin("Purge", **fields, digest=digest, reason="r").purged,
        lambda: runs(Registry(other)),
    )
    other.close()
    assert purged is True
    assert isinstance(refused, FailedPrecondition), refused
    assert not registry("ListDeployments").deployments


def test_what_kubeflow_comes_to_serve_while_garbage_is_deleted_is_refused(
    requests: Requests, registry: Registry, wished: Direct, version: Any, database_url: str
) -> None:
    (service,) = wished("getInferenceServices")["items"]
    wished("updateInferenceService", service["id"], {"desiredState": "UNDEPLOYED"})
    other = Store.open(database_url)
    deleted, refused = between(
        requests.artifacts.store,
        "DELETE mlmd_manifests",
        lambda: [len(batch) for batch in collect(requests.artifacts, [version.artifact_id])],
        lambda: Direct(other)("createInferenceServiceServe", service["id"], {"modelVersionId": str(version.id)}),
    )
    other.close()
    assert deleted == [1]
    assert isinstance(refused, FailedPrecondition), refused
