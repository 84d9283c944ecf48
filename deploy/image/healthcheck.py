"""Exit 0 when the server in this container is ready, 1 when it is not, with the reason on standard error.

Asks `/readyz`, which makes a round trip to the database. It is content with a gRPC port that takes a connection where
the HTTP port is off (`MLMD_HTTP_PORT=0`), where nothing listens there (Google's entry point may serve gRPC alone), and
where client certificates are demanded (`MLMD_TLS_CLIENT_CA`), because it has none to show.
Standard library only: it is started every few seconds.
"""

import os
import socket
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

TIMEOUT_SECONDS = 3.0
LOOPBACK = "127.0.0.1"


def ready_over_http(port: int, scheme: str) -> None:
    """Raise OSError unless `/readyz` answers 200 within the timeout.

    The certificate is not checked: the peer is this container, and its certificate names the service.
    """
    context = None
    if scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with urllib.request.urlopen(f"{scheme}://{LOOPBACK}:{port}/readyz", timeout=TIMEOUT_SECONDS, context=context):
        return


def accepts_connections(port: int) -> None:
    """Raise OSError unless something accepts a TCP connection on `port` of the loopback address."""
    with socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_SECONDS):
        return


def probe(environ: Mapping[str, str]) -> None:
    """Raise OSError, with the reason, unless the server that `environ` describes is ready."""
    grpc_port = int(environ.get("MLMD_GRPC_PORT", "8080"))
    http_port = int(environ.get("MLMD_HTTP_PORT", "8081"))
    if http_port == 0 or environ.get("MLMD_TLS_CLIENT_CA"):
        accepts_connections(grpc_port or http_port)
        return
    try:
        ready_over_http(http_port, "https" if environ.get("MLMD_TLS_CERT") else "http")
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ConnectionRefusedError) or grpc_port == 0:
            raise
        accepts_connections(grpc_port)


def main() -> int:
    """Probe the server that this container's environment describes; return the exit status."""
    try:
        probe(os.environ)
    except OSError as error:
        sys.stderr.write(f"not ready: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
