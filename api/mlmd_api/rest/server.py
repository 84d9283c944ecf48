"""The HTTP listener: an ASGI application in a thread of its own, beside the gRPC server."""

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
import uvloop
from mlmd_schemas.errors import InvalidArgument, Unavailable
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from mlmd_api.dispatch import Dispatcher
from mlmd_api.measurements import Measurements
from mlmd_api.rest.bodies import Bodies
from mlmd_api.rest.challenge import Challenge
from mlmd_api.rest.connections import BoundedProtocol, bounded
from mlmd_api.rest.cors import CrossOrigin, Origins
from mlmd_api.rest.embedding import Embedding, embedding_headers
from mlmd_api.rest.expectations import Expectations
from mlmd_api.rest.files import BrokenOff
from mlmd_api.rest.front_page import FrontPage
from mlmd_api.rest.given_up import GivenUp
from mlmd_api.rest.hosts import Hosts
from mlmd_api.rest.probes import Probes
from mlmd_api.rest.routes import CALLS_ALONE, PROBES, Surfaces, routes
from mlmd_api.rest.threads import Threads

if TYPE_CHECKING:
    from mlmd_api.certificates import Certificates

_BACKLOG = 1024
SILENCE_SECONDS = 60
"""How long a client may say nothing, before its machine is asked whether it is there."""
_PROBE_EVERY_SECONDS, _PROBES = 5, 4
"""How often it is asked, and after how many questions without an answer its connection is given up."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How the listener is set up."""

    host: str = "127.0.0.1"
    port: int = 8081
    threads: int = 32
    streams: int = 64
    shared_port: bool = False
    cors_origins: tuple[str, ...] = ("*",)
    allowed_hosts: tuple[str, ...] = ("*",)
    tls: "Certificates | None" = None


class HttpServer:
    """A listener that answers through the dispatcher."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        settings: HttpSettings,
        ping: Callable[[], None],
        measurements: Measurements,
        surfaces: Surfaces = CALLS_ALONE,
    ) -> None:
        """Bind the port; raises InvalidArgument when that cannot be done."""
        self._dispatcher = dispatcher
        self._threads = Threads(settings.threads, settings.streams)
        self._probes = Probes(ping, measurements, self._threads.probes)
        origins = Origins(settings.cors_origins)
        answered = routes(dispatcher, surfaces, self._probes, self._threads, origins)
        front = FrontPage(answered)
        handlers = {404: front.nothing_here, 405: front.other_verb, Exception: front.defect}
        app = Starlette(routes=[Route("/", front.page), *answered], exception_handlers=handlers)
        # A redirect would lead to http:// behind what ends TLS, with the caller's token.
        app.router.redirect_slashes = False
        context = settings.tls.http_context() if settings.tls else None
        self._socket = listen(settings.host, settings.port, settings.shared_port)
        self.port: int = self._socket.getsockname()[1]
        roomy = Bodies(app, dispatcher.limits)
        readable = CrossOrigin(Hosts(GivenUp(roomy), settings.allowed_hosts), origins, closed=PROBES)
        guarded = Expectations(Embedding(Challenge(readable), settings.cors_origins))
        protocol = bounded(origins, embedding_headers(settings.cors_origins))
        self._server = uvicorn.Server(_uvicorn_config(guarded, protocol, context))
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Answer requests; returns when the first one can be answered, raises Unavailable when none ever will be."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise Unavailable("http: the listener ended before it could answer; the log says why.")
            self._thread.join(0.005)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._server.serve(sockets=[self._socket]))
        except Exception:  # the end of the thread, which says why; the process goes on with gRPC
            logging.getLogger("mlmd.http").exception("the HTTP listener ended")

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
            self._threads.shutdown()
        return ended


def listen(host: str, port: int, shared: bool) -> socket.socket:
    """Return a bound socket, its port shared with other workers or not; raises InvalidArgument."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    watch_clients(bound)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InvalidArgument(f"http-port: cannot listen on {host}:{port}: {error.strerror}.") from None
    bound.setblocking(False)
    return bound


def watch_clients(listener: socket.socket) -> None:
    """Let the kernel end the connections to a listener, on which nothing is said, when the client's machine is gone.

    Each connection has what its listener has. A client whose machine answers may read as slowly as it likes, which a
    user timeout (`TCP_USER_TIMEOUT`) would end; what is on its way to a machine that is gone, the kernel gives up after
    some fifteen minutes.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", SILENCE_SECONDS),
        ("TCP_KEEPINTVL", _PROBE_EVERY_SECONDS),
        ("TCP_KEEPCNT", _PROBES),
    ):
        if (number := getattr(socket, option, None)) is not None:
            listener.setsockopt(socket.IPPROTO_TCP, number, value)


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether nothing of ours has told what uvicorn logs: it adds a trace to an answer that is broken off."""
    return not (record.exc_info and isinstance(record.exc_info[1], BrokenOff))


def _uvicorn_config(app: ASGIApp, protocol: type[BoundedProtocol], context: ssl.SSLContext | None) -> uvicorn.Config:
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
        http=protocol,
    )
    config.load()
    config.ssl = context
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    return config
