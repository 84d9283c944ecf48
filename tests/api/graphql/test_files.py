"""Manifests, files and signed requests in GraphQL."""

import hashlib
import io

import pytest
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.api.graphql.conftest import Graph, assert_constant

CONTENT = {"a.txt": b"alpha", "sub/b.bin": b"beta" * 9, "sub/c.bin": b""}


@pytest.fixture
def stored(graph: Graph) -> list[int]:
    """Two artifacts with the same three files."""
    type_id = graph.call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    made = []
    for _ in range(2):
        files = [
            v1.UploadFile(
                path=path,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).digest(),
                md5s=[hashlib.md5(content).digest()],
                media_type="text/plain",
            )
            for path, content in CONTENT.items()
        ]
        artifact = pb.Artifact(type_id=type_id).SerializeToString()
        begun = graph.artifacts.begin_upload(v1.BeginUploadRequest(artifact=artifact, files=files))
        for path, content in CONTENT.items():
            graph.artifacts.put_file(begun.artifact_id, path, io.BytesIO(content))
        graph.artifacts.commit_upload(begun.artifact_id)
        made.append(begun.artifact_id)
    return made


def test_files_with_a_request_for_each(graph: Graph, stored: list[int]) -> None:
    query = """query($id: ID!, $after: String, $prefix: String) { artifact(id: $id) {
      manifest { fileCount sizeBytes digest rootUri createTime external }
      files(first: 2, after: $after, prefix: $prefix) {
        nodes { id path sizeBytes sha256 mediaType verified artifact { databaseId } download { method url } }
        pageInfo { hasNextPage endCursor } } } }"""
    found = graph.ask(query, id=str(stored[0]))["artifact"]
    assert (found["manifest"]["fileCount"], found["manifest"]["sizeBytes"]) == ("3", "41")
    manifest = graph.artifacts.manifest(stored[0])
    assert found["manifest"]["digest"] == manifest.digest.hex() != ""
    first, second = found["files"]["nodes"]
    assert (first["path"], second["path"], first["sizeBytes"]) == ("a.txt", "sub/b.bin", "5")
    assert first["sha256"] == hashlib.sha256(b"alpha").hexdigest()
    url = f"http://here/artifacts/{stored[0]}/files/a.txt"
    assert first["download"] == {"method": "GET", "url": url}
    assert first["artifact"]["databaseId"] == str(stored[0])
    assert found["files"]["pageInfo"]["hasNextPage"] is True
    after = found["files"]["pageInfo"]["endCursor"]
    rest = graph.ask(query, id=str(stored[0]), after=after)["artifact"]["files"]["nodes"]
    assert [one["path"] for one in rest] == ["sub/c.bin"]
    sub = graph.ask(query, id=str(stored[0]), prefix="sub/")["artifact"]["files"]["nodes"]
    assert [one["path"] for one in sub] == ["sub/b.bin", "sub/c.bin"]
    same = graph.ask("query($id: ID!) { node(id: $id) { ... on File { path } } }", id=second["id"])
    assert same["node"] == {"path": "sub/b.bin"}


def test_statements_do_not_grow(graph: Graph, stored: list[int]) -> None:
    query = """query($n: Int) { artifacts(first: $n) { nodes { manifest { fileCount }
      files { nodes { path download { url } artifact { name } } } } } }"""
    assert_constant(graph, lambda size: graph.ask(query, n=size), 15, (1, 2))


def test_an_artifact_without_bytes(small: Graph) -> None:
    type_id = small.call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    small.call("PutArtifacts", artifacts=[{"type_id": type_id}])
    found = small.ask("{ artifacts { nodes { manifest { digest } files { nodes { path } } } } }")
    assert found["artifacts"]["nodes"] == [{"manifest": None, "files": {"nodes": []}}]
