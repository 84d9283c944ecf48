"""The bytes of an archive: out of one store and into another, whichever keeps them where."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlmd_client.command_line.commands import mlmd
from mlmd_client.failures import NotFound
from mlmd_client.store import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.client.command_line.conftest import Run, run_on
from tests.client.conftest import server_at
from tests.client.places import read_files, stored, write_files
from tests.conftest import StartServer
from tests.services.faulty_http import Fault, FaultyHttp, Request
from tests.services.server import Server

BIG = os.urandom(1 << 20) * 17
CONTENTS = {
    "model": {"a.txt": b"a", "deep/ü ñ %.json": b"{}", "empty": b"", "weights.bin": BIG},
    "data": {"x": b"x" * 9},
}
WAYS = [
    ("embedded-folder", "s3", "mariadb"),
    ("s3", "http-folder", "sqlite"),
    ("http-folder", "embedded-folder", "sqlite"),
]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's environment, and nothing written outside the test's folder."""
    monkeypatch.setenv("MLMD_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("MLMD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLMD_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def opened(request: pytest.FixtureRequest, start_server: StartServer, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """A function that opens an empty store with its bytes at a place."""
    stores: list[Store] = []

    def open_it(place: str, url: str = "") -> Store:
        folder = tmp_path / f"store_{len(stores)}"
        folder.mkdir()
        if place == "embedded-folder":
            stores.append(Store(str(folder)))
        else:
            server = server_at(place, url or f"sqlite:///{folder}/m.db", request, start_server)
            stores.append(Store(f"grpc://{server.target}"))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


def fill(store: Store, folder: Path) -> None:
    """Keep the contents as versions of their names, and something whose bytes are elsewhere."""
    for name, files in CONTENTS.items():
        place = write_files(folder / name, files)
        store.keep(pb.Artifact(type="system.Artifact"), name, place, reuse=False)
    external = pb.Artifact(type_id=store._type_id("system.Artifact"), uri="s3://far/away/")
    told = [v1.UploadFile(path="x", size_bytes=3, sha256=hashlib.sha256(b"far").digest())]
    request = v1.RecordExternalRequest(artifact=external.SerializeToString(), files=told)
    store.service.write(request, v1.RecordExternalResponse)


def manifest(store: Store, artifact_id: int) -> v1.Manifest:
    request = v1.GetManifestRequest(artifact_id=artifact_id)
    found: v1.Manifest = store.service.read(request, v1.GetManifestResponse).manifest
    return found


def files(store: Store, artifact_id: int) -> list[tuple[str, int, bytes, str]]:
    request = v1.ListFilesRequest(artifact_id=artifact_id)
    answer = store.service.read(request, v1.ListFilesResponse)
    return [(file.path, file.size_bytes, file.sha256, file.media_type) for file in answer.files]


def bytes_row(run: Run, *arguments: str) -> dict[str, Any]:
    """Run a command and return what it says of bytes."""
    said = run(*arguments, "--json")
    assert said.status == 0, said.err
    found: dict[str, Any] = next(row for row in said.json if row["table"] == "bytes")
    return found


@pytest.mark.parametrize(("source", "target", "database"), WAYS)
def test_files_go_from_one_store_to_another_and_stay(
    request: pytest.FixtureRequest,
    opened: Callable[..., Store],
    source: str,
    target: str,
    database: str,
    tmp_path: Path,
) -> None:
    url = request.getfixturevalue("mariadb_url") if database == "mariadb" else ""
    before, after = opened(source), opened(target, url)
    fill(before, tmp_path / "made")
    archive = str(tmp_path / "all.mlmd")
    said = run_on(before.address)("export", archive, "--with-bytes")
    assert (said.status, "1 artifact are outside" in said.err) == (0, True)
    run = run_on(after.address)
    assert bytes_row(run, "import", archive, "--dry-run")["added"] == 5
    assert bytes_row(run, "import", archive)["added"] == 5
    for name, contents in CONTENTS.items():
        there, here = before[name], after[name]
        assert stored(after.service.transport, here.id).state == pb.Artifact.LIVE
        theirs, ours = manifest(before, there.id), manifest(after, here.id)
        assert (ours.external, ours.digest, ours.file_count) == (False, theirs.digest, theirs.file_count)
        assert files(after, here.id) == files(before, there.id)
        assert here.uri == ours.root_uri != theirs.root_uri
        after.fetch(here, tmp_path / "got" / name)
        assert read_files(tmp_path / "got" / name) == contents
    restored = manifest(after, after["model"].id)
    assert bytes_row(run, "import", archive) == {
        "table": "bytes", "rows": 5, "added": 0, "present": 5, "renumbered": 0
    }  # fmt: skip
    assert manifest(after, after["model"].id) == restored
    assert after["model"].uri == restored.root_uri


def test_any_unzip_gives_the_files_back(opened: Callable[..., Store], tmp_path: Path) -> None:
    store = opened("embedded-folder")
    fill(store, tmp_path / "made")
    archive = tmp_path / "all.mlmd"
    run_on(store.address)("export", str(archive), "--with-bytes")
    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
        packed.extractall(tmp_path / "out", [name for name in packed.namelist() if name.startswith("files/")])
    for name, contents in CONTENTS.items():
        assert read_files(tmp_path / "out" / "files" / str(store[name].id)) == contents


def test_an_archive_is_whole_whoever_else_exports_to_the_same_path(
    opened: Callable[..., Store], tmp_path: Path
) -> None:
    store = opened("embedded-folder")
    fill(store, tmp_path / "made")
    archive, others = tmp_path / "all.mlmd", tmp_path / "all.mlmd.part"
    others.write_bytes(b"being written")
    assert run_on(store.address)("export", str(archive), "--with-bytes").status == 0
    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
    assert others.read_bytes() == b"being written"
    assert sorted(path.name for path in tmp_path.glob("all.*")) == ["all.mlmd", "all.mlmd.part"]


def test_an_archive_without_bytes_leaves_files_where_they_are(opened: Callable[..., Store], tmp_path: Path) -> None:
    before, after = opened("embedded-folder"), opened("embedded-folder")
    fill(before, tmp_path / "made")
    run, archive = run_on(after.address), str(tmp_path / "all.mlmd")
    run_on(before.address)("export", archive)
    assert "bytes" not in {row["table"] for row in run("import", archive, "--json").json}
    assert manifest(after, after["model"].id).external
    run_on(before.address)("export", archive, "--with-bytes", "--force")
    assert "bytes" not in {row["table"] for row in run("import", archive, "--without-bytes", "--json").json}
    assert manifest(after, after["model"].id).root_uri == before["model"].uri
    assert bytes_row(run, "import", archive)["added"] == 5
    assert not manifest(after, after["model"].id).external


def test_bytes_that_are_not_the_manifests_are_refused_and_leave_nothing(
    opened: Callable[..., Store], tmp_path: Path
) -> None:
    before, after = opened("embedded-folder"), opened("embedded-folder")
    fill(before, tmp_path / "made")
    archive, damaged = tmp_path / "all.mlmd", tmp_path / "damaged.mlmd"
    run_on(before.address)("export", str(archive), "--with-bytes")
    for size in (1, len(BIG)):
        (entry,) = [
            e for e in zipfile.ZipFile(archive).infolist() if e.filename.startswith("files/") and e.file_size == size
        ]
        content = bytearray(archive.read_bytes())
        content[entry.header_offset + 30 + len(entry.filename.encode()) + size // 2] ^= 1
        damaged.write_bytes(content)
        said = run_on(after.address)("import", str(damaged))
        assert (said.status, "is not what the manifest" in said.err) == (6, True), said.err
        assert manifest(after, after["model"].id).external
    kept = [
        path for path in (Path(after.address) / "artifacts").rglob("*") if path.is_file() and "/model/" in str(path)
    ]
    assert kept == []
    assert bytes_row(run_on(after.address), "import", str(archive))["added"] == 5
    after.fetch(after["model"], tmp_path / "got")
    assert read_files(tmp_path / "got") == CONTENTS["model"]


def test_files_that_are_damaged_at_the_source_are_left_out_and_named(
    opened: Callable[..., Store], tmp_path: Path
) -> None:
    before, after = opened("embedded-folder"), opened("embedded-folder")
    fill(before, tmp_path / "made")
    stored = Path(before["model"].uri.removeprefix("file://")) / "a.txt"
    stored.write_bytes(b"b")
    archive = str(tmp_path / "all.mlmd")
    said = run_on(before.address)("export", archive, "--with-bytes")
    assert (said.status, "'a.txt'" in said.err) == (7, True)
    assert {name.split("/")[1] for name in zipfile.ZipFile(archive).namelist() if name.startswith("files/")} == {
        str(before["data"].id)
    }
    assert bytes_row(run_on(after.address), "import", archive)["added"] == 1
    assert manifest(after, after["model"].id).external


def test_an_archive_that_lacks_files_or_was_packed_again_is_refused(
    opened: Callable[..., Store], tmp_path: Path
) -> None:
    before, after = opened("embedded-folder"), opened("embedded-folder")
    fill(before, tmp_path / "made")
    archive, other = tmp_path / "all.mlmd", tmp_path / "other.mlmd"
    run_on(before.address)("export", str(archive), "--with-bytes")

    def packed(method: int, lacking: str) -> str:
        with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(other, "w", method) as kept:
            for name in whole.namelist():
                if not name.endswith(lacking):
                    kept.writestr(name, whole.read(name))
        return run_on(after.address)("import", str(other)).err

    assert "has not all 4 files" in packed(zipfile.ZIP_STORED, "a.txt")
    assert "zip -0" in packed(zipfile.ZIP_DEFLATED, "none")
    assert bytes_row(run_on(after.address), "import", str(archive))["added"] == 5


def test_bytes_that_were_deleted_here_are_not_brought_back(opened: Callable[..., Store], tmp_path: Path) -> None:
    before, after = opened("embedded-folder"), opened("embedded-folder")
    fill(before, tmp_path / "made")
    run, archive = run_on(after.address), str(tmp_path / "all.mlmd")
    run_on(before.address)("export", archive, "--with-bytes")
    run("import", archive)
    ask = admin_pb2.PurgeRequest(kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[after["data"].id], include_bytes=True)
    transport = after.service.transport
    ask.digest = transport.unary("/mlmd.v1.Admin/Purge", ask, admin_pb2.PurgeResponse).digest
    ask.reason = "consent withdrawn"
    transport.unary("/mlmd.v1.Admin/Purge", ask, admin_pb2.PurgeResponse)
    assert bytes_row(run, "import", archive)["added"] == 0
    with pytest.raises(NotFound):
        manifest(after, before["data"].id)
    assert not manifest(after, after["model"].id).external


@pytest.fixture
def behind_a_proxy(tmp_path: Path) -> Iterator[tuple[Server, FaultyHttp]]:
    """A server whose files go through a proxy."""
    server = Server(f"sqlite:///{tmp_path}/proxied.db", tmp_path / "proxied", http=True)
    with FaultyHttp(server.http_port) as proxy:
        server.options = ("--http-address", proxy.url)
        with server:
            yield server, proxy


def test_an_import_that_was_killed_goes_on_when_it_is_done_again(
    opened: Callable[..., Store], behind_a_proxy: tuple[Server, FaultyHttp], tmp_path: Path
) -> None:
    before = opened("embedded-folder")
    many = write_files(tmp_path / "many", {f"{number:04}.bin": os.urandom(2000) for number in range(600)})
    before.keep(pb.Artifact(type="system.Artifact"), "many", many, reuse=False)
    archive = str(tmp_path / "all.mlmd")
    run_on(before.address)("export", archive, "--with-bytes")
    server, proxy = behind_a_proxy
    kept = server.folder / "mlmd-data" / "artifacts"
    command = [sys.executable, "-m", "mlmd_client.command_line", "--server", f"grpc://{server.target}"]

    def kill(request: Request) -> Fault | None:
        if request.method != "PUT" or request.number <= 40:
            return None
        importing.send_signal(signal.SIGKILL)
        return Fault.REFUSED

    proxy.fault = kill
    importing = subprocess.Popen([*command, "import", archive], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert importing.wait() == -signal.SIGKILL
    while len(list(kept.rglob("*.bin"))) < 40:  # those that were on their way
        time.sleep(0.01)
    proxy.calm()
    with Store(f"grpc://{server.target}") as after:
        assert manifest(after, after["many"].id).external
        sent = {path: path.stat().st_mtime_ns for path in kept.rglob("*.bin")}
        assert len(sent) == 40
        assert bytes_row(run_on(f"grpc://{server.target}"), "import", archive)["added"] == 600
        found = list(kept.rglob("*.bin"))
        assert len(found) == 600, "the second import went on where the first was"
        assert sum(path.stat().st_mtime_ns == sent.get(path) for path in found) > len(sent) // 2
        assert manifest(after, after["many"].id).digest == manifest(before, before["many"].id).digest


def test_two_imports_of_one_archive_at_the_same_time_are_one(
    opened: Callable[..., Store], start_server: StartServer, database_url: str, tmp_path: Path
) -> None:
    before = opened("embedded-folder")
    fill(before, tmp_path / "made")
    archive = str(tmp_path / "all.mlmd")
    run_on(before.address)("export", archive, "--with-bytes")
    server = start_server(database_url, http=True)
    target = f"grpc://{server.target}"
    command = [sys.executable, "-m", "mlmd_client.command_line", "--server", target, "import", archive, "--json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    rows = [{row["table"]: row for row in json.loads(out)} for out, _ in said]
    assert sum(row["Artifact"]["added"] for row in rows) == 3
    assert all(row["bytes"]["rows"] == 5 for row in rows)
    with Store(target) as after:
        for name, contents in CONTENTS.items():
            after.fetch(after[name], tmp_path / "got" / name)
            assert read_files(tmp_path / "got" / name) == contents
            assert not manifest(after, after[name].id).external


def test_the_command_says_what_it_does() -> None:
    options = {option for command in ("export", "import") for p in mlmd.commands[command].params for option in p.opts}
    assert {"--with-bytes", "--without-bytes", "--dry-run"} <= options
