"""A server as Kubeflow meets it: a process of its own, on SQLite and on MariaDB, gRPC and HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.wires import Doors
from tests.kubeflow.traffic import Kubeflow
from tests.services.server import Server


@pytest.fixture
def doors(database_url: str, tmp_path: Path) -> Iterator[Doors]:
    with Server(database_url, tmp_path / "server", http=True, options=("--log-level", "warning")) as server:
        yield Doors(server.grpc_port, server.http_port)


@pytest.fixture(params=["grpc", "grpc-web"])
def kubeflow(request: pytest.FixtureRequest, doors: Doors) -> Kubeflow:
    """A client on the wire of the drivers, and one on the wire of the page."""
    return Kubeflow(doors, request.param)


@pytest.fixture
def driver(doors: Doors) -> Kubeflow:
    """A client on the wire of the drivers."""
    return Kubeflow(doors, "grpc")
