"""The asking side of Google's core: `Reference` has one database open in a worker process.

An abort of the core (it has fatal checks on input) is an answer: `Answer.crashed`. The worker is then started again on
the same database.
"""

import os
import select
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

from google.protobuf.message import Message
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.reference.databases import run_statements
from tests.reference.fixture import TIMES, Fixture, build

PYTHON = Path(
    os.environ.get("MLMD_REFERENCE_PYTHON")
    or Path(__file__).resolve().parents[2] / ".envs" / "reference" / "bin" / "python"
)
WORKER = Path(__file__).with_name("worker.py")
ANSWER_SECONDS = 120.0


def absence() -> str | None:
    """Return the sentence that says what is missing, None when the reference can be asked."""
    if PYTHON.exists():
        return None
    return (
        f"Google's library is not there to compare with (no {PYTHON}): `make test` sets it up where there is a "
        "Python 3.11; install one (with python3-venv) with `make test-deps`"
    )


class Answer(NamedTuple):
    """What the reference said to one call. `code` is None when its process died of the call."""

    code: Code | None
    response: Any
    message: str

    @property
    def crashed(self) -> bool:
        """Whether the process died."""
        return self.code is None


def _frame(body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + body


class Reference:
    """Google's core with a database open; use one from one thread.

    `new_config` returns the configuration of a database that does not exist yet; it is called at each `reset`.
    """

    def __init__(self, new_config: Callable[[], mlmd.ConnectionConfig]) -> None:
        """Start the worker on a first database."""
        self._new_config = new_config
        self._worker: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`
        self.config = mlmd.ConnectionConfig()
        self.migration = mlmd.MigrationOptions()
        self.reset()

    def reset(self) -> None:
        """Go on with a new, empty database."""
        answer = self.open(self._new_config())
        if answer.code is not Code.OK:
            raise RuntimeError(f"the reference cannot open a new database: {answer.message}")

    def open(self, config: mlmd.ConnectionConfig, migration: mlmd.MigrationOptions | None = None) -> Answer:
        """Open that database instead; a refusal comes back with code UNKNOWN, as the core's binding gives none."""
        self.config, self.migration = config, migration or mlmd.MigrationOptions()
        return self._reopen()

    def _reopen(self) -> Answer:
        frames = _frame(self.config.SerializeToString()) + _frame(self.migration.SerializeToString())
        code, body = self._ask(_frame(b"@open") + frames)
        return Answer(code, None, body.decode(errors="replace"))

    def release(self) -> None:
        """Let go of the database, so that others may move or change it; `open` or `reset` before the next call."""
        self._ask(_frame(b"@close") + _frame(b""))

    def call(self, method: str, request: Message) -> Answer:
        """Call one RPC by name. GetParent- and GetChildrenContextsByContexts are not wrapped: UNIMPLEMENTED."""
        code, body = self.call_bytes(method, request.SerializeToString())
        if code is not Code.OK:
            return Answer(code, None, body.decode(errors="replace"))
        return Answer(code, getattr(service, f"{method}Response").FromString(body), "")

    def call_bytes(self, method: str, request: bytes) -> tuple[Code | None, bytes]:
        """Call one RPC with the bytes of its request; returns (code, bytes of the response or the message)."""
        code, body = self._ask(_frame(method.encode()) + _frame(request))
        if code is None:
            self._reopen()
        return code, body

    def put(self, method: str, request: Message) -> Any:
        """Call one RPC that must succeed, and return its response."""
        answer = self.call(method, request)
        if answer.code is not Code.OK:
            raise RuntimeError(f"{method}: {answer.code!r} {answer.message}")
        return answer.response

    def build_fixture(self) -> Fixture:
        """Put the graph of the recorded answers into the (empty) database, with the recordings' timestamps."""
        made = build(self.put)
        run_statements(self.config, TIMES["sqlite" if self.config.HasField("sqlite") else "mysql"])
        return made

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None
        self._log.close()

    def _ask(self, frames: bytes) -> tuple[Code | None, bytes]:
        worker = self._running()
        assert worker.stdin is not None
        try:
            worker.stdin.write(frames)
            worker.stdin.flush()
            code, length = struct.unpack("!iI", self._read(worker, 8))
            return Code(code), self._read(worker, length)
        except (BrokenPipeError, EOFError):
            return None, self._epitaph(worker)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._worker is None:
            pipe = subprocess.PIPE
            command = [str(PYTHON), "-I", str(WORKER)]
            self._worker = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._log)
        return self._worker

    def _read(self, worker: subprocess.Popen[bytes], length: int) -> bytes:
        assert worker.stdout is not None
        parts = bytearray()
        while len(parts) < length:
            if not select.select([worker.stdout], [], [], ANSWER_SECONDS)[0]:
                worker.kill()
                raise TimeoutError(f"the reference did not answer within {ANSWER_SECONDS:.0f} s")
            part = os.read(worker.stdout.fileno(), min(length - len(parts), 1 << 20))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def _epitaph(self, worker: subprocess.Popen[bytes]) -> bytes:
        worker.communicate()
        self._worker = None
        self._log.seek(0)
        last = self._log.read()[-1000:]
        self._log.seek(0)
        self._log.truncate()
        return f"the process ended with {worker.returncode}: ".encode() + last
