"""An archived version comes back into use only while its files are there."""

from typing import Any

import pytest
from mlmd_artifact_store.garbage_collection import collect
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.verification import verify
from mlmd_metadata_store.store import Store
from mlmd_model_registry.resolution import resolve
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, FailedPrecondition
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1 import registry_pb2

from tests.artifact_store.care import Admin, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.test_source_races import between
from tests.artifact_store.uploads import artifact
from tests.model_registry.conftest import Registry
from tests.model_registry.kubeflow.direct import Direct

FIRST = {"model": "fraud", "version": "1"}


@pytest.fixture
def archived(requests: Requests, registry: Registry) -> Any:
    """Version 1 of `fraud`, archived, with its files here."""
    registry.version(artifact_id=upload(requests, b"model"))
    return registry("ArchiveModelVersion", **FIRST).version


def state(registry: Registry) -> int:
    return int(registry("GetModelVersion", **FIRST).version.state)


def test_files_that_gc_deleted_leave_it_archived(requests: Requests, registry: Registry, archived: Any) -> None:
    assert [len(batch) for batch in collect(requests.artifacts, [archived.artifact_id])] == [1]
    refused = registry.error("RestoreModelVersion", **FIRST)
    assert refused.code is Code.FAILED_PRECONDITION
    gone = f"the files of version 1 are gone: artifact {archived.artifact_id} is DELETED. Version 1 stays archived."
    assert refused.message == f"version: {gone}"
    direct = Direct(registry.store)
    with pytest.raises(FailedPrecondition, match="are gone"):
        direct("updateModelVersion", str(archived.id), {"state": "LIVE"})
    assert direct("updateModelVersion", str(archived.id), {"description": "gone"})["description"] == "gone"
    assert state(registry) == registry_pb2.MODEL_STATE_ARCHIVED


def test_what_was_purged_stays_archived(registry: Registry, admin: Admin, archived: Any) -> None:
    admin.purge(kind=v1.NODE_KIND_ARTIFACT, ids=[archived.artifact_id])
    assert f"artifact {archived.artifact_id} was purged" in registry.error("RestoreModelVersion", **FIRST).message


def test_files_that_the_uri_names_have_to_be_there_too(requests: Requests, registry: Registry) -> None:
    held = upload(requests, b"model")
    registry.version(uri=artifact(requests.artifacts.store, held).uri + "f")
    registry("MoveModelAlias", **FIRST, alias="champion")
    registry("MoveModelAlias", model="fraud", alias="champion")
    registry("ArchiveModelVersion", **FIRST)
    assert [len(batch) for batch in collect(requests.artifacts, [held])] == [1]
    told = registry.error("RestoreModelVersion", **FIRST).message
    assert f"is where the files of artifact {held} were, and these were deleted" in told


def test_what_can_be_mended_comes_back(requests: Requests, registry: Registry, archived: Any) -> None:
    registry("CreateModelVersion", model="fraud", create_model=True, artifact_id=upload(requests, b"other"))
    requests.artifacts.blobs.delete(
        [key for key in keys(requests.artifacts.blobs) if f"/{archived.artifact_id}/" in key]
    )
    list(verify(requests.artifacts))
    registry("RestoreModelVersion", **FIRST)
    direct = Direct(registry.store)
    model = direct("getRegisteredModels")["items"][0]["id"]
    bare = direct("createRegisteredModelVersion", model, {"name": "bare", "state": "ARCHIVED"})["id"]
    assert direct("updateModelVersion", bare, {"state": "LIVE"})["state"] == "LIVE"


@pytest.mark.parametrize("way", ["ours", "Kubeflow's"])
def test_it_waits_for_what_deletes_its_files_and_is_refused(
    requests: Requests, registry: Registry, archived: Any, database_url: str, way: str
) -> None:
    other = Store.open(database_url)

    def restore() -> object:
        if way == "ours":
            return Registry(other)("RestoreModelVersion", **FIRST)
        return Direct(other)("updateModelVersion", str(archived.id), {"state": "LIVE"})

    deleted, refused = between(
        requests.artifacts.store,
        "DELETE mlmd_manifests",
        lambda: [len(batch) for batch in collect(requests.artifacts, [archived.artifact_id])],
        restore,
    )
    other.close()
    assert deleted == [1]
    assert isinstance(refused, FailedPrecondition), refused
    assert state(registry) == registry_pb2.MODEL_STATE_ARCHIVED


def resolved(registry: Registry, uri: str) -> int:
    """Return the number of the version that an URI leads to."""
    request = registry_pb2.ResolveModelRequest(uri=uri)
    answer = registry.store.database.read(LOCAL, lambda tx: resolve(tx, request))
    return answer.response.number


def test_a_restored_model_hands_out_no_version_whose_files_are_gone(requests: Requests, registry: Registry) -> None:
    held = [registry.version(artifact_id=upload(requests, b"model %d" % number)) for number in range(2)]
    registry("ArchiveModel", model="fraud")
    assert [len(batch) for batch in collect(requests.artifacts, [held[1].artifact_id])] == [1]
    registry("RestoreModel", model="fraud")
    assert [one.number for one in registry("ListModelVersions", model="fraud").versions] == [2, 1]
    second = {"model": "fraud", "version": "2"}
    for uri in ("models:/fraud", "models:/fraud/2"):
        with pytest.raises(FailedPrecondition, match="DELETED"):
            resolved(registry, uri)
    assert registry.error("MoveModelAlias", **second, alias="champion").code is Code.FAILED_PRECONDITION
    assert resolved(registry, "models:/fraud/1") == 1
    registry("ArchiveModelVersion", **second)
    assert resolved(registry, "models:/fraud") == 1
    assert registry.error("RestoreModelVersion", **second).code is Code.FAILED_PRECONDITION
