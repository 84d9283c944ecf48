"""Uploads from beginning to end, on a folder and on S3, on SQLite and MariaDB."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests, file_page
from mlmd_artifact_store.sweeping import sweep
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import AlreadyExists, DataLoss, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.conformance.suite import keys, put
from tests.artifact_store.uploads import FIVE, artifact, begin, send, type_id, upload_file, upload_urls
from tests.metadata_store.calls import Calls


@pytest.fixture
def artifacts(requests: Requests) -> Artifacts:
    """The same, without URLs."""
    return requests.artifacts


CONTENTS = {
    "model.bin": bytes(range(256)) * 4096,
    "config/ü ö.json": b"{}",
    "empty": b"",
    "big.bin": b"1" * FIVE + b"2" * FIVE + b"tail",
}
FILES = [upload_file(path, content, FIVE if path == "big.bin" else 0) for path, content in CONTENTS.items()]


def whole(artifacts: Artifacts, artifact_id: int, path: str) -> bytes:
    """Read a file."""
    return b"".join(artifacts.read(artifact_id, path))


def test_whose_a_name_is_that_no_files_came_to_is_told(store: Store, artifacts: Artifacts) -> None:
    first = artifacts.begin_upload(begin(store, *FILES, name="fraud")).artifact_id
    unfinished = (
        rf"^artifact.name: 'fraud' is the name of artifact {first}, whose upload is not finished; go on with it"
    )
    with pytest.raises(AlreadyExists, match=unfinished):
        artifacts.begin_upload(begin(store, *FILES, name="fraud"))
    assert artifacts.begin_upload(begin(store, *FILES, name="other")).artifact_id > first


@pytest.mark.parametrize("by", ["abort", "sweep"])
def test_a_name_is_free_when_the_upload_under_it_was_given_up(
    store: Store, requests: Requests, artifacts: Artifacts, by: str
) -> None:
    first = artifacts.begin_upload(begin(store, *FILES, name="fraud"))
    if by == "abort":
        artifacts.abort_upload(first.artifact_id)
    else:
        assert sweep(artifacts, -1).abandoned == [first.artifact_id]
    second = artifacts.begin_upload(begin(store, *FILES, name="fraud"))
    assert second.artifact_id > first.artifact_id
    before = artifact(store, first.artifact_id)
    assert (before.HasField("name"), before.state, before.uri) == (False, pb.Artifact.ABANDONED, first.uri)
    send(requests, second.artifact_id, CONTENTS)
    late = f"_/system.Model/fraud/{first.artifact_id}/model.bin"
    artifacts.blobs.put(late, io.BytesIO(b"late"), 4)  # by a request that was signed for the first
    sweep(artifacts, 3600)
    assert late not in keys(artifacts.blobs)
    artifacts.commit_upload(second.artifact_id)
    assert artifact(store, second.artifact_id).name == "fraud"
    assert {path: whole(artifacts, second.artifact_id, path) for path in CONTENTS} == CONTENTS
    with pytest.raises(AlreadyExists):
        artifacts.begin_upload(begin(store, *FILES, name="fraud"))


def test_a_name_stays_with_what_others_call_abandoned(store: Store, artifacts: Artifacts) -> None:
    request = begin(store, *FILES, name="fraud")
    others = pb.Artifact.FromString(request.artifact)
    others.uri, others.state = "gs://pipelines/17", pb.Artifact.ABANDONED
    (first,) = Calls(store)("PutArtifacts", artifacts=[others]).artifact_ids
    with pytest.raises(AlreadyExists, match=rf"artifact {first}, which is ABANDONED; choose another name"):
        artifacts.begin_upload(request)
    assert artifact(store, first).name == "fraud"


def test_one_of_many_gets_a_name_that_was_freed(store: Store, artifacts: Artifacts) -> None:
    artifacts.abort_upload(artifacts.begin_upload(begin(store, *FILES, name="fraud")).artifact_id)
    request = begin(store, *FILES, name="fraud")

    def take(_: int) -> int:
        try:
            return artifacts.begin_upload(request).artifact_id
        except AlreadyExists:
            return 0

    with ThreadPoolExecutor(4) as pool:
        got = [artifact_id for artifact_id in pool.map(take, range(8)) if artifact_id]
    assert len(got) == 1
    assert artifact(store, got[0]).name == "fraud"


def test_a_directory_goes_up_and_comes_back(store: Store, requests: Requests, artifacts: Artifacts) -> None:
    begun = artifacts.begin_upload(begin(store, *FILES, name="fraud"))
    assert (begun.reused, begun.files_to_send) == (False, 4)
    pending = artifact(store, begun.artifact_id)
    assert pending.state == pb.Artifact.PENDING
    assert pending.uri == begun.uri == artifacts.blobs.uri(f"_/system.Model/fraud/{begun.artifact_id}/")
    with pytest.raises(NotFound, match="no manifest"):
        artifacts.manifest(begun.artifact_id)
    assert set(send(requests, begun.artifact_id, CONTENTS)) == {200}
    committed = artifacts.commit_upload(begun.artifact_id).manifest
    assert artifact(store, begun.artifact_id).state == pb.Artifact.LIVE
    assert (committed.file_count, committed.size_bytes) == (4, sum(map(len, CONTENTS.values())))
    listed = file_page(artifacts, v1.ListFilesRequest(artifact_id=begun.artifact_id)).files
    assert [file.path for file in listed] == sorted(CONTENTS, key=str.encode)
    assert not any(file.verified for file in listed)
    for file in listed:
        assert file.sha256 == hashlib.sha256(CONTENTS[file.path]).digest()
        assert whole(artifacts, begun.artifact_id, file.path) == CONTENTS[file.path]
    listed = file_page(artifacts, v1.ListFilesRequest(artifact_id=begun.artifact_id)).files
    assert all(file.verified for file in listed)
    assert b"".join(artifacts.read_range(begun.artifact_id, "big.bin", FIVE - 1, 2)) == b"12"


def test_committing_twice_and_at_once_answers_the_same(store: Store, requests: Requests, artifacts: Artifacts) -> None:
    begun = artifacts.begin_upload(begin(store, *FILES))
    send(requests, begun.artifact_id, CONTENTS)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(artifacts.commit_upload, [begun.artifact_id] * 4))
    answers.append(artifacts.commit_upload(begun.artifact_id))
    assert all(answer == answers[0] for answer in answers)


def test_what_is_missing_is_named_and_can_be_sent_later(store: Store, requests: Requests, artifacts: Artifacts) -> None:
    begun = artifacts.begin_upload(begin(store, *FILES))
    assert len(upload_urls(requests, begun.artifact_id, 2)) == len(upload_urls(requests, begun.artifact_id)) == 6
    half = {path: content for path, content in CONTENTS.items() if path != "model.bin"}
    for url in upload_urls(requests, begun.artifact_id):
        if url.path in half and url.part_number != 2:
            piece = io.BytesIO(half[url.path][url.offset_bytes : url.offset_bytes + url.size_bytes])
            artifacts.put_file(begun.artifact_id, url.path, piece, url.part_number)
    with pytest.raises(FailedPrecondition) as refused:
        artifacts.commit_upload(begun.artifact_id)
    assert "2 of 4 files are not as declared" in refused.value.message
    assert "'model.bin' has not arrived" in refused.value.message
    assert "'big.bin' lacks 1 of 3 parts (2)" in refused.value.message
    assert artifact(store, begun.artifact_id).state == pb.Artifact.PENDING
    missing = upload_urls(requests, begun.artifact_id, only_missing=True)
    assert [(url.path, url.part_number) for url in missing] == [("big.bin", 2), ("model.bin", 0)]
    assert set(send(requests, begun.artifact_id, CONTENTS, only_missing=True)) == {200}
    artifacts.commit_upload(begun.artifact_id)
    assert whole(artifacts, begun.artifact_id, "big.bin") == CONTENTS["big.bin"]


def test_bytes_that_were_not_declared_are_refused(store: Store, artifacts: Artifacts) -> None:
    begun = artifacts.begin_upload(begin(store, upload_file("f", b"declared")))
    with pytest.raises(InvalidArgument, match="md5"):
        artifacts.put_file(begun.artifact_id, "f", io.BytesIO(b"other!!!"))
    with pytest.raises(NotFound, match="awaits no file"):
        artifacts.put_file(begun.artifact_id, "g", io.BytesIO(b""))
    with pytest.raises(InvalidArgument, match="part_number"):
        artifacts.put_file(begun.artifact_id, "f", io.BytesIO(b"declared"), 1)


@pytest.mark.parametrize("smuggled", [b"other!!!", b"short", b"declared and more"])
def test_bytes_put_there_past_us_are_caught_at_commit(store: Store, artifacts: Artifacts, smuggled: bytes) -> None:
    begun = artifacts.begin_upload(begin(store, upload_file("f", b"declared")))
    put(artifacts.blobs, f"_/system.Model/_/{begun.artifact_id}/f", smuggled)
    with pytest.raises(FailedPrecondition, match="'f' has"):
        artifacts.commit_upload(begun.artifact_id)
    assert artifact(store, begun.artifact_id).state == pb.Artifact.PENDING


def test_a_lie_about_the_sha256_is_found_by_reading(store: Store, requests: Requests, artifacts: Artifacts) -> None:
    lie = upload_file("f", b"bytes", sha256=hashlib.sha256(b"other").digest())
    begun = artifacts.begin_upload(begin(store, lie))
    send(requests, begun.artifact_id, {"f": b"bytes"})
    artifacts.commit_upload(begun.artifact_id)
    with pytest.raises(DataLoss, match="'f' of artifact"):
        whole(artifacts, begun.artifact_id, "f")
    assert not artifacts.file(begun.artifact_id, "f")[1].verified_ms


def test_bytes_changed_after_commit_are_found_by_reading(
    store: Store, requests: Requests, artifacts: Artifacts
) -> None:
    begun = artifacts.begin_upload(begin(store, upload_file("f", b"bytes")))
    send(requests, begun.artifact_id, {"f": b"bytes"})
    artifacts.commit_upload(begun.artifact_id)
    put(artifacts.blobs, f"_/system.Model/_/{begun.artifact_id}/f", b"byteZ")
    with pytest.raises(DataLoss):
        whole(artifacts, begun.artifact_id, "f")


def test_calls_of_mlmd_detach_nothing(store: Store, requests: Requests, artifacts: Artifacts) -> None:
    begun = artifacts.begin_upload(begin(store, upload_file("f", b"bytes")))
    bare = pb.Artifact(id=begun.artifact_id, type_id=type_id(store))
    Calls(store)("PutArtifacts", artifacts=[bare])
    assert artifact(store, begun.artifact_id).uri == ""
    send(requests, begun.artifact_id, {"f": b"bytes"})
    artifacts.commit_upload(begun.artifact_id)
    assert artifact(store, begun.artifact_id).uri == begun.uri
    Calls(store)("PutArtifacts", artifacts=[bare])
    assert whole(artifacts, begun.artifact_id, "f") == b"bytes"
    assert artifacts.manifest(begun.artifact_id).root_uri == begun.uri


def test_aborting_leaves_an_abandoned_artifact_and_no_bytes(
    store: Store, requests: Requests, artifacts: Artifacts
) -> None:
    begun = artifacts.begin_upload(begin(store, *FILES))
    send(requests, begun.artifact_id, CONTENTS)
    artifacts.abort_upload(begun.artifact_id)
    artifacts.abort_upload(begun.artifact_id)
    assert artifact(store, begun.artifact_id).state == pb.Artifact.ABANDONED
    assert keys(artifacts.blobs) == []
    with pytest.raises(NotFound, match="no upload"):
        artifacts.commit_upload(begun.artifact_id)


def test_there_is_nothing_to_abort_of_an_artifact_that_is_not_there(store: Store, artifacts: Artifacts) -> None:
    begun = artifacts.begin_upload(begin(store, *FILES))
    with pytest.raises(NotFound, match=rf"artifact_id: there is no artifact {begun.artifact_id + 1}\."):
        artifacts.abort_upload(begun.artifact_id + 1)
    assert artifact(store, begun.artifact_id).state == pb.Artifact.PENDING


def test_an_upload_that_ended_leaves_none_of_its_rows(store: Store, requests: Requests, artifacts: Artifacts) -> None:
    def rows(table: str) -> int:
        with store.database.reader.connect() as connection:
            return int(connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar_one())

    for end in (artifacts.commit_upload, artifacts.abort_upload):
        begun = artifacts.begin_upload(begin(store, upload_file("f", b"content")))
        assert send(requests, begun.artifact_id, {"f": b"content"}) == [200]
        assert rows("mlmd_upload_files") == 1
        end(begun.artifact_id)
        assert (rows("mlmd_uploads"), rows("mlmd_upload_files")) == (0, 0)


def test_what_is_committed_cannot_be_aborted_or_sent_again(
    store: Store, requests: Requests, artifacts: Artifacts
) -> None:
    begun = artifacts.begin_upload(begin(store, upload_file("f", b"bytes")))
    send(requests, begun.artifact_id, {"f": b"bytes"})
    artifacts.commit_upload(begun.artifact_id)
    for again in (
        lambda: artifacts.abort_upload(begun.artifact_id),
        lambda: artifacts.put_file(begun.artifact_id, "f", io.BytesIO(b"bytes")),
        lambda: upload_urls(requests, begun.artifact_id),
    ):
        with pytest.raises(FailedPrecondition, match="is committed and cannot change"):
            again()


def test_equal_content_is_reused_when_asked(store: Store, requests: Requests, artifacts: Artifacts) -> None:
    files = [upload_file("f", b"bytes"), upload_file("g", b"more")]
    first = artifacts.begin_upload(begin(store, *files, name="n"))
    with pytest.raises(AlreadyExists):
        artifacts.begin_upload(begin(store, *files, name="n", reuse=True))
    send(requests, first.artifact_id, {"f": b"bytes", "g": b"more"})
    artifacts.commit_upload(first.artifact_id)
    again = artifacts.begin_upload(begin(store, *reversed(files), name="n", reuse=True))
    assert (again.artifact_id, again.reused, again.uri) == (first.artifact_id, True, first.uri)
    other = artifacts.begin_upload(begin(store, *files, reuse=True))
    assert not other.reused
    with pytest.raises(AlreadyExists):
        artifacts.begin_upload(begin(store, upload_file("f", b"other"), name="n", reuse=True))


def test_unchanged_files_are_copied_inside_the_store(store: Store, requests: Requests, artifacts: Artifacts) -> None:
    first = artifacts.begin_upload(begin(store, *FILES))
    send(requests, first.artifact_id, CONTENTS)
    artifacts.commit_upload(first.artifact_id)
    changed = CONTENTS | {"config/ü ö.json": b'{"a": 1}', "moved/model.bin": CONTENTS["model.bin"]}
    files = [upload_file(path, content, FIVE if path == "big.bin" else 0) for path, content in changed.items()]
    second = artifacts.begin_upload(begin(store, *files, unchanged_from_artifact_id=first.artifact_id))
    assert second.files_to_send == 1
    assert len(send(requests, second.artifact_id, changed)) == 1
    artifacts.commit_upload(second.artifact_id)
    assert {path: whole(artifacts, second.artifact_id, path) for path in changed} == changed


def test_commit_makes_the_next_version_of_a_collection(store: Store, requests: Requests, artifacts: Artifacts) -> None:
    call = Calls(store)
    for number, content in enumerate((b"one", b"two"), 1):
        begun = artifacts.begin_upload(begin(store, upload_file("f", content), collection="fraud", reuse=True))
        assert begun.uri.endswith(f"/system.Model/fraud/{begun.artifact_id}/")
        send(requests, begun.artifact_id, {"f": content})
        assert artifacts.commit_upload(begun.artifact_id).version_number == number
        found = call("ResolveVersion", type_name="system.Model", name="fraud", alias="latest").version
        assert (found.number, found.artifact_id) == (number, begun.artifact_id)
        assert artifact(store, begun.artifact_id).name == f"fraud/{number}"
    again = artifacts.begin_upload(begin(store, upload_file("f", b"one"), collection="fraud", reuse=True))
    assert again.reused
    assert artifact(store, again.artifact_id).name == "fraud/1"


def test_external_bytes_are_recorded(store: Store, artifacts: Artifacts) -> None:
    made = pb.Artifact(type_id=type_id(store), uri="s3://elsewhere/data/train.csv", name="train")
    file = v1.UploadFile(path="train.csv", size_bytes=10, sha256=bytes(32), media_type="text/csv")
    request = v1.RecordExternalRequest(artifact=made.SerializeToString(), files=[file])
    recorded = store.database.write(LOCAL, lambda tx: artifacts.record_external(tx, request))
    manifest = artifacts.manifest(recorded.manifest.artifact_id)
    assert (manifest.is_external, manifest.root_uri, manifest.size_bytes) == (True, "s3://elsewhere/data/", 10)
    with pytest.raises(FailedPrecondition, match="not in this store"):
        whole(artifacts, manifest.artifact_id, "train.csv")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([], "files: none"),
        ([upload_file("../f", b"")], "path: "),
        ([upload_file("f", b""), upload_file("f", b"")], "twice"),
        ([upload_file("f", b"x", size_bytes=-1)], "size_bytes"),
        ([upload_file("f", b"x", sha256=b"short")], "sha256"),
        ([upload_file("f", b"x", md5s=[])], "MD5s given; send 1 of 16 bytes"),
        ([upload_file("f", b"x", md5s=[b"short"])], "md5s"),
        ([upload_file("f", b"x", part_size_bytes=100)], "part_size_bytes"),
        ([upload_file("f", b"x" * 10, FIVE, md5s=[bytes(16)] * 2)], "MD5s given; send 1 of 16 bytes"),
        ([upload_file("f", b"x", media_type="nonsense")], "media_type"),
    ],
)
def test_what_cannot_be_declared(sqlite_url: str, tmp_path: Path, files: list[v1.UploadFile], why: str) -> None:
    store = Store.open(sqlite_url)
    with pytest.raises(InvalidArgument, match=why):
        Artifacts(store, LocalStore(tmp_path / "a")).begin_upload(begin(store, *files))
    store.close()


def test_many_files(sqlite_url: str, tmp_path: Path) -> None:
    store = Store.open(sqlite_url)
    artifacts = Artifacts(store, LocalStore(tmp_path / "a"))
    requests = Requests(artifacts)
    contents = {f"{number % 7}/{number}": str(number).encode() for number in range(2500)}
    begun = artifacts.begin_upload(begin(store, *(upload_file(path, content) for path, content in contents.items())))
    urls = upload_urls(requests, begun.artifact_id)
    assert [url.path for url in urls] == sorted(contents)
    send(requests, begun.artifact_id, contents)
    assert artifacts.commit_upload(begun.artifact_id).manifest.file_count == 2500
    listed, token = [], ""
    while True:
        page = file_page(
            artifacts, v1.ListFilesRequest(artifact_id=begun.artifact_id, prefix="3/", page_size=100, page_token=token)
        )
        listed += [file.path for file in page.files]
        if not (token := page.next_page_token):
            break
    assert listed == sorted(path for path in contents if path.startswith("3/"))
    store.close()
