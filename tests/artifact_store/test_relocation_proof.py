"""Whether all that was copied to below another root is there: by size and ETag, by reading, and what is no proof."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlmd_artifact_store import relocation_proof
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.externals import ExternalRoots
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.verification import Verdict, verify
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.tables.own import FILE

from tests.artifact_store.care import upload
from tests.artifact_store.conformance.suite import md5
from tests.artifact_store.relocated import SEVERAL, copy, crowd, lacking, looked_for, moved_to, several
from tests.artifact_store.uploads import begin, send, type_id, upload_file
from tests.metadata_store.calls import counted
from tests.services.ceph import S3Address

InBucket = Callable[[str], BlobStore]
_OTHER_ETAG = sa.update(FILE).values(etag=md5(b"encrypted").hex())


@pytest.fixture
def in_bucket(s3: S3Address, bucket: str) -> InBucket:
    """Open a prefix of the test's bucket."""
    settings = S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)
    return lambda prefix: S3Store(settings, prefix)


def replace(blobs: BlobStore, key: str, content: bytes) -> None:
    """Put other bytes in the place of a blob."""
    blobs.put(key, io.BytesIO(content), len(content))


def prefix_of(requests: Requests, artifact_id: int) -> str:
    """Return where the files of an artifact are below the root."""
    return requests.artifacts.manifest(artifact_id).key_prefix


def recorded(requests: Requests, uri: str) -> int:
    """Record a file that somebody else keeps; this store reads that root."""
    store, root = requests.artifacts.store, requests.artifacts.place.root
    reading = Artifacts(store, requests.artifacts.blobs, externals=ExternalRoots([root]))
    made = pb.Artifact(type_id=type_id(store), uri=uri).SerializeToString()
    request = v1.RecordExternalRequest(artifact=made, files=[v1.UploadFile(path="data.csv", size_bytes=3)])
    return store.database.write(LOCAL, lambda tx: reading.record_external(tx, request)).manifest.artifact_id


@pytest.fixture(params=["folder", "bucket"])
def new(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """The new place."""
    if request.param == "folder":
        return LocalStore(tmp_path / "new")
    opened: InBucket = request.getfixturevalue("in_bucket")
    return opened("new/")


def test_what_is_missing_and_what_has_another_size(store: Store, tmp_path: Path, new: BlobStore) -> None:
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    one, many = upload(old, b"content"), several(old)
    copy(old.artifacts.blobs, new)
    requests, move = moved_to(old, new)
    assert [(one.artifact_id, one.path) for one in looked_for(requests, move)] == [
        (one, "f"),
        *((many, path) for path in sorted(SEVERAL)),
    ]
    assert lacking(looked_for(requests, move)) == []
    prefix = requests.artifacts.manifest(many).key_prefix
    new.delete([f"{prefix}f", f"{prefix}zz"])
    replace(new, f"{prefix}z", b"longer")
    wanted = [(many, "f", Verdict.MISSING), (many, "z", Verdict.CHANGED), (many, "zz", Verdict.MISSING)]
    assert lacking(looked_for(requests, move)) == lacking(looked_for(requests, move, read=True)) == wanted
    new.delete([requests.artifacts.manifest(one).key_prefix + "f"])
    assert lacking(looked_for(requests, move)) == [(one, "f", Verdict.MISSING), *wanted]


def test_a_bucket_tells_other_bytes_of_the_same_size(store: Store, tmp_path: Path, in_bucket: InBucket) -> None:
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    made, new = upload(old, b"content"), in_bucket("new/")
    copy(old.artifacts.blobs, new)
    requests, move = moved_to(old, new)
    (found,) = looked_for(requests, move)
    assert (found.verdict, found.by_size) == (Verdict.SAME, False)
    replace(new, requests.artifacts.manifest(made).key_prefix + "f", b"CONTENT")
    assert lacking(looked_for(requests, move)) == [(made, "f", Verdict.CHANGED)]


def test_in_a_folder_other_bytes_of_the_same_size_are_found_by_reading(store: Store, tmp_path: Path) -> None:
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    made, new = upload(old, b"content"), LocalStore(tmp_path / "new")
    copy(old.artifacts.blobs, new)
    (new.root / prefix_of(old, made) / "f").write_bytes(b"CONTENT")
    requests, move = moved_to(old, new)
    (found,) = looked_for(requests, move)
    assert (found.verdict, found.by_size) == (Verdict.SAME, True)
    assert lacking(looked_for(requests, move, read=True)) == [(made, "f", Verdict.CHANGED)]


def test_an_etag_that_is_no_md5_of_the_bytes_is_no_verdict(store: Store, tmp_path: Path, in_bucket: InBucket) -> None:
    """A bucket that is encrypted tells what looks like an MD5."""
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    made, new = upload(old, b"content"), in_bucket("new/")
    copy(old.artifacts.blobs, new)
    requests, move = moved_to(old, new)
    store.database.write(LOCAL, lambda tx: tx.execute(_OTHER_ETAG))
    (found,) = looked_for(requests, move)
    assert (found.artifact_id, found.verdict, found.by_size) == (made, Verdict.SAME, False)


def test_parts_of_another_size_make_another_etag(store: Store, in_bucket: InBucket) -> None:
    old = Requests(Artifacts(store, in_bucket("old/")))
    content = bytes(6 << 20)
    begun = old.artifacts.begin_upload(begin(store, upload_file("f", content, 5 << 20))).artifact_id
    send(old, begun, {"f": content})
    old.artifacts.commit_upload(begun)
    new = in_bucket("new/")
    copy(old.artifacts.blobs, new)  # sent whole
    requests, move = moved_to(old, new)
    (found,) = looked_for(requests, move)
    assert (found.verdict, found.by_size) == (Verdict.SAME, True)
    (found,) = looked_for(requests, move, read=True)
    assert (found.verdict, found.by_size) == (Verdict.SAME, False)


def test_what_was_lost_before_is_told_as_such(store: Store, tmp_path: Path) -> None:
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    upload(old, b"kept")
    lost, new = upload(old, b"lost"), LocalStore(tmp_path / "new")
    old.artifacts.blobs.delete([prefix_of(old, lost) + "f"])
    copy(old.artifacts.blobs, new)
    requests, move = moved_to(old, new)
    assert [one.was_damaged for one in looked_for(requests, move)] == [False, False]
    list(verify(old.artifacts))
    found = [one for one in looked_for(requests, move) if one.was_damaged]
    assert lacking(found) == [(lost, "f", Verdict.MISSING)]


def test_what_others_recorded_below_the_root_has_to_be_there(store: Store, tmp_path: Path) -> None:
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    upload(old)
    folder = f"{old.artifacts.place.root}kubeflow%20runs/1/"
    within = recorded(old, folder)
    recorded(old, f"{tmp_path.as_uri()}/older/1/")
    new = LocalStore(tmp_path / "new")
    copy(old.artifacts.blobs, new)
    requests, move = moved_to(old, new)
    assert lacking(looked_for(requests, move)) == [(within, "data.csv", Verdict.MISSING)]
    (new.root / "kubeflow runs" / "1").mkdir(parents=True)
    (new.root / "kubeflow runs" / "1" / "data.csv").write_bytes(b"a,b")
    assert lacking(looked_for(requests, move, read=True)) == []
    assert len(looked_for(requests, move)) == 2


def test_a_key_that_is_too_long_there_is_missing(store: Store, tmp_path: Path, in_bucket: InBucket) -> None:
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    path = "/".join(["long" * 20] * 8)
    begun = old.artifacts.begin_upload(begin(store, upload_file(path, b"x"))).artifact_id
    send(old, begun, {path: b"x"})
    old.artifacts.commit_upload(begun)
    requests, move = moved_to(old, in_bucket("p" * 400 + "/"))
    assert lacking(looked_for(requests, move)) == [(begun, path, Verdict.MISSING)]


def test_a_place_that_is_not_there_is_no_missing_file(store: Store, tmp_path: Path, s3: S3Address) -> None:
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    upload(old)
    settings = S3Settings("no-such-bucket", s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)
    requests, move = moved_to(old, S3Store(settings))
    with pytest.raises(FailedPrecondition, match="no-such-bucket"):
        looked_for(requests, move)


def test_statements_do_not_grow_with_artifacts(store: Store, tmp_path: Path) -> None:
    crowd(store, "s3://old/", 2500)
    requests, move = moved_to(
        Requests(Artifacts(store, LocalStore(tmp_path))), LocalStore(tmp_path / "new"), "s3://old"
    )
    with counted(store) as statements:
        assert len(lacking(looked_for(requests, move))) == 2500
    reads = [statement for statement in statements if "mlmd_" in statement]
    assert len(reads) < 10, reads


def test_an_artifact_of_many_files_is_read_in_pages(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relocation_proof, "LARGEST_PAGE", 3)
    for name in ("_FIRST", "_NEXT"):
        monkeypatch.setattr(relocation_proof, name, getattr(relocation_proof, name).limit(3))
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    made = [upload(old), several(old), upload(old), upload(old)]
    new = LocalStore(tmp_path / "new")
    copy(old.artifacts.blobs, new)
    requests, move = moved_to(old, new)
    expected = [(one, path) for one in made for path in (sorted(SEVERAL) if one == made[1] else ["f"])]
    assert [(one.artifact_id, one.path) for one in looked_for(requests, move)] == expected
    assert lacking(looked_for(requests, move)) == []
