"""Calls by the name of their method, tried again where that is safe."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from itertools import count
from typing import Any

from google.protobuf.message import Message
from mlmd_schemas.chance import CHANCE

from mlmd_client.calls import CallError, Transport, may_pass
from mlmd_client.failures import failure_of
from mlmd_client.waits import WAITS

IDEMPOTENCY_KEY = "mlmd-idempotency-key"
_PATIENCE_SECONDS = (0.05, 0.25, 1.0, 2.0)
_MODULES = {
    "ml_metadata.MetadataStoreService": "mlmd_schemas.pb.metadata_store_service_pb2",
    "mlmd.v1.Archive": "mlmd_schemas.pb.v1.archive_pb2",
    "mlmd.v1.ArtifactStore": "mlmd_schemas.pb.v1.artifacts_pb2",
    "mlmd.v1.Collections": "mlmd_schemas.pb.v1.collections_pb2",
    "mlmd.v1.Lineage": "mlmd_schemas.pb.v1.lineage_pb2",
    "mlmd.v1.Metrics": "mlmd_schemas.pb.v1.metrics_pb2",
    "mlmd.v1.ModelRegistry": "mlmd_schemas.pb.v1.registry_pb2",
    "mlmd.v1.Runs": "mlmd_schemas.pb.v1.runs_pb2",
    "mlmd.v1.Server": "mlmd_schemas.pb.v1.server_pb2",
}


@cache
def response_type(path: str) -> type[Message]:
    """Return the class of a method's response.

    >>> response_type("/mlmd.v1.Runs/StartRun").__name__
    'StartRunResponse'
    """
    _, service, method = path.split("/")
    found: type[Message] = getattr(import_module(_MODULES[service]), f"{method}Response")
    return found


def new_key() -> str:
    """Return a fresh idempotency key.

    >>> len(new_key())
    32
    """
    return secrets.token_hex(16)


class Service:
    """A store as methods that take and return messages; safe to use from many threads.

    >>> from mlmd_schemas.pb.v1 import server_pb2
    >>> "runs" in store.service.read("/mlmd.v1.Server/GetInfo", server_pb2.GetInfoRequest()).features
    True
    """

    def __init__(self, transport: Transport, timeout_seconds: float = 60.0) -> None:
        """Use a transport; each attempt of a call may take `timeout_seconds`."""
        self.transport = transport
        self._timeout_seconds = timeout_seconds
        self._here = threading.local()

    @contextmanager
    def outlasting(self, seconds: float) -> Iterator[None]:
        """Let what this thread asks wait so long for a server that is away, as one that is started anew is for a while.

        >>> with store.service.outlasting(30):
        ...     store.version("churn@1").number
        1
        """
        before = getattr(self._here, "outlast_seconds", 0.0)
        self._here.outlast_seconds = seconds
        try:
            yield
        finally:
            self._here.outlast_seconds = before

    @property
    def target(self) -> str:
        """Where the store is, without secrets."""
        return self.transport.target

    def read(self, path: str, request: Message, *, within_seconds: float | None = None) -> Any:
        """Make a call that changes nothing; raises the classes of `mlmd_client.failures`.

        With `within_seconds` it takes no longer, all attempts together.
        """
        return self._patiently(path, request, (), within_seconds)

    def write(self, path: str, request: Message, key: str = "", *, within_seconds: float | None = None) -> Any:
        """Make a call that changes something, once however often it is sent; `key` repeats an earlier one."""
        return self._patiently(path, request, ((IDEMPOTENCY_KEY, key or new_key()),), within_seconds)

    def once(self, path: str, request: Message, *, key: str = "", timeout_seconds: float | None = None) -> Any:
        """Make a call without trying again; raises the bare CallError."""
        metadata = ((IDEMPOTENCY_KEY, key),) if key else ()
        timeout = timeout_seconds or self._timeout_seconds
        return self.transport.unary(path, request, response_type(path), timeout_seconds=timeout, metadata=metadata)

    def _patiently(
        self, path: str, request: Message, metadata: tuple[tuple[str, str], ...], within_seconds: float | None
    ) -> Any:
        until = None if within_seconds is None else time.monotonic() + within_seconds
        enough = time.monotonic() + float(getattr(self._here, "outlast_seconds", 0.0))
        for attempt in count():
            left = self._timeout_seconds if until is None else min(self._timeout_seconds, until - time.monotonic())
            try:
                return self.transport.unary(
                    path, request, response_type(path), timeout_seconds=max(left, 0.001), metadata=metadata
                )
            except CallError as error:
                now = time.monotonic()
                is_over = until is not None and now >= until
                is_over = is_over or (attempt >= len(_PATIENCE_SECONDS) and now >= enough)
                if is_over or not may_pass(error):
                    raise failure_of(error) from None
                seconds = _PATIENCE_SECONDS[min(attempt, len(_PATIENCE_SECONDS) - 1)] * CHANCE.uniform(0.5, 1.5)
                WAITS.tell(self.target, error.message, seconds)
            time.sleep(seconds)
        raise AssertionError("the last attempt returns or raises")
