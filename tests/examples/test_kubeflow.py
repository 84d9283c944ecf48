"""The Kubeflow example: compiled by the kfp package in its own environment, its steps run against a real server."""

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from mlmd_client import Store

from tests.conftest import StartServer
from tests.services.missing import missing

pytest.importorskip("sklearn")

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "kubeflow"
KFP_PYTHON = ROOT / ".envs" / "kfp" / "bin" / "python"


def steps() -> ModuleType:
    spec = importlib.util.spec_from_file_location("steps", FOLDER / "steps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pipeline_compiles_and_its_steps_carry_all_that_they_need(tmp_path: Path) -> None:
    if not KFP_PYTHON.exists():
        missing("the environment of kfp is not there; make it with `make kfp-environment`")
    out = tmp_path / "digits.yaml"
    done = subprocess.run([KFP_PYTHON, FOLDER / "pipeline.py", out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    compiled = yaml.safe_load(out.read_text())
    assert compiled["pipelineInfo"]["name"] == "digits"
    tasks = compiled["root"]["dag"]["tasks"]
    assert sorted(tasks) == ["choose", "prepare", "train", "train-2"]
    assert sorted(tasks["choose"]["dependentTasks"]) == ["train", "train-2"]
    for executor in compiled["deploymentSpec"]["executors"].values():
        program = "\n".join(executor["container"]["command"])
        assert "mlmd-server[pandas,sklearn]" in program
        assert "from mlmd_client import Store" in program


def test_the_steps_do_on_a_server_what_the_pipeline_says(
    sqlite_url: str, start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLMD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLMD_JOURNAL", str(tmp_path / "journal"))
    server = f"grpc://{start_server(sqlite_url, http=True).target}"
    run = steps()
    data = run.prepare(server)
    few, many = run.train(server, data, 3), run.train(server, data, 30)
    assert run.choose(server, few, many) == "models:/digits/1"
    with Store(server) as store:
        champion = store.models["digits"]["champion"]
        assert champion.artifact.ref == few
        assert {data, few} <= set(champion.lineage().names())
        assert store.load("models:/digits@champion").n_neighbors == 3
