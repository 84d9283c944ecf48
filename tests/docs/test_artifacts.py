"""The examples of the pages on artifacts do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mlmd_client import Store

from tests.conftest import StartServer

DOCS = Path(__file__).resolve().parents[2] / "docs"


def examples(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), flags=re.S)


def test_a_model_goes_up_and_comes_back(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    server = start_server(sqlite_url, http=True)
    (example,) = examples("artifacts.md")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(bytes(range(200)))
    program = example.replace("127.0.0.1:8080", server.target)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 file:///" in done.stdout
    assert (tmp_path / "copy" / "weights.bin").read_bytes() == bytes(range(200))


def test_whoever_keeps_a_store_verifies_and_sweeps_it_from_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text("a\n1\n")
    with Store("mlmd-data") as store, store.run("churn/prepare") as run:
        run.log_dataset("churn-train", "data.csv")
    (example,) = examples("artifacts-operations.md")
    care = """
from mlmd_artifact_store.sweeping import sweep
from mlmd_artifact_store.verification import verify
print(*((finding.path, finding.verdict.value) for finding in verify(artifacts)), sweep(artifacts, 60).failures)
"""
    done = subprocess.run([sys.executable, "-c", example + care], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "('data.csv', 'same') []\n"
