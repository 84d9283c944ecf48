"""TFX's own tests pass on our server and on our client, as they do on Google's library."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.google.suite import Outcome
from tests.services.missing import missing
from tests.services.server import Server
from tests.tfx import suite

WITHOUT_FILES = {
    "testPrepareContexts",
    "testPrepareContexts_PipelineAndPipelineRunContext",
    "testResolveInputArtifacts",
    "testResolveInputArtifacts_FilterOutInsufficient",
    "testResolveInputArtifacts_Normal",
    "testResolveInputArtifacts_OutputKeyUnset",
    "test_primary_handle",
}
"""These read files that are in TFX's repository and not in its package, or make a folder whose name is empty."""

ON_A_FILE = "testInvalidConnection"
"""Opens a file that is not there: nothing that a server could be asked."""

PASSED = 256
TENANTS = 400


@pytest.fixture(autouse=True)
def _need_tfx() -> None:
    if not suite.PYTHON.exists():
        missing(f"TFX is not there (no {suite.PYTHON}): make it with `make tfx-environment`")


def check(outcome: Outcome, *besides: str) -> None:
    """Fail unless all tests passed but for those that cannot, and those named `besides`."""
    unexpected = {name: text for name, text in outcome.failed.items() if name not in {*WITHOUT_FILES, *besides}}
    assert not unexpected, "\n\n".join(f"{name}: {text}" for name, text in unexpected.items())
    assert set(outcome.failed) == {*WITHOUT_FILES, *besides}
    assert (len(outcome.passed), outcome.skipped) == (PASSED - len(besides), set())


def test_they_pass_on_googles_library(tmp_path: Path) -> None:
    check(suite.run(tmp_path))


def test_they_pass_on_our_client_in_one_process(our_wheel: Path, tmp_path: Path) -> None:
    check(suite.run(tmp_path, start=("-m", "mlmd_client.compat"), path=our_wheel))


@pytest.mark.parametrize("new_database", ["mariadb"], indirect=True)  # in one process they are on SQLite
def test_they_pass_on_our_server(new_database: Callable[[], str], tmp_path: Path) -> None:
    names = [f"tenant-{number}" for number in range(TENANTS)]
    tenants, tokens = tmp_path / "tenants.toml", tmp_path / "tokens.toml"
    tenants.write_text("".join(f'[tenant.{name}]\ndatabase = "{new_database()}"\n' for name in names))
    token = 'subject = "tfx"\nroles = ["writer"]\n'
    tokens.write_text("".join(f'[[token]]\ntoken = "{name}"\ntenant = "{name}"\n{token}' for name in names))
    options = ("--auth", f"tokens={tokens}", "--tenants", str(tenants))
    with Server(new_database(), tmp_path / "server", options=options) as server:
        environment = {"MLMD_SERVER_PORT": str(server.grpc_port), "MLMD_TENANTS": str(TENANTS)}
        check(suite.run(tmp_path, "stores_on_server", environment=environment), ON_A_FILE)
