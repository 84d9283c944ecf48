"""docs/how-to.md: every command that it shows is done, in their order, on the store that it goes on from."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlmd_client.command_line.commands import mlmd

from tests.docs.test_cli_page import PAGE as BEGINNING
from tests.docs.test_cli_page import surroundings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to.md").read_text()


def commands() -> list[list[str]]:
    """Return the words of every command of the page's blocks, without remarks."""
    blocks = "".join(re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S))
    return [words for line in blocks.splitlines() if (words := shlex.split(line, comments=True))]


def answer(program: str, *arguments: str) -> str:
    """Do a command and return what it said; it has to succeed."""
    if program == "mlmd":
        said = CliRunner().invoke(mlmd, arguments)
        assert said.exit_code == 0, (arguments, said.stderr, said.exception)
        return said.stdout
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    path = shutil.which(program, path=programs)
    assert path is not None, program
    done = subprocess.run([path, *arguments], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def test_every_command_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.csv").write_text("x,y\n1,a\n2,b\n")
    (script,) = re.findall(r"```python\n(.*?)```", BEGINNING, flags=re.S)
    around = surroundings(tmp_path)
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=around, check=True)
    monkeypatch.chdir(tmp_path)
    for name in ("MLMD_SERVER", "MLMD_TOKEN", "MLMD_RUN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("MLMD_JOURNAL", "MLMD_CACHE"):
        monkeypatch.setenv(name, around[name])
    told = {" ".join(words[:3]): answer(*words) for words in commands()}
    assert "churn@2" in told["mlmd impact churn-train@1"]
    assert "churn/train/2" in told["mlmd find runs"].splitlines()[1]
    assert "better on the test data" in told["mlmd models history"]
    resolved = dict(line.split(maxsplit=1) for line in told["mlmd models resolve"].splitlines()[:4])
    assert (resolved["model"], resolved["number"]) == ("churn", "1"), "it was rolled back"
    moved = (tmp_path / "mlmd-data" / "moved").as_uri()
    assert told["mlmd-server relocate --artifacts"].startswith("rewrote the uris of ")
    assert f"to {moved}/" in told["mlmd-server relocate --artifacts"]
    with closing(sqlite3.connect(tmp_path / "mlmd-data" / "metadata.db")) as database:
        roots = [root for (root,) in database.execute("SELECT root_uri FROM mlmd_manifests")]
    assert roots
    assert all(root.startswith(moved) for root in roots)
