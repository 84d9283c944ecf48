"""What we upload is read by others from its URI, and what others put there is recorded."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from mlmd_client import fetching
from mlmd_client.download import download, read_range
from mlmd_client.transfer_errors import TransferError
from mlmd_client.transport import Transport, open_transport
from mlmd_client.upload import upload
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.client.conftest import server_at
from tests.client.places import artifact, kept_elsewhere, read_files, write_files
from tests.conftest import StartServer
from tests.services.ceph import S3Address

PART = 5 << 20
CONTENTS = {"weights.bin": os.urandom(2 * PART + 7), "config.json": b"{}", "ü ö/%41+?#&.txt": b"odd", "empty": b""}


@pytest.fixture
def boto(s3: S3Address) -> Iterator[Any]:
    """AWS's own client on the same object store."""
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    yield client
    client.close()


def place(uri: str) -> tuple[str, str]:
    """Return bucket and key of a URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def test_boto_and_plain_http_read_what_we_uploaded(s3_store: Transport, boto: Any, tmp_path: Path) -> None:
    uploaded = upload(s3_store, artifact(s3_store, "fraud"), write_files(tmp_path / "source", CONTENTS), part_size=PART)
    bucket, prefix = place(uploaded.uri)
    listed = boto.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    assert {found["Key"]: found["Size"] for found in listed} == {prefix + p: len(c) for p, c in CONTENTS.items()}
    for path, content in CONTENTS.items():
        assert boto.get_object(Bucket=bucket, Key=prefix + path)["Body"].read() == content
        url = boto.generate_presigned_url("get_object", {"Bucket": bucket, "Key": prefix + path})
        assert httpx.get(url, trust_env=False).content == content
    boto.download_file(bucket, prefix + "weights.bin", str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == CONTENTS["weights.bin"]
    head = boto.head_object(Bucket=bucket, Key=prefix + "weights.bin")
    request = v1.ListFilesRequest(artifact_id=uploaded.artifact_id, prefix="weights")
    (file,) = s3_store.unary("/mlmd.v1.ArtifactStore/ListFiles", request, v1.ListFilesResponse).files
    assert head["ETag"].strip('"') == file.etag


def test_what_boto_put_there_is_recorded(s3_store: Transport, boto: Any, bucket: str) -> None:
    files = []
    for path, content in CONTENTS.items():
        boto.put_object(Bucket=bucket, Key=f"theirs/{path}", Body=content)
        files.append(v1.UploadFile(path=path, size_bytes=len(content), sha256=hashlib.sha256(content).digest()))
    external = artifact(s3_store)
    external.uri = f"s3://{bucket}/theirs/"
    request = v1.RecordExternalRequest(artifact=external.SerializeToString(), files=files)
    recorded = s3_store.unary("/mlmd.v1.ArtifactStore/RecordExternal", request, v1.RecordExternalResponse).manifest
    assert (recorded.external, recorded.file_count, recorded.root_uri) == (True, len(CONTENTS), external.uri)
    listing = v1.ListFilesRequest(artifact_id=recorded.artifact_id)
    for file in s3_store.unary("/mlmd.v1.ArtifactStore/ListFiles", listing, v1.ListFilesResponse).files:
        there = boto.get_object(Bucket=bucket, Key=place(recorded.root_uri)[1] + file.path)
        assert (there["ContentLength"], file.verified) == (file.size_bytes, False)
        assert hashlib.sha256(there["Body"].read()).digest() == file.sha256


def test_a_recorded_file_that_others_replaced_is_no_download(
    request: pytest.FixtureRequest,
    start_server: StartServer,
    sqlite_url: str,
    boto: Any,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "PIECE_BYTES", PART)
    contents = {"table.parquet": os.urandom(2 * PART), "small": b"content"}
    for path, content in contents.items():
        boto.put_object(Bucket=bucket, Key=f"theirs/table/{path}", Body=content)
    server = server_at("s3", sqlite_url, request, start_server, ("--artifacts-external-roots", f"s3://{bucket}/theirs"))
    with contextlib.closing(open_transport(server.target)) as store:
        number = kept_elsewhere(store, f"s3://{bucket}/theirs/table/")
        recording = v1.RecordFilesRequest(artifact_id=number)
        store.unary("/mlmd.v1.ArtifactStore/RecordFiles", recording, v1.RecordFilesResponse)
        download(store, number, tmp_path / "before")
        assert read_files(tmp_path / "before") == contents
        for path, content in contents.items():
            boto.put_object(Bucket=bucket, Key=f"theirs/table/{path}", Body=content[::-1])
            with pytest.raises(TransferError, match=f"'{path}' at .* is no longer the one that was listed") as refused:
                download(store, number, tmp_path / "after", prefix=path)
            assert refused.value.code == Code.DATA_LOSS
            with pytest.raises(TransferError, match="whoever wrote it has replaced it"):
                read_range(store, number, path, 1, 3)
        assert not list((tmp_path / "after").rglob("*"))
