"""The two ways to a store: a server over gRPC, and this process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlmd_client.transport import Transport, open_transport

from tests.conftest import StartServer
from tests.services.ceph import S3Address
from tests.services.server import Server

WAYS = ("grpc", "embedded")


@pytest.fixture
def open_way(start_server: Callable[..., Server]) -> Iterator[Callable[[str, str], Transport]]:
    """A function that opens a database by way and URL; everything is closed at the end."""
    opened: list[Transport] = []

    def open_it(way: str, url: str) -> Transport:
        target = f"grpc://{start_server(url).target}" if way == "grpc" else url
        opened.append(open_transport(target))
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
    place: str, url: str, request: pytest.FixtureRequest, start_server: StartServer, options: tuple[str, ...] = ()
) -> Server:
    """Start a server with its bytes at a place."""
    if place == "http-folder":
        return start_server(url, http=True, options=options)
    s3: S3Address = request.getfixturevalue("s3")
    bucket: str = request.getfixturevalue("bucket")
    credentials = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    where = ("--artifacts", f"s3://{bucket}/pre/fix", "--artifacts-endpoint", s3.endpoint)
    return start_server(url, options=(*where, *options), environment=credentials)


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
