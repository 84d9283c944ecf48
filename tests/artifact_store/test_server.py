"""The artifact store of a running server: gRPC and Connect for the facts, HTTP for the bytes, on a folder and on S3."""

import hashlib
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import urllib3
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.metadata_store_service_pb2_grpc import MetadataStoreServiceStub
from mlmd_schemas.pb.v1 import admin_pb2 as admin_v1
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1.admin_pb2_grpc import AdminStub
from mlmd_schemas.pb.v1.artifacts_pb2_grpc import ArtifactStoreStub

from tests.artifact_store.uploads import FIVE, upload_file
from tests.conftest import StartServer
from tests.services.ceph import S3Address
from tests.services.disks import mounted
from tests.services.server import NO_PROXY, PROGRAMS, Server

CONTENTS = {"model/weights 100%.bin": random.Random(1).randbytes(2 * FIVE + 77), "é.json": b"{}", "empty": b""}


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    """A plain HTTP client."""
    with urllib3.PoolManager() as pool:
        yield pool


class Client:
    """Stubs on a server."""

    def __init__(self, server: Server, token: str = "") -> None:
        self.server = server
        self.metadata = [("authorization", f"Bearer {token}")] if token else []
        self.channel = grpc.insecure_channel(server.target, options=[NO_PROXY])
        self.artifacts = ArtifactStoreStub(self.channel)

    def begin(self, contents: dict[str, bytes]) -> v1.BeginUploadResponse:
        """Begin an upload; what has more than 5 MiB goes in parts."""
        put = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="system.Model"))
        type_id = MetadataStoreServiceStub(self.channel).PutArtifactType(put, metadata=self.metadata).type_id
        files = [upload_file(path, content, FIVE if len(content) > FIVE else 0) for path, content in contents.items()]
        request = v1.BeginUploadRequest(artifact=pb.Artifact(type_id=type_id).SerializeToString(), files=files)
        begun: v1.BeginUploadResponse = self.artifacts.BeginUpload(request, metadata=self.metadata)
        return begun

    def urls(self, artifact_id: int, *, only_missing: bool = False) -> list[v1.UploadUrl]:
        """Return what has to be sent."""
        request = v1.ListUploadUrlsRequest(artifact_id=artifact_id, only_missing=only_missing)
        return list(self.artifacts.ListUploadUrls(request, metadata=self.metadata).urls)

    def send(self, http: urllib3.PoolManager, url: v1.UploadUrl, content: bytes) -> int:
        """Send one piece of a file."""
        piece = content[url.offset_bytes : url.offset_bytes + url.size_bytes]
        headers = dict(url.request.headers)
        if url.request.url.startswith(self.server.http_url):
            headers |= dict(self.metadata)
        return http.request("PUT", url.request.url, body=piece, headers=headers, retries=False).status

    def commit(self, artifact_id: int) -> v1.CommitUploadResponse:
        """Commit."""
        request = v1.CommitUploadRequest(artifact_id=artifact_id)
        committed: v1.CommitUploadResponse = self.artifacts.CommitUpload(request, metadata=self.metadata)
        return committed

    def downloads(self, artifact_id: int) -> dict[str, v1.SignedRequest]:
        """Return how each file is fetched."""
        request = v1.ListDownloadUrlsRequest(artifact_id=artifact_id)
        answer = self.artifacts.ListDownloadUrls(request, metadata=self.metadata)
        return {url.file.path: url.request for url in answer.urls}


@pytest.fixture(params=["local", "s3"])
def server(request: pytest.FixtureRequest, start_server: StartServer, sqlite_url: str, tmp_path: Path) -> Server:
    """A server with its artifacts in a folder or in a bucket."""
    if request.param == "local":
        return start_server(sqlite_url, http=True, options=("--artifacts", (tmp_path / "a b").as_uri()))
    s3: S3Address = request.getfixturevalue("s3")
    bucket: str = request.getfixturevalue("bucket")
    credentials = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    options = ("--artifacts", f"s3://{bucket}/pre/fix", "--artifacts-endpoint", s3.endpoint)
    return start_server(sqlite_url, http=True, options=options, environment=credentials)


def uploaded(server: Server, http: urllib3.PoolManager, contents: dict[str, bytes]) -> tuple[Client, int]:
    """Upload everything and commit."""
    client = Client(server)
    begun = client.begin(contents)
    assert {client.send(http, url, contents[url.path]) for url in client.urls(begun.artifact_id)} == {200}
    client.commit(begun.artifact_id)
    return client, begun.artifact_id


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


@pytest.fixture
def local(start_server: StartServer, sqlite_url: str) -> Server:
    """A server with the default folder."""
    return start_server(sqlite_url, http=True)


def test_files_over_http(local: Server, http: urllib3.PoolManager) -> None:
    content = bytes(range(200))
    client, artifact_id = uploaded(local, http, {"a/b c.bin": content})
    url = client.downloads(artifact_id)["a/b c.bin"].url
    assert url == f"{local.http_url}/artifacts/{artifact_id}/files/a/b%20c.bin"
    assert (local.folder / "mlmd-data" / "artifacts").is_dir()
    etag = f'"{hashlib.sha256(content).hexdigest()}"'

    def ask(method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return http.request(method, url, headers=named, retries=False)

    whole = ask()
    assert (whole.status, whole.data, whole.headers["etag"]) == (200, content, etag)
    assert whole.headers["x-content-type-options"] == "nosniff"
    head = ask("HEAD")
    assert (head.status, head.data, head.headers["content-length"]) == (200, b"", "200")
    for asked, status, data in [
        ("bytes=0-0", 206, content[:1]), ("bytes=190-", 206, content[190:]), ("bytes=-5", 206, content[-5:]),
        ("bytes=10-19", 206, content[10:20]), ("bytes=100-999", 206, content[100:]), ("bytes=0-1,5-6", 200, content),
        ("bytes=9-3", 200, content), ("lines=1-2", 200, content),
    ]:  # fmt: skip
        answer = ask(range=asked)
        assert (answer.status, answer.data) == (status, data), asked
    assert ask(range="bytes=10-19").headers["content-range"] == "bytes 10-19/200"
    assert ask(range="bytes=200-").status == 416
    assert ask(if_none_match=etag).status == 304
    assert ask(if_match='"other"').status == 412
    assert ask(if_match=etag).status == 200
    assert ask(range="bytes=0-0", if_range='"other"').status == 200


def test_conditions_and_validators(local: Server, http: urllib3.PoolManager) -> None:
    client, artifact_id = uploaded(local, http, {"f": b"0123456789"})
    url = client.downloads(artifact_id)["f"].url
    first = http.request("GET", url, retries=False)
    etag, date = first.headers["etag"], first.headers["last-modified"]
    long_ago, far_away = "Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    for said, status in [
        ({"if-none-match": f"W/{etag}"}, 304), ({"if-none-match": f'"x", {etag}'}, 304), ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, 200), ({"if-match": "*"}, 200), ({"if-match": f"W/{etag}"}, 412),
        ({"if-match": '"x"', "if-none-match": etag}, 412), ({"if-modified-since": date}, 304),
        ({"if-modified-since": long_ago}, 200), ({"if-modified-since": date, "if-none-match": '"x"'}, 200),
        ({"if-unmodified-since": long_ago}, 412), ({"if-unmodified-since": far_away}, 200),
        ({"if-modified-since": "yesterday"}, 200), ({"if-range": etag, "range": "bytes=1-2"}, 206),
        ({"if-range": date, "range": "bytes=1-2"}, 206), ({"if-range": long_ago, "range": "bytes=1-2"}, 200),
    ]:  # fmt: skip
        answer = http.request("GET", url, headers=said, retries=False)
        assert answer.status == status, said
        assert answer.headers["etag"] == etag
        assert len(answer.data) == {200: 10, 206: 2}.get(status, 0)
        assert http.request("HEAD", url, headers=said, retries=False).status == status
    asked = {"origin": "https://page.example", "access-control-request-method": "PUT"}
    preflight = http.request("OPTIONS", url, headers=asked, retries=False)
    allowed = set(preflight.headers["access-control-allow-headers"].split(","))
    assert {"content-md5", "range", "if-range", "if-match", "if-none-match"} <= allowed
    read = http.request("GET", url, headers={"origin": "https://page.example"}, retries=False)
    exposed = set(read.headers["access-control-expose-headers"].split(","))
    assert {"etag", "content-range", "accept-ranges", "last-modified"} <= exposed


def test_transfers_are_logged_counted_and_end_with_their_deadline(
    sqlite_url: str, start_server: StartServer, http: urllib3.PoolManager
) -> None:
    server = start_server(sqlite_url, http=True, options=("--log-format", "json"))
    client = Client(server)
    begun = client.begin({"f": b"x" * 3_000_000})
    (url,) = client.urls(begun.artifact_id)
    late = {"connect-timeout-ms": "0"}
    assert http.request("PUT", url.request.url, body=b"x" * 3_000_000, headers=late, retries=False).status == 504
    wrong = {"connect-timeout-ms": "soon"}
    assert http.request("PUT", url.request.url, body=b"", headers=wrong, retries=False).status == 400
    named = {"x-request-id": "mine"}
    sent = http.request("PUT", url.request.url, body=b"x" * 3_000_000, headers=named, retries=False)
    assert (sent.status, sent.headers["x-request-id"]) == (200, "mine")
    client.commit(begun.artifact_id)
    assert len(http.request("GET", url.request.url, retries=False).data) == 3_000_000
    assert http.request("GET", url.request.url + "2", retries=False).status == 404
    lines = [json.loads(line) for line in server.stderr.read_text().splitlines() if "File" in line]
    noted = [
        (line["method"].rpartition("/")[2], line["code"], line["request_bytes"], line["response_bytes"])
        for line in lines
        if line["method"].endswith(("/ReadFile", "/WriteFile"))
    ]
    assert noted == [
        ("WriteFile", "DEADLINE_EXCEEDED", 0, 0), ("WriteFile", "INVALID_ARGUMENT", 0, 0),
        ("WriteFile", "OK", 3_000_000, 0), ("ReadFile", "OK", 0, 3_000_000), ("ReadFile", "NOT_FOUND", 0, 0),
    ]  # fmt: skip
    assert [line["request_id"] for line in lines if line["code"] == "OK" and "WriteFile" in line["method"]] == ["mine"]
    page = http.request("GET", f"{server.http_url}/metrics").data.decode()
    assert 'mlmd_calls_total{code="OK",method="mlmd.v1.ArtifactStore/ReadFile",wire="http"} 1.0' in page
    assert "mlmd_calls_in_flight 1.0" in page or "mlmd_calls_in_flight 0.0" in page


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


def test_what_http_refuses(local: Server, http: urllib3.PoolManager) -> None:
    client = Client(local)
    begun = client.begin({"f": b"declared"})
    (url,) = client.urls(begun.artifact_id)
    base = f"{local.http_url}/artifacts/{begun.artifact_id}/files"

    def put(address: str, body: bytes) -> tuple[int, str]:
        answer = http.request("PUT", address, body=body, retries=False)
        return answer.status, answer.data.decode()

    assert put(url.request.url, b"other!!!")[0] == 400
    assert "md5" in put(url.request.url, b"other!!!")[1]
    assert put(url.request.url, b"short")[0] == 400
    assert put(f"{base}/g", b"declared")[0] == 404
    assert put(f"{base}/f?part=x", b"declared")[0] == 400
    assert put(f"{local.http_url}/artifacts/999/files/f", b"")[0] == 404
    assert put(f"{base}/..%2f..%2fetc", b"")[0] == 404
    assert http.request("GET", f"{base}/f", retries=False).status == 404
    assert put(url.request.url, b"declared")[0] == 200
    client.commit(begun.artifact_id)
    assert put(url.request.url, b"declared")[0] == 400
    assert http.request("GET", f"{base}/f", retries=False).data == b"declared"


def test_changed_bytes_never_look_complete(local: Server, http: urllib3.PoolManager) -> None:
    client, artifact_id = uploaded(local, http, {"f": b"x" * 3_000_000})
    (path,) = (local.folder / "mlmd-data" / "artifacts").glob(f"_/system.Model/_/{artifact_id}/f")
    path.write_bytes(b"x" * 2_999_999 + b"y")
    url = client.downloads(artifact_id)["f"].url
    with pytest.raises(urllib3.exceptions.ProtocolError):
        http.request("GET", url, retries=False)


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
