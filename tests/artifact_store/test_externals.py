"""Bytes that others wrote, as Kubeflow does: found by uri, listed, fetched, recorded, verified; and what is not."""

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import urllib3
from minio import Minio
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.external_folder import ExternalFolder
from mlmd_artifact_store.externals import ExternalRoots
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.opening import ReachOptions
from mlmd_artifact_store.requests import Requests, file_page
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.verification import Verdict, verify
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import DataLoss, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.care import upload
from tests.artifact_store.uploads import artifact, begin, type_id, upload_file
from tests.conftest import StartServer
from tests.metadata_store.calls import Calls
from tests.services.ceph import S3Address
from tests.services.ports import free_port

PIPELINE = "v2/artifacts/train/run-7/trainer"
CONTENTS = {"model.bin": bytes(range(256)) * 5, "sub/ü ö.json": b"{}"}
Write = Callable[[str, bytes], None]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store, on SQLite and on MariaDB."""
    opened = Store.open(database_url)
    yield opened
    opened.close()


class Elsewhere:
    """A place that others write to, and an artifact store that may read below `mlpipeline` there."""

    def __init__(self, uri: str, write: Write, requests: Requests) -> None:
        self.uri, self.write, self.requests = uri, write, requests
        self.artifacts = requests.artifacts

    def recorded(self, path: str) -> int:
        """Record an artifact by uri alone, as Kubeflow does."""
        made = pb.Artifact(type_id=type_id(self.artifacts.store), uri=f"{self.uri}/{path}", state=pb.Artifact.LIVE)
        (artifact_id,) = Calls(self.artifacts.store)("PutArtifacts", artifacts=[made]).artifact_ids
        return int(artifact_id)

    def listed(self, artifact_id: int) -> dict[str, v1.File]:
        """Return the files by path, taken in pages of one."""
        found: dict[str, v1.File] = {}
        token = ""
        while True:
            page = file_page(
                self.artifacts, v1.ListFilesRequest(artifact_id=artifact_id, page_size=1, page_token=token)
            )
            found |= {file.path: file for file in page.files}
            token = page.next_page_token
            if not token:
                return found

    def whole(self, artifact_id: int, path: str) -> bytes:
        """Read a file."""
        return b"".join(self.artifacts.read(artifact_id, path))


@pytest.fixture(params=["folder", "s3", "minio"])
def elsewhere(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Elsewhere:
    """A folder, and a bucket under both names of its scheme."""
    return elsewhere_in(request.param, request, store, tmp_path)


def elsewhere_in(place: str, request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Elsewhere:
    """Return the place of others of this kind."""
    own = LocalStore(tmp_path / "own")
    if place == "folder":
        folder = tmp_path / "their files"

        def write(key: str, content: bytes) -> None:
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(content)

        roots = ExternalRoots([(folder / "mlpipeline").as_uri()])
        return Elsewhere(folder.as_uri(), write, Requests(Artifacts(store, own, "", roots), "http://us"))
    s3: S3Address = request.getfixturevalue("s3")
    admin: Minio = request.getfixturevalue("s3_admin")
    bucket: str = request.getfixturevalue("bucket")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setenv("MINIO_ACCESS_KEY", s3.access_key)
    monkeypatch.setenv("MINIO_SECRET_KEY", s3.secret_key)

    def put(key: str, content: bytes) -> None:
        admin.put_object(bucket, key, io.BytesIO(content), len(content))

    roots = ExternalRoots([f"s3://{bucket}/mlpipeline/"], ReachOptions(s3.endpoint))
    return Elsewhere(f"{place}://{bucket}", put, Requests(Artifacts(store, own, "", roots), "http://us"))


@pytest.fixture
def s3_elsewhere(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Elsewhere:
    """A bucket."""
    return elsewhere_in("s3", request, store, tmp_path)


def test_a_folder_that_kubeflow_wrote(elsewhere: Elsewhere) -> None:
    for path, content in CONTENTS.items():
        elsewhere.write(f"mlpipeline/{PIPELINE}/model/{path}", content)
    elsewhere.write(f"mlpipeline/{PIPELINE}/model2/f", b"another's")
    for slash in ("", "/"):
        made = elsewhere.recorded(f"mlpipeline/{PIPELINE}/model{slash}")
        files = elsewhere.listed(made)
        assert {path: file.size_bytes for path, file in files.items()} == {
            path: len(content) for path, content in CONTENTS.items()
        }
        assert not any(file.verified or file.sha256 for file in files.values())
        for path, content in CONTENTS.items():
            assert elsewhere.whole(made, path) == content
            assert b"".join(elsewhere.artifacts.read_range(made, path, 1, 1)) == content[1:2]
        with pytest.raises(NotFound):
            elsewhere.whole(made, "../model2/f".removeprefix("../"))


def test_signed_requests_for_it(elsewhere: Elsewhere) -> None:
    elsewhere.write(f"mlpipeline/{PIPELINE}/metrics", b"0.9")
    made = elsewhere.recorded(f"mlpipeline/{PIPELINE}/metrics")
    (url,) = elsewhere.requests.download_page(v1.ListDownloadUrlsRequest(artifact_id=made)).urls
    assert url.file.path == "metrics"
    if elsewhere.uri.startswith("file"):
        assert url.request.url == f"http://us/artifacts/{made}/files/metrics"
        return
    with urllib3.PoolManager() as http:
        assert http.request("GET", url.request.url, retries=False).data == b"0.9"


def test_files_are_written_down_and_verified_later(elsewhere: Elsewhere) -> None:
    for path, content in CONTENTS.items():
        elsewhere.write(f"mlpipeline/{PIPELINE}/model/{path}", content)
    made = elsewhere.recorded(f"mlpipeline/{PIPELINE}/model?region=minio")
    artifacts = elsewhere.artifacts
    if elsewhere.uri.startswith("file"):
        made = elsewhere.recorded(f"mlpipeline/{PIPELINE}/model")
    manifest = artifacts.record_files(made)
    assert (manifest.is_external, manifest.file_count) == (True, 2)
    assert manifest.size_bytes == sum(map(len, CONTENTS.values()))
    assert manifest.root_uri == f"{elsewhere.uri}/mlpipeline/{PIPELINE}/model/"
    assert artifacts.record_files(made) == manifest
    assert {found.verdict for found in verify(artifacts)} == {Verdict.SAME}
    files = elsewhere.listed(made)
    assert all(file.verified for file in files.values())
    assert {path: file.sha256 for path, file in files.items()} == {
        path: hashlib.sha256(content).digest() for path, content in CONTENTS.items()
    }
    assert elsewhere.whole(made, "model.bin") == CONTENTS["model.bin"]
    elsewhere.write(f"mlpipeline/{PIPELINE}/model/model.bin", bytes(len(CONTENTS["model.bin"])))
    found = {it.path: it.verdict for it in verify(artifacts, artifact_ids=[made])}
    assert found == {"model.bin": Verdict.CHANGED, "sub/ü ö.json": Verdict.SAME}
    assert artifact(artifacts.store, made).custom_properties["mlmd_damaged_files"].int_value == 1
    with pytest.raises(DataLoss):
        elsewhere.whole(made, "model.bin")


def test_files_that_others_replaced_are_not_passed_off(elsewhere: Elsewhere) -> None:
    elsewhere.write("mlpipeline/r/f", b"before")
    made = elsewhere.recorded("mlpipeline/r/")
    elsewhere.artifacts.record_files(made)
    assert elsewhere.whole(made, "f") == b"before"
    elsewhere.write("mlpipeline/r/f", b"after!")
    reads: list[Callable[[], bytes]] = [
        lambda: elsewhere.whole(made, "f"),
        lambda: b"".join(elsewhere.artifacts.read_range(made, "f", 0, 3)),
    ]
    for read in reads:
        with pytest.raises(DataLoss, match="replaced"):
            read()
    assert [found.verdict for found in verify(elsewhere.artifacts)] == [Verdict.CHANGED]


def test_one_file_is_written_down(elsewhere: Elsewhere) -> None:
    elsewhere.write("mlpipeline/a/model.pkl", b"pickle")
    elsewhere.write("mlpipeline/a/model.pkl.json", b"{}")
    made = elsewhere.recorded("mlpipeline/a/model.pkl")
    manifest = elsewhere.artifacts.record_files(made)
    assert manifest.root_uri == f"{elsewhere.uri}/mlpipeline/a/"
    assert list(elsewhere.listed(made)) == ["model.pkl"]
    assert elsewhere.whole(made, "model.pkl") == b"pickle"


def test_a_file_that_is_directly_below_a_root_is_read_when_it_is_written_down(elsewhere: Elsewhere) -> None:
    elsewhere.write("mlpipeline/train.csv", b"1,2")
    made = elsewhere.recorded("mlpipeline/train.csv")
    assert elsewhere.whole(made, "train.csv") == b"1,2"
    assert elsewhere.artifacts.record_files(made).root_uri == f"{elsewhere.uri}/mlpipeline/"
    assert elsewhere.whole(made, "train.csv") == b"1,2"
    assert elsewhere.requests.fetch_requests(elsewhere.artifacts.manifest(made), ["train.csv"])
    assert [(found.path, found.verdict) for found in verify(elsewhere.artifacts)] == [("train.csv", Verdict.SAME)]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_root_may_be_an_artifact_itself(elsewhere: Elsewhere, slash: str) -> None:
    for path, content in CONTENTS.items():
        elsewhere.write(f"mlpipeline/{path}", content)
    elsewhere.write("mlpipeline2/f", b"another's")
    made = elsewhere.recorded(f"mlpipeline{slash}")
    assert set(elsewhere.listed(made)) == set(CONTENTS)
    for path, content in CONTENTS.items():
        assert elsewhere.whole(made, path) == content
    for path in ("", "mlpipeline", "/"):
        with pytest.raises((NotFound, InvalidArgument)):
            elsewhere.whole(made, path)
    assert elsewhere.artifacts.record_files(made).root_uri == f"{elsewhere.uri}/mlpipeline/"
    assert {found.path: found.verdict for found in verify(elsewhere.artifacts)} == dict.fromkeys(CONTENTS, Verdict.SAME)
    with pytest.raises(NotFound, match="below none of the roots"):
        elsewhere.listed(elsewhere.recorded("mlpipeline2"))


@pytest.mark.parametrize("uri", ["k/", "k", "single"])
def test_of_two_buckets_of_one_name_the_one_that_a_uri_says_is_read(
    store: Store, tmp_path: Path, s3: S3Address, s3_admin: Minio, bucket: str, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("MINIO_ACCESS_KEY", s3.access_key)
    monkeypatch.setenv("MINIO_SECRET_KEY", s3.secret_key)
    key = uri if uri == "single" else "k/f"
    s3_admin.put_object(bucket, key, io.BytesIO(b"here"), 4)
    nobody = f"http://127.0.0.1:{free_port()}"
    roots = ExternalRoots([f"s3://{bucket}?endpoint={at}" for at in (nobody, s3.endpoint)], ReachOptions())
    artifacts = Artifacts(store, LocalStore(tmp_path / "own"), "", roots)
    said = f"s3://{bucket}/{uri}?region=minio&endpoint={s3.endpoint}"
    (made,) = Calls(store)("PutArtifacts", artifacts=[pb.Artifact(type_id=type_id(store), uri=said)]).artifact_ids
    folder = "" if uri == "single" else "k/"
    assert artifacts.record_files(made).root_uri == f"s3://{bucket}/{folder}?endpoint={s3.endpoint}"
    path = key.rpartition("/")[2]
    assert b"".join(artifacts.read(made, path)) == b"here"
    assert [found.verdict for found in verify(artifacts)] == [Verdict.SAME]


@pytest.mark.parametrize("uri", ["s3://b/d/?region=r&endpoint=http://h:9000", "s3://b/d/f?endpoint=http://h:9000"])
def test_a_recorded_place_may_have_a_query(store: Store, tmp_path: Path, uri: str) -> None:
    artifacts = Artifacts(store, LocalStore(tmp_path / "own"))
    made = pb.Artifact(type_id=type_id(store), uri=uri).SerializeToString()
    request = v1.RecordExternalRequest(artifact=made, files=[v1.UploadFile(path="f", size_bytes=1)])
    recorded = store.database.write(LOCAL, lambda tx: artifacts.record_external(tx, request)).manifest
    assert recorded.root_uri == "s3://b/d/?endpoint=http://h:9000"


@pytest.mark.parametrize(
    ("uri", "said"),
    [("f", "no place"), ("s3://", "no place"), ("file:///", "no place"), ("s3://b", "no file or folder"),
     ("s3://b/d?region=r", "'s3://b/d' names one object; say one file, 'd'")],
)  # fmt: skip
def test_what_is_no_place_is_not_recorded(store: Store, tmp_path: Path, uri: str, said: str) -> None:
    artifacts = Artifacts(store, LocalStore(tmp_path / "own"))
    made = pb.Artifact(type_id=type_id(store), uri=uri).SerializeToString()
    request = v1.RecordExternalRequest(artifact=made, files=[v1.UploadFile(path="f", size_bytes=1)])
    with pytest.raises(InvalidArgument, match=said):
        store.database.write(LOCAL, lambda tx: artifacts.record_external(tx, request))


def test_recorded_digests_are_held_against_the_bytes(elsewhere: Elsewhere) -> None:
    store, artifacts = elsewhere.artifacts.store, elsewhere.artifacts
    elsewhere.write("mlpipeline/d/good", b"good")
    elsewhere.write("mlpipeline/d/lied", b"lied")
    made = pb.Artifact(type_id=type_id(store), uri=f"{elsewhere.uri}/mlpipeline/d/").SerializeToString()
    files = [
        v1.UploadFile(path=path, size_bytes=4, sha256=hashlib.sha256(b"good").digest())
        for path in ("good", "lied", "gone")
    ]
    request = v1.RecordExternalRequest(artifact=made, files=files)
    recorded = store.database.write(LOCAL, lambda tx: artifacts.record_external(tx, request)).manifest.artifact_id
    assert elsewhere.whole(recorded, "good") == b"good"
    with pytest.raises(DataLoss):
        elsewhere.whole(recorded, "lied")
    found = {it.path: it.verdict for it in verify(artifacts)}
    assert found == {"good": Verdict.SAME, "lied": Verdict.CHANGED, "gone": Verdict.MISSING}


def test_what_is_below_no_root_is_not_touched(elsewhere: Elsewhere) -> None:
    for key in ("secret", "mlpipeline2/f", "mlpipeline/in"):
        elsewhere.write(key, b"theirs")
    uris = [f"{elsewhere.uri}/{path}" for path in ("secret", "mlpipeline2/f", "mlpipeline/../secret", "")]
    uris += ["file:///etc/passwd", "http://127.0.0.1:1/x", "gs://b/k", "s3://another-bucket/mlpipeline/in", "nonsense"]
    uris += [f"{elsewhere.uri}/mlpipeline/in?endpoint=http://169.254.169.254"]
    store, artifacts = elsewhere.artifacts.store, elsewhere.artifacts
    kind = type_id(store)
    for uri in uris:
        (made,) = Calls(store)("PutArtifacts", artifacts=[pb.Artifact(type_id=kind, uri=uri)]).artifact_ids
        for attempt in (
            lambda made=made: elsewhere.listed(made),
            lambda made=made: elsewhere.whole(made, "f"),
            lambda made=made: artifacts.record_files(made),
        ):
            with pytest.raises((NotFound, FailedPrecondition, InvalidArgument)):
                attempt()
    own = artifacts.begin_upload(begin(store, upload_file("f", b"x"))).artifact_id
    with pytest.raises(FailedPrecondition, match="upload"):
        artifacts.record_files(own)
    with pytest.raises(NotFound):
        artifacts.record_files(10**9)
    nothing = elsewhere.recorded("mlpipeline/nothing")
    with pytest.raises(NotFound, match="nothing at"):
        artifacts.record_files(nothing)


@pytest.mark.parametrize("kind", ["folder", "s3", "minio"])
def test_a_uri_in_the_stores_own_place_is_told_from_one_elsewhere(
    request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path, kind: str
) -> None:
    store = Store.open(sqlite_url)
    if kind == "folder":
        blobs: BlobStore = LocalStore(tmp_path / "own")
        uri = f"{blobs.uri()}/new/"
    else:
        blobs = S3Store(S3Settings("bucket", "http://127.0.0.1:1", "us-east-1", "key", "secret"), "pre/")
        uri = f"{kind}://bucket/pre/new/"
    artifacts = Artifacts(store, blobs)
    made = [pb.Artifact(type_id=type_id(store), uri=told) for told in (uri, "s3://bucket/prefix/new/")]
    inside, outside = Calls(store)("PutArtifacts", artifacts=made).artifact_ids
    place = re.escape(f"{uri!r} is below {artifacts.place.root!r}")
    own = f"uri: {place}, where this store keeps what is uploaded to it"
    mend = "Upload the files, or ask the operator .*--artifacts-external-roots"
    with pytest.raises(NotFound, match=f"^{own}, .*{mend}"):
        artifacts.files(inside)
    with pytest.raises(NotFound, match=f"^{own}"):
        artifacts.file(inside, "f")
    with pytest.raises(FailedPrecondition, match=f"^{own}"):
        artifacts.record_files(inside)
    with pytest.raises(
        NotFound, match=r"^uri: 's3://bucket/prefix/new/' is not in this store, and below none of the roots"
    ):
        artifacts.files(outside)


def test_an_upload_that_was_given_up_is_told_as_one(store: Store, tmp_path: Path) -> None:
    artifacts = Artifacts(store, LocalStore(tmp_path / "own"))
    begun = artifacts.begin_upload(begin(store, upload_file("f", b"x")))
    artifacts.abort_upload(begun.artifact_id)
    with pytest.raises(NotFound, match=r"^artifact_id: .*its upload was not committed"):
        artifacts.files(begun.artifact_id)


def test_links_do_not_lead_out(store: Store, tmp_path: Path) -> None:
    root, secret = tmp_path / "root", tmp_path / "secret"
    (root / "in").mkdir(parents=True)
    secret.mkdir()
    (secret / "f").write_bytes(b"secret")
    (root / "in" / "link").symlink_to(secret / "f")
    (root / "out").symlink_to(secret)
    artifacts = Artifacts(store, LocalStore(tmp_path / "own"), "", ExternalRoots([root.as_uri()]))
    kind = type_id(store)
    for path in ("in", "out", "in/link"):
        made = pb.Artifact(type_id=kind, uri=f"{root.as_uri()}/{path}")
        (artifact_id,) = Calls(store)("PutArtifacts", artifacts=[made]).artifact_ids
        with pytest.raises(NotFound):
            artifacts.record_files(artifact_id)
        with pytest.raises(NotFound):
            b"".join(artifacts.read(artifact_id, "f" if path == "out" else "link"))
    assert not (root / ".mlmd").exists()


def recorded_unread(store: Store, artifacts: Artifacts, uri: str, path: str, content: bytes) -> int:
    """Record a file by what is said of it, which nobody reads."""
    artifact_made = pb.Artifact(type_id=type_id(store), uri=uri).SerializeToString()
    request = v1.RecordExternalRequest(artifact=artifact_made, files=[upload_file(path, content, md5s=[])])
    made = store.database.write(LOCAL, lambda tx: artifacts.record_external(tx, request))
    return made.manifest.artifact_id


@pytest.mark.parametrize("path", ["out/f", "file", "a/b/up"])
def test_links_do_not_lead_out_where_files_were_recorded_unread(store: Store, tmp_path: Path, path: str) -> None:
    root, secret = tmp_path / "outer" / "root", tmp_path / "secret"
    (root / "a" / "b").mkdir(parents=True)
    secret.mkdir()
    (secret / "f").write_bytes(b"secret")
    (root / "out").symlink_to(secret)
    (root / "file").symlink_to("../../secret/f")
    (root / "a" / "b" / "up").symlink_to(secret / "f")
    artifacts = Artifacts(store, LocalStore(tmp_path / "own"), "", ExternalRoots([root.parent.as_uri()]))
    artifact_id = recorded_unread(store, artifacts, f"{root.as_uri()}/", path, b"secret")
    with pytest.raises(NotFound, match="leads out of it"):
        artifacts.read(artifact_id, path)
    with pytest.raises(NotFound, match="leads out of it"):
        artifacts.read_range(artifact_id, path, 0, 3)
    assert [finding.verdict for finding in verify(artifacts)] == [Verdict.MISSING]


def test_a_link_that_changes_while_its_file_is_opened_does_not_lead_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, secret = tmp_path / "root", tmp_path / "secret"
    root.mkdir()
    (root / "f").write_bytes(b"public")
    secret.write_bytes(b"secret")
    link = root / "link"
    link.symlink_to("f")
    folder, opened = ExternalFolder(root), os.open

    def flip(path: str, *rest: Any, **named: Any) -> int:
        if path != f"{root}/link":
            return opened(path, *rest, **named)
        link.unlink()
        link.symlink_to(secret)
        try:
            return opened(path, *rest, **named)
        finally:
            link.unlink()
            link.symlink_to("f")

    assert b"".join(folder.read("link")) == b"public"
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "open", flip)
    with pytest.raises(NotFound, match="changed its place"):
        folder.read("link")
    assert len(os.listdir("/proc/self/fd")) == before


def test_links_that_lead_back_to_themselves_are_no_files(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "outer" / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "f").write_bytes(b"whole")
    (root / "loop").symlink_to("loop")
    (root / "a" / "again").symlink_to(root / "a")
    artifacts = Artifacts(store, LocalStore(tmp_path / "own"), "", ExternalRoots([root.parent.as_uri()]))
    kept = recorded_unread(store, artifacts, f"{root.as_uri()}/a/", "again/again/f", b"whole")
    assert b"".join(artifacts.read(kept, "again/again/f")) == b"whole"
    looped = recorded_unread(store, artifacts, f"{root.as_uri()}/", "loop/f", b"x")
    with pytest.raises(NotFound, match="leads back to itself"):
        artifacts.read_range(looped, "loop/f", 0, 1)
    made = pb.Artifact(type_id=type_id(store), uri=f"{root.as_uri()}/loop")
    (artifact_id,) = Calls(store)("PutArtifacts", artifacts=[made]).artifact_ids
    with pytest.raises(NotFound, match="leads back to itself"):
        artifacts.record_files(artifact_id)
    found = {finding.path: finding.verdict for finding in verify(artifacts)}
    assert found == {"again/again/f": Verdict.SAME, "loop/f": Verdict.MISSING}


def test_a_recorded_pipe_is_not_waited_for(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "outer" / "root"
    root.mkdir(parents=True)
    os.mkfifo(root / "pipe")
    artifacts = Artifacts(store, LocalStore(tmp_path / "own"), "", ExternalRoots([root.parent.as_uri()]))
    artifact_id = recorded_unread(store, artifacts, f"{root.as_uri()}/", "pipe", b"x")
    with pytest.raises(NotFound, match="is no file"):
        artifacts.read(artifact_id, "pipe")


def test_nothing_is_written_into_a_folder_of_others(store: Store, tmp_path: Path) -> None:
    others = tmp_path / "others"
    root = others / "root"
    root.mkdir(parents=True)
    (root / "large.bin").write_bytes(bytes(1 << 20))
    (root / "small.bin").write_bytes(b"small")
    artifacts = Artifacts(store, LocalStore(tmp_path / "own"), "", ExternalRoots([others.as_uri()]))
    made = pb.Artifact(type_id=type_id(store), uri=root.as_uri())
    (artifact_id,) = Calls(store)("PutArtifacts", artifacts=[made]).artifact_ids
    assert artifacts.record_files(artifact_id).file_count == 2
    assert [finding.verdict for finding in verify(artifacts)] == [Verdict.SAME] * 2
    assert sum(map(len, artifacts.read(artifact_id, "large.bin"))) == 1 << 20
    assert sorted(path.name for path in others.rglob("*")) == ["large.bin", "root", "small.bin"]


def test_a_pipe_is_not_waited_for(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    os.mkfifo(root / "pipe")
    (root / "file").write_bytes(b"bytes")
    artifacts = Artifacts(store, LocalStore(tmp_path / "own"), "", ExternalRoots([root.as_uri()]))
    for uri in (f"{root.as_uri()}/pipe", f"{root.as_uri()}/"):
        made = pb.Artifact(type_id=type_id(store), uri=uri)
        (artifact_id,) = Calls(store)("PutArtifacts", artifacts=[made]).artifact_ids
        with pytest.raises(NotFound):
            artifacts.read(artifact_id, "pipe")


def test_roots_are_a_tenants_own(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "a").mkdir(parents=True)
    (theirs / "a" / "f").write_bytes(b"0123456789")
    (tmp_path / "tenants.toml").write_text(
        f'[tenant.red]\ndatabase = "sqlite:///{tmp_path}/red.db"\nexternal_roots = ["{theirs.as_uri()}"]\n'
        f'[tenant.blue]\ndatabase = "sqlite:///{tmp_path}/blue.db"\n'
    )
    token = '[[token]]\ntoken = "{0}"\nsubject = "s"\ntenant = "{0}"\nroles = ["writer"]\n'
    tokens = "".join(token.format(name) for name in ("red", "blue"))
    (tmp_path / "tokens.toml").write_text(tokens)
    options = ("--tenants", f"{tmp_path}/tenants.toml", "--auth", f"tokens={tmp_path}/tokens.toml")
    server = start_server(sqlite_url, http=True, options=(*options, "--artifacts-external-roots", theirs.as_uri()))
    for name, status in (("red", 206), ("blue", 404)):
        store = Store.open(f"sqlite:///{tmp_path}/{name}.db")
        made = pb.Artifact(type_id=type_id(store), uri=f"{theirs.as_uri()}/a")
        (artifact_id,) = Calls(store)("PutArtifacts", artifacts=[made]).artifact_ids
        store.close()
        with urllib3.PoolManager() as http:
            headers = {"authorization": f"Bearer {name}", "range": "bytes=2-4"}
            url = f"{server.http_url}/artifacts/{artifact_id}/files/f"
            answer = http.request("GET", url, headers=headers, retries=False)
        assert answer.status == status
        assert (answer.data == b"234") == (status == 206)


def test_what_is_below_our_own_root_is_not_recorded_as_bytes_of_others(requests: Requests) -> None:
    artifacts, made = requests.artifacts, upload(requests)
    store, uri = artifacts.store, artifacts.manifest(made).root_uri
    begun = artifacts.begin_upload(begin(store, upload_file("f", b"x"))).uri
    mends = {
        uri: f"use artifact {made}, which has the files there",
        f"{uri.replace('s3://', 'minio://')}f": f"use artifact {made}, which has the files there",
        begun: "upload the files, or ask the operator",
        artifacts.place.root: "upload the files",
    }
    for said, mend in mends.items():
        request = v1.RecordExternalRequest(
            artifact=pb.Artifact(type_id=type_id(store), uri=said).SerializeToString(),
            files=[v1.UploadFile(path="f", size_bytes=1)],
        )
        with pytest.raises(InvalidArgument, match=rf"^artifact\.uri: '{re.escape(said)}' is below '.*{mend}"):
            store.database.write(LOCAL, partial(artifacts.record_external, request=request))
        allowed = Artifacts(store, artifacts.blobs, "", ExternalRoots([artifacts.place.root]))
        assert store.database.write(LOCAL, partial(allowed.record_external, request=request)).manifest.file_count == 1


def test_keys_with_empty_segments_are_read(s3_elsewhere: Elsewhere) -> None:
    contents = {"/f": b"first", "x//y": b"between", "x/y": b"another", "x//z//": b"a console's"}
    for path, content in contents.items():
        s3_elsewhere.write(f"mlpipeline/d/{path}", content)
    made = s3_elsewhere.recorded("mlpipeline/d")
    assert list(s3_elsewhere.listed(made)) == ["/f", "x//y", "x/y"]
    for path in ("/f", "x//y", "x/y"):
        assert s3_elsewhere.whole(made, path) == contents[path]
        assert b"".join(s3_elsewhere.artifacts.read_range(made, path, 1, 2)) == contents[path][1:3]
    urls = s3_elsewhere.requests.download_page(v1.ListDownloadUrlsRequest(artifact_id=made)).urls
    with urllib3.PoolManager() as http:
        for url in urls:
            assert http.request("GET", url.request.url, retries=False).data == contents[url.file.path]
    below = s3_elsewhere.recorded("mlpipeline/d/x//")
    assert list(s3_elsewhere.listed(below)) == ["y"]
    assert s3_elsewhere.whole(below, "y") == b"between"
    with pytest.raises(InvalidArgument, match=r"^uri: what is at '.*/mlpipeline/d' cannot be recorded .*absolute"):
        s3_elsewhere.artifacts.record_files(made)
    assert s3_elsewhere.artifacts.record_files(below).file_count == 1
    assert s3_elsewhere.whole(below, "y") == b"between"


def test_keys_that_lead_out_of_a_root_are_not_read(s3_elsewhere: Elsewhere) -> None:
    s3_elsewhere.write("secret", b"s")
    made = s3_elsewhere.recorded("mlpipeline/d")
    for path in ("../../secret", "x//../../../secret", "..//../secret", "./f"):
        with pytest.raises(InvalidArgument):
            s3_elsewhere.whole(made, path)
    out = s3_elsewhere.recorded("mlpipeline/d/..//../secret")
    with pytest.raises(InvalidArgument):
        s3_elsewhere.whole(out, "secret")
