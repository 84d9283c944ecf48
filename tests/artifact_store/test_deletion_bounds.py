"""What a deletion touches: what it is for, wholly, and nothing else; and only in a place that is ours."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.externals import ExternalRoots
from mlmd_artifact_store.garbage_collection import collect
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.manifests import list_files
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.sweeping import sweep
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, NotFound, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.pb.v1.artifacts_pb2 import RecordExternalRequest, UploadFile

from tests.artifact_store.care import Admin, execution, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.uploads import artifact, begin, type_id, upload_file
from tests.services.ceph import S3Address
from tests.services.faulty_http import FaultyHttp, error

Delete = Callable[[Requests, list[int]], None]


def _collect(requests: Requests, artifact_ids: list[int]) -> None:
    list(collect(requests.artifacts, artifact_ids))


def _purge(requests: Requests, artifact_ids: list[int]) -> None:
    Admin(requests).purge(kind=v1.NODE_KIND_ARTIFACT, ids=artifact_ids, include_bytes=True)


@pytest.fixture(params=[_collect, _purge], ids=["gc", "purge"])
def delete(request: pytest.FixtureRequest) -> Delete:
    """A way to delete the bytes of artifacts."""
    chosen: Delete = request.param
    return chosen


def all_of(requests: Requests, artifact_id: int) -> Any:
    """Return everything that is known of an artifact, and its bytes."""
    artifacts = requests.artifacts
    return (
        artifact(artifacts.store, artifact_id),
        artifacts.manifest(artifact_id),
        [(file.path, file.size_bytes, file.sha256, file.etag) for file in artifacts.files(artifact_id)[1]],
        b"".join(artifacts.read(artifact_id, "f")),
    )


def test_what_is_chosen_goes_wholly_and_everything_else_stays(requests: Requests, delete: Delete) -> None:
    made = [upload(requests, b"%d" % number, "fraud" if number % 2 else "") for number in range(6)]
    gone, kept = made[1:3], [made[0], *made[3:]]
    before = {one: all_of(requests, one) for one in made}
    delete(requests, gone)
    assert {one: all_of(requests, one) for one in kept} == {one: before[one] for one in kept}
    store = requests.artifacts.store
    for one in gone:
        after = artifact(store, one)
        assert after.state == pb.Artifact.DELETED
        assert after.last_update_time_since_epoch > before[one][0].last_update_time_since_epoch
        with pytest.raises(NotFound):
            requests.artifacts.manifest(one)
        assert store.database.read(LOCAL, partial(list_files, artifact_id=one, after="", size=10)) == []
    assert sorted(int(key.split("/")[3]) for key in keys(requests.artifacts.blobs)) == kept


def test_in_a_place_that_another_store_took_nothing_is_forgotten(
    requests: Requests, blobs: BlobStore, delete: Delete, tmp_path: Path
) -> None:
    made = upload(requests)
    before = all_of(requests, made)
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}")
    Artifacts(other, blobs).ownership.take_over()
    with pytest.raises(FailedPrecondition, match="another store"):
        delete(requests, [made])
    with pytest.raises(FailedPrecondition, match="another store"):
        sweep(requests.artifacts, 3600)
    assert all_of(requests, made) == before
    assert not Admin(requests)("ListTombstones").tombstones
    assert Admin(requests).purge(kind=v1.NODE_KIND_ARTIFACT, ids=[made]).purged, "the facts are ours wherever they lie"
    other.close()


def test_facts_are_purged_while_the_bytes_are_out_of_reach(
    store: Store, s3: S3Address, bucket: str, proxy: FaultyHttp
) -> None:
    settings = S3Settings(bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key, busy_seconds=0.0)
    requests = Requests(Artifacts(store, S3Store(settings, "pre/")))
    made = upload(requests)
    proxy.fault = lambda request: error(500, "InternalError")
    admin = Admin(requests)
    with pytest.raises(Unavailable):
        admin.purge(kind=v1.NODE_KIND_ARTIFACT, ids=[made], include_bytes=True)
    assert admin.purge(kind=v1.NODE_KIND_ARTIFACT, ids=[made]).purged


def test_what_forbids_the_purge_of_an_artifact_forbids_nothing_of_a_run_with_its_number(
    store: Store, tmp_path: Path
) -> None:
    requests = Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))
    admin, pinned = Admin(requests), upload(requests)
    admin("PinArtifact", artifact_id=pinned)
    pending = requests.artifacts.begin_upload(begin(store, upload_file("f", b"x"))).artifact_id
    while execution(requests, [], []) < pending:
        pass
    assert admin.purge(kind=v1.NODE_KIND_EXECUTION, ids=[pinned, pending]).purged


def test_files_that_a_manifest_says_are_elsewhere_stay_even_where_its_own_would_be(
    requests: Requests, delete: Delete
) -> None:
    store, blobs = requests.artifacts.store, requests.artifacts.blobs
    key = f"_/system.Model/_/{upload(requests) + 1}/f"
    blobs.put(key, io.BytesIO(b"elsewhere"), 9)
    said = pb.Artifact(type_id=type_id(store), uri=blobs.uri(key.removesuffix("f"))).SerializeToString()
    request = RecordExternalRequest(artifact=said, files=[UploadFile(path="f", size_bytes=9)])
    reader = Artifacts(store, blobs, "", ExternalRoots([blobs.uri()]))
    recorded = store.database.write(LOCAL, lambda tx: reader.record_external(tx, request))
    made = recorded.manifest.artifact_id
    assert key.split("/")[3] == str(made)
    delete(requests, [made])
    assert key in keys(blobs)


def test_collecting_nothing_claims_no_place(store: Store, tmp_path: Path) -> None:
    artifacts = Artifacts(store, LocalStore(tmp_path / "artifacts"))
    assert list(collect(artifacts, [])) == []
    assert artifacts.ownership.owner() is None
