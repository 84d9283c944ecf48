"""`make bench-artifacts`: bytes up and down beside minio-py, `aws s3 cp` and plain copying, alternating.

Usage: `python -m benchmarks.artifacts [--gib 1] [--files 2000] [--rounds 3] [--places s3,local]`.

Every side moves the same files, between the same disk and the same store (Ceph, in memory, started for the run; or a
folder). minio-py is called once for each file. `aws s3 cp` runs where `MLMD_AWS` names it, as a command, so that its
start is in its time. Plain copying is `shutil.copyfile`, with an fsync for each file, as the store does, and without.
Ours hashes (SHA-256, and for an object store MD5), sends, commits; and verifies when it fetches. What counts is the
ratio of neighbours. Plain copying without fsync hashes nothing and leaves the bytes in memory, where they can be lost,
so that the ratio to the fastest that syncs is printed beside the one to the fastest.
"""

import argparse
import contextlib
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.metadata import ROOT
from tests.services.ceph import ACCESS_KEY, SECRET_KEY, Ceph
from tests.services.server import Server

AWS = os.environ.get("MLMD_AWS", "")
MOST_TIMES_THE_FASTEST = 1.15
LEAST_TIMES_FILE_BY_FILE = 2.0
MOST_MIB = 150.0
BUCKET = "benchmark"
FILE_BY_FILE = ("minio-py", "copy, fsync")
UNSYNCED = "copy"


class Side:
    """A process of `benchmarks.transfer_side`."""

    def __init__(self, **told: Any) -> None:
        command = [sys.executable, "-m", "benchmarks.transfer_side"]
        environment = os.environ | {"MLMD_STATE_HOME": tempfile.gettempdir()}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )
        self.peak_mib = 0.0
        self._say(told)

    def _say(self, told: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a side of the benchmark ended")
        return json.loads(line)

    def move(self, do: str, source: str, target: str) -> tuple[float, float, str]:
        """Move files; return the seconds, the CPU seconds and where they are."""
        done = self._say({"do": do, "source": source, "target": target})
        self.peak_mib = max(self.peak_mib, done["peak_mib"])
        return done["seconds"], done["cpu_seconds"], done["answer"]

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


class Aws:
    """`aws s3 cp`, a command each time."""

    peak_mib = 0.0

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        login = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": "us-east-1"}
        self.environment = os.environ | login

    def move(self, do: str, source: str, target: str) -> tuple[float, float, str]:
        """Move files; return the seconds, the CPU seconds and where they are."""
        place = f"s3://{BUCKET}/{target if do == 'up' else source}"
        ends = [source, place] if do == "up" else [place, target]
        command = [AWS, "--endpoint-url", self.endpoint, "s3", "cp", "--recursive", "--only-show-errors", *ends]
        started, busy = time.perf_counter(), _cpu_of_children()
        subprocess.run(command, env=self.environment, check=True)
        where = target if do == "up" else source
        return time.perf_counter() - started, _cpu_of_children() - busy, where

    def close(self) -> None:
        """Nothing stays."""


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class Times:
    """Seconds and CPU seconds of each side, by what was done."""

    of: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    cpu: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, what: str, side: str, seconds: float, cpu_seconds: float) -> None:
        """Note a measurement."""
        self.of.setdefault(what, {}).setdefault(side, []).append(seconds)
        self.cpu.setdefault(what, {}).setdefault(side, []).append(cpu_seconds)


@contextlib.contextmanager
def s3_sides(folder: Path) -> Iterator[tuple[dict[str, Any], Server]]:
    """Start Ceph, our server before it, and everybody who uses them."""
    from minio import Minio

    with contextlib.ExitStack() as stack:
        ceph = Ceph(folder / "ceph")
        stack.callback(ceph.discard)
        ceph.start()
        endpoint = f"http://127.0.0.1:{ceph.port}"
        Minio(f"127.0.0.1:{ceph.port}", ACCESS_KEY, SECRET_KEY, secure=False).make_bucket(BUCKET)
        login = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        options = ("--artifacts", f"s3://{BUCKET}/ours", "--artifacts-endpoint", endpoint, "--log-level", "warning")
        url = f"sqlite:///{folder / 'metadata.db'}"
        server = stack.enter_context(Server(url, folder / "server", options=options, environment=login))
        told = {"endpoint": endpoint, "key": ACCESS_KEY, "secret": SECRET_KEY, "bucket": BUCKET}
        sides: dict[str, Any] = {"mlmd-server": Side(side="ours", store=server.target)}
        sides["minio-py"] = Side(side="minio-py", **told)
        if AWS:
            sides["aws s3 cp"] = Aws(endpoint)
        for side in sides.values():
            stack.callback(side.close)
        yield sides, server


@contextlib.contextmanager
def local_sides(folder: Path) -> Iterator[tuple[dict[str, Any], None]]:
    """Use a folder: ours with the store in its own process."""
    with contextlib.ExitStack() as stack:
        sides = {
            "mlmd-server": Side(side="ours", store=str(folder / "ours")),
            "copy, fsync": Side(side="copy", folder=str(folder / "durable"), durable=True),
            "copy": Side(side="copy", folder=str(folder / "plain")),
        }
        for side in sides.values():
            stack.callback(side.close)
        yield sides, None


def make_files(folder: Path, gib: float, files: int) -> dict[str, Path]:
    """Write what is moved: one large file, and many of 10 KiB."""
    large, small = folder / "large", folder / "small"
    large.mkdir(parents=True)
    small.mkdir()
    with (large / "file.bin").open("wb") as file:
        for _ in range(int(gib * 64)):
            file.write(os.urandom(16 << 20))
    for number in range(files):
        (small / f"{number:05}.bin").write_bytes(os.urandom(10 << 10))
    return {f"{gib:g} GiB": large, f"{files:,} files": small}


def measure(sides: dict[str, Any], sources: dict[str, Path], scratch: Path, rounds: int, times: Times) -> None:
    """Let the sides alternate; the order turns by one each round."""
    names = list(sides)
    for number in range(rounds):
        for what, source in sources.items():
            for name in names[number % len(names) :] + names[: number % len(names)]:
                side, target = sides[name], scratch / "fetched"
                *up, where = side.move("up", str(source), f"{name.split()[0].strip(',')}-{number}-{source.name}")
                *down, _ = side.move("down", where, str(target))
                times.add(f"{what} up", name, *up)
                times.add(f"{what} down", name, *down)
                shutil.rmtree(target)


def report(place: str, times: Times, peaks: dict[str, float]) -> None:
    """Print the table and what was to be reached."""
    print(f"\n{place}")
    for what, sides in times.of.items():
        print(f"{what:<18}  " + "  ".join(_shown(name, took, times.cpu[what][name]) for name, took in sides.items()))
        others = {name: took for name, took in sides.items() if name != "mlmd-server"}
        if "GiB" in what:
            for of, rivals in _rivals(others):
                ratios = [ours / min(took[i] for took in rivals) for i, ours in enumerate(sides["mlmd-server"])]
                _verdict(ratios, f"time of the {of}", MOST_TIMES_THE_FASTEST, most=True)
        else:
            slow = next(others[name] for name in FILE_BY_FILE if name in others)
            ratios = [theirs / ours for ours, theirs in zip(sides["mlmd-server"], slow, strict=True)]
            _verdict(ratios, "speed of file by file", LEAST_TIMES_FILE_BY_FILE, most=False)
            if "copy" in others:
                ratios = [theirs / ours for ours, theirs in zip(sides["mlmd-server"], others["copy"], strict=True)]
                print(f"{'':<20}{statistics.median(ratios):.2f} times the speed of copying without fsync")
    for name, mib in peaks.items():
        print(f"{'':<20}peak memory of {name}: {mib:.0f} MiB{'' if mib < MOST_MIB else '  missed'}")


def _rivals(others: dict[str, list[float]]) -> Iterator[tuple[str, list[list[float]]]]:
    """Yield groups of sides that ours is held against, and what they are called."""
    yield "fastest", list(others.values())
    if UNSYNCED in others:
        yield "fastest that syncs", [took for name, took in others.items() if name != UNSYNCED]


def hashing_alone() -> str:
    """Return what hashing takes here by itself, in CPU seconds a GiB."""
    chunk, found = os.urandom(256 * 1024), []
    for name in ("sha256", "md5"):
        digest, started = hashlib.new(name), time.process_time()
        for _ in range(1024):
            digest.update(chunk)
        found.append(f"{name} {4 * (time.process_time() - started):.2f}")
    return f"hashing alone, CPU seconds a GiB: {', '.join(found)}"


def _shown(name: str, seconds: list[float], cpu_seconds: list[float]) -> str:
    return f"{name} {statistics.median(seconds):.2f} s ({statistics.median(cpu_seconds):.2f} CPU)"


def _verdict(ratios: list[float], of: str, target: float, *, most: bool) -> None:
    ratio = statistics.median(ratios)
    reached = ratio <= target if most else ratio >= target
    print(
        f"{'':<20}{ratio:.2f} times the {of} ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"{'at most' if most else 'at least'} {target:g} wanted{'' if reached else '  missed'}"
    )


def server_peak_mib(server: Server) -> float:
    """Return the most memory that the server held."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> int:
    """Run the benchmark; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=1.0)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--places", default="s3,local", type=lambda text: text.split(","))
    arguments = parser.parse_args()
    for place in arguments.places:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            sources = make_files(folder / "sources", arguments.gib, arguments.files)
            times = Times()
            with (s3_sides if place == "s3" else local_sides)(folder) as (sides, server):
                measure(sides, sources, folder, arguments.rounds, times)
                peaks = {"the client" if server else "client and server": sides["mlmd-server"].peak_mib}
                if server is not None:
                    peaks["the server"] = server_peak_mib(server)
            report(f"{place}: {arguments.rounds} alternations", times, peaks)
    print(hashing_alone())
    if not AWS:
        print("aws s3 cp: not measured; set MLMD_AWS to the command")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
