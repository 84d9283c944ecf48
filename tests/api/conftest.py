"""A server in this process: the real engine on a SQLite file, and a few methods that misbehave on purpose."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from google.protobuf.message import Message
from mlmd_api.callers import Authenticator, Everybody
from mlmd_api.dispatch import Dispatcher
from mlmd_api.graphql.engine import GraphqlEngine
from mlmd_api.grpc.server import GrpcServer, GrpcSettings
from mlmd_api.journal import Journal
from mlmd_api.measurements import Measurements
from mlmd_api.message_sizes import Limits
from mlmd_api.methods import Method, StreamMethod, by_path, store_methods
from mlmd_api.rest.routes import Surfaces
from mlmd_api.rest.server import HttpServer, HttpSettings
from mlmd_api.server_info import ServerFacts, server_methods
from mlmd_api.tenants import TenantStores
from mlmd_lineage.methods import LINEAGE_METHODS
from mlmd_metadata_store.methods import METADATA_METHODS
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import Caller, Role
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.api.wires import Doors
from tests.services.ports import free_port

MLMD = "/ml_metadata.MetadataStoreService/"
ODD = "/test.v1.Odd/"
LIMIT_BYTES = 200_000


@dataclass
class Odd:
    """Methods that a real service does not have."""

    entered: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    moving: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    callers: list[Caller] = field(default_factory=list)

    def methods(self) -> list[Method]:
        """Return them as methods of `test.v1.Odd`."""
        named: dict[str, Callable[[Caller, Message], Message]] = {
            "Break": self._break,
            "Wait": self._wait,
            "Flood": lambda caller, request: mlmd.Artifact(uri="x" * (2 * LIMIT_BYTES)),
            "Note": self._note,
            "Empty": lambda caller, request: mlmd.Artifact(),
        }
        bytes_of = [("ReadBytes", Role.READER), ("WriteBytes", Role.WRITER)]
        shapes = (mlmd.Artifact, mlmd.Artifact)
        return [
            *(Method("test.v1.Odd", name, *shapes, Role.READER, run) for name, run in named.items()),
            *(Method("test.v1.Odd", name, *shapes, role, self._move, needs_bytes=True) for name, role in bytes_of),
        ]

    def streams(self) -> list[StreamMethod]:
        """Return the methods of `test.v1.Odd` that stream."""
        named: dict[str, Callable[[Caller, Message], Iterator[Message]]] = {
            "Count": self._count,
            "Watch": self._watch,
            "BreakOff": self._break_off,
            "FloodOnce": lambda caller, request: iter([mlmd.Artifact(uri="x" * (2 * LIMIT_BYTES))]),
        }
        return [
            StreamMethod("test.v1.Odd", name, mlmd.Artifact, mlmd.Artifact, Role.WRITER, run)
            for name, run in named.items()
        ]

    def _count(self, caller: Caller, request: Message) -> Iterator[Message]:
        assert isinstance(request, mlmd.Artifact)
        return (mlmd.Artifact(id=number, uri=request.uri) for number in range(1, request.id + 1))

    def _watch(self, caller: Caller, request: Message) -> Iterator[Message]:
        """Say one thing, then wait until nobody listens."""
        yield mlmd.Artifact(uri="first")
        assert caller.gone is not None
        self.entered.set()
        caller.gone.wait(120)
        self.release.set()

    def _break_off(self, caller: Caller, request: Message) -> Iterator[Message]:
        yield mlmd.Artifact(uri="first")
        raise RuntimeError("the secret cause")

    def _break(self, caller: Caller, request: Message) -> Message:
        raise RuntimeError("the secret cause")

    def _wait(self, caller: Caller, request: Message) -> Message:
        self.entered.set()
        until = time.monotonic() + 120
        while not self.release.wait(0.01) and time.monotonic() < until:
            caller.check_deadline()
        return mlmd.Artifact(uri="waited")

    def _move(self, caller: Caller, request: Message) -> Message:
        """Wait as for a folder that does not answer."""
        self.moving.release()
        self.release.wait(120)
        return request

    def _note(self, caller: Caller, request: Message) -> Message:
        self.callers.append(caller)
        return request


@dataclass
class Served:
    """A server in this process."""

    doors: Doors
    odd: Odd
    stores: TenantStores
    measurements: Measurements
    dispatcher: Dispatcher
    grpc: GrpcServer
    http: HttpServer


@pytest.fixture
def engine() -> str:
    """Who takes calls from gRPC core."""
    return "core"


@pytest.fixture
def serve(tmp_path: Path, engine: str) -> Iterator[Callable[..., Served]]:
    """A function that starts a server with an authenticator and the tenants named."""
    running: list[Served] = []

    def start(
        authenticator: Authenticator | None = None, tenants: tuple[str, ...] = ("",), threads: int = 8, streams: int = 8
    ) -> Served:
        urls = {name: f"sqlite:///{tmp_path}/{name or 'default'}.db" for name in tenants}
        stores = TenantStores(urls, Store.open)
        odd = Odd()
        facts = ServerFacts("1.2.3", ("lineage", "collections"), "http://here", LIMIT_BYTES, 100, 100)
        methods = [
            *store_methods((*METADATA_METHODS, *LINEAGE_METHODS), stores),
            *server_methods(facts, stores),
            *odd.methods(),
        ]
        measurements = Measurements(stores.pool_use)
        identify, streaming = authenticator or Everybody(), by_path(odd.streams())
        dispatcher = Dispatcher(by_path(methods), identify, measurements, Journal(), Limits(LIMIT_BYTES), streaming)
        grpc_settings = GrpcSettings(
            port=free_port(), max_message_bytes=LIMIT_BYTES, threads=threads, streams=streams, engine=engine
        )
        grpc = GrpcServer(dispatcher, grpc_settings)
        http_settings = HttpSettings(port=free_port(), threads=threads, streams=streams, cors_origins=("*",))
        graphql = GraphqlEngine(stores, dispatcher.methods)
        http = HttpServer(dispatcher, http_settings, stores.ping, measurements, Surfaces(graphql=graphql))
        grpc.start()
        http.start()
        served = Served(Doors(grpc.port, http.port), odd, stores, measurements, dispatcher, grpc, http)
        running.append(served)
        return served

    yield start
    for served in running:
        served.odd.release.set()
        served.http.stop(5)
        served.grpc.stop(5).wait()
        assert served.http.wait(60)
        served.stores.close()


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """A server that takes everybody for an administrator."""
    return serve()


@pytest.fixture
def artifact_type(served: Served) -> int:
    """The id of an artifact type on the served store."""
    caller = Caller()
    method = served.dispatcher.methods[f"{MLMD}PutArtifactType"]
    response = method.run(caller, service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Data")))
    assert isinstance(response, service.PutArtifactTypeResponse)
    return response.type_id
