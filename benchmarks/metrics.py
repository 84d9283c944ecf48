"""`make bench-metrics`: points of series through the gRPC API beside a bare executemany and MLflow, alternating.

Usage: `python -m benchmarks.metrics [--points 100000] [--rounds 5] [--databases sqlite,mysql]`.

Every side writes the same points in one commit a round. The floor inserts a row for each point with the driver's own
executemany, into a table of series, step, time and value. MLflow, where `MLMD_MLFLOW_PYTHON` names a Python that has
it, writes with log_batch, 1,000 points a call, which is the most it takes. Points a second of wall time count, because
two processes share our work; the CPU that each side used is told beside them, without the database server's.
"""

import argparse
import contextlib
import json
import math
import os
import resource
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc
from mlmd_schemas.pb.v1 import metrics_pb2 as v1
from mlmd_schemas.pb.v1 import metrics_pb2_grpc as v1_grpc

from benchmarks.metadata import ROOT, configurations
from tests.services.server import Server

MLFLOW = os.environ.get("MLMD_MLFLOW_PYTHON", "")
MOST_TIMES_THE_FLOOR = 3.0
LEAST_TIMES_MLFLOW = 5.0
TABLE = (
    "CREATE TABLE points (series_id BIGINT, step BIGINT, time_ms BIGINT, value DOUBLE, PRIMARY KEY (series_id, step))"
)

Columns = tuple[list[int], list[int], list[float]]


def columns(points: int) -> Columns:
    """Return steps, times and values of a loss curve."""
    steps = list(range(points))
    return steps, [1_700_000_000_000 + 10 * step for step in steps], [math.exp(-step / points) for step in steps]


class Ours:
    """mlmd-server in a process of its own, spoken to over gRPC."""

    def __init__(self, server: Server, stack: contextlib.ExitStack) -> None:
        channel = stack.enter_context(server.channel())
        metadata = service_grpc.MetadataStoreServiceStub(channel)
        type_id = metadata.PutArtifactType(
            service.PutArtifactTypeRequest(artifact_type={"name": "system.Metrics"})
        ).type_id
        put = metadata.PutArtifacts(service.PutArtifactsRequest(artifacts=[{"type_id": type_id}]))
        self.owner = v1.MetricOwner(artifact_id=put.artifact_ids[0])
        self.metrics = v1_grpc.MetricsStub(channel)
        assert server.process is not None
        self.pid = server.process.pid

    def write(self, number: int, data: Columns) -> None:
        """Log one series."""
        steps, times, values = data
        key = v1.MetricKey(owner=self.owner, name=f"loss {number}")
        self.metrics.LogSeries(
            v1.LogSeriesRequest(series=[v1.SeriesData(key=key, steps=steps, times_ms=times, values=values)])
        )

    def cpu_seconds(self) -> float:
        """The CPU that client and server used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return _own_cpu() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def read_back(self) -> float:
        """Return the seconds that reading the first series downsampled takes."""
        started = time.perf_counter()
        self.metrics.ReadSeries(v1.ReadSeriesRequest(owners=[self.owner], names=["loss 0"]))
        return time.perf_counter() - started


class Floor:
    """A bare executemany of one row a point, in this process."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.sqlite = "sqlite" in config
        if self.sqlite:
            self.db: Any = sqlite3.connect(config["sqlite"], isolation_level=None)
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
        else:
            import MySQLdb

            login = dict(config["mysql"])
            self.db = MySQLdb.connect(
                db=login["database"],
                passwd=login["password"],
                host=login["host"],
                port=login["port"],
                user=login["user"],
            )
        self.cursor = self.db.cursor()
        self.cursor.execute(TABLE)

    def write(self, number: int, data: Columns) -> None:
        """Insert one series."""
        places = "?, ?, ?, ?" if self.sqlite else "%s, %s, %s, %s"
        if self.sqlite:
            self.cursor.execute("BEGIN IMMEDIATE")
        rows = list(zip([number] * len(data[0]), *data, strict=True))
        self.cursor.executemany(f"INSERT INTO points (series_id, step, time_ms, value) VALUES ({places})", rows)
        self.cursor.execute("COMMIT")

    def cpu_seconds(self) -> float:
        """The CPU that this process used; the database server's is not in it."""
        return _own_cpu()


class Mlflow:
    """MLflow's own store, in a process of its own on a database of its own."""

    def __init__(self, url: str) -> None:
        command = [MLFLOW, str(ROOT / "benchmarks" / "mlflow_side.py"), url]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.spent = 0.0
        self.version = str(self._answer())

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("MLflow's side of the benchmark ended")
        return json.loads(line)

    def write(self, number: int, data: Columns) -> None:
        """Log one series."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"number": number, "points": len(data[0])}) + "\n")
        self.process.stdin.flush()
        self.spent += float(self._answer())

    def cpu_seconds(self) -> float:
        """The CPU that its process used for writing."""
        return self.spent

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def seconds_of(write: Callable[[int, Columns], None], number: int, data: Columns) -> float:
    """Return how long writing one series takes."""
    started = time.perf_counter()
    write(number, data)
    return time.perf_counter() - started


def compare(database: str, arguments: argparse.Namespace) -> None:
    """Measure one database and print its table."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        config = stack.enter_context(configurations(database, folder, arguments.durable))
        server = stack.enter_context(Server(config["url"], folder / "server", options=("--log-level", "warning")))
        sides: dict[str, Any] = {"mlmd-server": Ours(server, stack), "executemany": Floor(config["floor"])}
        if MLFLOW:
            sides["MLflow"] = Mlflow(_mlflow_url(config, folder))
            stack.callback(sides["MLflow"].close)
        print(f"\n{database}: {config['durability']}; {arguments.points:,} points, {arguments.rounds} alternations")
        report(sides, arguments)


def _mlflow_url(config: dict[str, Any], folder: Path) -> str:
    if "sqlite" in config["reference"]:
        return f"sqlite:///{folder / 'mlflow.db'}"
    login = config["reference"]["mysql"]
    return "mysql+mysqldb://{user}:{password}@{host}:{port}/{database}".format(**login)


def report(sides: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Let the sides alternate and print what they took."""
    data, few = columns(arguments.points), columns(arguments.mlflow_points)
    per_point: dict[str, list[float]] = {side: [] for side in sides}
    cpu: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(arguments.rounds + 1):
        for side, writer in sides.items():
            given = few if side == "MLflow" else data
            before = writer.cpu_seconds()
            took = seconds_of(writer.write, number, given)
            if number:  # the first round warms up
                per_point[side].append(took / len(given[0]))
                cpu[side].append((writer.cpu_seconds() - before) / len(given[0]))
    medians = {side: statistics.median(times) for side, times in per_point.items()}
    for side, median in medians.items():
        busy = statistics.median(cpu[side])
        print(f"{side:<14}{1 / median:>14,.0f} points/s{1 / max(busy, 1e-9):>14,.0f} points per CPU second")
    ratios = [ours / floor for ours, floor in zip(per_point["mlmd-server"], per_point["executemany"], strict=True)]
    _verdict(
        "time of executemany", statistics.median(ratios), min(ratios), max(ratios), MOST_TIMES_THE_FLOOR, most=True
    )
    if "MLflow" in sides:
        gains = [theirs / ours for ours, theirs in zip(per_point["mlmd-server"], per_point["MLflow"], strict=True)]
        of = f"speed of MLflow {sides['MLflow'].version}"
        _verdict(of, statistics.median(gains), min(gains), max(gains), LEAST_TIMES_MLFLOW, most=False)
    else:
        print("MLflow: not measured; set MLMD_MLFLOW_PYTHON to a Python that has it")
    print(f"500 of the {arguments.points:,} points read back in {sides['mlmd-server'].read_back() * 1000:.0f} ms")


def _verdict(of: str, ratio: float, least: float, most_: float, target: float, *, most: bool) -> None:
    reached = ratio <= target if most else ratio >= target
    bound = "at most" if most else "at least"
    mark = "" if reached else "  missed"
    print(f"mlmd-server: {ratio:.2f} times the {of} ({least:.2f} to {most_:.2f}); {bound} {target:.0f} wanted{mark}")


def main() -> int:
    """Run the benchmark; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--mlflow-points", type=int, default=5_000, help="as many a round for MLflow, which is slow")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--databases", default="sqlite,mysql", type=lambda text: text.split(","))
    parser.add_argument(
        "--not-durable", dest="durable", action="store_false", help="MySQL does not wait for the disk at a commit"
    )
    arguments = parser.parse_args()
    for database in arguments.databases:
        compare(database, arguments)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
