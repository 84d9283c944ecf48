"""One side of `benchmarks.artifacts`: a process that moves files when told and says how long it took.

It reads a JSON object a line: who it is and where the store is, then what to do. It answers with seconds, CPU seconds,
its peak memory, and what `down` needs to find the files again.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def peak_mib() -> float:
    """Return the most memory that this process ever held."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


class Ours:
    """The client library: over gRPC, or with the store in this process."""

    def __init__(self, told: dict[str, Any]) -> None:
        from mlmd_client.transport import open_transport
        from mlmd_schemas.pb import metadata_store_pb2 as pb
        from mlmd_schemas.pb import metadata_store_service_pb2 as service

        self.transport = open_transport(told["store"])
        request = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="system.Dataset"))
        path = "/ml_metadata.MetadataStoreService/PutArtifactType"
        type_id = self.transport.unary(path, request, service.PutArtifactTypeResponse).type_id
        self.artifact = pb.Artifact(type_id=type_id)

    def up(self, source: Path, target: str) -> str:
        """Upload."""
        from mlmd_client.upload import upload

        return str(upload(self.transport, self.artifact, source).artifact_id)

    def down(self, source: str, target: Path) -> str:
        """Download."""
        from mlmd_client.download import download

        return str(download(self.transport, int(source), target).file_count)


class MinioPy:
    """minio-py, a call for each file."""

    def __init__(self, told: dict[str, Any]) -> None:
        from minio import Minio

        address = told["endpoint"].removeprefix("http://")
        self.client = Minio(address, told["key"], told["secret"], secure=False, region="us-east-1")
        self.bucket = told["bucket"]

    def up(self, source: Path, target: str) -> str:
        """Send file after file."""
        for file in _files(source):
            self.client.fput_object(self.bucket, f"{target}/{file.relative_to(source)}", str(file))
        return target

    def down(self, source: str, target: Path) -> str:
        """Fetch file after file."""
        for found in list(self.client.list_objects(self.bucket, f"{source}/", recursive=True)):
            name = (found.object_name or "").removeprefix(f"{source}/")
            self.client.fget_object(self.bucket, found.object_name or "", str(target / name))
        return source


class Copy:
    """Plain copying, file after file; `durable` waits for the disk after each."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.folder = Path(told["folder"])
        self.durable = bool(told.get("durable"))

    def _copy(self, source: Path, target: Path) -> None:
        for file in _files(source):
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
            if self.durable:
                with place.open("rb+") as written:
                    os.fsync(written.fileno())

    def up(self, source: Path, target: str) -> str:
        """Copy into the folder."""
        self._copy(source, self.folder / target)
        return target

    def down(self, source: str, target: Path) -> str:
        """Copy out of it."""
        self._copy(self.folder / source, target)
        return source


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


SIDES: dict[str, Callable[[dict[str, Any]], Any]] = {"ours": Ours, "minio-py": MinioPy, "copy": Copy}


def main() -> int:
    """Serve commands until the input ends."""
    told = json.loads(sys.stdin.readline())
    side = SIDES[told["side"]](told)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        started, busy = time.perf_counter(), time.process_time()
        if command["do"] == "up":
            answer = side.up(Path(command["source"]), command["target"])
        else:
            answer = side.down(command["source"], Path(command["target"]))
        seconds = time.perf_counter() - started
        cpu = time.process_time() - busy
        told = {"seconds": seconds, "cpu_seconds": cpu, "answer": answer, "peak_mib": peak_mib()}
        print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
