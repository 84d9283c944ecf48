"""Whoever keeps an artifact that names another's files, and whoever deletes these, do not overlook each other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.garbage_collection import collect
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1

from tests.artifact_store.care import Admin, alias, opened, upload
from tests.artifact_store.test_source_races import between
from tests.artifact_store.uploads import artifact
from tests.metadata_store.calls import Calls


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    with opened(database_url, tmp_path) as requests:
        yield requests


@pytest.fixture
def other(database_url: str, requests: Requests) -> Iterator[Requests]:
    """The same stores, opened by another server."""
    store = Store.open(database_url)
    yield Requests(Artifacts(store, requests.artifacts.blobs))
    store.close()


def named_version(requests: Requests, held: int) -> int:
    """Make version 1 of `m`, which says by its uri that its file is another artifact's."""
    uri = artifact(requests.artifacts.store, held).uri + "f"
    made = pb.Artifact(uri=uri, state=pb.Artifact.LIVE).SerializeToString()
    add = Calls(requests.artifacts.store)
    return int(add("AddVersion", type_name="system.Model", name="m", artifact=made).version.artifact_id)


def keeping(keeper: str, requests: Requests, named: int) -> Callable[[], object]:
    if keeper == "pin":
        return lambda: Admin(requests)("PinArtifact", artifact_id=named)
    return lambda: alias(requests, "m", "champion", 1)


@pytest.mark.parametrize("keeper", ["pin", "alias"])
@pytest.mark.parametrize("deleter", ["gc", "purge"])
def test_what_is_kept_while_its_files_are_deleted_is_refused(
    requests: Requests, other: Requests, keeper: str, deleter: str
) -> None:
    held = upload(requests, b"named")
    keep = keeping(keeper, other, named_version(requests, held))
    fields = {"kind": v1.NODE_KIND_ARTIFACT, "ids": [held], "include_bytes": True}
    digest = Admin(requests)("Purge", **fields).digest

    def delete() -> object:
        if deleter == "gc":
            return [len(batch) for batch in collect(requests.artifacts, [held])]
        return Admin(requests)("Purge", **fields, digest=digest, reason="r").purged

    deleted, kept = between(requests.artifacts.store, "DELETE mlmd_manifests", delete, keep)
    assert deleted in ([1], True)
    if deleter == "gc":
        assert isinstance(kept, FailedPrecondition), kept
        assert f"the files of artifact {held} were, and these were deleted (`mlmd show artifact:{held}`" in str(kept)


@pytest.mark.parametrize("keeper", ["pin", "alias"])
def test_what_was_kept_first_keeps_the_files(requests: Requests, other: Requests, keeper: str) -> None:
    held = upload(requests, b"named")
    keep = keeping(keeper, requests, named_version(requests, held))
    table = "mlmd_pins" if keeper == "pin" else "mlmd_aliases"
    kept, deleted = between(
        requests.artifacts.store,
        f"INSERT {table}",
        keep,
        lambda: [len(batch) for batch in collect(other.artifacts, [held])],
    )
    assert not isinstance(kept, BaseException), kept
    assert deleted == [0]
    assert b"".join(requests.artifacts.read(held, "f")) == b"named"


@pytest.mark.parametrize("keeper", ["pin", "alias"])
def test_what_has_files_of_its_own_can_be_kept_whatever_its_uri_says(requests: Requests, keeper: str) -> None:
    held, own = upload(requests, b"named"), upload(requests, b"own", collection="m")
    changed = artifact(requests.artifacts.store, own)
    changed.uri = artifact(requests.artifacts.store, held).uri
    Calls(requests.artifacts.store)("PutArtifacts", artifacts=[changed])
    assert [len(batch) for batch in collect(requests.artifacts, [held])] == [1]
    keeping(keeper, requests, own)()
    assert b"".join(requests.artifacts.read(own, "f")) == b"own"
