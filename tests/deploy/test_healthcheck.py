"""The image's health check against real listeners: what it calls ready, and what it says when it is not."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.deploy.parts import DEPLOY
from tests.services.ports import free_port

HEALTHCHECK = DEPLOY / "image" / "healthcheck.py"


def check(**settings: object) -> tuple[int, str]:
    """Run the health check with these MLMD_* settings; return its exit status and its standard error."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLMD_")}
    done = subprocess.run(
        [sys.executable, str(HEALTHCHECK)],
        env={**inherited, **{name: str(value) for name, value in settings.items()}},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr


@contextlib.contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer every GET of /readyz with `status`, anything else with 404; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def listening() -> Iterator[int]:
    """Accept TCP connections and say nothing; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_ready() -> None:
    """/readyz says 200: healthy, in silence."""
    with answering(200) as port:
        assert check(MLMD_HTTP_PORT=port, MLMD_GRPC_PORT=free_port()) == (0, "")


def test_without_its_database() -> None:
    """/readyz says 503: unhealthy, though gRPC takes connections."""
    with answering(503) as port, listening() as grpc_port:
        status, said = check(MLMD_HTTP_PORT=port, MLMD_GRPC_PORT=grpc_port)
    assert status == 1
    assert "503" in said


def test_nothing_listens() -> None:
    """Refused on both ports: unhealthy, with the reason and no stack trace."""
    status, said = check(MLMD_HTTP_PORT=free_port(), MLMD_GRPC_PORT=free_port())
    assert status == 1
    assert said.startswith("not ready: ")
    assert "refused" in said.lower()
    assert said.count("\n") == 1


def test_grpc_alone() -> None:
    """HTTP off, or nobody there: a gRPC port that accepts is enough."""
    with listening() as grpc_port:
        assert check(MLMD_HTTP_PORT=0, MLMD_GRPC_PORT=grpc_port) == (0, "")
        assert check(MLMD_HTTP_PORT=free_port(), MLMD_GRPC_PORT=grpc_port) == (0, "")
    assert check(MLMD_HTTP_PORT=0, MLMD_GRPC_PORT=free_port())[0] == 1


def test_client_certificates_demanded() -> None:
    """It has none to show, so a port that accepts has to be enough."""
    with listening() as grpc_port:
        settings = {"MLMD_TLS_CERT": "server.pem", "MLMD_TLS_CLIENT_CA": "ca.pem", "MLMD_HTTP_PORT": free_port()}
        assert check(MLMD_GRPC_PORT=grpc_port, **settings) == (0, "")


def test_a_silent_http_port_is_not_ready() -> None:
    """A server that hangs is told by the timeout."""
    with listening() as port:
        status, said = check(MLMD_HTTP_PORT=port, MLMD_GRPC_PORT=port)
    assert status == 1
    assert "timed out" in said
