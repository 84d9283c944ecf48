"""The commands of care (`mlmd-server verify`, `gc`, …) as an operator runs them, and the sweep of a serving server."""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3
from minio import Minio
from minio.versioningconfig import VersioningConfig
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_client.calls import CallError
from mlmd_client.download import read_range
from mlmd_client.transport import open_transport
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.leases import take_lease
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_server.durations import duration_seconds

from tests.artifact_store.care import Admin, execution, opened, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.places import everything, gone
from tests.artifact_store.uploads import artifact, begin, send, type_id, upload_file
from tests.conftest import StartServer
from tests.services.ceph import S3Address
from tests.services.clocks import wait_beyond
from tests.services.programs import run_program
from tests.services.waiting import wait_for

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An artifact store on SQLite and on MariaDB, of this process."""
    with opened(database_url, tmp_path) as requests:
        yield requests


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Run:
    """Run a command on the same store."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        name, *rest = arguments
        where = ["--database", database_url, "--artifacts", str(tmp_path / "artifacts"), "--log-level", "warning"]
        return run_program([name, *where, *rest], tmp_path)

    return command


def test_verify_says_how_many_artifacts_it_cannot_read(requests: Requests, run: Run) -> None:
    store, artifacts = requests.artifacts.store, requests.artifacts
    upload(requests, b"whole")
    made = pb.Artifact(type_id=type_id(store), uri="s3://elsewhere/data/").SerializeToString()
    request = v1.RecordExternalRequest(artifact=made, files=[v1.UploadFile(path="f", size_bytes=3)])
    there = store.database.write(LOCAL, lambda tx: artifacts.record_external(tx, request)).manifest.artifact_id
    found = run("verify")
    assert (found.returncode, found.stdout) == (0, "")
    assert "read 1 file, 5 bytes; 0 missing or changed" in found.stderr
    assert f"did not read the files of 1 artifact (the first is {there})" in found.stderr


def test_verify_names_what_changed(requests: Requests, run: Run, tmp_path: Path) -> None:
    whole, broken = upload(requests, b"whole"), upload(requests, b"broken")
    clean = run("verify")
    assert (clean.returncode, clean.stdout) == (0, "")
    assert "read 2 files, 11 bytes; 0 missing or changed" in clean.stderr
    (tmp_path / "artifacts" / "_" / "system.Model" / "_" / str(broken) / "f").write_bytes(b"BROKEN")
    found = run("verify", "--json", "--parallel", "2")
    assert found.returncode == 1
    assert json.loads(found.stdout) == {"tenant": "", "artifact_id": broken, "path": "f", "verdict": "changed"}
    assert artifact(requests.artifacts.store, broken).custom_properties["mlmd_damaged_files"].int_value == 1
    assert not artifact(requests.artifacts.store, whole).custom_properties
    again = run("verify", "--not-since", "1h")  # what was the same is not read again, what was not is
    assert f"changed: artifact {broken}, f" in again.stdout
    assert "read 1 file, " in again.stderr


def test_gc_does_what_its_dry_run_says_and_why_says_why(requests: Requests, run: Run) -> None:
    data, model, stray = upload(requests, b"data"), upload(requests, b"model", collection="m"), upload(requests, b"xy")
    execution(requests, [data], [model])
    old = ("--keep-younger-than", "0")
    assert run("gc", "--dry-run").stdout == ""  # everything is young
    dry = run("gc", "--dry-run", *old)
    assert dry.stdout.startswith(f"would delete artifact {stray}: 1 file, 2 bytes, file://")
    assert dry.stdout.count("\n") == 1
    assert "would delete 1 artifact, 2 bytes; 2 are kept" in dry.stderr
    assert "was made from it, which is kept: it is version 1 of system.Model/m" in run("why", str(data), *old).stdout
    assert "Nothing keeps" in run("why", str(stray), *old).stdout
    done = run("gc", *old, "--json", "--reason", "quota")
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["artifact_id"], line["deleted"], done.returncode) == (stray, True, 0)
    assert artifact(requests.artifacts.store, stray).state == pb.Artifact.DELETED
    assert "quota" in run("why", str(stray), *old).stdout
    assert run("gc", *old).stdout == ""
    assert run("gc", *old, "--keep-newest", "0", "--without-origins").stdout.count("deleted artifact") == 2
    assert keys(requests.artifacts.blobs) == []


def test_sweep(requests: Requests, run: Run) -> None:
    pending = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"x"))).artifact_id
    send(requests, pending, {"f": b"x"})
    assert run("sweep").stdout == ""
    wait_beyond(now_ms())
    assert run("sweep", "--sweep-grace-seconds", "0").stdout == f"gave up the upload of artifact {pending}\n"
    assert keys(requests.artifacts.blobs) == []


@pytest.fixture
def bucketed(sqlite_url: str, s3: S3Address, bucket: str) -> Iterator[Requests]:
    """An artifact store of this process with its bytes in a bucket."""
    store = Store.open(sqlite_url)
    settings = S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)
    yield Requests(Artifacts(store, S3Store(settings)))
    store.close()


@pytest.fixture
def where(sqlite_url: str, s3: S3Address, bucket: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options of a command on the same store."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    return ["--database", sqlite_url, "--artifacts", f"s3://{bucket}", "--artifacts-endpoint", s3.endpoint]


def test_gc_deletes_older_versions_when_told(
    bucketed: Requests, where: list[str], s3_admin: Minio, bucket: str, tmp_path: Path
) -> None:
    s3_admin.set_bucket_versioning(bucket, VersioningConfig("Enabled"))

    def versions() -> int:
        return len(list(s3_admin.list_objects(bucket, "_/", recursive=True, include_version=True)))

    words = ["gc", *where, "--keep-younger-than", "0"]
    upload(bucketed)
    assert run_program(words, tmp_path).returncode == 0
    assert versions() == 2  # what was deleted, and the mark on it
    upload(bucketed)
    assert run_program([*words, "--artifacts-delete-versions"], tmp_path).returncode == 0
    assert versions() == 2


def test_a_sweep_tells_what_it_could_not_do(
    bucketed: Requests, where: list[str], s3_admin: Minio, bucket: str, tmp_path: Path
) -> None:
    requests, store = bucketed, bucketed.artifacts.store
    begun = [requests.artifacts.begin_upload(begin(store, upload_file("f", b"x"))) for _ in range(2)]
    for upload_begun in begun:
        assert send(requests, upload_begun.artifact_id, {"f": b"x"}) == [200]
    kept, gone = (upload_begun.artifact_id for upload_begun in begun)
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:DeleteObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/_/system.Model/_/{kept}/*"],
    }
    s3_admin.set_bucket_policy(bucket, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    words = ["sweep", *where, "--sweep-grace-seconds", "0"]
    swept = run_program([*words, "--json"], tmp_path)
    assert swept.returncode == 1, swept.stderr
    lines = [json.loads(line) for line in swept.stdout.splitlines()]
    assert [(line["done"], line.get("artifact_id")) for line in lines] == [("abandoned", gone), ("failed", None)]
    assert lines[1]["failure"].startswith(f"the upload of artifact {kept}: ")
    assert "AccessDenied" in lines[1]["failure"]
    assert "gave up 1 upload, finished 0 deletions; 1 failed" in swept.stderr
    s3_admin.delete_bucket_policy(bucket)
    again = run_program(words, tmp_path)
    assert (again.returncode, again.stdout) == (0, f"gave up the upload of artifact {kept}\n")


def test_purge_does_what_it_told_when_that_is_confirmed(requests: Requests, run: Run) -> None:
    gone, other = upload(requests, b"gone", name="patients"), upload(requests, b"other")
    before = artifact(requests.artifacts.store, gone)
    words = ("purge", "artifact", str(gone), "--include-bytes")
    told = run(*words)
    shown, confirm = told.stdout.splitlines()
    assert shown == f"would purge artifact {gone}: 'patients' {before.uri!r}"
    digest = confirm.removeprefix("digest ")
    assert told.returncode == 0
    assert f"--confirm {digest}" in told.stderr
    assert "would purge 1 node with 0 properties; 1 file, 4 bytes" in told.stderr
    assert artifact(requests.artifacts.store, gone) == before
    for wrong, status, sentence in (
        ((*words, "--confirm", digest), 2, "reason"),
        ((*words, "--confirm", "99", "--reason", "r"), 2, "confirm: '99' is no digest"),
        (("purge", "artifact", str(other), "--confirm", digest, "--reason", "r"), 1, "digest: it confirms other nodes"),
        ((*words[:3], "--confirm", digest, "--reason", "r"), 1, "digest: it confirms other nodes"),
    ):
        refused = run(*wrong)
        assert (refused.returncode, sentence in refused.stderr) == (status, True), refused.stderr
    assert artifact(requests.artifacts.store, gone) == before
    done = run(*words, "--confirm", digest, "--reason", "consent withdrawn", "--json")
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["id"], line["name"], line["purged"], done.returncode) == (gone, "patients", True, 0)
    assert not artifact(requests.artifacts.store, gone).name
    assert b"".join(requests.artifacts.read(other, "f")) == b"other"
    assert len(keys(requests.artifacts.blobs)) == 1
    stones = Admin(requests)("ListTombstones").tombstones
    assert {(one.id, one.subject, one.reason) for one in stones} == {(gone, "mlmd-server", "consent withdrawn")}


def test_purge_tells_what_forbids_it_and_takes_every_kind(requests: Requests, run: Run) -> None:
    pinned = upload(requests, b"pinned", name="pinned")
    Admin(requests)("PinArtifact", artifact_id=pinned)
    forbidden = run("purge", "artifact", "--filter", "name = 'pinned'", "--json")
    node, end = map(json.loads, forbidden.stdout.splitlines())
    assert (forbidden.returncode, node["purged"], len(end["obstacles"])) == (1, False, 1)
    assert f"Artifact {pinned} is pinned by 'local'" in forbidden.stderr
    made = execution(requests, [pinned], [])
    told = run("purge", "execution", str(made), "--json").stdout.splitlines()
    digest = json.loads(told[-1])["digest"]
    done = run("purge", "execution", str(made), "--confirm", digest, "--reason", "r")
    assert (done.returncode, done.stdout) == (0, f"purged execution {made}\n")


def test_claim_says_whose_the_bytes_are_and_takes_them_over(requests: Requests, run: Run, tmp_path: Path) -> None:
    ours = run("claim", "--json")
    assert json.loads(ours.stdout)["store_uuid"] == requests.artifacts.store.store_uuid
    made = upload(requests, b"ours")
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    Store.open(elsewhere).close()
    other = ("--database", elsewhere)
    for words in (("claim",), ("sweep", "--sweep-grace-seconds", "0")):
        refused = run(*words, *other)
        assert (refused.returncode, "keeps the bytes of another store" in refused.stderr) == (1, True), refused.stderr
    taken = run("claim", "--take-over", *other)
    assert (taken.returncode, "keeps the bytes of this store" in taken.stdout) == (0, True)
    gc = run("gc", "--keep-younger-than", "0")
    assert (gc.returncode, "claim --take-over" in gc.stderr) == (1, True)
    assert b"".join(requests.artifacts.read(made, "f")) == b"ours"
    run("claim", "--take-over")
    assert "deleted artifact" in run("gc", "--keep-younger-than", "0").stdout


def test_claim_asks_before_it_takes_an_empty_place(requests: Requests, run: Run, tmp_path: Path) -> None:
    upload(requests, b"mounted")
    with gone(requests.artifacts.blobs):
        for words in (("claim",), ("sweep",), ("gc", "--keep-younger-than", "0"), ("verify",)):
            refused = run(*words)
            assert (refused.returncode, "is no longer the place that it was" in refused.stderr) == (1, True), words
        assert everything(requests.artifacts.blobs) == []
    new = ("--artifacts", str(tmp_path / "new"))
    refused = run("claim", *new)
    assert (refused.returncode, "this store has its bytes at file://" in refused.stderr) == (1, True)
    assert run("claim", "--take-over", *new).returncode == 0
    assert run("claim", *new).returncode == run("claim").returncode == 0


def test_a_server_that_starts_before_the_volume_is_mounted(
    start_server: StartServer, database_url: str, requests: Requests, tmp_path: Path
) -> None:
    made = upload(requests, b"mounted")
    where = ("--artifacts", str(tmp_path / "artifacts"))
    asked = begin(requests.artifacts.store, upload_file("f", b"to be kept"))
    path = "/mlmd.v1.ArtifactStore/BeginUpload"
    with contextlib.ExitStack() as opened:
        http = opened.enter_context(urllib3.PoolManager())
        with gone(requests.artifacts.blobs):
            server = start_server(database_url, http=True, options=where)
            transport = opened.enter_context(contextlib.closing(open_transport(server.target)))
            with pytest.raises(CallError, match="is no longer the place that it was") as told:
                transport.unary(path, asked, v1.BeginUploadResponse)
            assert told.value.code == Code.UNAVAILABLE
            answer = http.request("GET", f"{server.http_url}/artifacts/{made}/files/f", retries=False)
            assert (answer.status, b"is no longer the place that it was" in answer.data) == (503, True)
        assert transport.unary(path, asked, v1.BeginUploadResponse).files_to_send == 1
        assert read_range(transport, made, "f", 0, 7) == b"mounted"


def test_a_copy_becomes_a_store_of_its_own(requests: Requests, run: Run) -> None:
    upload(requests, b"kept")
    assert run("claim", "--new-identity", "--take-over").returncode == 2
    before = requests.artifacts.store.store_uuid
    assert before not in run("claim", "--new-identity").stdout
    gc = run("gc", "--keep-younger-than", "0")
    assert (gc.returncode, f"another store ({before}" in gc.stderr) == (1, True)
    assert len(keys(requests.artifacts.blobs)) == 1


def test_wrong_use_is_told_in_a_sentence(requests: Requests, run: Run) -> None:
    for arguments, status, sentence in (
        (("why", "99"), 1, "there is no artifact 99"),
        (("purge", "artifact", "99"), 1, "there is no artifact 99"),
        (("purge", "artifact"), 2, "name nodes either by ids or by filter_query"),
        (("purge", "context", "1", "--include-bytes"), 2, "only artifacts have bytes"),
        (("gc", "--keep-younger-than", "soon"), 2, "'soon' is no length of time"),
        (("gc", "--keep-newest", "-1"), 2, "keep-newest"),
        (("verify", "--parallel", "0"), 2, "parallel"),
        (("sweep", "--tenant", "nobody"), 2, "there is no tenant 'nobody'"),
        (("verify", "--sweep-grace-seconds", "-1"), 2, "sweep-grace-seconds"),
    ):
        answer = run(*arguments)
        assert (answer.returncode, sentence in answer.stderr) == (status, True), answer.stderr
        assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("gc", "--dry-run"),
        ("why", "1"),
        ("sweep",),
        ("claim",),
        ("purge", "artifact", "1"),
        ("relocate", "--from", "/elsewhere"),
    ],
    ids=lambda words: words[0],
)
def test_where_there_is_no_store_none_is_made_and_found_in_order(words: tuple[str, ...], tmp_path: Path) -> None:
    found = run_program(list(words), tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert f"there is no store at '{tmp_path}/mlmd-data/metadata.db'; go to the folder that has it" in found.stderr
    assert not (tmp_path / "mlmd-data").exists()


def test_a_new_database_may_take_the_place_of_a_lost_one(tmp_path: Path) -> None:
    assert run_program(["claim", "--take-over"], tmp_path).returncode == 0
    assert run_program(["verify"], tmp_path).returncode == 0


def test_a_tenant_that_nobody_called_yet_has_nothing_to_care_for(tmp_path: Path) -> None:
    for tenant in ("a", "b"):
        with (tmp_path / "tenants.toml").open("a") as file:
            file.write(f'[tenant.{tenant}]\ndatabase = "sqlite:///{tmp_path}/{tenant}.db"\n')
    Store.open(f"sqlite:///{tmp_path}/a.db").close()
    where = ("--tenants", "tenants.toml", "--artifacts", "bytes")
    all_of_them = run_program(["verify", *where], tmp_path)
    assert (all_of_them.returncode, "tenant b" in all_of_them.stderr) == (0, False), all_of_them
    assert run_program(["verify", *where, "--tenant", "a"], tmp_path).returncode == 0
    chosen = run_program(["verify", *where, "--tenant", "b"], tmp_path)
    assert (chosen.returncode, "there is no store of tenant b at " in chosen.stderr) == (1, True)
    assert not (tmp_path / "b.db").exists()


def test_tenants_are_cared_for_one_by_one(new_database: Callable[[], str], tmp_path: Path) -> None:
    ids = {}
    for tenant in ("a", "b"):
        url = new_database()
        store = Store.open(url)
        ids[tenant] = upload(Requests(Artifacts(store, LocalStore(tmp_path / "bytes"), tenant)), tenant.encode())
        store.close()
        with (tmp_path / "tenants.toml").open("a") as file:
            file.write(f'[tenant.{tenant}]\ndatabase = "{url}"\n')
    base = ["gc", "--tenants", "tenants.toml", "--artifacts", "bytes", "--keep-younger-than", "0", "--json"]

    def ran(*more: str) -> list[tuple[str, int]]:
        done = run_program([*base, *more], tmp_path)
        assert done.returncode == 0, done.stderr
        return [(line["tenant"], line["artifact_id"]) for line in map(json.loads, done.stdout.splitlines())]

    assert ran("--dry-run") == [("a", ids["a"]), ("b", ids["b"])]
    assert ran("--tenant", "b") == [("b", ids["b"])]
    assert ran() == [("a", ids["a"])]


def test_what_is_wrong_with_one_tenants_store_does_not_keep_the_others(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    urls = {tenant: new_database() for tenant in ("a", "b", "another")}
    Store.open(urls["a"]).close()
    for name, tenant in (("another", "a"), ("b", "b")):  # so the bytes of tenant a are those of another store
        store = Store.open(urls[name])
        requests = Requests(Artifacts(store, LocalStore(tmp_path / "bytes"), tenant))
        pending = requests.artifacts.begin_upload(begin(store, upload_file("f", b"x"))).artifact_id
        store.close()
    lines = (f'[tenant.{tenant}]\ndatabase = "{urls[tenant]}"\n' for tenant in ("a", "b"))
    (tmp_path / "tenants.toml").write_text("".join(lines))
    wait_beyond(now_ms())
    where = ("--tenants", "tenants.toml", "--artifacts", "bytes")
    swept = run_program(["sweep", *where, "--sweep-grace-seconds", "0", "--json"], tmp_path)
    assert (swept.returncode, "another store" in swept.stderr, "(tenant a)" in swept.stderr) == (1, True, True)
    assert [(line["tenant"], line["artifact_id"]) for line in map(json.loads, swept.stdout.splitlines())] == [
        ("b", pending)
    ]


def test_a_serving_server_sweeps(
    requests: Requests, database_url: str, tmp_path: Path, start_server: StartServer
) -> None:
    pending = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"x"))).artifact_id
    send(requests, pending, {"f": b"x"})
    gone = upload(requests, b"gone")
    admin = Admin(requests)
    admin("PinArtifact", artifact_id=gone)
    where = ("--artifacts", str(tmp_path / "artifacts"), "--sweep-every-seconds", "0.5", "--sweep-grace-seconds", "0")
    server = start_server(database_url, options=(*where, "--workers", "2"))
    wait_for(lambda: len(keys(requests.artifacts.blobs)) == 1, says=server.output)
    assert artifact(requests.artifacts.store, pending).state == pb.Artifact.ABANDONED
    assert b"".join(requests.artifacts.read(gone, "f")) == b"gone"
    assert server.stop() == 0


def test_one_at_a_time_has_the_lease(requests: Requests) -> None:
    write = requests.artifacts.store.database.write

    def take(name: str, seconds: float) -> bool:
        return write(LOCAL, lambda tx: take_lease(tx, name, "me", seconds))

    assert take("sweep", 3600)
    assert not take("sweep", 3600)
    assert take("other", 0)
    wait_beyond(now_ms())
    assert take("other", 0)


def test_lengths_of_time() -> None:
    assert [duration_seconds(text, "o") for text in ("90", "90s", "1.5m", "2h", "30d")] == [90, 90, 90, 7200, 2592000]
    for text in ("", "d", "-1s", "1w", "1 d", "1e9", "٣s"):
        with pytest.raises(InvalidArgument):
            duration_seconds(text, "o")
