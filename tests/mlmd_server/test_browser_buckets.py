"""A page that sends files to a bucket and fetches them by signed addresses: which CORS rule lets it in."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from google.protobuf import json_format
from mlmd_artifact_store.signing import SigningKeys, presigned_url
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.metadata_store_service_pb2_grpc import MetadataStoreServiceStub
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.served import Client
from tests.artifact_store.uploads import FIVE, upload_file
from tests.conftest import StartServer
from tests.services.browser import Browser, Pages
from tests.services.ceph import S3Address
from tests.services.server import Server

OPERATIONS = Path(__file__).parents[2] / "docs" / "artifacts-operations.md"
SIZES = {"config.json": 3000, "weights.bin": FIVE + 7}
WHAT = ("AllowedMethods", "AllowedHeaders")
PREFLIGHT = "content-md5,content-type,if-none-match"
# Every step tells what the page saw: a status, or the name of the exception.
TRANSFER = """
    const [base, begin, sizes] = arguments;
    const call = async (method, request) => {
        const sent = {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(request)};
        const answer = await fetch(`${base}/mlmd.v1.ArtifactStore/${method}`, sent);
        return [answer.status, await answer.json()];
    };
    const status = (url, options) => fetch(url, options).then((answer) => answer.status, (error) => error.name);
    const [, {artifactId}] = await call("BeginUpload", begin);
    const [, {urls}] = await call("ListUploadUrls", {artifactId});
    const put = ({path, offsetBytes, sizeBytes, request}, type) => {
        const whole = new File([new Uint8Array(sizes[path]).fill(7)], path);
        const start = Number(offsetBytes || 0);
        const body = whole.slice(start, start + Number(sizeBytes), type);
        return status(request.url, {method: request.method, headers: request.headers, body});
    };
    const told = {sent: [], again: [], fetched: [], ends: []};
    for (const url of urls) told.sent.push([url.path, await put(url, "image/png")]);
    for (const url of urls) told.again.push([url.path, await put(url, "")]);
    [told.committed] = await call("CommitUpload", {artifactId});
    if (told.committed !== 200) return told;
    for (const {file, request} of (await call("ListDownloadUrls", {artifactId}))[1].urls) {
        const bytes = await fetch(request.url).then((answer) => answer.arrayBuffer(), (error) => error.name);
        told.fetched.push([file.path, bytes.byteLength || bytes]);
        told.ends.push([file.path, await status(request.url, {headers: {range: "bytes=-5"}})]);
    }
    return told;
"""
STATUS = "return await fetch(arguments[0]).then((answer) => answer.status, (error) => error.name);"
ARRIVED = [["config.json", 200], ["weights.bin", 200], ["weights.bin", 200]]
FAILED = [["config.json", "TypeError"], ["weights.bin", "TypeError"], ["weights.bin", "TypeError"]]


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    """The rules that the page of operations tells to copy."""
    (text,) = re.findall(r'```json\n(\{\n  "CORSRules".*?)```', OPERATIONS.read_text(), flags=re.S)
    rules: dict[str, Any] = json.loads(text)
    return rules


@pytest.fixture
def boto(s3: S3Address) -> Iterator[Any]:
    """AWS's own client on the run's object store."""
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key, "region_name": "us-east-1"}
    config = Config(s3={"addressing_style": "path"}, proxies={})
    client = boto3.client("s3", endpoint_url=s3.endpoint, config=config, **keys)
    yield client
    client.close()


@pytest.fixture
def server(start_server: StartServer, sqlite_url: str, s3: S3Address, bucket: str) -> Server:
    """A server that lets in every page, with its artifacts in the bucket."""
    keys = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    options = ("--artifacts", f"s3://{bucket}/pre", "--artifacts-endpoint", s3.endpoint, "--cors-origins", "*")
    return start_server(sqlite_url, http=True, options=options, environment=keys)


def transferred(browser: Browser, server: Server) -> dict[str, Any]:
    """Let the page upload both files, each request twice, commit, and fetch them; return what it saw."""
    put = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="system.Model"))
    type_id = MetadataStoreServiceStub(Client(server).channel).PutArtifactType(put).type_id
    files = [upload_file(path, bytes([7]) * size, FIVE if size > FIVE else 0) for path, size in SIZES.items()]
    request = v1.BeginUploadRequest(artifact=pb.Artifact(type_id=type_id).SerializeToString(), files=files)
    seen: dict[str, Any] = browser.run(TRANSFER, server.http_url, json_format.MessageToDict(request), SIZES)
    return seen


def preflight(s3: S3Address, bucket: str, origin: str) -> httpx.Response:
    """Ask as a browser does before it sends a file."""
    headers = {
        "origin": origin, "access-control-request-method": "PUT", "access-control-request-headers": PREFLIGHT,
    }  # fmt: skip
    return httpx.options(f"{s3.endpoint}/{bucket}/any", headers=headers, trust_env=False)


def test_the_rule_of_the_documentation_lets_a_page_transfer(
    browser: Browser, pages: Pages, server: Server, s3: S3Address, bucket: str, boto: Any, documented: dict[str, Any]
) -> None:
    page = pages.at("ui.example")
    (rule,) = documented["CORSRules"]
    rule = rule | {"AllowedOrigins": [page]}
    boto.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    browser.open(page)
    seen = transferred(browser, server)
    assert seen["sent"] == ARRIVED
    assert seen["again"] == [["config.json", 412], ["weights.bin", 200], ["weights.bin", 200]]
    assert seen["committed"] == 200
    assert seen["fetched"] == [[path, size] for path, size in SIZES.items()]
    assert seen["ends"] == [[path, 206] for path in SIZES]
    allowed = preflight(s3, bucket, page)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, page)
    browser.open(pages.at("elsewhere.example"))
    assert transferred(browser, server)["sent"] == FAILED
    assert preflight(s3, bucket, pages.at("elsewhere.example")).status_code == 403


def test_an_address_that_has_expired_looks_to_a_page_like_a_rule_that_is_missing(
    browser: Browser, pages: Pages, s3: S3Address, bucket: str, boto: Any, documented: dict[str, Any]
) -> None:
    (rule,) = documented["CORSRules"]
    boto.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule | {"AllowedOrigins": ["*"]}]})
    boto.put_object(Bucket=bucket, Key="file", Body=b"bytes")
    browser.open(pages.at("ui.example"))

    def signed(now: float) -> str:
        keys = SigningKeys(s3.access_key, s3.secret_key)
        return presigned_url("GET", s3.endpoint, f"/{bucket}/file", {}, {}, keys, "us-east-1", 3600, now)

    assert browser.run(STATUS, signed(time.time())) == 200
    expired = signed(time.time() - 7200)
    assert browser.run(STATUS, expired) == "TypeError"
    assert httpx.get(expired, trust_env=False).status_code == 403


def test_without_a_rule_nothing_of_a_page_arrives(
    browser: Browser, pages: Pages, server: Server, s3: S3Address, bucket: str
) -> None:
    browser.open(pages.at("ui.example"))
    seen = transferred(browser, server)
    assert (seen["sent"], seen["committed"]) == (FAILED, 400)
    assert preflight(s3, bucket, pages.at("ui.example")).status_code == 403


LACKING: dict[str, dict[str, Any]] = {
    "content-md5": {"sent": FAILED},
    "content-type": {"sent": FAILED, "again": ARRIVED, "committed": 200},
    "if-none-match": {"sent": [FAILED[0], *ARRIVED[1:]], "committed": 400},
    "range": {"sent": ARRIVED, "ends": [[path, "TypeError"] for path in SIZES]},
    "GET": {"sent": ARRIVED, "fetched": [[path, "TypeError"] for path in SIZES]},
    "PUT": {"sent": FAILED},
}


def test_everything_in_the_rule_is_needed(
    browser: Browser, pages: Pages, server: Server, bucket: str, boto: Any, documented: dict[str, Any]
) -> None:
    (rule,) = documented["CORSRules"]
    assert sorted([*rule["AllowedMethods"], *rule["AllowedHeaders"]]) == sorted(LACKING)
    browser.open(pages.at("ui.example"))
    for left_out, expected in LACKING.items():
        lacking = {name: [item for item in rule[name] if item != left_out] for name in WHAT}
        allowed = {"AllowedOrigins": ["*"], **lacking}
        boto.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [allowed]})
        seen = transferred(browser, server)
        assert {name: seen[name] for name in expected} == expected, left_out
