"""A store with a small history, and the command run on it: in this process's store and on a server."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlmd_client.command_line.commands import mlmd
from mlmd_client.store import Store

from tests.services.server import Server


@dataclass
class Said:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


Run = Callable[..., Said]

KEEP_NOTHING = ("--keep-newest", "0", "--keep-younger-than", "0s")
"""Rules by which `gc` keeps what is served or pinned alone."""


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's environment, and nothing written outside the test's folder."""
    for name in ("MLMD_RUN", "MLMD_SERVER", "MLMD_TOKEN", "RANK", "WORLD_SIZE", "SLURM_PROCID", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLMD_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("MLMD_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def run_on(target: str) -> Run:
    """Return a function that runs the command on a store."""

    def run(*arguments: str) -> Said:
        result = CliRunner().invoke(mlmd, ["--server", target, *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def store(tmp_path: Path) -> str:
    """An empty store of the test's own, in this process."""
    return str(tmp_path / "store")


@pytest.fixture
def run(store: str) -> Run:
    """The command on the empty store."""
    return run_on(store)


@pytest.fixture(params=["embedded", "grpc"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store with two versions of `churn`, in this process and on a server; the files say `1` and `2`."""
    if request.param == "embedded":
        _put_versions(str(tmp_path / "store"), tmp_path)
        yield str(tmp_path / "store")
        return
    with Server(f"sqlite:///{tmp_path / 'metadata.db'}", tmp_path / "server", http=True) as server:
        _put_versions(f"grpc://{server.target}", tmp_path)
        yield f"grpc://{server.target}"


@pytest.fixture
def on(target: str) -> Run:
    """The command on that store."""
    return run_on(target)


def _put_versions(target: str, folder: Path) -> None:
    for number in (1, 2):
        (folder / "f").write_text(str(number))
        assert run_on(target)("put", str(folder / "f"), "churn", "--type", "model").status == 0


@pytest.fixture(scope="module", params=["embedded", "grpc"])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A data set, two models trained on it, one of them champion: in this process and on a server, only to be read."""
    folder = tmp_path_factory.mktemp("history")
    if request.param == "embedded":
        _make_history(str(folder / "store"), folder)
        yield str(folder / "store")
        return
    with Server(f"sqlite:///{folder / 'metadata.db'}", folder / "server", http=True) as server:
        _make_history(f"grpc://{server.target}", folder)
        yield f"grpc://{server.target}"


@pytest.fixture
def ask(history: str) -> Run:
    """The command on the store with a history."""
    return run_on(history)


def _make_history(target: str, folder: Path) -> None:
    data = folder / "train.csv"
    data.write_text("x,y\n1,a\n2,b\n")
    with Store(target) as store:
        with store.run("churn/prepare", capture=False) as prepare:
            prepare.log_dataset("churn-train", data)
        for number, rate in enumerate((0.1, 0.2), 1):
            with store.run("churn/train", params={"lr": rate}, capture=False) as train:
                train.use("churn-train@latest")
                train.metrics(auc=0.9 + number / 100, odd=float("nan"))
                train.evaluate("test", [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.3])
                for step in range(5):
                    train.metric("loss", 1 / (step + 1), step=step)
                train.log_model("churn", {"weights": [number]})
        store["churn@2"].set_alias("champion", reason="better")
