"""The artifact store of a running server: gRPC and Connect for the facts, HTTP for the bytes, on a folder and on S3."""

import json
import random
import subprocess
from pathlib import Path

import grpc
import pytest
import urllib3
from mlmd_schemas.pb.v1 import admin_pb2 as admin_v1
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1.admin_pb2_grpc import AdminStub

from tests.artifact_store.served import Client, uploaded
from tests.artifact_store.uploads import FIVE
from tests.conftest import StartServer
from tests.services.disks import mounted
from tests.services.server import PROGRAMS, Server

CONTENTS = {"model/weights 100%.bin": random.Random(1).randbytes(2 * FIVE + 77), "é.json": b"{}", "empty": b""}


def test_up_and_down(server: Server, http: urllib3.PoolManager) -> None:
    client, artifact_id = uploaded(server, http, CONTENTS)
    requests = client.downloads(artifact_id)
    assert set(requests) == set(CONTENTS)
    for path, content in CONTENTS.items():
        answer = http.request("GET", requests[path].url, retries=False)
        assert (answer.status, answer.data == content) == (200, True)
        part = http.request("GET", requests[path].url, headers={"range": "bytes=1-"}, retries=False)
        assert (part.status, part.data) == ((206, content[1:]) if len(content) > 1 else (416, part.data))
    body = json.dumps({"artifactId": str(artifact_id)}).encode()
    answer = http.request(
        "POST", f"{server.http_url}/mlmd.v1.ArtifactStore/ListFiles", body=body,
        headers={"content-type": "application/json"},
    )  # fmt: skip
    assert [file["path"] for file in answer.json()["files"]] == sorted(CONTENTS)


def test_upload_goes_on_after_the_server_was_killed(server: Server, http: urllib3.PoolManager) -> None:
    client = Client(server)
    begun = client.begin(CONTENTS)
    urls = client.urls(begun.artifact_id)
    for url in urls[:2]:
        assert client.send(http, url, CONTENTS[url.path]) == 200
    server.kill()
    server.start()
    client = Client(server)
    with pytest.raises(grpc.RpcError) as refused:
        client.commit(begun.artifact_id)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    missing = client.urls(begun.artifact_id, only_missing=True)
    assert [(url.path, url.part_number) for url in missing] == [(url.path, url.part_number) for url in urls[2:]]
    assert {client.send(http, url, CONTENTS[url.path]) for url in missing} == {200}
    assert client.commit(begun.artifact_id).manifest.file_count == len(CONTENTS)


def test_urls_as_a_stream(server: Server, http: urllib3.PoolManager) -> None:
    client = Client(server)
    contents = {f"{number:03}": b"%d" % number for number in range(25)}
    begun = client.begin(contents)
    request = v1.StreamUploadUrlsRequest(artifact_id=begun.artifact_id, batch_size=10)
    batches = [list(answer.urls) for answer in client.artifacts.StreamUploadUrls(request)]
    assert [len(batch) for batch in batches] == [10, 10, 5]
    for batch in batches[:2]:
        assert {client.send(http, url, contents[url.path]) for url in batch} == {200}
    request = v1.StreamUploadUrlsRequest(artifact_id=begun.artifact_id, batch_size=10, only_missing=True)
    (left,) = client.artifacts.StreamUploadUrls(request)
    assert [url.path for url in left.urls] == sorted(contents)[20:]
    assert {client.send(http, url, contents[url.path]) for url in left.urls} == {200}
    client.commit(begun.artifact_id)
    down = v1.StreamDownloadUrlsRequest(artifact_id=begun.artifact_id, batch_size=20, prefix="0")
    got = {
        url.file.path: http.request("GET", url.request.url, retries=False).data
        for answer in client.artifacts.StreamDownloadUrls(down)
        for url in answer.urls
    }
    assert got == contents
    for wrong, code in ((-1, "INVALID_ARGUMENT"), (1001, "INVALID_ARGUMENT")):
        with pytest.raises(grpc.RpcError) as refused:
            list(client.artifacts.StreamUploadUrls(v1.StreamUploadUrlsRequest(artifact_id=1, batch_size=wrong)))
        assert refused.value.code().name == code


def test_care_over_the_wires(start_server: StartServer, tmp_path: Path, http: urllib3.PoolManager) -> None:
    tokens = "".join(
        f'[[token]]\ntoken = "{role}"\nsubject = "{role}"\nroles = ["{role}"]\n'
        for role in ("reader", "writer", "admin")
    )
    (tmp_path / "tokens.toml").write_text(tokens)
    options = ("--auth", f"tokens={tmp_path}/tokens.toml")
    server = start_server(f"sqlite:///{tmp_path}/m.db", http=True, options=options)
    client = Client(server, "writer")
    begun = client.begin({"f": b"personal"})
    assert {client.send(http, url, b"personal") for url in client.urls(begun.artifact_id)} == {200}
    client.commit(begun.artifact_id)
    admin = AdminStub(client.channel)

    def role(name: str) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {name}")]

    pin = admin_v1.PinArtifactRequest(artifact_id=begun.artifact_id, reason="audit")
    with pytest.raises(grpc.RpcError) as refused:
        admin.PinArtifact(pin, metadata=role("reader"))
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    admin.PinArtifact(pin, metadata=role("writer"))
    (pinned,) = admin.ListPins(admin_v1.ListPinsRequest(), metadata=role("reader")).pins
    assert (pinned.artifact_id, pinned.subject, pinned.reason) == (begun.artifact_id, "writer", "audit")
    purge = admin_v1.PurgeRequest(kind=admin_v1.NODE_KIND_ARTIFACT, ids=[begun.artifact_id], include_bytes=True)
    for call, request in (
        (admin.Purge, purge),
        (admin.CollectGarbage, admin_v1.CollectGarbageRequest()),
        (admin.Sweep, admin_v1.SweepRequest()),
        (admin.VerifyArtifacts, admin_v1.VerifyArtifactsRequest(artifact_ids=[1])),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            call(request, metadata=role("writer"))
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED

    def ask(method: str, **fields: object) -> urllib3.BaseHTTPResponse:
        headers = {"content-type": "application/json", **dict(role("admin"))}
        url = f"{server.http_url}/mlmd.v1.Admin/{method}"
        return http.request("POST", url, body=json.dumps(fields).encode(), headers=headers, retries=False)

    asked = {"kind": "NODE_KIND_ARTIFACT", "ids": [str(begun.artifact_id)], "includeBytes": True}
    looked = ask("Purge", **asked).json()
    assert "pinned by 'writer'" in looked["obstacles"][0]
    assert ask("Purge", **asked, digest=looked["digest"], reason="asked for").status == 400
    ask("UnpinArtifact", artifactId=str(begun.artifact_id))
    digest = ask("Purge", **asked).json()["digest"]
    done = ask("Purge", **asked, digest=digest, reason="asked for").json()
    assert (done["purged"], done["fileCount"], done["sizeBytes"]) == (True, "1", "8")
    stones = ask("ListTombstones").json()["tombstones"]
    assert [(stone["what"], stone["subject"], stone["reason"]) for stone in stones] == [
        ("WHAT_FACTS", "admin", "asked for"), ("WHAT_BYTES", "admin", "asked for"),
    ]  # fmt: skip
    assert not list((server.folder / "mlmd-data" / "artifacts").glob("_/**/f"))


def test_a_full_disk(sqlite_url: str, tmp_path: Path, start_server: StartServer, http: urllib3.PoolManager) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=3m", "tmpfs"):
        server = start_server(sqlite_url, http=True, options=("--artifacts", str(tmp_path / "disk")))
        client, first = uploaded(server, http, {"f": b"1" * 1_000_000})
        begun = client.begin({"small": b"2" * 500_000, "large": b"3" * 2_500_000})
        urls = {url.path: url for url in client.urls(begun.artifact_id)}
        answer = http.request("PUT", urls["large"].request.url, body=b"3" * 2_500_000, retries=False)
        assert (answer.status, "is full; make room" in answer.json()["message"]) == (429, True)
        with pytest.raises(grpc.RpcError) as refused:
            client.commit(begun.artifact_id)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert client.send(http, urls["small"], b"2" * 500_000) == 200
        assert http.request("GET", client.downloads(first)["f"].url).data == b"1" * 1_000_000
        client.artifacts.AbortUpload(v1.AbortUploadRequest(artifact_id=begun.artifact_id))
        own = (".mlmd/etags", ".mlmd/owners")
        files = [path for path in (tmp_path / "disk").rglob("*") if path.is_file()]
        left = [path for path in files if not any(folder in str(path) for folder in own)]
        assert [path.name for path in left] == ["f"]
        assert uploaded(server, http, {"again": b"4" * 1_500_000})
        server.stop()


def test_roles_and_tenants(start_server: StartServer, tmp_path: Path, http: urllib3.PoolManager) -> None:
    (tmp_path / "tokens.toml").write_text(
        "".join(
            f'[[token]]\ntoken = "{tenant}-{role}"\nsubject = "s"\ntenant = "{tenant}"\nroles = ["{role}"]\n'
            for tenant in ("red", "blue")
            for role in ("reader", "writer")
        )
    )
    (tmp_path / "tenants.toml").write_text(
        "".join(f'[tenant.{name}]\ndatabase = "sqlite:///{tmp_path}/{name}.db"\n' for name in ("red", "blue"))
    )
    options = ("--auth", f"tokens={tmp_path}/tokens.toml", "--tenants", f"{tmp_path}/tenants.toml")
    server = start_server(f"sqlite:///{tmp_path}/default.db", http=True, options=options)
    red, blue = Client(server, "red-writer"), Client(server, "blue-writer")
    begun = red.begin({"f": b"red"})
    assert "/red/" in begun.uri
    (url,) = red.urls(begun.artifact_id)
    for token, status in (("", 401), ("red-reader", 403), ("blue-writer", 404), ("red-writer", 200)):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        assert http.request("PUT", url.request.url, body=b"red", headers=headers, retries=False).status == status
    red.commit(begun.artifact_id)
    assert blue.begin({"f": b"blue"}).artifact_id == begun.artifact_id
    for token, status in (("", 401), ("red-reader", 200), ("blue-writer", 404)):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        assert http.request("GET", url.request.url, headers=headers, retries=False).status == status


@pytest.mark.parametrize(
    ("artifacts", "why"), [("gs://b/p", "none of s3://"), ("s3:///p", "no bucket"), ("s3://b/../c", "segment '..'")]
)
def test_a_place_that_cannot_be(sqlite_url: str, tmp_path: Path, artifacts: str, why: str) -> None:
    command = [str(PROGRAMS / "mlmd-server"), "serve", "--database", sqlite_url, "--artifacts", artifacts]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert why in done.stderr
