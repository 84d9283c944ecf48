"""The two ways to a store: a server over gRPC, and this process."""

from collections.abc import Callable, Iterator

import pytest
from mlmd_client.transport import Transport, open_transport

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
