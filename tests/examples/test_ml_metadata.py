"""The first steps run as they are, everywhere, and on Google's library when nothing but the import is changed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reference import client as reference
from tests.services.missing import missing
from tests.services.server import Server

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ml_metadata" / "getting_started.py"
SAID = """\
types: ['DataSet', 'SavedModel']
data sets: ['path/to/data']
models of version 1: ['MNIST-v1']
the model was made of: ['path/to/data']
exp1: My first experiment. ['COMPLETED']
asked for what is not there: 5
"""


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_in_memory_and_in_a_file(tmp_path: Path) -> None:
    assert run(sys.executable, str(EXAMPLE), folder=tmp_path) == SAID
    assert run(sys.executable, str(EXAMPLE), "metadata.db", folder=tmp_path) == SAID
    assert (tmp_path / "metadata.db").is_file()


def test_on_a_server(start_server: Callable[..., Server], database_url: str, tmp_path: Path) -> None:
    server = start_server(database_url)
    assert run(sys.executable, str(EXAMPLE), "127.0.0.1", str(server.grpc_port), folder=tmp_path) == SAID


@pytest.mark.reference
def test_only_the_import_is_different(tmp_path: Path) -> None:
    if (sentence := reference.absence()) is not None:
        missing(sentence)
    lines = EXAMPLE.read_text().splitlines()
    changed = [line.replace("mlmd_client.compat.", "") for line in lines]
    touched = [line for line, before in zip(changed, lines, strict=True) if line != before]
    assert touched == ["import ml_metadata as mlmd", "from ml_metadata.proto import metadata_store_pb2"]
    script = tmp_path / "getting_started.py"
    script.write_text("\n".join(changed))
    assert run(str(reference.PYTHON), "-I", str(script), folder=tmp_path) == SAID
    assert run(sys.executable, "-m", "mlmd_client.compat", str(script), folder=tmp_path) == SAID
