"""The HTTP listener: an ASGI application in a thread of its own, beside the gRPC server."""

import asyncio
import contextlib
import logging
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from mlmd_schemas.errors import InvalidArgument
from starlette.applications import Starlette
from starlette.routing import Route

from mlmd_api.artifacts import TenantArtifacts
from mlmd_api.dispatch import Dispatcher
from mlmd_api.measurements import Measurements
from mlmd_api.registry import TenantRegistries
from mlmd_api.rest.calls import Calls
from mlmd_api.rest.cors import Origins
from mlmd_api.rest.files import Files
from mlmd_api.rest.kubeflow_registry.endpoint import KubeflowRegistry
from mlmd_api.rest.kubeflow_registry.probes import RegistryProbes
from mlmd_api.rest.kubeflow_registry.routes import PREFIX
from mlmd_api.rest.probes import Probes
from mlmd_api.rest.registry import Resolving, Watching
from mlmd_api.rest.streams import StreamPool

if TYPE_CHECKING:
    from mlmd_api.graphql.engine import GraphqlEngine

_LARGEST_HEADERS_BYTES = 128 * 1024
_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How the listener is set up. TLS is given as PEM; with `client_ca` the client has to show a certificate."""

    host: str = "127.0.0.1"
    port: int = 8081
    threads: int = 32
    streams: int = 64
    shared_port: bool = False
    cors_origins: tuple[str, ...] = ("*",)
    tls_key: bytes | None = None
    tls_certificate: bytes | None = None
    client_ca: bytes | None = None


class HttpServer:
    """A listener that answers through the dispatcher."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        settings: HttpSettings,
        ping: Callable[[], None],
        measurements: Measurements,
        artifacts: TenantArtifacts | None = None,
        graphql: "GraphqlEngine | None" = None,
        kubeflow: Dispatcher | None = None,
        registries: TenantRegistries | None = None,
    ) -> None:
        """Bind the port; raises InvalidArgument when that cannot be done.

        With `artifacts` their files are served, with `graphql` GraphQL, with `kubeflow` Kubeflow's registry REST API,
        with `registries` models are resolved with ETags and watched as server-sent events.
        """
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="http")
        self._writers = ThreadPoolExecutor(settings.threads, thread_name_prefix="http-write")
        self.streams = StreamPool(settings.streams)
        self._dispatcher = dispatcher
        self._probe_pool = ThreadPoolExecutor(2, thread_name_prefix="probe")
        self._probes = Probes(ping, measurements, self._probe_pool)
        origins = Origins(settings.cors_origins)
        calls = Calls(dispatcher, self._pool, self._writers, self.streams, origins)
        more_routes = []
        self._movers = ThreadPoolExecutor(settings.streams, thread_name_prefix="file")
        if artifacts is not None:
            files = Files(dispatcher, artifacts, self._movers, origins)
            path = "/artifacts/{artifact_id:int}/files/{path:path}"
            more_routes.append(Route(path, files.answer, methods=["GET", "HEAD", "PUT", "OPTIONS"]))
        if graphql is not None:
            from mlmd_api.graphql.endpoint import PATH, GraphqlEndpoint

            endpoint = GraphqlEndpoint(dispatcher, graphql, self._pool, self._writers, origins)
            more_routes.append(Route(PATH, endpoint))
        if kubeflow is not None:
            registry = KubeflowRegistry(kubeflow, self._pool, self._writers, origins)
            probes = RegistryProbes(ping, self._probe_pool)
            more_routes += [
                Route(
                    f"{PREFIX}/{{path:path}}",
                    registry.answer,
                    methods=["GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"],
                ),
                Route("/readyz/isDirty", probes.is_dirty),
                Route("/readyz/health", probes.health),
            ]
        if registries is not None:
            resolving = Resolving(dispatcher, registries, self._pool, origins)
            watching = Watching(dispatcher, self.streams, origins)
            more_routes += [
                Route("/registry/resolve", resolving.answer, methods=["GET", "HEAD", "OPTIONS"]),
                Route("/registry/watch", watching),
            ]
        app = Starlette(
            routes=[
                Route("/healthz", self._probes.healthz),
                Route("/readyz", self._probes.readyz),
                Route("/metrics", self._probes.metrics),
                *more_routes,
                Route("/{service}/{method}", calls),
            ]
        )
        self._context = _tls_context(settings)
        self._socket = listen(settings.host, settings.port, settings.shared_port)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(_uvicorn_config(app, self._context))
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Answer requests; returns when the first one can be answered."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            self._thread.join(0.005)

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        except Exception:  # a thread's end is nobody's to see otherwise; the process goes on with gRPC
            logging.getLogger("mlmd.http").exception("the HTTP listener ended")
            raise

    def refuse_readiness(self) -> None:
        """Say at `/readyz` that this process is about to end."""
        self._probes.draining = True

    def stop(self, grace_seconds: float) -> None:
        """Take no more requests and let those in flight finish within the time."""
        self.refuse_readiness()
        self._dispatcher.end_streams()
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_seconds))
        self._server.should_exit = True

    def wait(self, seconds: float) -> bool:
        """Wait for the end that `stop` asked for; returns whether it came."""
        self._thread.join(seconds)
        ended = not self._thread.is_alive()
        if ended:
            self._pool.shutdown(wait=False)
            self._writers.shutdown(wait=False)
            self._movers.shutdown(wait=False)
            self.streams.shutdown()
            self._probe_pool.shutdown(wait=False)
        return ended


def listen(host: str, port: int, shared: bool) -> socket.socket:
    """Return a bound socket, its port shared with other workers or not; raises InvalidArgument."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InvalidArgument(f"http-port: cannot listen on {host}:{port}: {error.strerror}.") from None
    bound.setblocking(False)
    return bound


def _uvicorn_config(app: Starlette, context: ssl.SSLContext | None) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=_LARGEST_HEADERS_BYTES,
    )
    config.load()
    config.ssl = context
    return config


def _tls_context(settings: HttpSettings) -> ssl.SSLContext | None:
    if settings.tls_key is None or settings.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlmd-tls-")))
        (folder / "key").touch(mode=0o600)
        (folder / "key").write_bytes(settings.tls_key)
        (folder / "certificate").write_bytes(settings.tls_certificate)
        try:
            context.load_cert_chain(folder / "certificate", folder / "key")
            if settings.client_ca is not None:
                context.load_verify_locations(cadata=settings.client_ca.decode("ascii"))
                context.verify_mode = ssl.CERT_REQUIRED
        except (ssl.SSLError, UnicodeDecodeError) as error:
            raise InvalidArgument(f"tls-cert: certificate, key and client CA do not fit together: {error}.") from None
    return context
