"""Every public name of the SDK is documented with an example, and the examples do what they say."""

import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import mlmd_client
import pytest
from mlmd_client.calls import CallError
from mlmd_client.failures import failure_of
from mlmd_client.store import Store
from mlmd_client.transfer_errors import TransferError, UnfitFiles
from mlmd_schemas.errors import Code

pandas = pytest.importorskip("pandas")
pytest.importorskip("networkx")

MODULES = (
    "awaited", "capture", "comparison", "delivery", "display", "drawing", "evaluations", "failures", "files",
    "finding", "formats", "journal", "model_versions", "model_watch", "models", "names", "places", "points",
    "progress_bar", "questions", "registry_pages", "run", "run_artifacts", "run_metrics", "service", "session_errors",
    "store", "tables", "transfer_errors", "values", "versions", "walks", "webhooks",
)  # fmt: skip
UNEXAMPLED = {
    "display.graph_html", "files.send_files", "files.fetched", "delivery.send", "delivery.deliver_left_behind",
    "questions.Questions.settle", "questions.Questions.version", "questions.Questions.run_facts",
    "awaited.await_output",
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


def reached() -> dict[str, type]:
    """Return the classes that people get from `mlmd_client`: those it names, and whatever their methods return."""
    known = {thing.__name__: thing for name in MODULES for _, thing in names_of(name) if inspect.isclass(thing)}
    found: dict[str, type] = {}
    waiting = [thing for name in mlmd_client.__all__ if inspect.isclass(thing := getattr(mlmd_client, name))]
    while waiting:
        thing = waiting.pop()
        found[thing.__name__] = thing
        waiting += [one for one in known.values() if thing in one.__bases__ and one.__name__ not in found]
        for member in [body for _, body in members(thing)] + [getattr(thing, "__getitem__", None)]:
            function = getattr(member, "fget", None) or getattr(member, "func", None) or member
            told = str(inspect.signature(function).return_annotation) if callable(function) else ""
            named = {known[word] for word in re.findall(r"\w+", told) if word in known}
            waiting += [one for one in named if one.__name__ not in found]
    return found


def members(thing: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties of a class, those of ours that it inherits included."""
    for name in dir(thing):
        member = inspect.getattr_static(thing, name)
        ours = any(name in vars(base) for base in thing.__mro__ if base.__module__.startswith("mlmd_client"))
        if not name.startswith("_") and ours and (callable(member) or hasattr(member, "__get__")):
            yield name, member


def test_everything_that_people_get_has_an_example() -> None:
    """In its own docstring, or used in that of the class."""
    classes = reached()
    assert {"Store", "Run", "Version", "AwaitedVersion", "Graph", "Comparison", "Table", "Models", "Watch"} <= set(
        classes
    )
    missing = []
    for thing in classes.values():
        bases = [base for base in thing.__mro__ if base.__module__.startswith("mlmd_client")]
        examples = "".join(line for base in bases for line in _examples(base.__doc__))
        for name, _ in members(thing):
            own = [line for base in bases for line in _examples(getattr(vars(base).get(name), "__doc__", ""))]
            if not own and not re.search(rf"\.{name}\b", examples):
                missing.append(f"{thing.__name__}.{name}")
    assert missing == []


def _examples(text: str | None) -> list[str]:
    return [line for line in (text or "").splitlines() if line.lstrip().startswith((">>>", "..."))]


INNER = {"TransferError", "UnfitFiles", "Stopped"}
"""What transfers raise among themselves: people get CallError, Refused, or what was the cause."""


def test_everything_that_is_raised_is_exported_and_has_an_example() -> None:
    folder = Path(mlmd_client.__path__[0])
    raised = {
        thing
        for path in folder.glob("[a-z]*.py")
        for thing in vars(module(path.stem)).values()
        if inspect.isclass(thing) and issubclass(thing, Exception) and thing.__module__.startswith("mlmd_client.")
    }
    assert {thing.__name__ for thing in raised} - INNER == {
        name
        for name in mlmd_client.__all__
        if inspect.isclass(found := getattr(mlmd_client, name)) and issubclass(found, Exception)
    }
    for thing in raised:
        assert ">>>" in (thing.__doc__ or ""), thing
        test = doctest.DocTestFinder(recurse=False).find(thing, globs={**vars(mlmd_client), thing.__name__: thing})[0]
        if "store[" not in (test.docstring or ""):
            assert not doctest.DocTestRunner().run(test, out=print).failed


@pytest.mark.parametrize(
    "made",
    [
        TransferError(Code.RESOURCE_EXHAUSTED, "full"),
        UnfitFiles.saying("a pipe"),
        TransferError(Code.DATA_LOSS, "rotten"),
        CallError(Code.INTERNAL, "odd"),
    ],
)
def test_what_transfers_raise_becomes_what_is_exported(made: CallError) -> None:
    told = failure_of(made)
    assert (told.code, told.message) == (made.code, made.message)
    assert type(told).__name__ in mlmd_client.__all__
