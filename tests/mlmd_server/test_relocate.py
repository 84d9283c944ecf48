"""`mlmd-server relocate` as an operator runs it after the bytes were copied, beside a running server or without."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import urllib3
from minio import Minio
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1 import registry_pb2 as registry
from mlmd_schemas.pb.v1.registry_pb2_grpc import ModelRegistryStub
from mlmd_server.cli import make_parser
from mlmd_server.findings import Output

from mlmd_server import relocating
from tests.artifact_store.care import opened, upload
from tests.artifact_store.served import Client
from tests.artifact_store.uploads import artifact, begin, upload_file
from tests.conftest import StartServer
from tests.services.ceph import S3Address
from tests.services.programs import run_program

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An artifact store on SQLite and on MariaDB, of this process, with its bytes in `artifacts`."""
    with opened(database_url, tmp_path) as requests:
        yield requests


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Run:
    """Run the command for a copy in `new`."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        where = ["--database", database_url, "--artifacts", str(tmp_path / "new"), "--log-level", "warning"]
        return run_program(["relocate", *where, "--from", str(tmp_path / "artifacts"), *arguments], tmp_path)

    return command


def copy(folder: Path) -> Path:
    """Copy the bytes, as `cp -a` does."""
    shutil.copytree(folder / "artifacts", folder / "new")
    return folder / "new"


def test_it_is_tried_and_then_done(requests: Requests, run: Run, tmp_path: Path) -> None:
    made, store = upload(requests, b"content"), requests.artifacts.store
    old, new = f"{(tmp_path / 'artifacts').as_uri()}/", f"{(tmp_path / 'new').as_uri()}/"
    copy(tmp_path)
    tried = run("--dry-run")
    told = f"the uris of 1 artifact and the places of 1 manifest from {old} to {new}\n"
    assert (tried.returncode, tried.stdout) == (0, f"would rewrite {told}")
    assert f"looked for 1 file at {new}, 1 by size alone (--verify reads them); 0 missing or changed\n" in tried.stderr
    assert artifact(store, made).uri.startswith(old)
    done = run("--verify", "--parallel", "2")
    assert (done.returncode, done.stdout) == (0, f"rewrote {told}")
    assert done.stderr == f"mlmd-server: looked for 1 file at {new}; 0 missing or changed\n"
    assert artifact(store, made).uri == f"{new}_/system.Model/_/{made}/"
    again = run("--json")
    counts = {"from": old, "to": new, "artifacts": 0, "manifests": 0, "rewritten": True}
    assert (again.returncode, json.loads(again.stdout)) == (0, {"tenant": "", **counts})
    assert f"nothing of this store is at {old}; it has its bytes at {new[:-1]}\n" in again.stderr


def test_what_is_missing_is_told_and_nothing_is_changed(requests: Requests, run: Run, tmp_path: Path) -> None:
    whole, missing, changed = (upload(requests, content) for content in (b"whole", b"missing", b"changed"))
    new = copy(tmp_path)
    (new / "_" / "system.Model" / "_" / str(missing) / "f").unlink()
    (new / "_" / "system.Model" / "_" / str(changed) / "f").write_bytes(b"CHANGED")
    told = run()
    assert (told.returncode, told.stdout) == (1, f"missing: artifact {missing}, f\n")
    assert "looked for 3 files at " in told.stderr
    assert "; 1 missing or changed\n" in told.stderr
    assert "nothing was changed: copy what lacks from file:///" in told.stderr
    told = run("--verify", "--json")
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(line["artifact_id"], line["verdict"]) for line in lines] == [(missing, "missing"), (changed, "changed")]
    assert told.returncode == 1
    uris = [artifact(requests.artifacts.store, one).uri for one in (whole, missing, changed)]
    assert all(uri.startswith((tmp_path / "artifacts").as_uri()) for uri in uris)


def test_what_was_lost_before_keeps_nothing(requests: Requests, run: Run, database_url: str, tmp_path: Path) -> None:
    lost, store = upload(requests, b"lost"), requests.artifacts.store
    (tmp_path / "artifacts" / "_" / "system.Model" / "_" / str(lost) / "f").unlink()
    copy(tmp_path)
    assert run().returncode == 1
    where = ["--database", database_url, "--artifacts", str(tmp_path / "artifacts")]
    assert run_program(["verify", *where], tmp_path).returncode == 1
    done = run()
    assert done.returncode == 0
    assert done.stdout.startswith(f"missing before: artifact {lost}, f\nrewrote the uris of 1 artifact ")
    assert "; 0 missing or changed; 1 were missing or changed before\n" in done.stderr
    assert artifact(store, lost).uri.startswith((tmp_path / "new").as_uri())


def test_a_place_without_the_mark_is_not_taken_for_a_copy(requests: Requests, run: Run, tmp_path: Path) -> None:
    made = upload(requests)
    (tmp_path / "new").mkdir()
    refused = run()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "is new, and this store has its bytes at file:///" in refused.stderr
    assert ".mlmd too" in refused.stderr
    assert artifact(requests.artifacts.store, made).uri.startswith((tmp_path / "artifacts").as_uri())
    assert list((tmp_path / "new").iterdir()) == []


def test_a_place_of_another_store(requests: Requests, run: Run, tmp_path: Path) -> None:
    upload(requests)
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}")
    upload(Requests(Artifacts(other, LocalStore(tmp_path / "new"))))
    other.close()
    refused = run()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "keeps the bytes of another store" in refused.stderr


def test_an_upload_under_way(requests: Requests, run: Run, tmp_path: Path) -> None:
    upload(requests)
    requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"x")))
    copy(tmp_path)
    refused = run()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "1 upload to file:///" in refused.stderr
    assert "mlmd-server sweep --sweep-grace-seconds 3600" in refused.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--from", "gs://b/x"], "mlmd-server: from: 'gs://b/x' is none of s3://"),
        (["--parallel", "0"], "mlmd-server: parallel: 0 is not 1 to 256."),
    ],
)
def test_wrong_use(requests: Requests, run: Run, words: list[str], sentence: str) -> None:
    refused = run(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert sentence in refused.stderr


def test_what_came_to_the_old_place_meanwhile(
    requests: Requests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first, late, store = upload(requests), list[int](), requests.artifacts.store
    new = Requests(Artifacts(store, LocalStore(copy(tmp_path))))
    monkeypatch.setattr(relocating, "finish", lambda *_: late.append(upload(requests)))
    told = ["relocate", "--from", str(tmp_path / "artifacts")]
    status = relocating.relocate(new, LOCAL, make_parser().parse_args(told), Output(as_json=False, tenant=""))
    assert status == 1
    assert "of 1 artifact the uri is below file:///" in capfd.readouterr().err
    moved, stayed = ((tmp_path / name).as_uri() for name in ("new", "artifacts"))
    assert artifact(store, first).uri.startswith(moved)
    assert artifact(store, late[0]).uri.startswith(stayed)


def fetched(client: Client, artifact_id: int) -> bytes:
    """Return the bytes of an artifact's file `f`, as a client gets them."""
    return urllib3.request("GET", client.downloads(artifact_id)["f"].url).data


def test_beside_a_server_of_the_new_place(
    start_server: StartServer, sqlite_url: str, tmp_path: Path, s3: S3Address, s3_admin: Minio, bucket: str
) -> None:
    store = Store.open(sqlite_url)
    old = Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))
    made = upload(old, b"content", collection="m")
    for path in (tmp_path / "artifacts").rglob("*"):
        if path.is_file():
            s3_admin.fput_object(bucket, f"pre/{path.relative_to(tmp_path / 'artifacts')}", str(path))
    credentials = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    where = ("--artifacts", f"s3://{bucket}/pre", "--artifacts-endpoint", s3.endpoint)
    client = Client(start_server(sqlite_url, http=True, options=where, environment=credentials))
    assert fetched(client, made) == b"content"
    with pytest.MonkeyPatch.context() as patched:
        for name, value in credentials.items():
            patched.setenv(name, value)
        words = ["relocate", "--database", sqlite_url, *where, "--from", (tmp_path / "artifacts").as_uri()]
        done = run_program(words, tmp_path)
    assert (done.returncode, done.stderr.count("by size alone")) == (0, 0), done.stderr
    manifest = client.artifacts.GetManifest(v1.GetManifestRequest(artifact_id=made)).manifest
    assert manifest.root_uri == artifact(store, made).uri == f"s3://{bucket}/pre/_/system.Model/m/{made}/"
    assert fetched(client, made) == b"content"
    store.close()


def test_models_are_resolved_at_the_new_place(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    """Versions that are registered by uri, in Kubeflow's registry too, follow the files that they name."""
    store = Store.open(sqlite_url)
    made = upload(Requests(Artifacts(store, LocalStore(tmp_path / "artifacts"))), collection="m")
    store.close()
    served = start_server(sqlite_url, http=True, options=("--artifacts", str(copy(tmp_path))))
    models = ModelRegistryStub(Client(served).channel)
    models.CreateModel(registry.CreateModelRequest(name="sold"))
    models.CreateModelVersion(registry.CreateModelVersionRequest(model="sold", artifact_id=made))
    where = ["--database", sqlite_url, "--artifacts", str(tmp_path / "new")]
    done = run_program(["relocate", *where, "--from", str(tmp_path / "artifacts")], tmp_path)
    assert (done.returncode, done.stdout.startswith("rewrote the uris of 2 artifacts and")) == (0, True), done.stdout
    place = f"{(tmp_path / 'new').as_uri()}/_/system.Model/m/{made}/"
    resolved = models.ResolveModel(registry.ResolveModelRequest(uri="models:/sold/1"))
    assert (resolved.uri, resolved.root_uri) == (place, place)
    kubeflow = urllib3.request("GET", f"{served.http_url}/api/model_registry/v1alpha3/model_artifacts").json()
    assert [one["uri"] for one in kubeflow["items"]] == [place]


def test_tenants_with_a_place_of_their_own_are_moved_by_name(tmp_path: Path) -> None:
    tenants = tmp_path / "tenants.toml"
    entry = "[tenant.{0}]\ndatabase = 'sqlite:///{1}/{0}.db'\n"
    tenants.write_text(
        entry.format("shared", tmp_path) + entry.format("apart", tmp_path) + f"bucket_prefix = '{tmp_path}/apart-new'\n"
    )
    made: dict[str, int] = {}
    for tenant, place in (("shared", "old"), ("apart", "old")):
        with closing(Store.open(f"sqlite:///{tmp_path}/{tenant}.db")) as store:
            made[tenant] = upload(Requests(Artifacts(store, LocalStore(tmp_path / place), tenant)))
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    shutil.copytree(tmp_path / "old", tmp_path / "apart-new")
    where = ["--database", "", "--tenants", str(tenants), "--artifacts", str(tmp_path / "new")]
    words = ["relocate", *where, "--from", str(tmp_path / "old")]
    done = run_program(words, tmp_path)
    assert (done.returncode, done.stdout.count("rewrote")) == (0, 1), done.stderr
    assert "shared: rewrote the uris of 1 artifact" in done.stdout
    done = run_program([*words, "--tenant", "apart"], tmp_path)
    assert (done.returncode, done.stdout.count("rewrote the uris of 1 artifact")) == (0, 1), done.stderr
    for tenant, place in (("shared", "new"), ("apart", "apart-new")):
        with closing(Store.open(f"sqlite:///{tmp_path}/{tenant}.db")) as store:
            assert artifact(store, made[tenant]).uri.startswith(f"{(tmp_path / place).as_uri()}/{tenant}/")
