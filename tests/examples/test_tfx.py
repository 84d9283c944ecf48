"""The TFX example: a pipeline run twice whose facts are on a server, with Google's client and with ours."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from mlmd_client import Store
from mlmd_client.metadata_store import MetadataStore
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.conftest import StartServer
from tests.packaging import wheels
from tests.services.missing import missing
from tests.tfx.suite import PYTHON

PIPELINE = Path(__file__).resolve().parents[2] / "examples" / "tfx" / "pipeline.py"
STEPS = ["Measure", "Fit", "Check"]


@pytest.mark.parametrize("start", [(), ("-m", "mlmd_client.compat")], ids=["googles", "ours"])
def test_a_second_run_takes_what_the_first_has_made(
    start: Sequence[str], sqlite_url: str, start_server: StartServer, our_wheel: Path, tmp_path: Path
) -> None:
    if not PYTHON.exists():
        missing("the environment of TFX is not there; make it with `make tfx-environment`")
    target = start_server(sqlite_url).target
    done = subprocess.run(
        [str(PYTHON), *start, str(PIPELINE), target, str(tmp_path / "files"), "2"],
        capture_output=True,
        text=True,
        env=wheels.environment(our_wheel),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    host, _, port = target.rpartition(":")
    facts = MetadataStore(pb.MetadataStoreClientConfig(host=host, port=int(port)))
    executions = facts.get_executions()
    names = {kind.id: kind.name.rpartition(".")[2] for kind in facts.get_execution_types()}
    states = [(names[run.type_id], run.State.Name(run.last_known_state)) for run in executions]
    assert states == [*((name, "COMPLETE") for name in STEPS), *((name, "CACHED") for name in STEPS)]
    slope, error = (float(Path(found.uri).read_text()) for found in facts.get_artifacts_by_type("Float"))
    assert (round(slope, 1), round(error, 1)) == (3.0, 1.0)
    (line,), (points,) = facts.get_artifacts_by_type("Line"), facts.get_artifacts_by_type("Points")
    with Store(f"grpc://{target}") as store:
        assert f"artifact {points.id}" in store.lineage(line.id).names()
