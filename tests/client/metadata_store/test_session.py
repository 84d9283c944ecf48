"""One program against Google's library and against this client: the same lines, over gRPC and in one process."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reference import client as reference
from tests.services.missing import missing

pytestmark = pytest.mark.reference
SESSION = Path(__file__).with_name("session.py")
GOOGLES = [str(reference.PYTHON), "-I"]
OURS = [sys.executable, "-m", "mlmd_client.compat"]


@pytest.fixture(autouse=True)
def _need_reference() -> None:
    if (sentence := reference.absence()) is not None:
        missing(sentence)


def lines(program: list[str], folder: Path, *arguments: str) -> list[str]:
    """Run the session and return what it prints."""
    done = subprocess.run([*program, str(SESSION), *arguments], capture_output=True, text=True, cwd=folder, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    said = done.stdout.splitlines()
    assert said[-1] == "left out: []", "a method of the client was never called"
    assert len(said) > 200
    return said


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_both_clients_hear_the_same_over_grpc(
    database: str, new_database: Callable[[], str], serve_grpc: Callable[[str], str], tmp_path: Path
) -> None:
    del database
    googles, ours = (
        lines(program, tmp_path, *serve_grpc(new_database()).rsplit(":", 1)) for program in (GOOGLES, OURS)
    )
    assert ours == googles


def without_external_ids_of_types(said: list[str]) -> list[str]:
    """Leave out what this store says of types in lists and Google's does not."""
    kept = []
    for line in said:
        if line.startswith(('["get_artifact_types"', '["get_execution_types"', '["get_context_types"')):
            method, types = json.loads(line)
            line = json.dumps([method, [[part for part in kind if "external_id" not in part] for kind in types]])
        kept.append(line)
    return kept


def test_both_libraries_say_the_same_in_one_process(tmp_path: Path) -> None:
    googles, ours = (without_external_ids_of_types(lines(program, tmp_path)) for program in (GOOGLES, OURS))
    assert ours == googles
