"""Certificates that are renewed while the server serves, as cert-manager and Kubernetes do it."""

import http.client
import os
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc

from tests.mlmd_server.conftest import Authority, Certificate
from tests.mlmd_server.processes import grpc_over_tls, launched, processes_of
from tests.services.server import NO_PROXY, Server
from tests.services.waiting import wait_for

CONNECTIONS = 12
"""How many connections are made, one after the other, so that of two workers each gets some."""


class Secret:
    """A Secret as the kubelet mounts it: files that are links through one link, which is changed in one step."""

    def __init__(self, folder: Path, certificate: Certificate, ca: Path) -> None:
        self.folder = folder
        self._version = 0
        folder.mkdir()
        for name in ("tls.crt", "tls.key", "ca.crt"):
            (folder / name).symlink_to(f"..data/{name}")
        self.renew(certificate, ca)

    def renew(self, certificate: Certificate, ca: Path) -> None:
        """Show other files."""
        self._version += 1
        version = self.folder / f"..{self._version}"
        version.mkdir()
        for name, source in (("tls.crt", certificate.certificate), ("tls.key", certificate.key), ("ca.crt", ca)):
            shutil.copyfile(source, version / name)
        (self.folder / "..new").symlink_to(version.name)
        (self.folder / "..new").rename(self.folder / "..data")

    @property
    def options(self) -> tuple[str, ...]:
        """What the server is told."""
        names = {"tls-cert": "tls.crt", "tls-key": "tls.key", "tls-client-ca": "ca.crt"}
        return tuple(word for option, name in names.items() for word in (f"--{option}", str(self.folder / name)))


@pytest.fixture
def secret(tmp_path: Path, authority: Authority) -> Secret:
    """The certificate of the first authority."""
    return Secret(tmp_path / "secret", authority.server, authority.ca)


@contextmanager
def serving(url: str, folder: Path, secret: Secret, *options: str) -> Iterator[Server]:
    server = Server(url, folder / "server", http=True, options=(*secret.options, *options))
    launched(server)
    try:
        yield server
        assert server.stop() == 0
    finally:
        server.kill()


def client_context(authority: Authority, client: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.load_cert_chain(client.certificate, client.key)
    return context


def page(server: Server, authority: Authority, client: Certificate, path: str = "/healthz") -> str:
    """Return what a new connection is answered; raises OSError where it is refused."""
    connection = http.client.HTTPSConnection(
        "localhost", server.http_port, timeout=60, context=client_context(authority, client)
    )
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def is_let_in(server: Server, authority: Authority, client: Certificate) -> tuple[bool, bool]:
    """Whether new connections over gRPC and over HTTP are let in."""
    try:
        grpc_over_tls(server, authority, client)
        over_grpc = True
    except grpc.RpcError:
        over_grpc = False
    try:
        page(server, authority, client)
        over_http = True
    except OSError:
        over_http = False
    return over_grpc, over_http


def all_let_in(server: Server, authority: Authority, client: Certificate) -> bool:
    return all(is_let_in(server, authority, client) == (True, True) for _ in range(CONNECTIONS))


def metric(server: Server, authority: Authority, name: str) -> float:
    """Return one figure of `/metrics`."""
    lines = page(server, authority, authority.client, "/metrics").splitlines()
    (value,) = [line.split()[-1] for line in lines if line.split()[0] == name]
    return float(value)


def session_of(
    server: Server, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[ssl.SSLSession | None, bool | None]:
    """Ask for a page, with a session from before or without; return the session, and whether it was resumed.

    Raises OSError when nothing is answered.
    """
    plain = socket.create_connection(("localhost", server.http_port), timeout=60)
    with context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        if not connection.recv(4096):
            raise ConnectionResetError("the server ended the connection")
        return connection.session, connection.session_reused


def end_of(certificate: Certificate) -> float:
    return x509.load_pem_x509_certificate(certificate.certificate.read_bytes()).not_valid_after_utc.timestamp()


@pytest.mark.parametrize("options", [(), ("--grpc-engine", "grpcio"), ("--workers", "2")], ids=" ".join)
def test_what_a_renewed_secret_holds_is_shown_and_demanded(
    tmp_path: Path, sqlite_url: str, authority: Authority, next_authority: Authority, secret: Secret,
    options: tuple[str, ...],
) -> None:  # fmt: skip
    with serving(sqlite_url, tmp_path, secret, *options) as server:
        assert is_let_in(server, authority, authority.client) == (True, True)
        assert is_let_in(server, next_authority, next_authority.client) == (False, False)
        secret.renew(next_authority.server, next_authority.ca)
        wait_for(lambda: all_let_in(server, next_authority, next_authority.client))
        assert is_let_in(server, next_authority, authority.client) == (False, False)
        assert is_let_in(server, authority, authority.client) == (False, False)
        workers = processes_of(server)
        if workers:
            os.kill(workers[0], signal.SIGKILL)  # one that takes its place was told of the first certificate alone
            wait_for(lambda: len(processes_of(server)) == 2 and workers[0] not in processes_of(server))
            wait_for(lambda: server.output().count("new connections get the certificate that ends") == 3)
            wait_for(lambda: all_let_in(server, next_authority, next_authority.client))


def test_connections_that_are_there_stay(
    tmp_path: Path, sqlite_url: str, authority: Authority, next_authority: Authority, secret: Secret
) -> None:
    pems = authority.ca.read_bytes(), authority.client.key.read_bytes(), authority.client.certificate.read_bytes()
    with (
        serving(sqlite_url, tmp_path, secret) as server,
        grpc.secure_channel(
            f"localhost:{server.grpc_port}", grpc.ssl_channel_credentials(*pems), options=[NO_PROXY]
        ) as channel,
    ):
        stub = service_grpc.MetadataStoreServiceStub(channel)
        stub.GetArtifactTypes(service.GetArtifactTypesRequest(), timeout=30)
        states: list[grpc.ChannelConnectivity] = []
        channel.subscribe(states.append)
        context = client_context(authority, authority.client)
        kept = http.client.HTTPSConnection("localhost", server.http_port, timeout=60, context=context)
        kept.request("GET", "/healthz")
        assert kept.getresponse().read() == b"ok\n"
        held = kept.sock
        secret.renew(next_authority.server, next_authority.ca)
        wait_for(lambda: all_let_in(server, next_authority, next_authority.client))
        stub.GetArtifactTypes(service.GetArtifactTypesRequest(), timeout=30)
        kept.request("GET", "/healthz")
        assert kept.getresponse().read() == b"ok\n"
        assert kept.sock is held
        assert set(states) == {grpc.ChannelConnectivity.READY}
        kept.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_session_of_an_authority_that_is_gone_is_resumed(
    tmp_path: Path, sqlite_url: str, authority: Authority, next_authority: Authority, secret: Secret,
    version: ssl.TLSVersion,
) -> None:  # fmt: skip
    """A ticket stands for the client's certificate: whoever has one is not asked for it again."""
    context = client_context(authority, authority.client)
    context.load_verify_locations(next_authority.ca)
    context.minimum_version = context.maximum_version = version

    with serving(sqlite_url, tmp_path, secret) as server:
        session, resumed = session_of(server, context, None)
        assert not resumed
        assert session_of(server, context, session)[1], "it would prove nothing where nothing is resumed"
        secret.renew(next_authority.server, next_authority.ca)
        wait_for(lambda: all_let_in(server, next_authority, next_authority.client))
        with pytest.raises(OSError):
            session_of(server, context, session)


def test_a_pair_that_does_not_fit_changes_nothing_and_is_told(
    tmp_path: Path, sqlite_url: str, authority: Authority, next_authority: Authority, secret: Secret
) -> None:
    end, reloaded = "mlmd_certificate_not_after_timestamp_seconds", "mlmd_certificate_last_reload_successful"
    with serving(sqlite_url, tmp_path, secret, "--workers", "2") as server:
        assert metric(server, authority, end) == end_of(authority.server)
        assert metric(server, authority, reloaded) == 1
        secret.renew(Certificate(next_authority.server.certificate, authority.server.key), authority.ca)
        wait_for(lambda: server.output().count("tls-key: the key does not fit the certificate of tls-cert") == 2)
        assert "stays in force" in server.output()
        assert metric(server, authority, reloaded) == 0
        assert metric(server, authority, end) == end_of(authority.server)
        assert all_let_in(server, authority, authority.client)
        (secret.folder / "..data").unlink()
        wait_for(lambda: server.output().count("tls-key: the file ") == 2)
        assert all_let_in(server, authority, authority.client)
        secret.renew(next_authority.server, next_authority.ca)
        wait_for(lambda: all_let_in(server, next_authority, next_authority.client))
        wait_for(lambda: metric(server, next_authority, reloaded) == 1)
        assert metric(server, next_authority, end) == end_of(next_authority.server)


def test_a_certificate_that_is_over_is_told(
    tmp_path: Path, sqlite_url: str, authority: Authority, next_authority: Authority, secret: Secret
) -> None:
    with serving(sqlite_url, tmp_path, secret) as server:
        secret.renew(next_authority.stranger, authority.ca)
        wait_for(lambda: "is over; clients refuse it: renew it" in server.output())
        assert server.output().count("is over") == 1


def test_files_that_can_be_read_once_are_read_once(tmp_path: Path, sqlite_url: str, authority: Authority) -> None:
    server = Server(sqlite_url, tmp_path / "server", http=True)
    told = f"--tls-cert <(cat {authority.server.certificate}) --tls-key <(cat {authority.server.key})"
    server.words = ["bash", "-c", f'exec "$@" {told}', "bash", *server.command()]
    launched(server)
    try:
        assert grpc_over_tls(server, authority) == 0
        assert page(server, authority, authority.client) == "ok\n"
        assert server.stop() == 0
        assert "stays in force" not in server.output()
    finally:
        server.kill()
