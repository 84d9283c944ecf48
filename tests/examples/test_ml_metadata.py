"""The first steps run as they are, everywhere, and on Google's library when nothing but the import is changed."""

import json
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
steps: Trainer
the data set: path/to/data is one of 1 and the same by its uri: True
the training: RUNNING
exp1 has ['MNIST-v1'] ['COMPLETED']
models of version 1: ['MNIST-v1']
the model was made of: ['path/to/data']
asked for what is not there: 5
"""
GUIDE = (
    ("put_artifact_type", "DataSet", {"day": 1, "split": 3}),
    ("put_artifact_type", "SavedModel", {"version": 1, "name": 3}),
    ("get_artifact_types",),
    ("put_execution_type", "Trainer", {"state": 3}),
    ("get_execution_types_by_id",),
    ("put_artifacts", "path/to/data", {"day": 1, "split": "train"}),
    ("get_artifacts",),
    ("get_artifacts_by_id",),
    ("get_artifacts_by_uri",),
    ("put_executions", "", {"state": "RUNNING"}),
    ("get_executions_by_id",),
    ("put_events", 2),
    ("put_artifacts", "path/to/model/file", {"version": 1, "name": "MNIST-v1"}),
    ("put_events", 1),
    ("put_executions", "", {"state": "COMPLETED"}),
    ("put_context_type", "Experiment", {"note": 3}),
    ("put_contexts", "exp1", {"note": "My first experiment."}),
    ("put_attributions_and_associations",),
    ("get_artifacts_by_context",),
    ("get_executions_by_context",),
)
"""The calls of Google's guide to ml_metadata, in its order, with its types, names and values."""
RECORDED = """
import json, runpy, sys
import mlmd_client.compat.ml_metadata as mlmd
calls = []
def facts(name, told):
    if name.endswith("_type"):
        return [told.name, dict(told.properties)]
    if name == "put_events":
        return [told[0].type]
    values = {key: value.int_value or value.string_value for key, value in told[0].properties.items()}
    return [getattr(told[0], "uri", "") or told[0].name, values]
def recorded(name, method):
    def call(self, *arguments, **named):
        puts = name.startswith("put_") and name != "put_attributions_and_associations"
        calls.append([name, *(facts(name, arguments[0]) if puts else [])])
        return method(self, *arguments, **named)
    return call
for name in dir(mlmd.MetadataStore):
    if name.startswith(("put_", "get_")):
        setattr(mlmd.MetadataStore, name, recorded(name, getattr(mlmd.MetadataStore, name)))
sys.argv = [sys.argv[1]]
runpy.run_path(sys.argv[0], run_name="__main__")
print(json.dumps(calls))
"""


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_calls_are_those_of_googles_guide(tmp_path: Path) -> None:
    said = run(sys.executable, "-c", RECORDED, str(EXAMPLE), folder=tmp_path)
    calls = json.loads(said.splitlines()[-1])
    assert calls[: len(GUIDE)] == [list(call) for call in GUIDE]


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
