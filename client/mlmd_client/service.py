"""Calls by what they take and answer, tried again where that is safe."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Never, TypeVar

from google.protobuf.message import Message
from mlmd_schemas.chance import CHANCE

from mlmd_client.calls import CallError, Transport, may_pass
from mlmd_client.failures import failure_of
from mlmd_client.waits import WAITS

IDEMPOTENCY_KEY = "mlmd-idempotency-key"
_PATIENCE_SECONDS = (0.05, 0.25, 1.0, 2.0)
A = TypeVar("A", bound=Message)
"""What a call is answered with."""

_PATHS: dict[tuple[type[Message], type[Message]], str] = {}


def path_of(request: type[Message], answer: type[Message]) -> str:
    """Return the path of the one method that takes and answers messages of these classes; no two methods share any.

    >>> from mlmd_schemas.pb.v1 import runs_pb2
    >>> path_of(runs_pb2.StartRunRequest, runs_pb2.StartRunResponse)
    '/mlmd.v1.Runs/StartRun'
    """
    path = _PATHS.get((request, answer))
    if path is None:
        path = _PATHS[request, answer] = _found(request, answer)
    return path


def _found(request: type[Message], answer: type[Message]) -> str:
    taken, answered = request.DESCRIPTOR, answer.DESCRIPTOR
    for service in taken.file.services_by_name.values():
        for method in service.methods:
            if (method.input_type.full_name, method.output_type.full_name) == (taken.full_name, answered.full_name):
                return f"/{service.full_name}/{method.name}"
    raise TypeError(f"no method takes {taken.full_name} and answers {answered.full_name}")


def new_key() -> str:
    """Return a fresh idempotency key.

    >>> len(new_key())
    32
    """
    return secrets.token_hex(16)


class Service:
    """A store as methods that take and return messages; safe to use from many threads.

    >>> from mlmd_schemas.pb.v1 import server_pb2
    >>> "runs" in store.service.read(server_pb2.GetInfoRequest(), server_pb2.GetInfoResponse).features
    True
    """

    def __init__(self, transport: Transport, timeout_seconds: float = 60.0) -> None:
        """Use a transport; each attempt of a call may take `timeout_seconds`, unless the call says how long it may."""
        self.transport = transport
        self._timeout_seconds = timeout_seconds
        self._here = threading.local()

    def __reduce__(self) -> Never:
        """Refuse to be pickled, with every Store, run, version and graph: connections are a process's own."""
        raise TypeError(
            "store: a Store is of its process and cannot be pickled, nor can what holds one, as runs, versions and "
            "graphs do; give the other process the text store.address, and have it open Store(address) anew."
        )

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

    def read(self, request: Message, answer: type[A], *, within_seconds: float | None = None) -> A:
        """Make the call that takes `request` and is answered with `answer`, and that changes nothing.

        Raises the classes of `mlmd_client.failures`. With `within_seconds` it takes no longer, all attempts
        together, and one may take all of it.
        """
        return self._patiently(request, answer, (), within_seconds)

    def write(self, request: Message, answer: type[A], key: str = "", *, within_seconds: float | None = None) -> A:
        """Make a call that changes something, once however often it is sent; `key` repeats an earlier one."""
        return self._patiently(request, answer, ((IDEMPOTENCY_KEY, key or new_key()),), within_seconds)

    def once(self, request: Message, answer: type[A], *, key: str = "", timeout_seconds: float | None = None) -> A:
        """Make a call without trying again; raises the bare CallError."""
        path, metadata = path_of(type(request), answer), ((IDEMPOTENCY_KEY, key),) if key else ()
        timeout = timeout_seconds or self._timeout_seconds
        return self.transport.unary(path, request, answer, timeout_seconds=timeout, metadata=metadata)

    def _patiently(
        self, request: Message, answer: type[A], metadata: tuple[tuple[str, str], ...], within_seconds: float | None
    ) -> A:
        path = path_of(type(request), answer)
        until = None if within_seconds is None else time.monotonic() + within_seconds
        enough = time.monotonic() + float(getattr(self._here, "outlast_seconds", 0.0))
        for attempt in count():
            left = self._timeout_seconds if until is None else until - time.monotonic()
            try:
                return self.transport.unary(path, request, answer, timeout_seconds=max(left, 0.001), metadata=metadata)
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
