"""Google's own tests pass on our client, unchanged, where ml-metadata is not installed.

On the oldest and the newest protobuf and on every Python of the machine, over gRPC and in one process.
"""

import tomllib
from pathlib import Path

import pytest

from tests.google import suite
from tests.google.test_google_suite import BROKEN_IN_THE_WHEEL, MARKED_XFAIL
from tests.packaging import environments
from tests.packaging.environments import EVERYWHERE, ROOT
from tests.reference import client
from tests.services.missing import missing
from tests.services.server import Server

pytestmark = pytest.mark.reference
PASSED_IN_ONE_PROCESS = 108
"""106 of the store and 2 of the types."""


def environment_of(protobuf: str, python: str) -> Path:
    """Return an environment's interpreter, where Google's suite is to be had too."""
    if (sentence := client.absence()) is not None:
        missing(sentence)
    return environments.environment_of(protobuf, python)


@pytest.mark.parametrize(("protobuf", "python"), EVERYWHERE)
def test_the_suite_passes_in_one_process(protobuf: str, python: str, our_wheel: Path, tmp_path: Path) -> None:
    outcome = suite.run_on_our_client(environment_of(protobuf, python), our_wheel, tmp_path)
    assert outcome.failed == {}
    assert outcome.skipped == MARKED_XFAIL
    assert len(outcome.passed) == PASSED_IN_ONE_PROCESS


@pytest.mark.parametrize(("protobuf", "python"), EVERYWHERE)
def test_the_suite_passes_over_grpc(
    protobuf: str, python: str, our_wheel: Path, sqlite_url: str, tmp_path: Path
) -> None:
    interpreter = environment_of(protobuf, python)
    with Server(sqlite_url, tmp_path / "server") as server:
        arguments = ("--use_grpc_backend", "--grpc_host", "127.0.0.1", "--grpc_port", str(server.grpc_port))
        outcome = suite.run_on_our_client(interpreter, our_wheel, tmp_path, *arguments)
    assert set(outcome.failed) == set(BROKEN_IN_THE_WHEEL)
    for name, reason in BROKEN_IN_THE_WHEEL.items():
        assert reason in outcome.failed[name]
    assert outcome.skipped == MARKED_XFAIL
    assert len(outcome.passed) == PASSED_IN_ONE_PROCESS - len(BROKEN_IN_THE_WHEEL)


@pytest.mark.parametrize("protobuf", ["4", "7"])
def test_the_environments_have_what_the_package_needs(protobuf: str) -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    file = ROOT / "environments" / f"protobuf{protobuf}" / "pyproject.toml"
    theirs = tomllib.loads(file.read_text())["project"]["dependencies"]
    needed = {*ours["dependencies"], *ours["optional-dependencies"]["server"], *ours["optional-dependencies"]["cli"]}
    absent = {line for line in needed - set(theirs) if not line.startswith("protobuf")}
    assert not absent, f"add them to {file} and run `uv lock --project {file.parent}`"
