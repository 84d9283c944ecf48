"""Writes a second with 1, 16 and 64 clients, by h2load, which costs the server's machine little.

h2load sends one fixed gRPC message over and over and counts HTTP answers, not gRPC codes; so the artifacts are counted
afterwards: a write that failed is missing.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc

from tests.services.server import Server

CLIENTS = (1, 16, 64)


def framed(message: bytes) -> bytes:
    """Return a message as a gRPC request body."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def throughput(server: Server, workers: int, arguments: argparse.Namespace) -> None:
    """Print writes a second (an artifact with two properties) for each number of clients, by turns, and what 64 add."""
    if shutil.which("h2load") is None:
        print("writes a second: h2load is not installed (Debian: nghttp2-client)")
        return
    with server.channel() as channel, tempfile.TemporaryDirectory() as folder:
        stub = service_grpc.MetadataStoreServiceStub(channel)
        type_id = stub.PutArtifactType(service.PutArtifactTypeRequest(artifact_type={"name": "Load"})).type_id
        artifact = pb.Artifact(type_id=type_id, uri="s3://bucket/path")
        artifact.custom_properties["a"].int_value = 1
        artifact.custom_properties["b"].string_value = "value"
        body = Path(folder) / "body"
        body.write_bytes(framed(service.PutArtifactsRequest(artifacts=[artifact]).SerializeToString()))
        print(
            f"writes a second, --workers {workers}, {arguments.turns} turns of {arguments.seconds:.0f} s each:", end=""
        )
        reached: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
        failed = 0
        for _ in range(arguments.turns):
            for clients in CLIENTS:
                before = _count(stub)
                done, seconds = _load(server, body, clients, arguments.seconds)
                stored = _count(stub) - before
                reached[clients].append(stored / seconds)
                failed += max(0, done - stored)
        for clients, speeds in reached.items():
            print(f"   {clients} clients {statistics.median(speeds):.0f}", end="")
        print(
            f"   {failed} failed\n    64 clients: {_times(reached, 1)} times one, {_times(reached, 16)} times 16",
            flush=True,
        )


def _times(reached: dict[int, list[float]], fewer: int) -> str:
    ratios = [many / few for many, few in zip(reached[64], reached[fewer], strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _load(server: Server, body: Path, clients: int, seconds: float) -> tuple[int, float]:
    url = f"http://{server.target}/ml_metadata.MetadataStoreService/PutArtifacts"
    command = ["h2load", f"-c{clients}", "-m1", f"-D{seconds:.0f}", "-d", str(body)]
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    output = subprocess.run([*command, *headers, url], capture_output=True, text=True, check=True).stdout
    done = re.search(r"(\d+) succeeded", output)
    if done is None:
        raise RuntimeError(f"h2load said:\n{output}")
    return int(done[1]), seconds


def _count(stub: service_grpc.MetadataStoreServiceStub) -> int:
    """Return how many artifacts were ever made: the newest id."""
    options = {
        "max_result_size": 1,
        "order_by_field": {"field": pb.ListOperationOptions.OrderByField.ID, "is_asc": False},
    }
    found = stub.GetArtifacts(service.GetArtifactsRequest(options=options)).artifacts
    return int(found[0].id) if found else 0
