"""The SDK and the command line on the oldest and the newest protobuf and on every Python of the machine.

On a server and in one process. Warnings are errors there too.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.client.conftest import WAYS
from tests.conftest import StartServer
from tests.packaging import wheels
from tests.packaging.environments import EVERYWHERE, environment_of

SESSION = Path(__file__).with_name("session.py")
COMMANDS = SESSION.with_name("commands.py")
PROTOBUFS_OWN = "ignore:Type google._upb._message:DeprecationWarning"
"""What the compiled part of protobuf 4.25 says of itself to Python 3.12 and later."""
RUNS = [
    ["churn/train/3", "FAILED"],
    ["churn/train/2", "COMPLETE"],
    ["churn/train/1", "COMPLETE"],
    ["churn/prepare/1", "COMPLETE"],
]


class Somewhere:
    """One environment's interpreter with our wheel beside what is installed there."""

    def __init__(self, python: Path, wheel: Path, folder: Path, target: str) -> None:
        self.python, self.folder = python, folder
        places = {"MLMD_JOURNAL": str(folder / "journal"), "MLMD_CACHE": str(folder / "cache")}
        self._environment = wheels.environment(wheel) | {"MLMD_SERVER": target} | places

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run the interpreter; returns its standard output."""
        command = [str(self.python), "-W", "error", "-W", PROTOBUFS_OWN, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("protobuf", "python"), EVERYWHERE)
def test_a_day_with_the_sdk_and_the_command_line(
    protobuf: str, python: str, way: str, our_wheel: Path, sqlite_url: str, start_server: StartServer, tmp_path: Path
) -> None:
    target = f"grpc://{start_server(sqlite_url, http=True).target}" if way == "grpc" else str(tmp_path / "store")
    there = Somewhere(environment_of(protobuf, python), our_wheel, tmp_path, target)
    told = json.loads(there.run(str(SESSION), target, str(tmp_path)))
    assert (told["python"], told["protobuf"]) == (python, protobuf)
    assert (told["runs"], told["reason"]) == (RUNS, "ValueError: the data ran out")
    assert (told["model"], told["best"], told["loaded"]) == ("churn@2", "churn@2", {"weights": [0.2]})
    assert (told["found"], told["odd"], told["drawn"]) == ([1.0], "nan", [True, True])
    assert told["upstream"] == ["churn-train@1", "churn/prepare/1", "churn/train/2", "churn@2"]
    assert (told["data"], told["impact"]) == (["churn-train/1"], ["churn-train@1", "churn@1", "churn@2"])
    assert "99" in told["absent"]
    _on_the_command_line(there)


def _on_the_command_line(there: Somewhere) -> None:
    (there.folder / "more.csv").write_text("x\n3\n")
    said = json.loads(there.run(str(COMMANDS)))
    assert {name: status for name, (status, _) in said.items() if status} == {"absent": 3}
    answers = {name: json.loads(out) for name, (_, out) in said.items() if out[:1] in ("[", "{")}
    assert [row["name"] for row in answers["ls"]] == ["churn-train", "churn"]
    assert answers["show"]["made_by"] == "churn/train/2"
    assert [row["state"] for row in answers["runs"]] == ["FAILED", "COMPLETE", "COMPLETE"]
    assert len(answers["graph"]["edges"]) == 3
    figures = {row["figure"]: row for row in answers["compare"]}
    assert (figures["auc"]["churn@1"], figures["auc"]["churn@2"]) == (0.9, 1.0)
    assert (answers["put"]["ref"], answers["get"]["files"]) == ("more@1", 1)
    assert (there.folder / "got" / "more.csv").read_text() == "x\n3\n"
    assert all(row["ok"] for row in answers["doctor"])
    assert "churn/train/2" in said["tree"][1]
    assert there.run("-m", "mlmd_client.command_line", "show", "nothing@1", status=3) == ""
