"""A server for the run of a worker on each database; tests keep to names of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model_registry.kubeflow.rest import ALPHA, V1, Api
from tests.services.server import Server


@pytest.fixture(scope="session", params=["sqlite", "mariadb"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[Server]:
    """A running server with an empty database."""
    folder: Path = tmp_path_factory.mktemp("registry")
    if request.param == "sqlite":
        with Server(f"sqlite:///{folder / 'metadata.db'}", folder, http=True) as server:
            yield server
        return
    mariadb = request.getfixturevalue("mariadb")
    with (
        mariadb.database(f"kubeflow_registry_{worker_id}") as url,
        Server(url, folder, http=True) as server,
    ):
        yield server


@pytest.fixture
def api(served: Server) -> Iterator[Api]:
    """The API as it was first, `v1alpha3`."""
    one = Api(served.http_url, ALPHA)
    yield one
    one.http.close()


@pytest.fixture
def v1(served: Server) -> Iterator[Api]:
    """The API as it is now, `v1`."""
    one = Api(served.http_url, V1)
    yield one
    one.http.close()
