"""A purge in a bucket that keeps versions leaves none of what is purged, or tells what is left."""

import io

import pytest
from minio import Minio
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import SMALLEST_PART_BYTES
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.sweeping import sweep, sweep_deletions
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.version_collections import adopt_version
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1

from tests.artifact_store.care import Admin, execution, upload
from tests.artifact_store.conformance.suite import content_of, put
from tests.artifact_store.test_restoring import CONTENTS, declare, recorded, restore
from tests.artifact_store.uploads import FIVE, begin, send, type_id, upload_file
from tests.artifact_store.versions import PREFIX, Settings, deny, versions
from tests.metadata_store.calls import Calls
from tests.services.faulty_http import Answer, FaultyHttp, Request, error

ARTIFACT = v1.NODE_KIND_ARTIFACT


@pytest.fixture
def blobs(make_settings: Settings) -> S3Store:
    """The store of blobs below an odd prefix."""
    return S3Store(make_settings(), PREFIX)


@pytest.fixture
def requests(sqlite_url: str, blobs: S3Store) -> Requests:
    """An artifact store on the bucket."""
    return Requests(Artifacts(Store.open(sqlite_url), blobs))


def test_purge_leaves_no_version(s3_admin: Minio, versioned: str, admin: Admin, requests: Requests) -> None:
    gone, kept = upload(requests, b"secret", collection="a b/%ü"), upload(requests, b"kept", collection="a b/%ü")
    looked = admin("Purge", kind=ARTIFACT, ids=[gone], include_bytes=True)
    assert list(looked.obstacles) == []
    assert len(versions(s3_admin, versioned, gone)) == 1
    admin.purge(kind=ARTIFACT, ids=[gone], include_bytes=True)
    assert versions(s3_admin, versioned, gone) == []
    assert b"".join(requests.artifacts.read(kept, "f")) == b"kept"


def test_purge_of_a_file_that_was_made_of_parts(
    s3_admin: Minio, versioned: str, admin: Admin, requests: Requests
) -> None:
    content = b"0" * SMALLEST_PART_BYTES + b"end"
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("big", content, FIVE)))
    assert send(requests, begun.artifact_id, {"big": content}) == [200, 200]
    requests.artifacts.commit_upload(begun.artifact_id)
    admin.purge(kind=ARTIFACT, ids=[begun.artifact_id], include_bytes=True)
    assert versions(s3_admin, versioned) == []


def test_gc_leaves_what_the_bucket_keeps_and_purge_takes_it(
    s3_admin: Minio, versioned: str, admin: Admin, requests: Requests
) -> None:
    first, second = upload(requests, b"one"), upload(requests, b"two", name="named")
    assert admin.garbage(dry_run=False) == [first, second]
    assert len(versions(s3_admin, versioned)) == 4  # each with the mark that it is deleted
    sweep(requests.artifacts, 3600)
    assert len(versions(s3_admin, versioned)) == 4
    admin.purge(kind=ARTIFACT, ids=[second], include_bytes=True)
    assert versions(s3_admin, versioned, second) == []
    assert len(versions(s3_admin, versioned, first)) == 2


def test_purge_takes_what_an_upload_left_that_was_given_up(
    s3_admin: Minio, versioned: str, admin: Admin, requests: Requests
) -> None:
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"secret")))
    send(requests, begun.artifact_id, {"f": b"secret"})
    requests.artifacts.abort_upload(begun.artifact_id)
    assert len(versions(s3_admin, versioned, begun.artifact_id)) == 2
    admin.purge(kind=ARTIFACT, ids=[begun.artifact_id], include_bytes=True)
    assert versions(s3_admin, versioned, begun.artifact_id) == []


def test_gc_of_what_was_purged_leaves_no_version(
    s3_admin: Minio, versioned: str, admin: Admin, requests: Requests
) -> None:
    made = upload(requests)
    admin.purge(kind=ARTIFACT, ids=[made])
    assert admin.garbage(dry_run=False) == [made]
    assert versions(s3_admin, versioned) == []


def test_gc_of_a_store_that_deletes_versions(
    s3_admin: Minio, versioned: str, make_settings: Settings, sqlite_url: str
) -> None:
    requests = Requests(Artifacts(Store.open(sqlite_url), S3Store(make_settings(delete_versions=True), PREFIX)))
    upload(requests)
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"x")))
    send(requests, begun.artifact_id, {"f": b"x"})
    requests.artifacts.abort_upload(begun.artifact_id)
    Admin(requests).garbage(dry_run=False)
    assert versions(s3_admin, versioned) == []


@pytest.mark.parametrize("step", ["versions=", "delete="])
def test_a_purge_that_is_broken_off_goes_on_with_the_next_sweep(
    s3_admin: Minio, versioned: str, admin: Admin, requests: Requests, proxy: FaultyHttp, step: str
) -> None:
    made = [upload(requests, b"%d" % number) for number in range(3)]
    fields = {"kind": ARTIFACT, "ids": made, "include_bytes": True}
    digest = admin("Purge", **fields).digest
    before = len(versions(s3_admin, versioned))
    reached: list[Request] = []

    def fault(request: Request) -> Answer | None:
        if step not in request.target:
            return None
        reached.append(request)  # the look before the purge may list versions
        return error(500, "InternalError") if len(reached) > (step == "versions=") else None

    proxy.fault = fault
    with pytest.raises(Unavailable, match="every sweep tries it again"):
        admin("Purge", **fields, digest=digest, reason="consent withdrawn")
    assert len(versions(s3_admin, versioned)) >= before
    assert sweep_deletions(requests.artifacts).failure_count == 3
    proxy.calm()
    swept = sweep_deletions(requests.artifacts)
    assert (swept.failure_count, swept.deleted) == (0, [])  # what was signed before may still come
    assert versions(s3_admin, versioned) == []
    reuploaded = s3_admin.put_object(versioned, f"{PREFIX}_/system.Model/_/{made[0]}/f", io.BytesIO(b"late"), 4)
    assert reuploaded.version_id
    sweep_deletions(requests.artifacts)
    assert versions(s3_admin, versioned) == []


def test_not_to_be_allowed_to_list_versions_forbids_a_purge(
    s3_admin: Minio, versioned: str, admin: Admin, requests: Requests
) -> None:
    made, run = upload(requests), upload(requests, b"other")
    fields = {"kind": ARTIFACT, "ids": [made], "include_bytes": True}
    digest = admin("Purge", **fields).digest
    deny(s3_admin, versioned, "s3:ListBucketVersions")
    (obstacle,) = admin("Purge", **fields).obstacles
    assert "grant it s3:ListBucketVersions and s3:DeleteObjectVersion" in obstacle
    assert "versioning: Enabled" in obstacle
    with pytest.raises(FailedPrecondition, match="Nothing was purged"):
        admin("Purge", **fields, digest=digest, reason="r")
    assert b"".join(requests.artifacts.read(made, "f")) == b"content"
    assert admin.purge(kind=ARTIFACT, ids=[run]).purged  # without its bytes
    executed = execution(requests, [made], [])
    assert admin.purge(kind=v1.NODE_KIND_EXECUTION, ids=[executed]).purged
    call = Calls(requests.artifacts.store)
    bare = pb.Artifact(type_id=type_id(call.store), uri="s3://elsewhere/data/")
    (elsewhere,) = call("PutArtifacts", artifacts=[bare]).artifact_ids
    assert admin.purge(kind=ARTIFACT, ids=[elsewhere], include_bytes=True).purged  # it never had any here
    deny(s3_admin, versioned, "s3:ListBucketVersions", "s3:GetBucketVersioning")
    (obstacle,) = admin("Purge", **fields).obstacles
    assert "s3:GetBucketVersioning is not permitted either" in obstacle
    deny(s3_admin, versioned)
    assert admin.purge(**fields).purged
    assert versions(s3_admin, versioned, made) == []


def test_a_bucket_without_versions_need_not_let_them_be_listed(
    s3_admin: Minio, bucket: str, admin: Admin, requests: Requests
) -> None:
    made = upload(requests)
    deny(s3_admin, bucket, "s3:ListBucketVersions")
    assert admin.purge(kind=ARTIFACT, ids=[made], include_bytes=True).purged
    assert versions_denied(s3_admin, bucket) == []


def versions_denied(s3_admin: Minio, bucket: str) -> list[str]:
    """Return what is in a bucket whose versions may not be listed."""
    keys = [one.object_name or "" for one in s3_admin.list_objects(bucket, PREFIX, recursive=True)]
    return [key for key in keys if "/.mlmd/" not in key]


def test_not_to_be_allowed_to_delete_versions_is_told_and_mended(
    s3_admin: Minio, versioned: str, admin: Admin, requests: Requests
) -> None:
    made = upload(requests)
    deny(s3_admin, versioned, "s3:DeleteObjectVersion")
    with pytest.raises(FailedPrecondition, match=r"still has 2 versions of blobs below .*Grant our user s3:DeleteObj"):
        admin.purge(kind=ARTIFACT, ids=[made], include_bytes=True)
    assert list(requests.artifacts.blobs.list()) == []  # hidden it is
    swept = sweep(requests.artifacts, 3600)
    assert swept.failure_count == 1
    assert f"the bytes of artifact {made}" in swept.failures[0]
    deny(s3_admin, versioned)
    assert sweep(requests.artifacts, 3600).failure_count == 0
    assert versions(s3_admin, versioned) == []


def test_uri_of_others_below_the_root_is_not_taken_for_the_artifacts(
    s3_admin: Minio, versioned: str, admin: Admin, requests: Requests
) -> None:
    kept = upload(requests)
    call = Calls(requests.artifacts.store)
    root = requests.artifacts.blobs.uri()
    for uri in (f"{root}_/system.Model/_/{kept}/", f"{root}_/", f"{root}", f"{root}_/system.Model/_/{kept + 1}x/"):
        made = pb.Artifact(type_id=type_id(call.store), uri=uri)
        (other,) = call("PutArtifacts", artifacts=[made]).artifact_ids
        admin.purge(kind=ARTIFACT, ids=[other], include_bytes=True)
    assert len(versions(s3_admin, versioned, kept)) == 1


@pytest.mark.parametrize("way", ["external", "restored", "collected", "purged before", "of a collection"])
def test_purge_takes_what_restores_left_that_were_given_up(
    s3_admin: Minio, versioned: str, admin: Admin, requests: Requests, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    artifacts, collection = requests.artifacts, way == "of a collection"
    artifact_id = recorded(requests, name=None if collection else "a b/~17")
    if collection:
        artifacts.store.database.write(LOCAL, lambda tx: adopt_version(tx, "system.Model", "in one", artifact_id))
    for _ in range(2):
        artifacts.begin_restore(artifact_id)
        declare(requests, artifact_id, upload_file("a.json", CONTENTS["a.json"]))
        assert send(requests, artifact_id, {"a.json": CONTENTS["a.json"]}) == [200]
        artifacts.abort_upload(artifact_id)
    stem = f"_/system.Model/{'in%20one' if collection else 'a%20b%2F~17'}/{artifact_id}"
    folders = {key.partition("~")[0] if collection else key.rpartition("~")[0] for key in versions(s3_admin, versioned)}
    assert folders == {stem}
    with monkeypatch.context() as later:
        later.setattr(Transaction, "agreed_ms", lambda tx: 10**13)
        assert sweep(artifacts, -1).deleted == [artifact_id], "nothing is noted of them any more"
    if way in ("restored", "collected", "purged before"):
        restore(requests, artifact_id)
    if way == "collected":
        assert admin.garbage(dry_run=False) == [artifact_id]
    others = [f"{stem}0~0a/a.json", f"{stem}/a.json", f"{stem}~0b/read.json", f"{stem}~0b/old", f"{stem}~file"]
    for other in others:  # another artifact's, what an upload would have, what can be read, no folder
        put(artifacts.blobs, other, b"other")
    artifacts.blobs.delete([f"{stem}~0b/old", f"{stem}~file"])
    before = len(versions(s3_admin, versioned))
    assert before > len(others) + 4
    if way == "purged before":
        admin.purge(kind=ARTIFACT, ids=[artifact_id])
        assert len(versions(s3_admin, versioned)) == before, "nobody asked for the bytes"
        assert admin.garbage(dry_run=False) == [artifact_id]
    else:
        admin.purge(kind=ARTIFACT, ids=[artifact_id], include_bytes=True)
    assert versions(s3_admin, versioned) == sorted([*others, f"{stem}~0b/old", f"{stem}~file"])
    assert content_of(artifacts.blobs, f"{stem}~0b/read.json") == b"other"


def test_a_restore_that_was_given_up_needs_a_look_at_versions(
    s3_admin: Minio, versioned: str, admin: Admin, requests: Requests
) -> None:
    fields = {"kind": ARTIFACT, "ids": [recorded(requests)], "include_bytes": True}
    deny(s3_admin, versioned, "s3:ListBucketVersions")
    (obstacle,) = admin("Purge", **fields).obstacles
    assert "grant it s3:ListBucketVersions" in obstacle
    deny(s3_admin, versioned)
    assert admin.purge(**fields).purged
