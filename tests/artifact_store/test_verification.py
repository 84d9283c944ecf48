"""Reading everything again, and sweeping what was never finished."""

import hashlib
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from mlmd_artifact_store import verification
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.damage import mark_damage
from mlmd_artifact_store.externals import ExternalRoots
from mlmd_artifact_store.garbage_collection import collect
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.opening import ReachOptions
from mlmd_artifact_store.requests import Requests, file_page
from mlmd_artifact_store.sweeping import sweep_uploads
from mlmd_artifact_store.upload_rows import UploadState, set_state
from mlmd_artifact_store.verification import Verdict, verify
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, NotFound, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.care import Admin
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.test_restoring import recorded, restore
from tests.artifact_store.uploads import artifact, begin, send, type_id, upload_file
from tests.metadata_store.calls import Calls
from tests.services.ceph import S3Address
from tests.services.faulty_http import FaultyHttp, error

CONTENTS = {"a": b"first", "b": b"second", "c": b"third", "d": b""}


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    store = Store.open(database_url)
    yield Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))
    store.close()


def uploaded(requests: Requests, *, commit: bool = True, **lies: Any) -> int:
    """Upload the contents and return the artifact's id; `lies` are told of the file "b"."""
    files = [upload_file(path, content, **(lies if path == "b" else {})) for path, content in CONTENTS.items()]
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, *files))
    send(requests, begun.artifact_id, CONTENTS)
    if commit:
        requests.artifacts.commit_upload(begun.artifact_id)
    return begun.artifact_id


def marks(requests: Requests, artifact_id: int) -> dict[str, tuple[bool, bool]]:
    """Return whether each file is verified and damaged."""
    page = file_page(requests.artifacts, v1.ListFilesRequest(artifact_id=artifact_id))
    return {file.path: (file.verified, file.damaged) for file in page.files}


def test_artifacts_of_which_nothing_was_read_are_named(requests: Requests, tmp_path: Path) -> None:
    store, artifacts = requests.artifacts.store, requests.artifacts
    made = pb.Artifact(type_id=type_id(store), uri=(tmp_path / "elsewhere").as_uri() + "/").SerializeToString()
    request = v1.RecordExternalRequest(artifact=made, files=[v1.UploadFile(path="f", size_bytes=3)])
    elsewhere = store.database.write(LOCAL, lambda tx: artifacts.record_external(tx, request)).manifest.artifact_id
    whole, pending = uploaded(requests), uploaded(requests, commit=False)
    unknown = 10**6
    answer = Admin(requests)("VerifyArtifacts", artifact_ids=[unknown, pending, whole, elsewhere, whole])
    assert (answer.file_count, list(answer.findings)) == (len(CONTENTS), [])
    assert sorted(answer.unread_artifact_ids) == [elsewhere, pending, unknown]
    passed_over: list[int] = []
    assert len(list(verify(artifacts, passed_over=passed_over))) == len(CONTENTS)
    assert passed_over == [elsewhere]


def test_what_changed_or_is_gone_is_found_and_marked(requests: Requests, tmp_path: Path) -> None:
    one, other = uploaded(requests), uploaded(requests, sha256=hashlib.sha256(b"a lie").digest())
    folder = tmp_path / "artifacts" / "_" / "system.Model" / "_" / str(one)
    (folder / "a").write_bytes(b"f1rst")
    (folder / "c").unlink()
    found = {(finding.artifact_id, finding.path): finding.verdict for finding in verify(requests.artifacts)}
    assert len(found) == 8
    assert {key: verdict for key, verdict in found.items() if verdict is not Verdict.SAME} == {
        (one, "a"): Verdict.CHANGED,
        (one, "c"): Verdict.MISSING,
        (other, "b"): Verdict.CHANGED,
    }
    assert marks(requests, one) == {"a": (False, True), "b": (True, False), "c": (False, True), "d": (True, False)}
    damaged = pb.ListOperationOptions(filter_query="custom_properties.mlmd_damaged_files.int_value > 0")
    listed = Calls(requests.artifacts.store)("GetArtifacts", options=damaged).artifacts
    assert {it.id: it.custom_properties["mlmd_damaged_files"].int_value for it in listed} == {one: 2, other: 1}
    (folder / "a").write_bytes(b"first")
    assert {finding.path for finding in verify(requests.artifacts) if finding.verdict is Verdict.SAME} >= {"a"}
    assert marks(requests, one)["a"] == (True, False)
    assert artifact(requests.artifacts.store, one).custom_properties["mlmd_damaged_files"].int_value == 1
    (folder / "c").write_bytes(b"third")
    (finding,) = [it for it in verify(requests.artifacts, artifact_ids=[one]) if it.path == "c"]
    assert finding.verdict is Verdict.SAME
    assert not artifact(requests.artifacts.store, one).custom_properties


def test_an_interrupted_verification_goes_on(requests: Requests) -> None:
    for _ in range(20):
        uploaded(requests)
    for number, _ in enumerate(verify(requests.artifacts, parallel=2), 1):
        if number == 10:
            break
    rest = list(verify(requests.artifacts, again_after_seconds=3600))
    assert 60 <= len(rest) < 80
    assert list(verify(requests.artifacts, again_after_seconds=3600)) == []
    assert len(list(verify(requests.artifacts))) == 80


def test_all_files_of_an_artifact_are_counted_once_unless_one_is_otherwise_than_before(
    requests: Requests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {f"{number:03}": b"%d" % number for number in range(100)}
    files = [upload_file(path, content) for path, content in contents.items()]
    first, second = (
        requests.artifacts.begin_upload(begin(requests.artifacts.store, *files)).artifact_id for _ in range(2)
    )
    for artifact_id in (first, second):
        send(requests, artifact_id, contents)
        requests.artifacts.commit_upload(artifact_id)
    counted: list[int] = []

    def noted(tx: Any, artifact_ids: Any) -> None:
        counted.extend(sorted(artifact_ids))
        mark_damage(tx, artifact_ids)

    monkeypatch.setattr(verification, "mark_damage", noted)

    def verified() -> tuple[list[int], int]:
        counted.clear()
        assert sum(1 for _ in verify(requests.artifacts, parallel=1)) == 200
        property = artifact(requests.artifacts.store, first).custom_properties["mlmd_damaged_files"]
        return list(counted), property.int_value

    assert verified() == ([first, second], 0)
    blob = tmp_path / "artifacts" / requests.artifacts.manifest(first).key_prefix / "050"
    blob.rename(blob.with_name("aside"))
    assert verified() == ([first, first, second], 1)
    assert verified() == ([first, second], 1)
    blob.with_name("aside").rename(blob)
    assert verified() == ([first, first, second], 0)


def test_it_ends_though_uploads_go_on(requests: Requests) -> None:
    there = {uploaded(requests), uploaded(requests)}
    read = set()
    for found in islice(verify(requests.artifacts, parallel=1), 5 * len(CONTENTS)):
        read.add(found.artifact_id)
        uploaded(requests)
    assert read == there


def test_uploads_that_nobody_finished_are_swept(requests: Requests) -> None:
    live, pending = uploaded(requests), uploaded(requests, commit=False)
    assert sweep_uploads(requests.artifacts, 3600).abandoned == []
    assert sweep_uploads(requests.artifacts, -1).abandoned == [pending]
    store = requests.artifacts.store
    assert artifact(store, pending).state == pb.Artifact.ABANDONED
    assert artifact(store, live).state == pb.Artifact.LIVE
    assert {key.rpartition("/")[0] for key in keys(requests.artifacts.blobs)} == {f"_/system.Model/_/{live}"}
    assert sweep_uploads(requests.artifacts, -1).abandoned == []


def test_a_deletion_that_was_killed_is_taken_up_again(requests: Requests) -> None:
    pending = uploaded(requests, commit=False)
    requests.artifacts.store.database.write(LOCAL, lambda tx: set_state(tx, pending, UploadState.ABORTED))
    assert keys(requests.artifacts.blobs)
    assert sweep_uploads(requests.artifacts, 3600).abandoned == [pending]
    assert keys(requests.artifacts.blobs) == []
    with pytest.raises(NotFound):
        requests.artifacts.commit_upload(pending)


def test_what_is_deleted_while_it_is_read_is_not_missing(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, kept = uploaded(requests), uploaded(requests)
    read, blobs = requests.artifacts.blobs.read, requests.artifacts.blobs

    def collected(key: str, *rest: Any) -> Iterator[bytes]:
        list(collect(requests.artifacts, [gone]))
        return read(key, *rest)

    monkeypatch.setattr(blobs, "read", collected)
    found = [(finding.artifact_id, finding.verdict) for finding in verify(requests.artifacts, parallel=1)]
    assert found == [(kept, Verdict.SAME)] * len(CONTENTS)


def test_what_comes_back_while_it_is_missed_is_not_damaged(
    requests: Requests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "elsewhere"
    root.mkdir()
    store = requests.artifacts.store
    externals = ExternalRoots([root.as_uri()])
    reader = Requests(Artifacts(store, requests.artifacts.blobs, "", externals))
    artifact_id, read = recorded(requests, f"{root.as_uri()}/m/"), externals.roots[0].reader.read
    restored: list[v1.CommitUploadResponse] = []

    def brought_back(key: str, *rest: Any) -> Iterator[bytes]:
        if not restored:
            restored.append(restore(requests, artifact_id))
        return read(key, *rest)

    monkeypatch.setattr(externals.roots[0].reader, "read", brought_back)
    assert list(verify(reader.artifacts, parallel=1)) == []
    assert not any(damaged for _, damaged in marks(requests, artifact_id).values())
    assert "mlmd_damaged_files" not in artifact(store, artifact_id).custom_properties
    assert {finding.verdict for finding in verify(reader.artifacts)} == {Verdict.SAME}


def test_files_of_a_place_that_is_gone_are_not_missing_where_those_of_others_are_read(
    requests: Requests, tmp_path: Path
) -> None:
    store, theirs = requests.artifacts.store, tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "f").write_bytes(b"theirs")
    reader = Artifacts(store, requests.artifacts.blobs, "", ExternalRoots([tmp_path.as_uri()]))
    made = pb.Artifact(type_id=type_id(store), uri=f"{theirs.as_uri()}/").SerializeToString()
    request = v1.RecordExternalRequest(artifact=made, files=[v1.UploadFile(path="f", size_bytes=6)])
    store.database.write(LOCAL, lambda tx: reader.record_external(tx, request))
    own = uploaded(requests)
    (tmp_path / "artifacts").rename(tmp_path / "away")
    with pytest.raises(Unavailable, match="is no longer the place that it was"):
        list(verify(reader))
    (tmp_path / "away").rename(tmp_path / "artifacts")
    assert not any(damaged for _, damaged in marks(requests, own).values())
    assert [finding.verdict for finding in verify(reader)] == [Verdict.SAME] * 5


def verdicts(artifacts: Artifacts, artifact_id: int) -> dict[str, Verdict]:
    """Verify one artifact and return what was found of each file."""
    return {found.path: found.verdict for found in verify(artifacts, artifact_ids=[artifact_id])}


def test_files_that_were_recorded_by_their_sizes_have_these(requests: Requests, tmp_path: Path) -> None:
    theirs, store = tmp_path / "theirs", requests.artifacts.store
    theirs.mkdir()
    sizes = {"!": 0, "A": 3, "longer": 3, "shorter": 3}
    for path, content in {"!": b"", "A": b"333", "longer": b"4444", "shorter": b"22"}.items():
        (theirs / path).write_bytes(content)
    reader = Artifacts(store, requests.artifacts.blobs, "", ExternalRoots([tmp_path.as_uri()]))
    made = pb.Artifact(type_id=type_id(store), uri=f"{theirs.as_uri()}/").SerializeToString()
    files = [v1.UploadFile(path=path, size_bytes=size) for path, size in sizes.items()]
    request = v1.RecordExternalRequest(artifact=made, files=files)
    manifest = store.database.write(LOCAL, lambda tx: reader.record_external(tx, request)).manifest
    same, changed = Verdict.SAME, Verdict.CHANGED
    assert verdicts(reader, manifest.artifact_id) == {"!": same, "A": same, "longer": changed, "shorter": changed}


def test_bytes_that_were_stored_anew_in_parts_are_the_same_by_their_md5(
    requests: Requests, s3: S3Address, s3_admin: Minio, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIO_ACCESS_KEY", s3.access_key)
    monkeypatch.setenv("MINIO_SECRET_KEY", s3.secret_key)
    store, content = requests.artifacts.store, bytes(6 << 20)
    for name in ("other", "same"):
        s3_admin.put_object(bucket, f"m/{name}", io.BytesIO(content), len(content), part_size=16 << 20)
    roots = ExternalRoots([f"s3://{bucket}/"], ReachOptions(s3.endpoint))
    reader = Artifacts(store, requests.artifacts.blobs, "", roots)
    made = pb.Artifact(type_id=type_id(store), uri=f"s3://{bucket}/m/", state=pb.Artifact.LIVE)
    (artifact_id,) = Calls(store)("PutArtifacts", artifacts=[made]).artifact_ids
    reader.record_files(artifact_id)
    for name, anew in {"other": content[:-1] + b"1", "same": content}.items():
        s3_admin.put_object(bucket, f"m/{name}", io.BytesIO(anew), len(anew), part_size=5 << 20)
    assert verdicts(reader, artifact_id) == {"other": Verdict.CHANGED, "same": Verdict.SAME}


def test_a_download_of_what_is_whole_again_takes_the_mark_away(requests: Requests, tmp_path: Path) -> None:
    made = uploaded(requests)
    folder = tmp_path / "artifacts" / "_" / "system.Model" / "_" / str(made)
    (folder / "a").write_bytes(b"f1rst")
    (folder / "b").unlink()
    list(verify(requests.artifacts))

    def marked() -> int:
        return artifact(requests.artifacts.store, made).custom_properties["mlmd_damaged_files"].int_value

    assert marked() == 2
    for path, left in (("a", 1), ("b", 0)):
        (folder / path).write_bytes(CONTENTS[path])
        assert b"".join(requests.artifacts.read(made, path)) == CONTENTS[path]
        assert (marks(requests, made)[path], marked()) == ((True, False), left)
    assert "mlmd_damaged_files" not in artifact(requests.artifacts.store, made).custom_properties


def test_what_cannot_be_read_does_not_keep_the_rest(
    requests: Requests, s3: S3Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIO_ACCESS_KEY", s3.access_key)
    monkeypatch.setenv("MINIO_SECRET_KEY", s3.secret_key)
    externals = ExternalRoots(["s3://nobody-made-it/m/"], ReachOptions(s3.endpoint))
    reader = Artifacts(requests.artifacts.store, requests.artifacts.blobs, "", externals)
    unread, read = recorded(requests, "s3://nobody-made-it/m/a/"), uploaded(requests)
    found: list[tuple[int, Verdict]] = []
    with pytest.raises(FailedPrecondition, match=f"2 files could not be read, first .*artifact {unread}: .*no bucket"):
        found.extend((finding.artifact_id, finding.verdict) for finding in verify(reader, parallel=1))
    assert found == [(read, Verdict.SAME)] * len(CONTENTS)
    assert set(marks(requests, unread).values()) == {(False, False)}


def test_a_store_that_answers_to_nothing_is_not_asked_for_every_file(
    requests: Requests, s3: S3Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIO_ACCESS_KEY", s3.access_key)
    monkeypatch.setenv("MINIO_SECRET_KEY", s3.secret_key)
    with FaultyHttp(s3.port) as proxy:
        externals = ExternalRoots(["s3://away/m/"], ReachOptions(proxy.url))
        reader = Artifacts(requests.artifacts.store, requests.artifacts.blobs, "", externals)
        for number in range(12):
            recorded(requests, f"s3://away/m/{number}/", f"m{number}")
        proxy.fault = lambda request: error(503, "NotAnswering")
        with pytest.raises(Unavailable, match="8 files could not be read"):
            list(verify(reader, parallel=1))
