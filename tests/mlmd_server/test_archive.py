"""An archive over the wires of a server that runs."""

import json

import httpx
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as stubs
from mlmd_schemas.pb.v1 import archive_pb2, archive_pb2_grpc

from tests.conftest import StartServer


def test_a_store_goes_from_one_server_to_another(start_server: StartServer, database_url: str, sqlite_url: str) -> None:
    source, target = start_server(database_url, http=True), start_server(sqlite_url + "2")
    with source.channel() as there, target.channel() as here:
        store = stubs.MetadataStoreServiceStub(there)
        data = store.PutArtifactType(service.PutArtifactTypeRequest(artifact_type={"name": "Data"})).type_id
        made = [mlmd.Artifact(type_id=data, uri="x" * 100, name=f"n{number}") for number in range(15_000)]
        store.PutArtifacts(service.PutArtifactsRequest(artifacts=made))
        archive = archive_pb2_grpc.ArchiveStub(here)
        stream = archive_pb2_grpc.ArchiveStub(there).Export(archive_pb2.ExportRequest())
        begun = archive.BeginImport(archive_pb2.BeginImportRequest(header=next(stream).header))
        count = 0
        for count, message in enumerate(stream, 1):
            assert message.ByteSize() < 4 << 20, "messages stay below gRPC's own limit"
            archive.AddToImport(
                archive_pb2.AddToImportRequest(import_id=begun.import_id, number=count, rows=message.rows)
            )
        answer = archive.CommitImport(archive_pb2.CommitImportRequest(import_id=begun.import_id, count=count))
        added = {table.table: table.added for table in answer.tables}
        assert (added["Artifact"], added["Type"]) == (15_000, 1)
        found = stubs.MetadataStoreServiceStub(here).GetArtifactsByID(
            service.GetArtifactsByIDRequest(artifact_ids=[15_000])
        )
        assert found.artifacts[0].name == "n14999"


def test_an_archive_over_http(start_server: StartServer, sqlite_url: str) -> None:
    server = start_server(sqlite_url, http=True)
    answer = httpx.post(
        f"{server.http_url}/mlmd.v1.Archive/Export",
        content=b"\x00\x00\x00\x00\x02{}",
        headers={"content-type": "application/connect+json"},
        timeout=60,
        trust_env=False,
    )
    length = int.from_bytes(answer.content[1:5], "big")
    header = json.loads(answer.content[5 : 5 + length])["header"]
    assert (header["format"], header["schemaVersion"]) == (1, 10)
    assert answer.content.endswith(b"{}")
