"""The gRPC listener: ports, limits, TLS, health, reflection, and an orderly end."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION
from grpc_reflection.v1alpha.reflection import ReflectionServicer
from mlmd_schemas.errors import InvalidArgument

from mlmd_api.dispatch import Dispatcher
from mlmd_api.grpc.core_fit import core_fits
from mlmd_api.grpc.handlers import Handlers, Pools
from mlmd_api.grpc.health import Health
from mlmd_api.grpc.lanes import MOST_WAITING
from mlmd_api.grpc.streams import StreamPlaces
from mlmd_api.resident import Tightness

if TYPE_CHECKING:
    from mlmd_api.certificates import Certificates

_HEALTH = "grpc.health.v1.Health"

_REFLECTIONS = 4
PING_MILLISECONDS = 5000
"""How often a client may ask whether the server is there, on a connection on which the server says nothing.

By default gRPC core allows it every five minutes, and hangs up on whoever asks oftener; that would be every client with
a keepalive in the fourth minute of a long call.
"""
SILENCE_MILLISECONDS = 60_000
"""How long a client may say nothing, before it is asked whether it is there.

By default gRPC core asks after two hours, and that long a stream would keep its place for a machine that lost power.
"""
ANSWER_MILLISECONDS = 20_000
"""How long the answer to that may take; without one the connection is given up, with the calls on it.

gRPC core has two such times, and waits for the longer one.
"""


@dataclass(frozen=True, slots=True)
class GrpcSettings:
    """How the listener is set up; sizes in bytes. `channel_arguments` are gRPC core's and win over our own.

    There are so many `threads` for each kind of call: those that write and those that do not, each with and without
    bytes of artifacts. `engine` says who takes the calls from
    gRPC core: `core`, our own threads, where they work with this grpcio, or `grpcio`, its Python server.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    max_message_bytes: int = 100 * 1024 * 1024
    threads: int = 32
    streams: int = 64
    shared_port: bool = False
    tls: "Certificates | None" = None
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    engine: str = "core"


class GrpcServer:
    """A listener that answers through the dispatcher."""

    def __init__(self, dispatcher: Dispatcher, settings: GrpcSettings) -> None:
        """Bind the port; raises InvalidArgument when that cannot be done."""
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="grpc")
        named = ("grpc-write", "grpc-bytes", "grpc-byte-write")
        self._pools = Pools(*(ThreadPoolExecutor(settings.threads, thread_name_prefix=name) for name in named))
        self._places = StreamPlaces(settings.streams)
        self._server = self._engine(settings)
        self._health = Health()
        self._dispatcher = dispatcher
        self._services = dispatcher.services
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._add_reflection(settings)
        self._server.add_generic_rpc_handlers((Handlers(dispatcher, self._pools, self._places),))
        self.port = _bind(self._server, settings)

    def _engine(self, settings: GrpcSettings) -> Any:
        if settings.engine == "grpcio" or not core_fits():
            return grpc.server(self._pool, options=options_of(settings))
        from mlmd_api.grpc.core_server import CoreServer

        pools = (self._pools.writers, self._pools.byte_readers, self._pools.byte_writers)
        lanes = dict.fromkeys(pools, settings.threads)
        most_bytes = settings.max_message_bytes
        options = options_of(settings)
        return CoreServer(settings.threads, lanes, options, most_bytes=most_bytes, is_tight=Tightness(most_bytes))

    def _add_reflection(self, settings: GrpcSettings) -> None:
        servicer: Any = ReflectionServicer([*self._services, _HEALTH, REFLECTION])
        # Whoever asks says several things, each of which may be as large as a message may.
        places = StreamPlaces(min(settings.streams, _REFLECTIONS))
        servicer.ServerReflectionInfo = places.bounded(servicer.ServerReflectionInfo)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, self._server)

    def start(self) -> None:
        """Answer calls and say so to whoever asks for health."""
        self._server.start()
        for service in self._services:
            self._health.serve(service)

    def stop(self, grace_seconds: float) -> threading.Event:
        """Say NOT_SERVING, take no more calls, let those in flight finish within the time; returns the end's event.

        The pools of threads stay open until nobody has the server any more: a call that came at the last moment is
        handed to one of them, and a closed one would end the thread that completes the calls in flight.
        """
        self._health.end()
        self._dispatcher.end_streams()
        event: threading.Event = self._server.stop(grace_seconds)
        return event


def options_of(settings: GrpcSettings) -> list[tuple[str, int | str]]:
    """Return what gRPC core is told."""
    ours: dict[str, int | str] = {
        "grpc.max_receive_message_length": settings.max_message_bytes,
        "grpc.max_send_message_length": settings.max_message_bytes,
        # What a call may send before its message is asked for; else it grows to as much as the network carries at once.
        # Less costs far clients a round trip for each so many bytes of a large message.
        "grpc.http2.bdp_probe": 0,
        "grpc.http2.lookahead_bytes": 1024 * 1024,
        # Of more calls that nobody has taken yet it cancels some without a word, beyond the second number all; by
        # default 1,000 and 3,000.
        "grpc.server.max_pending_requests": MOST_WAITING,
        "grpc.server.max_pending_requests_hard_limit": 2 * MOST_WAITING,
        "grpc.max_metadata_size": 64 * 1024,
        "grpc.absolute_max_metadata_size": 128 * 1024,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.min_ping_interval_without_data_ms": PING_MILLISECONDS,
        "grpc.keepalive_time_ms": SILENCE_MILLISECONDS,
        "grpc.keepalive_timeout_ms": ANSWER_MILLISECONDS,
        "grpc.http2.ping_timeout_ms": ANSWER_MILLISECONDS,
        "grpc.so_reuseport": int(settings.shared_port),
    }
    return list((ours | dict(settings.channel_arguments)).items())


def _bind(server: Any, settings: GrpcSettings) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.port}"
    try:
        if settings.tls is None:
            return int(server.add_insecure_port(address))
        return int(server.add_secure_port(address, settings.tls.grpc_credentials()))
    except (RuntimeError, ValueError):
        raise InvalidArgument(
            f"grpc-port: cannot listen on {address}; the port is taken, needs a privilege, or the host is not ours"
            + (", or the TLS key and certificate do not fit." if settings.tls else ".")
        ) from None
