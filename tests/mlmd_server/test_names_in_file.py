"""The Tab key is offered the same names from a store's file as from the store."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlmd_client.command_line.offers import CALL_SECONDS, MOST
from mlmd_client.command_line.served_names import ServedNames
from mlmd_client.store import Store
from mlmd_server.names_in_file import NamesInFile

BEGINNINGS = ("", "c", "churn", "churn/", "100%", "100_", "größe", "GRÖ", "it's", "system.Model/", "no such")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in a folder, with names of every kind, some of which mean something to SQL."""
    with Store(str(tmp_path_factory.mktemp("names"))) as opened:
        for experiment in ("churn/train", "churn/train", "100%/a_b", "größe", "it's"):
            with opened.run(experiment, capture=False) as run:
                run.log_dataset(experiment.partition("/")[0], [1])
                run.log_model("churn", {"of": run.name})
        opened["system.Model/churn@2"].set_alias("best")
        opened["system.Model/churn@2"].set_alias("worst")
        opened["system.Model/churn@4"].set_alias("newer")
        for name in ("detector", "größe", "old", "it's"):
            version = opened.models[name].register(opened["system.Model/churn@1"], name="v:1")
            version.promote("champion").promote("canary").deployed("prod", f"{name}-scorer")
        version.deployed("staging", "scorer")
        opened.models["old"]["champion"].deployed("prod", "old-scorer", state="stopped")
        opened.models["old"].archive()
        opened.models.webhooks.add("https://hooks.example/a", model="detector")
        opened.models.webhooks.add("https://hooks.example/b")
        yield opened


@pytest.fixture
def served(store: Store) -> ServedNames:
    """The names as the store's own calls tell them."""
    return ServedNames(store.service, CALL_SECONDS * 30, MOST)


@pytest.fixture
def filed(store: Store) -> NamesInFile:
    """The names as they are in the file."""
    return NamesInFile(Path(store.service.target) / "metadata.db")


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_names_that_begin_so_are_the_same(beginning: str, served: ServedNames, filed: NamesInFile) -> None:
    assert filed.collections(beginning) == served.collections(beginning)
    assert filed.typed_collections(beginning) == served.typed_collections(beginning)
    assert filed.experiments(beginning) == served.experiments(beginning)
    assert filed.runs(beginning) == served.runs(beginning)
    for archived in (False, True):
        assert filed.models(beginning, archived=archived) == served.models(beginning, archived=archived)


def test_versions_deployments_and_webhooks_are_the_same(served: ServedNames, filed: NamesInFile) -> None:
    for kind, name in served.collections(""):
        assert filed.versions(kind, name) == served.versions(kind, name)
    assert filed.versions("system.Model", "churn")[-2] == (2, ["best", "worst"])
    for model, _ in served.models("", archived=True):
        assert filed.model_versions(model) == served.model_versions(model) == ["v:1"]
    assert set(filed.deployments()) == set(served.deployments())
    assert len(filed.deployments()) == 5
    assert filed.webhooks() == served.webhooks()
    assert len(filed.webhooks()) == 2


def test_a_file_that_is_no_store_is_said(tmp_path: Path) -> None:
    (tmp_path / "metadata.db").write_text("no database")
    with pytest.raises(sqlite3.Error):
        NamesInFile(tmp_path / "metadata.db").runs("")


PROGRAM = """
import sys
from mlmd_client.command_line import main
try:
    main()
finally:
    print("loaded", *sorted({name.partition(".")[0] for name in sys.modules}))
"""
SLOW = {"sqlalchemy", "grpc", "starlette", "graphql", "rich", "mlmd_api", "mlmd_metadata_store", "mlmd_artifact_store"}


def test_neither_the_store_nor_what_it_needs_is_loaded_or_written(store: Store) -> None:
    folder = Path(store.service.target)
    environment = os.environ | {"_MLMD_COMPLETE": "bash_complete", "COMP_LINE": f"mlmd -s {folder} show chu"}
    written = []
    for _ in range(5):  # the store's own housekeeping may write in the middle of one
        before = [(path.name, path.stat().st_mtime_ns) for path in sorted(folder.iterdir())]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, cwd=folder
        )
        offered, _, loaded = done.stdout.partition("loaded ")
        assert offered.splitlines() == ["plain,churn", "plain,churn/train/2", "plain,churn/train/1"]
        assert set(loaded.split()) & SLOW == set()
        written.append([(path.name, path.stat().st_mtime_ns) for path in sorted(folder.iterdir())] != before)
        if not written[-1]:
            break
    assert not all(written)
