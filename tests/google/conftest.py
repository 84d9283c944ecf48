"""Our wheel, unpacked: what is tried is what is installed."""

from pathlib import Path

import pytest

from tests.packaging import wheels


@pytest.fixture(scope="session")
def our_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the path of modules with our packages and their entry points in it."""
    return wheels.unpack(wheels.build(tmp_path_factory.mktemp("wheel")))
