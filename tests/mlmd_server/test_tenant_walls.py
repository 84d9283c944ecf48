"""Roots of others' bytes that would lead to what is another tenant's, refused at the start; and what is not."""

import os
import subprocess
from pathlib import Path

import grpc
import pytest
import urllib3
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.metadata_store_service_pb2 import PutArtifactsRequest, PutArtifactTypeRequest
from mlmd_schemas.pb.metadata_store_service_pb2_grpc import MetadataStoreServiceStub
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_server.settings import load_config

from tests.artifact_store.served import Client, uploaded
from tests.conftest import StartServer
from tests.services.server import PROGRAMS


def load(
    folder: Path, root: str, *, artifacts: str, environment: dict[str, str] | None = None, by: str = "red", **flags: str
) -> None:
    """Load the configuration of the tenants red and blue, and of a default database; `by` may read a root."""
    said = {by: f"external_roots = ['{root}']\n"}
    places = {"blue": "bucket_prefix = 's3://blues/b'\n"} if artifacts.startswith("s3:") else {}
    (folder / "tenants.toml").write_text(
        "".join(
            f"[tenant.{name}]\ndatabase = 'sqlite:///{folder}/db/{name}.db'\n{said.get(name, '')}{places.get(name, '')}"
            for name in ("red", "blue")
        )
    )
    default = {"artifacts-external-roots": root} if not by else {}
    given = {
        "tenants": f"{folder}/tenants.toml",
        "database": f"sqlite:///{folder}/ours.db",
        "artifacts": artifacts,
        "auth": f"tokens={folder}/tokens.toml",
    }
    load_config(given | default | flags, environment or {}, None)


@pytest.mark.parametrize(
    ("by", "root", "reason"),
    [
        ("red", "a", "covers the files of the tenant 'blue' (a/blue/), which the tenant 'red' could read there"),
        ("red", "a/blue", "covers the files of the tenant 'blue'"),
        ("red", "a/blue/system.Model", "lies in the files of the tenant 'blue'"),
        ("red", "a/_", "covers the files of the default database (a/_/)"),
        ("", "a", "covers the files of the tenant 'red' (a/red/), which the default database could read there"),
        ("", "link/red", "covers the files of the tenant 'red'"),
        ("blue", "a/.mlmd/parts", "lies in the folder of the artifact store itself (a/.mlmd/)"),
        ("red", "db", "covers the database of the tenant 'blue'"),
        ("red", "tokens", "covers the file of tokens"),
    ],
)
def test_a_folder_that_leads_to_what_is_anothers_is_refused(tmp_path: Path, by: str, root: str, reason: str) -> None:
    (tmp_path / "a").mkdir()
    os.symlink(tmp_path / "a", tmp_path / "link")
    where = r"tenants: external_roots of the tenant '.*' in '.*tenants.toml'" if by else "artifacts-external-roots"
    with pytest.raises(InvalidArgument, match=rf"^{where}: 'file:///.*name roots") as caught:
        load(
            tmp_path, f"file://{tmp_path}/{root}", artifacts=f"{tmp_path}/a", by=by, auth=f"tokens={tmp_path}/tokens/t"
        )
    assert reason in caught.value.message.replace(f"({tmp_path}/", "(")


@pytest.mark.parametrize(
    ("by", "root"),
    [("red", "a/red"), ("red", "a/blues"), ("red", "a/blu"), ("", "a/_"), ("", "a/_/system.Model"), ("blue", "shared")],
)
def test_a_folder_of_ones_own_or_of_nobodys_is_taken(tmp_path: Path, by: str, root: str) -> None:
    load(tmp_path, f"file://{tmp_path}/{root}", artifacts=f"{tmp_path}/a", by=by)


MINIO = {"AWS_ENDPOINT_URL_S3": "http://minio:9000"}


@pytest.mark.parametrize(
    ("root", "environment", "reason"),
    [
        ("minio://ours/pre", {}, "covers the files of the default database (pre/_/)"),
        ("s3://blues", {}, "covers the files of the tenant 'blue' (b/blue/)"),
        ("s3://blues/b/blue/system.Model/", {}, "lies in"),
        ("s3://blues/b/?endpoint=minio:9000", MINIO, "covers the files of the tenant 'blue'"),
        ("s3://blues/b?region=eu-west-1", {}, "covers the files of the tenant 'blue'"),
        ("s3://blues/b?endpoint=http://seaweed:8333", MINIO, ""),
        ("s3://blues/b2", {}, ""),
        ("s3://ours/pre/red", {}, ""),
        ("s3://mlpipeline", {}, ""),
    ],
)
def test_a_bucket_that_leads_to_what_is_anothers_is_refused(
    tmp_path: Path, root: str, environment: dict[str, str], reason: str
) -> None:
    if not reason:
        load(tmp_path, root, artifacts="s3://ours/pre", environment=environment)
        return
    with pytest.raises(InvalidArgument) as caught:
        load(tmp_path, root, artifacts="s3://ours/pre", environment=environment)
    assert reason in caught.value.message


def test_a_folder_with_the_file_of_tenants_is_refused(tmp_path: Path) -> None:
    folder, root = tmp_path / "told", f"file://{tmp_path}/told"
    folder.mkdir()
    (folder / "tenants.toml").write_text(
        f"[tenant.red]\ndatabase = 'sqlite:///{tmp_path}/red.db'\nexternal_roots = ['{root}']\n"
    )
    flags = {"artifacts": f"{tmp_path}/a", "tenants": f"{folder}/tenants.toml"}
    with pytest.raises(InvalidArgument) as caught:
        load_config(flags, {}, None)
    assert (
        f"{root!r} covers the file of tenants ({folder}/tenants.toml), which the tenant 'red'" in caught.value.message
    )


def test_without_tenants_ones_own_root_may_be_read_and_the_tokens_not(tmp_path: Path) -> None:
    flags = {"artifacts": f"{tmp_path}/a", "artifacts-external-roots": tmp_path.as_uri()}
    assert load_config(flags, {}, None).artifacts.external_roots
    with pytest.raises(InvalidArgument, match=r"^artifacts-external-roots: .* covers the file of tokens"):
        load_config(flags | {"auth": f"tokens={tmp_path}/tokens.toml"}, {}, None)


def test_no_tenant_reads_anothers_files(start_server: StartServer, tmp_path: Path) -> None:
    token = '[[token]]\ntoken = "{0}"\nsubject = "s"\ntenant = "{0}"\nroles = ["writer"]\n'
    (tmp_path / "tokens.toml").write_text("".join(token.format(name) for name in ("red", "blue")))
    tables = {
        name: f'[tenant.{name}]\ndatabase = "sqlite:///{tmp_path}/{name}.db"\nexternal_roots = ["{{}}"]\n'
        for name in ("red", "blue")
    }
    place = (tmp_path / "artifacts").as_uri()
    (tmp_path / "tenants.toml").write_text("".join(table.format(f"{place}/{name}") for name, table in tables.items()))
    callers = ("--auth", f"tokens={tmp_path}/tokens.toml", "--tenants", f"{tmp_path}/tenants.toml")
    options = (*callers, "--artifacts", place)
    server = start_server(f"sqlite:///{tmp_path}/default.db", http=True, options=options)
    with urllib3.PoolManager() as http:
        blue, secret = uploaded(server, http, {"f": b"secret"}, token="blue")
    manifest = blue.artifacts.GetManifest(v1.GetManifestRequest(artifact_id=secret), metadata=blue.metadata).manifest
    red = Client(server, "red")
    named = recorded(red, manifest.root_uri)
    for call, request in (
        (red.artifacts.ListFiles, v1.ListFilesRequest(artifact_id=named)),
        (red.artifacts.ListDownloadUrls, v1.ListDownloadUrlsRequest(artifact_id=named)),
        (red.artifacts.RecordFiles, v1.RecordFilesRequest(artifact_id=named)),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            call(request, metadata=red.metadata)
        assert refused.value.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION)
    (tmp_path / "tenants.toml").write_text("".join(table.format(place) for table in tables.values()))
    command = [str(PROGRAMS / "mlmd-server"), "serve", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "covers the files of the tenant 'blue'" in done.stderr


def recorded(client: Client, uri: str) -> int:
    """Record an artifact by its uri alone."""
    stub = MetadataStoreServiceStub(client.channel)
    kind = PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="system.Model"))
    type_id = stub.PutArtifactType(kind, metadata=client.metadata).type_id
    request = PutArtifactsRequest(artifacts=[pb.Artifact(type_id=type_id, uri=uri)])
    (artifact_id,) = stub.PutArtifacts(request, metadata=client.metadata).artifact_ids
    return int(artifact_id)
