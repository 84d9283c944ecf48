"""How tests speak with a server that runs, and look at its processes."""

from pathlib import Path

import grpc
import httpx
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc

from tests.mlmd_server.conftest import Authority, Certificate
from tests.services.server import NO_PROXY, Server
from tests.services.waiting import wait_for

PUT_TYPE = "/ml_metadata.MetadataStoreService/PutArtifactType"


def put_types(server: Server, count: int) -> list[int]:
    """Make the artifact types T0, T1, ... over gRPC, or find them; return their ids."""
    with server.channel() as channel:
        stub = service_grpc.MetadataStoreServiceStub(channel)
        requests = (service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name=f"T{n}")) for n in range(count))
        return [stub.PutArtifactType(request, timeout=30).type_id for request in requests]


def in_flight(server: Server) -> int:
    """Return how many calls the server, all workers together, is answering."""
    page = httpx.get(f"{server.http_url}/metrics", timeout=30, trust_env=False).text
    return sum(int(float(line.split()[-1])) for line in page.splitlines() if line.startswith("mlmd_calls_in_flight"))


def said(server: Server, line: str) -> bool:
    """Whether a server printed this line."""
    return line in server.stdout.read_text().splitlines()


def processes_of(server: Server) -> list[int]:
    """Return the ids of the processes that a server started."""
    assert server.process is not None
    path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def launched(server: Server) -> None:
    """Start a server whose health cannot be asked in plain text, and wait until it is ready."""
    server.launch()
    wait_for(lambda: said(server, "ready"))


def grpc_over_tls(server: Server, authority: Authority, client: Certificate | None = None) -> int:
    """Ask for the artifact types over TLS, showing a client's certificate or none; return how many there are."""
    shown = (None, None) if client is None else (client.key.read_bytes(), client.certificate.read_bytes())
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes(), *shown)
    with grpc.secure_channel(f"localhost:{server.grpc_port}", credentials, options=[NO_PROXY]) as channel:
        stub = service_grpc.MetadataStoreServiceStub(channel)
        return len(stub.GetArtifactTypes(service.GetArtifactTypesRequest(), timeout=20).artifact_types)
