"""A server as Kubeflow meets it: a process of its own, on SQLite and on MariaDB, gRPC and HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.wires import Doors
from tests.kubeflow.traffic import Kubeflow
from tests.services.server import Server

WIRES = ("grpc", "grpc-web")
"""That of the drivers, and that of the page."""
QUIET = ("--log-level", "warning")


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def doors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Doors]:
    """A server for the tests of a module; each keeps to runs and names of its own, as pipelines do."""
    folder: Path = tmp_path_factory.mktemp("kubeflow")
    if request.param == "sqlite":
        with Server(f"sqlite:///{folder / 'metadata.db'}", folder, http=True, options=QUIET) as server:
            yield Doors(server.grpc_port, server.http_port)
        return
    mariadb = request.getfixturevalue("mariadb")
    with (
        mariadb.database(f"kubeflow_{worker_id}") as url,
        Server(url, folder, http=True, options=QUIET) as server,
    ):
        yield Doors(server.grpc_port, server.http_port)


@pytest.fixture(params=WIRES)
def kubeflow(request: pytest.FixtureRequest, doors: Doors) -> Kubeflow:
    """A client on each wire."""
    return Kubeflow(doors, request.param)


@pytest.fixture
def driver(doors: Doors) -> Kubeflow:
    """A client on the wire of the drivers."""
    return Kubeflow(doors, "grpc")


@pytest.fixture(params=WIRES)
def first_client(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Kubeflow]:
    """A client on each wire, the first of a server with an empty database."""
    with Server(database_url, tmp_path / "server", http=True, options=QUIET) as server:
        yield Kubeflow(Doors(server.grpc_port, server.http_port), request.param)
