"""`make bench`: the reference, mlmd-server and the floor side by side, alternating, in one table.

Usage: `python -m benchmarks.metadata [--rounds 9] [--repeat 7] [--turns 3] [--databases sqlite,mysql]
[--scenarios a,b]`.
A row shows the median milliseconds of each side and the median over the rounds of the ratio mlmd-server / reference
with its smallest and largest value; the last column is what was to be reached.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlmd_metadata_store.store import Store

from benchmarks.clients import throughput
from tests.services.mariadb import MariaDB
from tests.services.server import Server

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = os.environ.get("MLMD_REFERENCE_PYTHON", str(ROOT / ".envs" / "reference" / "bin" / "python"))
TARGETS = {
    "single_put": (1.0, 1.0),
    "batch_put_100": (0.5, 0.4),
    "put_execution": (0.6, 0.6),
    "update": (1.0, 1.0),
    "read_1": (4.0, 4.0),
    "read_100": (0.85, 0.85),
    "read_by_name": (4.0, 4.0),
    "page_100": (0.85, 0.85),
    "property_filter": (0.6, 0.6),
    "lineage_100_hops": (0.8, 0.8),
}
"""What to reach, mlmd-server over gRPC against the core in process: on SQLite, on MySQL."""


class Side:
    """A process that makes the calls of one side and times them."""

    def __init__(self, python: str, script: str, config: dict[str, Any]) -> None:
        command = [python, str(ROOT / "benchmarks" / script), json.dumps(config)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **command: Any) -> list[float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"a side of the benchmark ended with {self.process.wait()}")
        return list(json.loads(answer))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class DurableMariaDB(MariaDB):
    """MariaDB that waits for the disk at every commit."""

    def command(self) -> list[str]:
        kept = [option for option in super().command() if not option.startswith("--innodb-flush")]
        return [*kept, "--innodb-flush-log-at-trx-commit=1", "--innodb-flush-method=fsync"]


@contextlib.contextmanager
def configurations(database: str, folder: Path, durable: bool) -> Iterator[dict[str, Any]]:
    """Yield the reference's, the server's and the floor's database, and what the durability is."""
    if database == "sqlite":
        made: dict[str, Any] = {side: {"sqlite": str(folder / f"{side}.db")} for side in ("reference", "floor")}
        made["url"] = f"sqlite:///{folder / 'ours.db'}"
        made["floor_url"] = f"sqlite:///{folder / 'floor.db'}"
        made["durability"] = (
            "SQLite, synchronous=FULL on every side; the reference's journal is DELETE, ours and the floor's WAL"
        )
        yield made
        return
    server = (DurableMariaDB if durable else MariaDB)(folder / "mariadb")
    server.start()
    try:
        login = {"host": "127.0.0.1", "port": server.port, "user": "mlmd", "password": "mlmd"}
        made = {side: {"mysql": {**login, "database": side}} for side in ("reference", "floor")}
        made["url"], made["floor_url"] = server.create("ours"), server.create("floor")
        server.create("reference")
        names = ("innodb_flush_log_at_trx_commit", "innodb_flush_method", "sync_binlog", "innodb_buffer_pool_size")
        values = [server.execute(f"SELECT @@{name}")[0][0] for name in names]
        version = server.execute("SELECT VERSION()")[0][0]
        settings = ", ".join(f"{n}={v}" for n, v in zip(names, values, strict=True))
        made["durability"] = f"{version}, {settings}, one server for every side"
        yield made
    finally:
        server.discard()


def compare(database: str, arguments: argparse.Namespace) -> bool:
    """Measure one database and print its table; return whether every target was reached."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        config = stack.enter_context(configurations(database, folder, arguments.durable))
        server = stack.enter_context(Server(config["url"], folder / "server", options=("--log-level", "warning")))
        Store.open(config["floor_url"]).close()
        grpc = {"grpc": {"host": "127.0.0.1", "port": server.grpc_port}}
        sides = {
            "reference": Side(REFERENCE, "client_side.py", config["reference"]),
            "ours": Side(REFERENCE, "client_side.py", grpc),
            "floor": Side(sys.executable, "floor_side.py", config["floor"]),
        }
        for side in sides.values():
            stack.callback(side.close)
            side.ask(scenario="prepare", tag="bench")
        print(f"\n{database}: {config['durability']}; {arguments.rounds} alternations of {arguments.repeat} calls")
        heading = ("call", "core ms", "ours ms", "floor ms", "ratio", "least", "most", "target")
        print("{:<18}{:>9}{:>9}{:>9}{:>8}{:>8}{:>8}{:>8}".format(*heading))
        reached = [row(name, sides, database, arguments) for name in arguments.scenarios]
        empty = [
            statistics.median(sides["ours"].ask(scenario="empty_call", repeat=50)) for _ in range(arguments.rounds)
        ]
        print(f"an empty call over the same client and channel takes {statistics.median(empty) * 1000:.3f} ms")
        throughput(server, 1, arguments)
        cores = len(os.sched_getaffinity(0))
        options = ("--log-level", "warning", "--workers", str(cores))
        with Server(config["url"], folder / "workers", options=options) as many:
            throughput(many, cores, arguments)
        return all(reached)


def row(name: str, sides: dict[str, Side], database: str, arguments: argparse.Namespace) -> bool:
    """Measure one scenario, sides alternating, and print its row."""
    times: dict[str, list[float]] = {side: [] for side in sides}
    for side in sides.values():
        side.ask(scenario=name, repeat=3)
    for _ in range(arguments.rounds):
        for key, side in sides.items():
            times[key].append(statistics.median(side.ask(scenario=name, repeat=arguments.repeat)))
    ratios = [ours / core for ours, core in zip(times["ours"], times["reference"], strict=True)]
    ratio, target = statistics.median(ratios), TARGETS[name][database == "mysql"]
    core, ours, floor = (statistics.median(times[key]) * 1000 for key in ("reference", "ours", "floor"))
    mark = "" if ratio <= target else "  missed"
    print(
        f"{name:<18}{core:>9.3f}{ours:>9.3f}{floor:>9.3f}{ratio:>8.2f}{min(ratios):>8.2f}{max(ratios):>8.2f}"
        f"{target:>8.2f}{mark}",
        flush=True,
    )
    return ratio <= target


def main() -> int:
    """Run the benchmark; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each throughput measurement")
    parser.add_argument("--turns", type=int, default=3, help="how often each number of clients is measured")
    parser.add_argument("--databases", default="sqlite,mysql", type=lambda text: text.split(","))
    parser.add_argument("--scenarios", default=list(TARGETS), type=lambda text: text.split(","))
    parser.add_argument(
        "--not-durable", dest="durable", action="store_false", help="MySQL does not wait for the disk at a commit"
    )
    arguments = parser.parse_args()
    for database in arguments.databases:
        compare(database, arguments)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
