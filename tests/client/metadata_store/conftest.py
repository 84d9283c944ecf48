"""A server that answers as the test says and writes down what it was asked."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from mlmd_client.metadata_store import MetadataStore
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

STATUS = {int(status.value[0]): status for status in grpc.StatusCode}
Script = Callable[[str, Any], Any]


@dataclass
class Stub(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Answers every method of MLMD's service with what `script` returns: a response, or (code, text)."""

    script: Script
    requests: list[tuple[str, Any]] = field(default_factory=list)
    remaining_seconds: list[float | None] = field(default_factory=list)
    port: int = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of a call."""
        name: str = handler_call_details.method.rpartition("/")[2]

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            self.requests.append((name, request))
            self.remaining_seconds.append(context.time_remaining())
            said = self.script(name, request)
            if isinstance(said, tuple):
                context.abort(STATUS[said[0]], said[1])
            return said

        request_type = getattr(service, f"{name}Request")
        return grpc.unary_unary_rpc_method_handler(
            answer, request_type.FromString, lambda response: response.SerializeToString()
        )

    @property
    def config(self) -> pb.MetadataStoreClientConfig:
        """How a client is told of it."""
        return pb.MetadataStoreClientConfig(host="127.0.0.1", port=self.port)

    def store(self) -> MetadataStore:
        """Return a client of it."""
        return MetadataStore(self.config)

    def names(self) -> list[str]:
        """The methods called, in order."""
        return [name for name, _ in self.requests]


@pytest.fixture
def stub() -> Iterator[Callable[[Script], Stub]]:
    """A function that starts a server with a script."""
    running: list[grpc.Server] = []

    def start(script: Script) -> Stub:
        made = Stub(script)
        server = grpc.server(ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers((made,))
        made.port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        running.append(server)
        return made

    yield start
    for server in running:
        server.stop(0).wait()


WAYS = ("grpc", "embedded")


def client_config(address: str) -> pb.MetadataStoreClientConfig:
    """Return how MLMD's client is told of a server at `host:port`."""
    host, _, port = address.rpartition(":")
    return pb.MetadataStoreClientConfig(host=host, port=int(port))


@pytest.fixture(params=WAYS)
def store(request: pytest.FixtureRequest, serve_grpc: Callable[[str], str], sqlite_url: str) -> Iterator[MetadataStore]:
    """MLMD's client on an empty SQLite store, by each way."""
    config: pb.MetadataStoreClientConfig | pb.ConnectionConfig
    if request.param == "grpc":
        config = client_config(serve_grpc(sqlite_url))
    else:
        config = pb.ConnectionConfig(fake_database=pb.FakeDatabaseConfig())
    opened = MetadataStore(config)
    yield opened
    opened.close()
