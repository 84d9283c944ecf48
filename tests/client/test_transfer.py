"""Files and folders go up and come back: in one process, over the server's HTTP port, and through an object store."""

import contextlib
import hashlib
import io
import itertools
import random
import threading
from pathlib import Path

import pytest
from mlmd_client.calls import CallError
from mlmd_client.download import download, open_file, read_range
from mlmd_client.progress import Progress
from mlmd_client.transfer_errors import DamagedBytes, UnfitFiles
from mlmd_client.transport import Transport, open_transport
from mlmd_client.upload import upload
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.client.places import artifact, every_artifact, read_files, stored, write_files
from tests.conftest import StartServer
from tests.services.ceph import S3Address
from tests.services.clocks import wait_beyond

PART = 5 << 20
BIG = random.Random(7).randbytes(2 * PART + 12345)
CONTENTS = {
    "big.bin": BIG,
    "config.json": b"{}",
    "empty": b"",
    "deep/er/ü ö % + #?&=;,'\".txt": b"odd",
    "deep/ ": b"a name of one blank",
    "ns\u00a0b/日本語/🙂": b"far",
    ".hidden": b"kept",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of files, one of them large enough for three parts."""
    return write_files(tmp_path / "source", CONTENTS)


def test_a_folder_goes_up_and_comes_back(store: Transport, source: Path, tmp_path: Path) -> None:
    uploaded = upload(store, artifact(store, "fraud"), source, part_size=PART)
    kept = stored(store, uploaded.artifact_id)
    assert (kept.state, kept.uri) == (pb.Artifact.LIVE, uploaded.uri)
    assert (uploaded.manifest.file_count, uploaded.manifest.size_bytes) == (
        len(CONTENTS),
        sum(map(len, CONTENTS.values())),
    )
    downloaded = download(store, uploaded.artifact_id, tmp_path / "target")
    assert (downloaded.file_count, downloaded.files_reused) == (len(CONTENTS), 0)
    assert read_files(tmp_path / "target") == CONTENTS


def test_one_file(store: Transport, source: Path, tmp_path: Path) -> None:
    uploaded = upload(store, artifact(store), source / "config.json")
    assert uploaded.manifest.file_count == 1
    download(store, uploaded.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == {"config.json": b"{}"}


def test_a_part_of_an_artifact(store: Transport, source: Path, tmp_path: Path) -> None:
    uploaded = upload(store, artifact(store), source, part_size=PART)
    artifact_id = uploaded.artifact_id
    assert download(store, artifact_id, tmp_path / "some", prefix="deep/").file_count == 2
    assert set(read_files(tmp_path / "some")) == {path for path in CONTENTS if path.startswith("deep/")}
    with pytest.raises(CallError, match="no file that begins with 'none'"):
        download(store, artifact_id, tmp_path / "none", prefix="none")
    for start, length in [(0, 10), (PART - 3, 7), (len(BIG) - 5, 100), (len(BIG), 1), (len(BIG) + 9, 9), (3, 0)]:
        assert read_range(store, artifact_id, "big.bin", start, length) == BIG[start : start + length]
    with pytest.raises(CallError, match="no file 'big'"):
        read_range(store, artifact_id, "big", 0, 1)
    with open_file(store, artifact_id, "big.bin") as file:
        assert hashlib.file_digest(file, "sha256").digest() == hashlib.sha256(BIG).digest()
    with open_file(store, artifact_id, "empty") as file:
        assert file.read() == b""


def test_files_that_are_there_are_left_alone(store: Transport, source: Path, tmp_path: Path) -> None:
    uploaded = upload(store, artifact(store), source, part_size=PART)
    target = tmp_path / "target"
    download(store, uploaded.artifact_id, target)
    before = (target / "big.bin").stat()  # without its time of reading, which changes when it is compared
    (target / "config.json").write_bytes(b"[]")
    (target / "of the user").write_bytes(b"stays")
    again = download(store, uploaded.artifact_id, target, overwrite=True)
    assert again.files_reused == len(CONTENTS) - 1
    after = (target / "big.bin").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert read_files(target) == {**CONTENTS, "of the user": b"stays"}


def test_equal_content_is_reused(store: Transport, source: Path) -> None:
    first = upload(store, artifact(store), source, collection="fraud", reuse=True, part_size=PART)
    assert (first.reused, first.version_number) == (False, 1)
    wait_beyond(first.manifest.create_ms)
    again = upload(store, artifact(store), source, collection="fraud", reuse=True, part_size=PART)
    assert (again.reused, again.artifact_id, again.version_number) == (True, first.artifact_id, 1)
    assert again.manifest.create_ms > first.manifest.create_ms  # as young as if it had been sent again
    first.manifest.create_ms = again.manifest.create_ms
    assert again.manifest == first.manifest
    (source / "config.json").write_bytes(b"[]")
    other = upload(store, artifact(store), source, collection="fraud", reuse=True, part_size=PART)
    assert (other.reused, other.version_number) == (False, 2)


def test_unchanged_files_are_not_sent(store: Transport, source: Path, tmp_path: Path) -> None:
    first = upload(store, artifact(store), source, part_size=PART)
    (source / "config.json").write_bytes(b"[1, 2]")
    (source / "big.bin").rename(source / "moved.bin")
    second = upload(store, artifact(store), source, part_size=PART, unchanged_from=first.artifact_id)
    download(store, second.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == read_files(source)


def test_links_are_followed(store: Transport, tmp_path: Path) -> None:
    write_files(tmp_path / "elsewhere", {"blob": b"linked", "folder/a": b"a"})
    source = write_files(tmp_path / "source", {"plain": b"plain"})
    (source / "file").symlink_to(tmp_path / "elsewhere" / "blob")
    (source / "folder").symlink_to(tmp_path / "elsewhere" / "folder")
    uploaded = upload(store, artifact(store), source)
    download(store, uploaded.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == {"plain": b"plain", "file": b"linked", "folder/a": b"a"}


def test_progress_is_told(store: Transport, source: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    uploaded = upload(store, artifact(store), source, part_size=PART, progress=told.append)
    total = sum(map(len, CONTENTS.values()))
    assert told[-1] == Progress(total, total, len(CONTENTS), len(CONTENTS), "")
    assert all(before.bytes_done <= after.bytes_done for before, after in itertools.pairwise(told))
    told.clear()
    download(store, uploaded.artifact_id, tmp_path / "target", progress=told.append)
    assert told[-1] == Progress(total, total, len(CONTENTS), len(CONTENTS), "")


def test_bytes_that_changed_in_the_store(store: Transport, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    content = bytes(40 << 20)
    source = write_files(tmp_path / "source", {"a": b"right", "large": content})
    uploaded = upload(store, artifact(store), source)
    tamper(store, uploaded.uri, request, {"a": b"wrong", "large": content[:-1] + b"1"})
    for path in ("a", "large"):
        with pytest.raises(DamagedBytes, match=f"'{path}' of artifact {uploaded.artifact_id}"):
            download(store, uploaded.artifact_id, tmp_path / "target", prefix=path)
        with pytest.raises(DamagedBytes), open_file(store, uploaded.artifact_id, path) as file:
            file.read()
    assert read_files(tmp_path / "target") == {}
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("fetch")] == []


def test_bytes_that_became_fewer_in_the_store(
    store: Transport, request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = bytes(20 << 20)
    contents = {"a": b"right", "large": content, "middle": content[: 1 << 20]}
    uploaded = upload(store, artifact(store), write_files(tmp_path / "source", contents))
    fewer = {"a": b"righ", "large": content[: 17 << 20], "middle": b""}
    tamper(store, uploaded.uri, request, fewer)
    for path, cut in fewer.items():
        told = rf"'{path}' .*(has changed|was changed) in the store"
        for act in (
            lambda path=path: download(store, uploaded.artifact_id, tmp_path / "target", prefix=path),
            lambda path=path, cut=cut: read_range(store, uploaded.artifact_id, path, 0, len(cut) + 1),
            lambda path=path, cut=cut: read_range(store, uploaded.artifact_id, path, len(cut) + 1, 9),
        )[: 2 if path == "a" else 3]:
            with pytest.raises(DamagedBytes, match=told):
                act()
        assert read_range(store, uploaded.artifact_id, path, 0, len(cut)) == cut, "what is there is read"
    assert read_files(tmp_path / "target") == {}
    assert [record.getMessage() for record in caplog.records if "waiting" in record.getMessage()] == []


def test_a_folder_that_is_served_without_http_is_told(start_server: StartServer, source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with contextlib.closing(open_transport(str(folder))) as embedded:
        kept = upload(embedded, artifact(embedded), source).artifact_id
    server = start_server(f"sqlite:///{folder}/metadata.db", options=("--artifacts", str(folder / "artifacts")))
    with contextlib.closing(open_transport(server.target)) as store:
        told = f"{server.target} keeps files in a folder.* start it with --http-port, or with --artifacts s3:"
        for act in (
            lambda: upload(store, artifact(store), source),
            lambda: download(store, kept, tmp_path / "target"),
            lambda: read_range(store, kept, "big.bin", 0, 1),
        ):
            with pytest.raises(CallError, match=told) as refused:
                act()
            assert refused.value.code == Code.FAILED_PRECONDITION
    assert read_files(tmp_path / "target") == {}


def test_a_store_in_this_process_may_keep_its_bytes_in_an_object_store(
    s3: S3Address, bucket: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"MLMD_ARTIFACTS": f"s3://{bucket}", "MLMD_ARTIFACTS_ENDPOINT": s3.endpoint}
    credentials = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    for name, value in (settings | credentials).items():
        monkeypatch.setenv(name, value)
    with contextlib.closing(open_transport(str(tmp_path / "data"))) as store:
        kept = upload(store, artifact(store), source, part_size=PART)
        assert kept.uri.startswith(f"s3://{bucket}/")
        for reused in (0, len(CONTENTS)):
            assert download(store, kept.artifact_id, tmp_path / "target").files_reused == reused
        assert read_range(store, kept.artifact_id, "big.bin", 3, 4) == BIG[3:7]
    assert read_files(tmp_path / "target") == CONTENTS


def tamper(store: Transport, uri: str, request: pytest.FixtureRequest, contents: dict[str, bytes]) -> None:
    """Replace files behind the store's back."""
    if uri.startswith("file://"):
        write_files(Path(uri.removeprefix("file://")), contents)
        return
    admin = request.getfixturevalue("s3_admin")
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    for path, content in contents.items():
        admin.put_object(bucket, prefix + path, io.BytesIO(content), len(content))


def test_names_that_cannot_be(store: Transport, tmp_path: Path) -> None:
    for name, why in [("back\\slash", "backslash"), ("tab\there", "U\\+0009"), ("x" * 250 + "/" * 1 + "y" * 255, None)]:
        source = tmp_path / f"source-{len(name)}"
        write_files(source, {name: b"x", "good": b"good"})
        if why is None:
            upload(store, artifact(store), source)
            continue
        with pytest.raises(CallError, match=why):
            upload(store, artifact(store), source)
        assert every_artifact(store) == [], "nothing was begun"


def test_a_target_that_leads_elsewhere(store: Transport, source: Path, tmp_path: Path) -> None:
    uploaded = upload(store, artifact(store), source)
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    (target / "deep").symlink_to(outside)
    with pytest.raises(UnfitFiles, match="link or a file where a folder has to be"):
        download(store, uploaded.artifact_id, target)
    assert read_files(outside) == {}
    (target / "deep").unlink()
    write_files(outside, {"victim": b"untouched"})
    (target / "empty").unlink(missing_ok=True)
    (target / "empty").symlink_to(outside / "victim")
    with pytest.raises(UnfitFiles, match="another 'empty'"):
        download(store, uploaded.artifact_id, target)
    download(store, uploaded.artifact_id, target, overwrite=True)
    assert read_files(outside) == {"victim": b"untouched"}
    assert read_files(target) == CONTENTS
