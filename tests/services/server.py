"""Our own server as a process: forked with everything imported, or started afresh, the way a user starts it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.services.forked import start_forked
from tests.services.ports import free_port

PROGRAMS = Path(sys.executable).parent
READY_SECONDS = 120.0
NO_PROXY = ("grpc.enable_http_proxy", 0)


class Process(Protocol):
    """What is done with a server's process."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Return its exit status when it has ended."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit status."""

    def send_signal(self, number: int, /) -> None:
        """Send it a signal."""

    def terminate(self) -> None:
        """Send SIGTERM."""

    def kill(self) -> None:
        """Send SIGKILL."""


class Server:
    """`mlmd-server serve` on free ports of 127.0.0.1; a context manager that starts and stops it.

    `http` opens the HTTP port too. `options` are added to the command line and `environment` to the environment.
    `fresh` starts an interpreter for it, for tests of how the process starts and ends and of what memory it takes.
    """

    def __init__(
        self,
        database: str,
        folder: Path,
        *,
        http: bool = False,
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> None:
        """Choose ports; `start` starts it. What it prints goes to files in `folder`, its working directory."""
        self.database, self.folder, self.options = database, folder, options
        self.environment, self.fresh = dict(environment or {}), fresh
        self.grpc_port, self.http_port = free_port(), free_port() if http else 0
        self.process: Process | None = None
        self.words: list[str] | None = None
        """The command line, where it is another one than `command` makes."""

    @property
    def target(self) -> str:
        """The address that gRPC clients take."""
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        """The address that HTTP clients take."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def stdout(self) -> Path:
        """What it said on standard output."""
        return self.folder / "server.out"

    @property
    def stderr(self) -> Path:
        """What it said on standard error."""
        return self.folder / "server.err"

    def command(self) -> list[str]:
        """Return the command line."""
        if self.words is not None:
            return self.words
        ports = ["--grpc-port", str(self.grpc_port), "--http-port", str(self.http_port)]
        return [str(PROGRAMS / "mlmd-server"), "serve", "--database", self.database, *ports, *self.options]

    def launch(self) -> None:
        """Start the process without waiting for it to be ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"PYTHONFAULTHANDLER": "1"} | self.environment
        with self.stdout.open("ab") as out, self.stderr.open("ab") as err:
            forked = None if self.fresh else start_forked(self.command(), out, err, self.folder, environment)
            self.process = forked or subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start the process and wait until its health service says SERVING."""
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the health service says SERVING; raises RuntimeError with the process's output when it ends."""
        until = time.monotonic() + READY_SECONDS
        while not self.serving():
            if self.process is None or self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"mlmd-server did not become ready:\n{self.output()[-4000:]}")
            time.sleep(0.02)

    def serving(self) -> bool:
        """Whether the health service answers SERVING."""
        with self.channel() as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def channel(self) -> grpc.Channel:
        """Open a channel without limits on messages; the caller closes it."""
        sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        own_connection = ("grpc.use_local_subchannel_pool", 1)
        return grpc.insecure_channel(self.target, options=[*sizes, own_connection, NO_PROXY])

    def output(self) -> str:
        """Return everything that it printed."""
        parts = [path.read_text(errors="replace") for path in (self.stdout, self.stderr) if path.exists()]
        return "\n".join(parts)

    def stop(self, seconds: float = 60) -> int:
        """Send SIGTERM and return the exit code; raises RuntimeError with every thread's stack after `seconds`."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # Python writes the stacks of its threads, and ends
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            said = self.output()[-8000:]
            self.kill()
            raise RuntimeError(f"mlmd-server did not end within {seconds:g} s of SIGTERM:\n{said}") from None
        finally:
            self.process = None

    def kill(self) -> None:
        """End the process and the workers that it forked at once (SIGKILL)."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself, and somebody has looked
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill() if error else self.stop()
