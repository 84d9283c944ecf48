"""Clients that move one alias by compare-and-set all at once, and watchers who write down what they hear."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.pb.v1.registry_pb2_grpc import ModelRegistryStub

from tests.services.server import NO_PROXY
from tests.services.trailers import trailers

MODEL, ALIAS = "fraud", "champion"
ALIAS_NUMBER = "mlmd-alias-number"
_REST, _LONGEST_REST = 0.005, 0.5
"""Who lost waits up to so many seconds, each time twice as long, before it goes on from the number that it was told."""
_OPTIONS = [NO_PROXY, ("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 200)]
_AGAIN = (Code.UNAVAILABLE, Code.ABORTED, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.INTERNAL, Code.UNKNOWN)


def code_of(error: grpc.RpcError) -> Code:
    """Return the code of a failed call."""
    return Code(error.code().value[0])


@dataclass
class Tally:
    """What the clients heard."""

    moved: list[v1.ModelAliasMove] = field(default_factory=list)
    made: list[int] = field(default_factory=list)
    refused: int = 0
    odd: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Contenders:
    """So many clients on these servers, at work until they are told to end."""

    def __init__(self, targets: list[str], clients: int) -> None:
        self.tally = Tally()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(targets[number % len(targets)], number), daemon=True)
            for number in range(clients)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def end(self) -> Tally:
        """Let every client finish its call; return what they heard."""
        self._ended.set()
        for thread in self._threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in self._threads)
        return self.tally

    def _work(self, target: str, number: int) -> None:
        chooser = random.Random(number)
        with grpc.insecure_channel(target, options=_OPTIONS) as channel:
            stub = ModelRegistryStub(channel)
            pointed: int | None = None
            lost = 0
            while not self._ended.is_set():
                if chooser.random() < 0.02:
                    self._make(stub)
                    continue
                moved, pointed = self._move(stub, chooser, pointed)
                lost = 0 if moved else lost + 1
                self._ended.wait(chooser.uniform(0, min(_LONGEST_REST, _REST * 2**lost)) if lost else 0)

    def _move(self, stub: ModelRegistryStub, chooser: random.Random, pointed: int | None) -> tuple[bool, int | None]:
        """Move the alias from where it pointed; return whether it moved and where it points, None when not known."""
        if pointed is None:
            model = _insist(stub.GetModel, v1.GetModelRequest(model=MODEL)).model
            pointed = dict(model.aliases).get(ALIAS, 0)
        request = v1.MoveModelAliasRequest(
            model=MODEL, alias=ALIAS, version=str(chooser.randint(1, 4)), expected_number=pointed
        )
        try:
            move = _insist(stub.MoveModelAlias, request).move
        except grpc.RpcError as error:
            told = trailers(error).get(ALIAS_NUMBER)
            with self.tally.lock:
                if code_of(error) is Code.FAILED_PRECONDITION and told is not None:
                    self.tally.refused += 1
                    return False, int(told)
                self.tally.odd.append(f"{error.code()}: {error.details()}")
            return False, None
        with self.tally.lock:
            self.tally.moved.append(move)
        return True, int(move.to_number)

    def _make(self, stub: ModelRegistryStub) -> None:
        request = v1.CreateModelVersionRequest(model=MODEL, uri=f"s3://b/{uuid.uuid4()}")
        made = _insist(stub.CreateModelVersion, request).version
        with self.tally.lock:
            self.tally.made.append(made.number)


def _insist(method: Any, request: Any) -> Any:
    """Make a call again, under its key, until it is answered; so it takes place once whatever dies meanwhile."""
    metadata = [("mlmd-idempotency-key", uuid.uuid4().hex)]
    until = time.monotonic() + 120
    while True:
        try:
            return method(request, metadata=metadata, timeout=30)
        except grpc.RpcError as error:
            if code_of(error) not in _AGAIN or time.monotonic() > until:
                raise
            time.sleep(0.05)


class Watcher(threading.Thread):
    """Watches one model on one server, and goes on from its cursor when the stream breaks."""

    def __init__(self, target: str) -> None:
        super().__init__(daemon=True)
        self.heard: list[v1.ModelAliasMove] = []
        self.broken = 0
        self._target = target
        self._ended = threading.Event()
        self._call: Any = None
        self.ready = threading.Event()

    def run(self) -> None:
        cursor = ""
        while not self._ended.is_set():
            with grpc.insecure_channel(self._target, options=_OPTIONS) as channel:
                request = v1.WatchModelsRequest(models=[MODEL], cursor=cursor)
                self._call = ModelRegistryStub(channel).WatchModels(request)
                try:
                    for response in self._call:
                        self.heard += [told.move for told in response.moves]
                        cursor = response.cursor
                        self.ready.set()
                except grpc.RpcError:
                    self.broken += 1
                    self._ended.wait(0.1)

    def end(self, enough: Callable[["Watcher"], bool]) -> list[v1.ModelAliasMove]:
        """Wait until it heard enough, then end it; return what it heard."""
        until = time.monotonic() + 60
        while not enough(self) and time.monotonic() < until:
            time.sleep(0.02)
        self._ended.set()
        if self._call is not None:
            self._call.cancel()
        self.join(30)
        return self.heard
