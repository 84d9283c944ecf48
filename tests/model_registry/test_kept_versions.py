"""The collection of garbage leaves what the registry may come back to."""

from mlmd_artifact_store.garbage_collection import collect, plan
from mlmd_artifact_store.keep_rules import Rules, decided, reasons
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1.registry_pb2 import DEPLOYMENT_STATE_RUNNING

from tests.artifact_store.care import Admin, upload
from tests.artifact_store.test_care_races import both
from tests.artifact_store.test_named_places import naming
from tests.artifact_store.test_source_races import between
from tests.artifact_store.uploads import artifact
from tests.model_registry.conftest import Registry

CHAMPION = {"model": "fraud", "alias": "champion"}
ROUNDS = 12


def registered(requests: Requests, registry: Registry, count: int) -> list[int]:
    """Upload so many models, register each as a version of `fraud`, and return the artifacts."""
    made = [upload(requests, b"model %d" % number) for number in range(1, count + 1)]
    for artifact_id in made:
        registry.version(artifact_id=artifact_id)
    return made


def test_an_alias_can_be_rolled_back_after_garbage_was_collected(
    requests: Requests, registry: Registry, admin: Admin
) -> None:
    made = registered(requests, registry, 3)
    for number in (1, 2, 3):
        registry("MoveModelAlias", **CHAMPION, version=str(number))
    assert admin.garbage(dry_run=False) == []
    assert registry("RollbackModelAlias", **CHAMPION).move.to_number == 2
    assert registry("RollbackModelAlias", **CHAMPION).move.to_number == 1
    assert b"".join(requests.artifacts.read(made[0], "f")) == b"model 1"


def test_why_says_of_which_model_it_is_a_version(requests: Requests, registry: Registry, admin: Admin) -> None:
    (artifact_id,) = registered(requests, registry, 1)
    (reason,) = admin.why(artifact_id).reasons
    assert reason.rule == v1.KeptReason.RULE_REGISTERED
    assert reason.text == "it is version 1 of the registered model fraud, which is not archived"


def test_what_is_archived_goes(requests: Requests, registry: Registry, admin: Admin) -> None:
    first, second, third = registered(requests, registry, 3)
    registry("ArchiveModelVersion", model="fraud", version="2")
    assert admin.garbage() == [second]
    registry("RestoreModelVersion", model="fraud", version="2")
    assert admin.garbage() == []
    registry("ArchiveModelVersion", model="fraud", version="2")
    assert admin.garbage(dry_run=False) == [second]
    registry("ArchiveModel", model="fraud")
    assert admin.garbage() == [first, third]
    registry("RestoreModel", model="fraud")
    assert admin.garbage() == []


def test_what_people_keep_is_the_same_without_the_names(requests: Requests, registry: Registry, admin: Admin) -> None:
    made = [*registered(requests, registry, 3), upload(requests, b"pinned"), upload(requests, b"loose")]
    registry("ArchiveModelVersion", model="fraud", version="2")
    registry("MoveModelAlias", **CHAMPION, version="1")
    admin("PinArtifact", artifact_id=made[3])

    def both_ways(tx: Transaction) -> tuple[set[int], set[int]]:
        return decided(tx), {reason.artifact_id for reason in reasons(tx, Rules(0, 0))}

    by_ids, by_reasons = requests.artifacts.store.database.read(LOCAL, both_ways)
    assert by_ids == by_reasons == {made[0], made[2], made[3]}


def test_a_version_that_was_purged_keeps_nothing(requests: Requests, registry: Registry, admin: Admin) -> None:
    first, _ = registered(requests, registry, 2)
    context_id = registry("GetModelVersion", model="fraud", version="1").version.id
    admin.purge(kind=v1.NODE_KIND_CONTEXT, ids=[context_id])
    assert admin.garbage() == [first]


def test_what_was_registered_by_its_uri_is_the_artifact_that_has_the_files(
    requests: Requests, registry: Registry, admin: Admin
) -> None:
    made = upload(requests, b"model")
    uri = artifact(requests.artifacts.store, made).uri
    naming(requests, uri)  # a newer one, as an importer makes it
    assert registry.version(uri=uri).artifact_id == made
    registry.version(uri=f"{uri}f")
    registry("ArchiveModelVersion", model="fraud", version="1")
    assert admin.garbage() == []
    registry("ArchiveModelVersion", model="fraud", version="2")
    assert admin.garbage() == [made]


def test_what_is_registered_a_moment_later_stays(requests: Requests, registry: Registry) -> None:
    first, second = (upload(requests, b"%d" % number) for number in range(2))
    chosen = plan(requests.artifacts, Rules(0, 0))
    assert chosen.garbage == [first, second]
    registry.version(artifact_id=first)
    deleted = [one.artifact_id for batch in collect(requests.artifacts, chosen.garbage) for one in batch]
    assert deleted == [second]


def test_a_version_is_registered_or_its_bytes_are_deleted(requests: Requests, database_url: str) -> None:
    artifacts, other = requests.artifacts, Store.open(database_url)
    registry = Registry(other)
    registry.version(artifact_id=upload(requests, b"first"))
    for number in range(ROUNDS):
        made = upload(requests, b"%d" % number)

        def register(made: int = made) -> None:
            registry.version(artifact_id=made)

        def delete(made: int = made) -> None:
            list(collect(artifacts, [made]))

        kept, _ = both(register, delete)
        assert kept != (artifact(artifacts.store, made).state == pb.Artifact.DELETED)
        assert not kept or b"".join(artifacts.read(made, "f")) == b"%d" % number
    other.close()


def test_what_is_deployed_while_garbage_is_deleted_has_its_files_or_is_refused(
    requests: Requests, registry: Registry, database_url: str
) -> None:
    (archived,) = registered(requests, registry, 1)
    registry("ArchiveModelVersion", model="fraud", version="1")
    other = Store.open(database_url)
    deployed = {"environment": "prod", "service": "s", "model": "fraud", "version": "1"}
    deleted, refused = between(
        requests.artifacts.store,
        "DELETE mlmd_manifests",
        lambda: [len(batch) for batch in collect(requests.artifacts, [archived])],
        lambda: Registry(other)("RecordDeployment", **deployed, state=DEPLOYMENT_STATE_RUNNING),
    )
    other.close()
    assert deleted == [1]
    assert isinstance(refused, FailedPrecondition), refused
    assert not registry("ListDeployments").deployments
