"""What Python has as values becomes properties and comes back; names, captures, what is said of them."""

import argparse
import ctypes
import datetime
import decimal
import enum
import fractions
import json
import math
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_client import Refused
from mlmd_client.capture import captured, git, hidden, without_credentials
from mlmd_client.formats import load_object, read_frame, write_object
from mlmd_client.names import Reference, parse_reference
from mlmd_client.store import Store
from mlmd_client.values import number_of, plain_of, value_of
from mlmd_schemas.paths import check_path
from sklearn.linear_model import LogisticRegression

TEXT = st.text(st.characters(codec="utf-8"))
LEAVES = st.one_of(st.booleans(), st.integers(-(2**50), 2**50), st.floats(allow_nan=False, width=64), TEXT)
NESTED = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXT, inner)), max_leaves=12)


@dataclass
class Settings:
    rate: float
    folder: Path


class Model:
    """What pydantic's models have."""

    def model_dump(self) -> dict[str, Any]:
        return {"rate": 0.5}


class Colour(enum.Enum):
    RED = "r"


@given(st.one_of(LEAVES, st.integers(-(2**63), 2**63 - 1)))
def test_plain_values_come_back_as_they_were(given: Any) -> None:
    found = plain_of(value_of(given, "x"))
    assert type(found) is type(given)
    assert found == given


@given(st.one_of(st.lists(NESTED), st.dictionaries(TEXT.filter(lambda key: key != "list"), NESTED, min_size=1)))
def test_lists_and_dictionaries_come_back_with_equal_numbers(given: Any) -> None:
    assert plain_of(value_of(given, "x")) == given


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, "None"),
        (pandas.NA, "<NA>"),
        (Path("a/b"), "a/b"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (decimal.Decimal("0.1"), 0.1),
        (fractions.Fraction(1, 4), 0.25),
        (fractions.Fraction(10**400), "1" + "0" * 400),
        (Settings(0.5, Path("a")), {"rate": 0.5, "folder": "a"}),
        ({"inner": Settings(0.5, Path("a"))}, {"inner": {"rate": 0.5, "folder": "a"}}),
        (argparse.Namespace(lr=0.1), {"lr": 0.1}),
        (Model(), {"rate": 0.5}),
        (LogisticRegression(C=0.5), "LogisticRegression(C=0.5)"),
        (LogisticRegression, "sklearn.linear_model._logistic.LogisticRegression"),
        (math.floor, "math.floor"),
        (np.dtype("float32"), "float32"),
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (np.datetime64("2026-01-02", "ns"), "2026-01-02T00:00:00.000000000"),
        (np.array(["2026-01-02"], "M8[D]"), ["2026-01-02"]),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        ({1, "a"}, ["a", 1]),
        ({"a": 1}.keys(), ["a"]),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (Colour.RED, "RED"),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array([1, 2]), [1, 2]),
        ((1, "a"), [1, "a"]),
        ({"inner": Path("x")}, {"inner": "x"}),
        ([2**53 + 1, 2**60, -(2**64) - 1], [str(2**53 + 1), 2**60, str(-(2**64) - 1)]),
        ({"seed": 10**400}, {"seed": str(10**400)}),
    ],
)
def test_what_is_no_plain_value_is_kept_as_its_nearest(given: Any, kept: Any) -> None:
    assert plain_of(value_of(given, "x")) == kept


def test_nan_and_infinities_are_numbers() -> None:
    assert math.isnan(plain_of(value_of(math.nan, "x")))
    assert plain_of(value_of([math.inf], "x")) == [math.inf]
    assert math.isnan(number_of(np.array(np.nan), "x"))
    with pytest.raises(Refused, match=r"^x: a number of 401 digits is beyond what a float holds"):
        number_of(10**400, "x")
    assert number_of(True, "x") == 1.0


def test_what_is_missing_is_a_metric_that_is_no_number() -> None:
    assert math.isnan(number_of(pandas.NA, "x"))
    assert math.isnan(number_of(decimal.Decimal("NaN"), "x"))
    assert number_of(decimal.Decimal("1.5"), "x") == 1.5


def test_a_struct_comes_back_in_the_order_of_its_names() -> None:
    assert list(plain_of(value_of({"b": 1, "c": 2, "a": 3}, "x"))) == ["a", "b", "c"]


@pytest.mark.parametrize("given", [Settings(0.5, Path("a")), argparse.Namespace(rate=0.5), Model(), {"rate": 0.5}])
def test_parameters_may_be_whatever_has_names(local_store: Store, given: Any) -> None:
    with local_store.run("named/step", params=given):
        pass
    assert local_store.runs("named/step")[0]["rate"] == 0.5


@pytest.mark.parametrize("given", [[1, 2], "rate=1", LogisticRegression(), pandas.DataFrame({"a": [1]}), Settings])
def test_parameters_without_names_are_refused(local_store: Store, given: Any) -> None:
    with pytest.raises(Refused, match=r"^params: is of type \w+; give a dictionary"):
        local_store.run("named/step", params=given)
    with pytest.raises(Refused, match=r"^properties: is of type \w+; give a dictionary"):
        local_store.run("named/step", properties=given)


def test_a_name_that_no_file_may_have_is_kept_as_one(local_store: Store) -> None:
    name = "日本語の長い名前🎉" * 11
    with local_store.run("long/step") as run:
        version = run.log_model(name, {"a": 1})
    assert version.name == name
    assert version.load() == {"a": 1}


@pytest.mark.parametrize("given", [object(), lambda: 1, b"ab", pandas.DataFrame({"a": [1]}), {1, object()}, 2**64])
def test_what_no_property_holds_is_refused(given: Any) -> None:
    if isinstance(given, set):
        assert value_of(given, "x").WhichOneof("value") == "struct_value"  # as text inside of a list
        return
    with pytest.raises(Refused, match=r"^x: "):
        value_of(given, "x")


@given(st.from_regex(r"[A-Za-z][A-Za-z _.-]{0,20}[A-Za-z]", fullmatch=True), st.integers(1, 10**9))
def test_every_way_to_write_a_version_means_the_same(name: str, number: int) -> None:
    expected = Reference(name, number=number)
    for text in (f"{name}@{number}", f"{name}:{number}", f"{name}/{number}"):
        assert parse_reference(text) == expected
    assert parse_reference(expected.text) == expected
    assert parse_reference(name) == parse_reference(f"{name}@latest") == parse_reference(f"{name}:latest")
    assert parse_reference(f"models:/{name}@best") == Reference(name, "system.Model", alias="best")


@pytest.mark.parametrize("text", ["", "  ", "@", "@champion", "name@", "name@0", "name/0", "models:/"])
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"^name: "):
        parse_reference(text)


def test_the_code_is_captured_with_its_changes_and_without_passwords(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "-q", "-b", "trunk")
    (tmp_path / "train.py").write_text("one\n")
    run("add", ".")
    run("commit", "-q", "-m", "one")
    run("remote", "add", "origin", "https://bot:s3cret@example.org/code.git")
    expected = {
        "git_commit": run("rev-parse", "HEAD"),
        "git_dirty": False,
        "git_branch": "trunk",
        "git_repository": "https://example.org/code.git",
    }
    assert git(str(tmp_path)) == expected
    (tmp_path / "train.py").write_text("two\n")
    assert git(str(tmp_path)) == expected | {"git_dirty": True}
    assert without_credentials("git@example.org:team/code.git") == "git@example.org:team/code.git"


def test_secrets_on_the_command_line_stay_there() -> None:
    told = ["t.py", "--token", "abc", "--api_key=def", "-v", "--secret", "--lr", "0.1", "db.password=x"]
    kept = ["t.py", "--token", "***", "--api_key=***", "-v", "--secret", "--lr", "0.1", "db.password=***"]
    assert hidden(told) == kept
    assert hidden(["t.py", "passwords.csv", "+api_key=abc", "lr=0.1"]) == [
        "t.py", "passwords.csv", "+api_key=***", "lr=0.1"
    ]  # fmt: skip


def test_capturing_can_be_turned_off_or_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLMD_CAPTURE", "off")
    assert captured() == {}
    assert "host" in captured(["host"])
    monkeypatch.setenv("MLMD_CAPTURE", "command, environment")
    assert set(captured()) == {"command", "python_version", "platform", "environment"}
    with pytest.raises(Refused, match="'gti'"):
        captured(["gti"])


HEAVY = ("numpy", "pandas", "sqlalchemy", "click", "rich", "sklearn", "networkx", "httpx", "starlette")


def test_the_import_brings_grpc_and_protobuf_and_nothing_heavy() -> None:
    program = (
        "import sys, json; from mlmd_client import Store; "
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("text", ["model:/churn@prod", "models://churn@prod", "Models:/churn@prod", "model://churn"])
def test_what_is_nearly_the_uri_of_a_model_is_told_how_it_is_written(text: str) -> None:
    with pytest.raises(Refused, match=r"write models:/name@alias"):
        parse_reference(text)


def test_nothing_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="data: is None; give a path"):
        write_object(None, tmp_path, "churn")


@pytest.mark.parametrize("name", ["m" * 255, "ü" * 200, "back\\slash", "x/..", "x/."])
def test_any_name_gives_a_file_that_every_store_takes(tmp_path: Path, name: str) -> None:
    for one in ({"weights": 1}, "text of it", b"bytes", np.zeros(2), pandas.DataFrame({"x": [1]})):
        file, _ = write_object(one, tmp_path, name)
        assert file.parent == tmp_path
        assert file.is_file()
        assert check_path(file.name) == file.name


def test_an_array_of_objects_is_pickled(tmp_path: Path) -> None:
    file, _ = write_object(np.array([{"a": 1}, None], dtype=object), tmp_path, "rows")
    assert load_object(file).tolist() == [{"a": 1}, None]


def test_what_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:  # as pyarrow does, which is not installed here
        raise ValueError("Could not convert 'x' with type str: tried to convert to int64")

    monkeypatch.setattr(pandas.DataFrame, "to_parquet", refuse)
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    for one in (nested, ctypes.pointer(ctypes.c_int(1)), pandas.DataFrame({"x": [1, "x"]})):
        with pytest.raises(Refused, match=r"cannot be (pickled|kept as parquet)"):
            write_object(one, tmp_path, "x")


def test_names_of_properties_are_text(local_store: Store) -> None:
    for name in (1, "\ud800"):
        with pytest.raises(Refused, match=r"^properties: "):
            local_store.run("values/names", properties={name: 1})  # type: ignore[dict-item]


def test_labels_that_are_no_utf_8_are_refused_at_once(local_store: Store) -> None:
    with local_store.run("values/labels") as run:
        with pytest.raises(Refused, match=r"the label"):
            run.confusion_matrix("test", counts=[[1, 0], [0, 1]], labels=["a", "\ud800"])
        with pytest.raises(Refused, match=r"the label"):
            run.roc("test", ["a", "\ud800"], [0.1, 0.9])


def test_a_series_is_a_table_of_one_column(tmp_path: Path) -> None:
    for series, column in ((pandas.Series([1, 2], name="age"), "age"), (pandas.Series([1, 2]), "values")):
        file, facts = write_object(series, tmp_path, "ages")
        assert (list(facts["columns"]), facts["rows"]) == ([column], 2)
        assert read_frame(file)[column].tolist() == [1, 2]
