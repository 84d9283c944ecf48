"""The two ways to a store: over gRPC, and in this process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from mlmd_api.grpc.server import GrpcServer, GrpcSettings
from mlmd_client.transport import Transport, open_transport
from mlmd_server.embedded import open_embedded

from tests.conftest import StartServer
from tests.services.ceph import S3Address
from tests.services.ports import free_port
from tests.services.server import Server

WAYS = ("grpc", "embedded")


@pytest.fixture
def serve_grpc() -> Iterator[Callable[[str], str]]:
    """A function that serves a database over gRPC from a thread of this process and returns `host:port`."""
    with ExitStack() as running:

        def serve(url: str) -> str:
            store = open_embedded(url)
            running.callback(store.close)
            server = GrpcServer(store.parts.dispatcher, GrpcSettings(port=free_port()))
            running.callback(lambda: server.stop(5).wait())
            server.start()
            return f"127.0.0.1:{server.port}"

        yield serve


@pytest.fixture
def open_way(serve_grpc: Callable[[str], str]) -> Iterator[Callable[[str, str], Transport]]:
    """A function that opens a database by way and URL; everything is closed at the end."""
    opened: list[Transport] = []

    def open_it(way: str, url: str) -> Transport:
        opened.append(open_transport(serve_grpc(url) if way == "grpc" else url))
        return opened[-1]

    yield open_it
    for transport in opened:
        transport.close()


@pytest.fixture(params=WAYS)
def transport(
    request: pytest.FixtureRequest, open_way: Callable[[str, str], Transport], database_url: str
) -> Transport:
    """An empty store on each database, by each way."""
    return open_way(request.param, database_url)


@pytest.fixture(params=WAYS)
def transport_on_sqlite(
    request: pytest.FixtureRequest, open_way: Callable[[str, str], Transport], sqlite_url: str
) -> Transport:
    """An empty SQLite store, by each way."""
    return open_way(request.param, sqlite_url)


PLACES = ("embedded-folder", "http-folder", "s3")
"""How bytes reach the store: in this process, over the server's HTTP port, or straight to an object store."""


def server_at(
    place: str,
    url: str,
    request: pytest.FixtureRequest,
    start_server: StartServer,
    options: tuple[str, ...] = (),
    fresh: bool = False,
) -> Server:
    """Start a server with its bytes at a place."""
    if place == "http-folder":
        return start_server(url, http=True, options=options, fresh=fresh)
    s3: S3Address = request.getfixturevalue("s3")
    bucket: str = request.getfixturevalue("bucket")
    credentials = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    where = ("--artifacts", f"s3://{bucket}/pre/fix", "--artifacts-endpoint", s3.endpoint)
    return start_server(url, options=(*where, *options), environment=credentials, fresh=fresh)


@pytest.fixture(params=PLACES)
def store(
    request: pytest.FixtureRequest, start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> Iterator[Transport]:
    """An empty store with its bytes at each place."""
    if request.param == "embedded-folder":
        opened = open_transport(str(tmp_path / "store"))
    else:
        opened = open_transport(server_at(request.param, sqlite_url, request, start_server).target)
    yield opened
    opened.close()


@pytest.fixture
def s3_store(request: pytest.FixtureRequest, start_server: StartServer, sqlite_url: str) -> Iterator[Transport]:
    """An empty store with its bytes in a bucket."""
    opened = open_transport(server_at("s3", sqlite_url, request, start_server).target)
    yield opened
    opened.close()


@pytest.fixture
def folder_store(tmp_path: Path) -> Iterator[Transport]:
    """An empty store in this process, its bytes in a folder."""
    opened = open_transport(str(tmp_path / "store"))
    yield opened
    opened.close()
