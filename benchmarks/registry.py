"""`make bench-registry`: how long `models:/fraud@champion` takes, beside a bare grpcio echo and MLflow, in one run.

Usage: `python -m benchmarks.registry [--seconds 5] [--rounds 3] [--rate 500] [--databases sqlite,mysql]`.

h2load sends the load: first open, `--rate` calls a second however long the answers take, then closed with 1, 16 and 64
clients; the p99 comes from its log. Resolving (warm, over gRPC), the 304 of plain HTTP and the echo take turns, so that
a busy machine is busy for all of them. What is cold, and what MLflow does, is asked by one client call by call: cold
is an answer that is not in the cache; MLflow is `get_model_version_by_alias` of its store in a process, beside ours
embedded in a process, and of its client with its server between, beside ours with our server between.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from mlmd_client.transport import open_transport
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc
from mlmd_schemas.pb.v1 import artifacts_pb2, artifacts_pb2_grpc
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.pb.v1.registry_pb2_grpc import ModelRegistryStub

from benchmarks.clients import framed
from benchmarks.metadata import ROOT, configurations
from tests.services.ports import free_port
from tests.services.server import Server

MLFLOW = os.environ.get("MLMD_MLFLOW_PYTHON", "")
URI = "models:/fraud@champion"
FILES = 20
THREADS = 8
CLIENTS = (1, 16, 64)
IN_PROCESS, BY_SERVER = "MLflow in process", "MLflow by server"
MOST_TIMES_THE_ECHO, LEAST_TIMES_MLFLOW = 3.0, 5.0
GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers")


@dataclass(frozen=True)
class Side:
    """What h2load asks: its arguments and the URL."""

    name: str
    arguments: tuple[str, ...]
    url: str


def lay(server: Server) -> None:
    """Make a model of three versions with twenty files each, and point the alias at the second."""
    with server.channel() as channel:
        metadata = service_grpc.MetadataStoreServiceStub(channel)
        artifacts, registry = artifacts_pb2_grpc.ArtifactStoreStub(channel), ModelRegistryStub(channel)
        put = service.PutArtifactTypeRequest(artifact_type={"name": "system.Model"})
        type_id = metadata.PutArtifactType(put).type_id
        for number in range(3):
            artifact = pb.Artifact(type_id=type_id, uri=f"s3://models/fraud/{number}/")
            artifact.custom_properties["auc"].double_value = 0.9
            files = [
                artifacts_pb2.UploadFile(path=f"part-{part}.bin", size_bytes=1 << 20, sha256=bytes(32))
                for part in range(FILES)
            ]
            request = artifacts_pb2.RecordExternalRequest(artifact=artifact.SerializeToString(), files=files)
            artifact_id = artifacts.RecordExternal(request).manifest.artifact_id
            registry.CreateModelVersion(
                v1.CreateModelVersionRequest(model="fraud", create_model=True, artifact_id=artifact_id)
            )
        registry.MoveModelAlias(v1.MoveModelAliasRequest(model="fraud", alias="champion", version="2"))


@contextlib.contextmanager
def echo() -> Iterator[int]:
    """Run the echo; yields its port."""
    port = free_port()
    command = [sys.executable, str(ROOT / "benchmarks" / "echo_side.py"), str(port), str(THREADS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def sides(server: Server, echo_port: int, folder: Path) -> list[Side]:
    """Return what is compared under load."""
    body = folder / "body"
    body.write_bytes(framed(v1.ResolveModelRequest(uri=URI).SerializeToString()))
    asked = f"{server.http_url}/registry/resolve?uri={URI}"
    with build_opener(ProxyHandler({})).open(asked) as answer:
        etag = answer.headers["etag"]
    return [
        Side("echo", ("-d", str(body), *GRPC), f"http://127.0.0.1:{echo_port}/bare/Echo"),
        Side("resolve", ("-d", str(body), *GRPC), f"http://{server.target}/mlmd.v1.ModelRegistry/ResolveModel"),
        Side("304", ("--h1", "-H", f"if-none-match: {etag}"), asked),
    ]


def load(side: Side, clients: int, seconds: float, rate: int) -> list[float]:
    """Send a load, open with a `rate` above 0; return the milliseconds of each answer. An odd status ends the run."""
    with tempfile.NamedTemporaryFile("r") as log:
        command = ["h2load", f"-c{clients}", "-m1", f"-D{seconds:.0f}", f"--log-file={log.name}", *side.arguments]
        if rate:
            command.append(f"--rps={rate / clients:g}")
        subprocess.run([*command, side.url], capture_output=True, check=True)
        rows = [line.split("\t") for line in log.read().splitlines()]
    statuses = {row[1] for row in rows}
    if not rows or statuses - {"200", "304"}:
        raise SystemExit(f"{side.name}: h2load got {statuses}")
    return [int(row[2]) / 1000 for row in rows]


def p99(times: list[float]) -> float:
    """Return the time that one in a hundred answers took longer than."""
    return sorted(times)[int(len(times) * 0.99)]


def under_load(asked: list[Side], clients: int, rate: int, arguments: argparse.Namespace) -> None:
    """Let the sides take turns and print what they took."""
    took: dict[str, list[list[float]]] = {side.name: [] for side in asked}
    for number in range(arguments.rounds + 1):
        for side in asked:
            times = load(side, clients, arguments.seconds if number else 1, rate)
            if number:  # the first turn warms up
                took[side.name].append(times)
    title = f"open, {rate}/s" if rate else f"{clients} clients"
    for side in asked:
        rounds = took[side.name]
        median = statistics.median(statistics.median(times) for times in rounds)
        worst = [p99(times) for times in rounds]
        speed = statistics.median(len(times) / arguments.seconds for times in rounds)
        ratios = [ours / bare for ours, bare in zip(worst, map(p99, took["echo"]), strict=True)]
        ratio = statistics.median(ratios)
        rest = f"median {median:.2f} ms   p99 {statistics.median(worst):.2f} ms"
        if side.name != "echo":
            rest += f"   p99 {ratio:.2f} times the echo's ({min(ratios):.2f} to {max(ratios):.2f})"
        missed = "  missed" if ratio > MOST_TIMES_THE_ECHO else ""
        print(f"{title:<14}{side.name:<9}{speed:>7,.0f}/s   {rest}{missed}", flush=True)


def timed(call: Callable[[], object], count: int) -> list[float]:
    """Return the seconds of so many calls, one after another."""
    took = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        took.append(time.perf_counter() - started)
    return took


def one_by_one(server: Server, database: str, mlflow: "Mlflow | None", count: int) -> None:
    """Print what one Python program meets: cold, warm, embedded, and MLflow with and without its server."""
    with server.channel() as channel, contextlib.closing(open_transport(database)) as embedded:
        resolve = ModelRegistryStub(channel).ResolveModel
        moments = iter(range(4_000_000_000_000, 4_000_000_000_000 + 10 * count))
        warm = v1.ResolveModelRequest(uri=URI)

        def cold() -> None:
            resolve(v1.ResolveModelRequest(uri=URI, as_of=str(next(moments))))

        def inside() -> None:
            embedded.unary("/mlmd.v1.ModelRegistry/ResolveModel", warm, v1.ResolveModelResponse)

        timed(cold, 20)
        timed(inside, 20)
        took: dict[str, list[float]] = {name: [] for name in ("cold", "warm", "embedded", IN_PROCESS, BY_SERVER)}
        for _ in range(5):
            took["cold"] += timed(cold, count // 5)
            took["warm"] += timed(lambda: resolve(warm), count // 5)
            took["embedded"] += timed(inside, count // 5)
            for name, times in zip(
                (IN_PROCESS, BY_SERVER), mlflow.ask(count // 5) if mlflow else ([], []), strict=True
            ):
                took[name] += times
    middle = {name: 1000 * statistics.median(times) for name, times in took.items() if times}
    for name, ms in middle.items():
        print(f"one client    {name:<18}median {ms:.2f} ms   p99 {1000 * p99(took[name]):.2f} ms")
    if mlflow is None:
        print("MLflow: not measured; set MLMD_MLFLOW_PYTHON to a Python that has it")
        return
    print(f"How many times as fast as MLflow {mlflow.version}'s get_model_version_by_alias:")
    for words, ours, theirs in (
        ("each with its server between", "warm", BY_SERVER),
        ("each in one process", "embedded", IN_PROCESS),
        ("ours with its server between, MLflow without", "warm", IN_PROCESS),
    ):
        gain = middle[theirs] / middle[ours]
        print(f"  {words}: {gain:.1f}{'' if gain >= LEAST_TIMES_MLFLOW else '  missed'}")


class Mlflow:
    """MLflow's store and server, on a SQLite file of their own."""

    def __init__(self, url: str) -> None:
        command = [MLFLOW, str(ROOT / "benchmarks" / "mlflow_registry_side.py"), url, str(free_port())]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = str(json.loads(self._line()))

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("MLflow's side of the benchmark ended")
        return line

    def ask(self, count: int) -> tuple[list[float], list[float]]:
        """Return the seconds of so many look-ups in its process, and of as many by its client."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        inside, by_server = json.loads(self._line())
        return inside, by_server

    def close(self) -> None:
        """End it, and with it its server."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def measure(database: str, arguments: argparse.Namespace) -> None:
    """Measure on one database."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        config = stack.enter_context(configurations(database, folder, True))
        quiet = ("--log-level", "warning", "--threads", str(THREADS))
        server = stack.enter_context(Server(config["url"], folder / "server", http=True, options=quiet))
        lay(server)
        mlflow = Mlflow(f"sqlite:///{folder / 'mlflow.db'}") if MLFLOW else None
        if mlflow:
            stack.callback(mlflow.close)
        print(f"\n{database}: a version with {FILES} files; {arguments.rounds} turns of {arguments.seconds:.0f} s")
        one_by_one(server, config["url"], mlflow, arguments.calls)
        asked = sides(server, stack.enter_context(echo()), folder)
        under_load(asked, 50, arguments.rate, arguments)
        for clients in CLIENTS:
            under_load(asked, clients, 0, arguments)


def main() -> int:
    """Run the benchmark; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--calls", type=int, default=500, help="of one client, cold and warm")
    parser.add_argument("--databases", default="sqlite,mysql", type=lambda text: text.split(","))
    arguments = parser.parse_args()
    if shutil.which("h2load") is None:
        print("h2load is not installed (Debian: nghttp2-client)", file=sys.stderr)
        return 2
    for database in arguments.databases:
        measure(database, arguments)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
