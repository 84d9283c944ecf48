"""What KServe runs to fetch a model does fetch it, by the names that the manifest claims."""

import os
import subprocess
from pathlib import Path

import pytest
from mlmd_client import Store

from tests.conftest import StartServer
from tests.deploy.parts import DEPLOY, Document, documents
from tests.services.server import PROGRAMS

MANIFEST = DEPLOY / "kubernetes" / "overlays" / "kserve" / "cluster-storage-container.yaml"


@pytest.fixture
def manifest() -> Document:
    """The ClusterStorageContainer."""
    (found,) = documents(MANIFEST.read_text("utf-8"))
    return found


def test_the_command_fetches_what_both_prefixes_name(
    manifest: Document, start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    server = start_server(sqlite_url, http=True, options=("--artifacts", str(tmp_path / "bytes")))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(b"w" * 1000)
    with Store(f"grpc://{server.target}") as store, store.run("train") as run:
        registered = store.models["fraud"].register(run.log_model("fraud", tmp_path / "model"))
        registered.promote("champion")
    container = manifest["spec"]["container"]
    prefixes = [one["prefix"] for one in manifest["spec"]["supportedUriFormats"]]
    names = {"model-registry://": "model-registry://fraud/1", "models:/": "models:/fraud@champion"}
    assert prefixes == list(names)
    program, *rest = container["command"]
    (address,) = [one for one in container["env"] if one["name"] == "MLMD_SERVER"]
    assert address["value"].startswith("grpc://")
    for number, prefix in enumerate(prefixes):
        folder = tmp_path / f"mnt{number}"
        command = [str(PROGRAMS / Path(program).name), *rest, names[prefix], str(folder)]
        environment = os.environ | {"MLMD_SERVER": f"grpc://{server.target}"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
        assert (folder / "weights.bin").read_bytes() == b"w" * 1000
