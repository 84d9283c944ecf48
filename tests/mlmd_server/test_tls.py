"""TLS on both listeners, with and without certificates of clients."""

import ssl
import subprocess
from pathlib import Path

import grpc
import httpx
import pytest

from tests.mlmd_server.conftest import Authority, Certificate
from tests.mlmd_server.processes import grpc_over_tls, launched
from tests.services.server import Server


def _tls_options(authority: Authority, mutual: bool) -> tuple[str, ...]:
    options = ("--tls-cert", str(authority.server.certificate), "--tls-key", str(authority.server.key))
    return (*options, "--tls-client-ca", str(authority.ca)) if mutual else options


def _http_over_tls(server: Server, authority: Authority, client: Certificate | None = None) -> int:
    context = ssl.create_default_context(cafile=str(authority.ca))
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    url = f"https://localhost:{server.http_port}/readyz"
    return httpx.get(url, verify=context, timeout=60, trust_env=False).status_code


def test_tls_on_both_listeners(tmp_path: Path, sqlite_url: str, authority: Authority) -> None:
    server = Server(sqlite_url, tmp_path / "server", http=True, options=_tls_options(authority, mutual=False))
    launched(server)
    try:
        assert grpc_over_tls(server, authority) == 0
        assert _http_over_tls(server, authority) == 200
        assert not server.serving(), "plain text must not be served"
    finally:
        assert server.stop() == 0


def test_a_client_certificate_is_demanded_on_both_listeners(
    tmp_path: Path, sqlite_url: str, authority: Authority
) -> None:
    server = Server(sqlite_url, tmp_path / "server", http=True, options=_tls_options(authority, mutual=True))
    launched(server)
    try:
        assert grpc_over_tls(server, authority, authority.client) == 0
        assert _http_over_tls(server, authority, authority.client) == 200
        for stranger in (None, authority.stranger):
            with pytest.raises(grpc.RpcError):
                grpc_over_tls(server, authority, stranger)
            with pytest.raises(httpx.HTTPError):
                _http_over_tls(server, authority, stranger)
    finally:
        assert server.stop() == 0


def test_a_key_that_does_not_fit_is_told(tmp_path: Path, sqlite_url: str, authority: Authority) -> None:
    options = ("--tls-cert", str(authority.server.certificate), "--tls-key", str(authority.client.key))
    for http in (False, True):
        server = Server(sqlite_url, tmp_path / f"server{http}", http=http, options=options)
        result = subprocess.run(server.command(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert result.returncode == 1
        assert "mlmd-server: " in result.stderr
        assert "Traceback" not in result.stderr
