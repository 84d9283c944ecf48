"""Every public name of the SDK is documented with an example, and the examples do what they say."""

import doctest
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import mlmd_client
import pytest
from mlmd_client.store import Store

pandas = pytest.importorskip("pandas")
pytest.importorskip("networkx")

MODULES = (
    "capture", "comparison", "delivery", "display", "drawing", "evaluations", "failures", "files", "finding", "formats",
    "journal", "model_versions", "model_watch", "models", "names", "places", "points", "progress_bar", "questions",
    "run", "run_artifacts", "run_metrics", "service", "store", "tables", "values", "versions", "walks",
)  # fmt: skip
UNEXAMPLED = {
    "display.graph_html", "files.send_files", "files.fetched", "delivery.send", "delivery.deliver_left_behind",
    "questions.Questions.settle", "questions.Questions.version", "questions.Questions.run_facts",
}  # fmt: skip
"""Shown by the examples of what is built on them."""


def module(name: str) -> ModuleType:
    return importlib.import_module(f"mlmd_client.{name}")


@pytest.fixture
def filled(local_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """What the examples speak of: a data set, and two models of it, the second one the champion."""
    data = tmp_path / "train.csv"
    data.write_text("x,y\n1,a\n2,b\n")
    truth, scores = ["ham", "spam", "ham", "spam"], [0.1, 0.9, 0.4, 0.35]
    with local_store.run("doc/prepare") as run:
        run.log_dataset("churn-train", data)
    for number, (rate, weights) in enumerate([(0.1, [1, 2]), (0.2, [3, 4])], 1):
        with local_store.run("doc/setup", params={"lr": rate}) as run:
            run.use("churn-train@1")
            run.metric("train/loss", 1 / number, step=1)
            run.metrics(auc=0.89 + 0.02 * number)
            run.evaluate("test", truth, scores)
            run.log_model("churn", {"weights": weights}, properties={"framework": "doc"})
    local_store["churn@2"].set_alias("champion")
    monkeypatch.chdir(tmp_path)
    return local_store


def names_of(name: str) -> Iterator[tuple[str, Any]]:
    """Yield the public functions, classes and methods that a module has of its own."""
    found = module(name)
    for key, thing in vars(found).items():
        if key.startswith("_") or getattr(thing, "__module__", "") != found.__name__:
            continue
        yield f"{name}.{key}", thing
        if inspect.isclass(thing):
            for method, body in vars(thing).items():
                if not method.startswith("_") and (callable(body) or isinstance(body, property)):
                    yield f"{name}.{key}.{method}", body


@pytest.mark.parametrize("name", MODULES)
def test_examples_do_what_they_say(name: str, filled: Store) -> None:
    found = module(name)
    given = {**vars(found), **vars(mlmd_client), "store": filled, "pandas": pandas, "Store": Store}
    given |= {key: getattr(mlmd_client, key) for key in mlmd_client.__all__}
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    tests = doctest.DocTestFinder(exclude_empty=True).find(found, extraglobs=given)
    for test in tests:
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).attempted > 0
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_documented(name: str) -> None:
    for full, thing in names_of(name):
        assert inspect.getdoc(thing), f"{full} has no docstring"


def test_what_people_call_has_an_example() -> None:
    """Functions and classes, and the methods of Store, Run, Version, Graph, Comparison and Table."""
    missing = []
    for name in MODULES:
        for full, thing in names_of(name):
            is_method = full.count(".") > 1
            if is_method and full.split(".")[1] not in (
                "Store",
                "RunMetrics",
                "RunArtifacts",
                "Graph",
                "Comparison",
                "Table",
            ):
                continue
            if isinstance(thing, property) or full in UNEXAMPLED or ">>>" in (inspect.getdoc(thing) or ""):
                continue
            if inspect.isfunction(thing) or inspect.isclass(thing):
                missing.append(full)
    assert not missing
