"""How tests say what they upload, and how they send it."""

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import urllib3
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.conformance.suite import md5
from tests.metadata_store.calls import Calls

FIVE = 5 << 20


def upload_file(path: str, content: bytes, part_size: int = 0, **fields: Any) -> v1.UploadFile:
    """Say a file truthfully, but for `fields`."""
    pieces = [content[start : start + part_size] for start in range(0, len(content), part_size)] if part_size else []
    file = v1.UploadFile(
        path=path,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).digest(),
        md5s=[md5(piece) for piece in pieces or [content]],
        part_size_bytes=part_size,
    )
    for name, value in fields.items():
        if name == "md5s":
            file.ClearField("md5s")
            file.md5s.extend(value)
        else:
            setattr(file, name, value)
    return file


def type_id(store: Store, name: str = "system.Model") -> int:
    """Make an artifact type and return its id."""
    found: int = Calls(store)("PutArtifactType", artifact_type=pb.ArtifactType(name=name)).type_id
    return found


def begin(store: Store, *files: v1.UploadFile, name: str | None = None, **fields: Any) -> v1.BeginUploadRequest:
    """Return the request to begin an upload of an artifact of `system.Model`."""
    artifact = pb.Artifact(type_id=type_id(store))
    if name is not None:
        artifact.name = name
    return v1.BeginUploadRequest(artifact=artifact.SerializeToString(), files=files, **fields)


def artifact(store: Store, artifact_id: int) -> pb.Artifact:
    """Return an artifact as MLMD has it."""
    found: pb.Artifact
    (found,) = Calls(store)("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts
    return found


def upload_urls(requests: Requests, artifact_id: int, size: int = 0, **fields: Any) -> list[v1.UploadUrl]:
    """Return the requests of all pages."""
    urls: list[v1.UploadUrl] = []
    token = ""
    while True:
        request = v1.ListUploadUrlsRequest(artifact_id=artifact_id, page_size=size, page_token=token, **fields)
        page = requests.upload_page(request, LOCAL)
        urls += page.urls
        token = page.next_page_token
        if not token:
            return urls


def send(requests: Requests, artifact_id: int, contents: Mapping[str, bytes], **fields: Any) -> list[int]:
    """Send what is asked for: by HTTP where requests are signed, else through the server's own function."""
    statuses = []
    with urllib3.PoolManager() as http:
        for url in upload_urls(requests, artifact_id, **fields):
            piece = contents[url.path][url.offset_bytes : url.offset_bytes + url.size_bytes]
            if url.request.url:
                headers = dict(url.request.headers)
                answer = http.request(url.request.method, url.request.url, body=piece, headers=headers, retries=False)
                statuses.append(answer.status)
            else:
                requests.artifacts.put_file(artifact_id, url.path, io.BytesIO(piece), url.part_number)
                statuses.append(200)
    return statuses
