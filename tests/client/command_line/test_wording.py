"""Errors speak as the person does who typed the command: of its arguments, its options and of other commands."""

import importlib
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import mlmd_schemas.pb.v1
import pytest
from mlmd_client.store import Store
from mlmd_schemas.pb import metadata_store_service_pb2

from tests.client.command_line.conftest import Run, run_on
from tests.services.server import Server

LONG = "x" * 5000


def _fill(target: str, folder: Path) -> None:
    data = folder / "train.csv"
    data.write_text("x,y\n1,a\n")
    with Store(target) as store:
        with store.run("churn/train", capture=False) as run:
            run.log_model("churn", {"weights": [1]})
            run.log_model("churn", {"weights": [2]})
            run.log_dataset("both", data)
            run.log_model("both", {"weights": [3]})
        store["churn@2"].set_alias("champion")
        fraud = store.models["fraud"]
        for number in (1, 2):
            fraud.register(store[f"churn@{number}"])
        fraud["1"].promote("champion")
        fraud.set_gates("auc >= 0.99", alias="production")


@pytest.fixture(scope="module", params=["embedded", "grpc"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("filled")
    if request.param == "embedded":
        _fill(str(folder / "store"), folder)
        yield str(folder / "store")
        return
    with Server(f"sqlite:///{folder / 'metadata.db'}", folder / "server", http=True) as server:
        _fill(f"grpc://{server.target}", folder)
        yield f"grpc://{server.target}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that wants a token, and knows one that may read."""
    folder = tmp_path_factory.mktemp("guarded")
    tokens = folder / "tokens.toml"
    tokens.write_text('[[token]]\ntoken = "reads"\nsubject = "bob"\n')
    options = ("--auth", f"tokens={tokens}")
    with Server(f"sqlite:///{folder / 'metadata.db'}", folder / "server", options=options) as server:
        yield f"grpc://{server.target}"


@pytest.fixture
def ask(filled: str) -> Run:
    return run_on(filled)


TOLD = """
[3] show zebra
    WHAT: nothing with versions is called 'zebra'; `mlmd ls` lists what is, `mlmd put` keeps more.
[6] show both@1
    WHAT: 'both' is the name of several things; write system.Dataset/both@1 or system.Model/both@1.
[6] get both out
    WHAT: 'both' is the name of several things; write system.Dataset/both or system.Model/both.
[6] diff churn@1 both
    AFTER: 'both' is the name of several things; write system.Dataset/both or system.Model/both.
[3] path churn zebra
    SECOND: nothing with versions is called 'zebra'; `mlmd ls` lists what is, `mlmd put` keeps more.
[3] show system.Dataset/churn
    WHAT: nothing of type system.Dataset is called 'churn'; `mlmd ls` lists what is, `mlmd put` keeps more.
[3] show artifact:999
    WHAT: there is no artifact 999; `mlmd ls artifacts` lists those there are.
[3] show churn/train/9
    WHAT: there is no run 'churn/train/9'; `mlmd runs` lists those there are.
[6] show ''
    WHAT: '' names nothing; write name@alias, name@3 or name for the newest version.
[3] metrics churn --roc x.svg
    WHAT: none of churn@2 has a ROC curve; `mlmd metrics churn` lists what they have.
[3] metrics churn --series loss x.svg
    --series: none of churn@2 has a series 'loss'; `mlmd metrics churn` lists what they have.
[3] metrics zebra --name test
    WHAT: nothing with versions is called 'zebra'; `mlmd ls` lists what is, `mlmd put` keeps more.
[6] lineage churn --hops 9999
    --hops: 9999 is not 1 to 1000; 0 means 100.
[6] lineage churn --hops 99999999999999999999
    --hops: 99999999999999999999 is beyond every walk; 0 means as many as the server walks.
[6] lineage churn --hops 2147483648 --format svg
    --hops: 2147483648 is beyond every walk; 0 means as many as the server walks.
[6] show churn@99999999999999999999
    WHAT: 'churn@99999999999999999999' is beyond every version; they end with 9223372036854775807. churn@latest is
    the newest.
[6] show sales/99999999999999999999
    WHAT: 'sales/99999999999999999999' is beyond every version; they end with 9223372036854775807. sales@latest is
    the newest, and sales/99999999999999999999@latest where the number is of the name.
[3] metrics /
    WHAT: nothing with versions is called '/'; `mlmd ls` lists what is, `mlmd put` keeps more.
[6] metrics ''
    WHAT: '' names nothing; write name@alias, name@3 or name for the newest version.
[6] diff churn@1 churn@0
    AFTER: 'churn@0': versions count from 1; churn@latest is the newest.
[6] diff churn@1 @
    AFTER: '@' has an '@' and not both a name and an alias around it; write name@alias.
[3] diff churn@1 churn@-1
    AFTER: system.Model/churn has no alias '-1'; it has 'champion'.
[3] path churn@2 models:/fraud/x
    SECOND: the model 'fraud' has no version 'x'; its newest is number 2.
[3] models ls zebra
    MODEL: there is no registered model 'zebra'; `mlmd models ls` lists them.
[6] models register '' churn@1
    MODEL: '' is empty, begins or ends with space, or is not printable.
[6] models register fraud churn@1
    WHAT: artifact 1 is version 1 of 'fraud' already; use that version.
[3] models resolve fraud/9
    URI: the model 'fraud' has no version '9'; its newest is number 2.
[3] models promote fraud champion @zebra
    VERSION: the model 'fraud' has no alias 'zebra'; it has 'champion'.
[6] models promote fraud champion 2 --expect 7
    --expect: the alias 'champion' of 'fraud' points at version 1, not 7; look at it again with `mlmd models
    ls fraud`.
[6] models promote fraud production 1 --override
    --reason: is empty; an override of gates needs one.
[6] models rollback fraud champion
    ALIAS: 'champion' of 'fraud' pointed at nothing before move 1; `mlmd models remove-alias fraud champion`
    lets it point at nothing.
[3] models webhooks rm 9
    WEBHOOK: there is no webhook 9; `mlmd models webhooks ls` lists them.
"""
"""The exit status and what was typed; below it the sentence."""


def _told() -> list[tuple[list[str], int, str]]:
    found = re.findall(r"^\[(\d)\] (.+)\n((?: {4}.+\n)+)", TOLD, re.MULTILINE)
    return [(shlex.split(words), int(status), " ".join(sentence.split())) for status, words, sentence in found]


@pytest.mark.parametrize(("words", "status", "sentence"), _told())
def test_a_sentence_names_what_was_typed_and_the_command_that_mends_it(
    ask: Run, words: list[str], status: int, sentence: str
) -> None:
    told = ask(*words)
    assert (told.err, told.out, told.status) == (f"mlmd: {sentence}\n", "", status)


@pytest.mark.parametrize("value", ["x" * 5000, "\x01" * 5000, "churn@" + "9" * 5000])
def test_a_value_that_is_very_long_is_not_repeated_to_its_end(ask: Run, value: str) -> None:
    told = ask("show", value)
    assert told.status in (3, 6)
    assert told.err.startswith("mlmd: WHAT: ")
    assert told.err.strip().isprintable()
    assert "…" in told.err
    assert len(told.err) < 800


def test_a_path_of_some_length_is_repeated_to_its_end(ask: Run, tmp_path: Path) -> None:
    path = tmp_path / ("d" * 150)
    assert f"'{path}/x.zip' cannot be written" in ask("export", f"{path}/x.zip").err


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["show", "caf\udce9"], "WHAT"),
        (["diff", "churn", "caf\udce9@1"], "AFTER"),
        (["get", "churn", "out", "--prefix", "caf\udce9"], "--prefix"),
        (["find", "runs", "name = 'caf\udce9'"], "WHERE"),
    ],
)
def test_text_that_is_no_utf_8_is_told_by_where_it_was_typed(ask: Run, words: list[str], name: str) -> None:
    told = ask(*words)
    assert (told.out, told.status) == ("", 6)
    assert re.fullmatch(rf"mlmd: {name}: .*caf\\udce9.* is no UTF-8, and names are; .*\n", told.err), told.err


def test_gates_that_are_not_met_are_overridden_by_options(ask: Run) -> None:
    told = ask("models", "promote", "fraud", "production", "1").err
    assert told.startswith("mlmd: VERSION: does not meet 1 of 1 gate of 'production': auc >= 0.99: ")
    assert told.endswith(" Mend that, or give --override and a --reason.\n")


@pytest.mark.parametrize(
    ("token", "words", "sentence"),
    [
        ("", ["ls"], "--token: this server wants a token; set MLMD_TOKEN to the one you have."),
        ("wrong", ["ls"], "MLMD_TOKEN: this server does not know the token; ask its operator for one."),
        ("wrong", ["export", "x.zip"], "MLMD_TOKEN: this server does not know the token; ask its operator for one."),
        (
            "reads",
            ["models", "register", "fraud", "s3://bucket/fraud"],
            "this needs the role writer, and 'bob' has the role reader; ask the operator for a token with that role.",
        ),
    ],
)
def test_a_token_is_told_by_where_it_was_given(
    guarded: str, monkeypatch: pytest.MonkeyPatch, token: str, words: list[str], sentence: str
) -> None:
    monkeypatch.setenv("MLMD_TOKEN", token)
    told = run_on(guarded)(*words)
    assert (told.err, told.out, told.status) == (f"mlmd: {sentence}\n", "", 5)


@pytest.mark.parametrize("words", [["ls"], ["runs", "churn"], ["find", "runs"]])
def test_a_limit_below_0_is_refused_by_its_option(ask: Run, words: list[str]) -> None:
    told = ask(*words, "--limit", "-1")
    assert (told.status, told.out) == (2, "")
    assert "'--limit': -1 is not in the range x>=0." in told.err


def _calls_and_fields() -> tuple[set[str], set[str]]:
    """Return the names of all calls and those of the fields of requests that are no words."""
    calls, fields = set(), set()
    modules = [
        importlib.import_module(f"mlmd_schemas.pb.v1.{found.name}")
        for found in pkgutil.iter_modules(mlmd_schemas.pb.v1.__path__)
        if found.name.endswith("_pb2")
    ]
    for module in (*modules, metadata_store_service_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                calls.add(method.name)
                fields |= {field.name for field in method.input_type.fields if "_" in field.name}
    return calls, fields


CALLS, FIELDS = _calls_and_fields()
WRONG = """
show churn@9|show churn@zebra|show churn@|show churn@0|show model:/churn|show models:/zebra@1|show execution:99
show context:99|show 7|show artifact:0|show artifact:99999999999999999999|find runs (|find runs --order zebra
find runs --order -|runs zebra|runs churn/zebra|runs churn/train/99|provenance zebra|impact both|compare churn zebra
metrics churn --matrix x.svg|metrics churn --roc x.svg --name zebra|get zebra|get churn@zebra out|get churn/train/1 out
get models:/zebra@a out|get models:/fraud@zebra out|get models:/fraud/77 out|get artifact:999 out|get execution:1 out
get churn out --prefix zebra|get churn /proc/zebra|models register x zebra
models register fraud both@1|models register fraud churn/train/1|models resolve zebra|models resolve fraud@zebra
models resolve fraud --as-of zebra|models resolve fraud@champion --as-of 1|models resolve models:/
models promote zebra champion 1|models promote fraud champion 99|models promote fraud latest 1
models promote fraud 3 1|models promote fraud production 1|models rollback fraud zebra|models rollback zebra champion
models remove-alias fraud zebra|models history zebra|models history fraud zebra|models check fraud production 99
models check zebra champion 1|models gates zebra|models gates zebra --set files|models gates fraud --set auc
models gates fraud --alias latest --set approved|models card fraud 99|models card fraud @zebra|models card zebra 1
models deployments zebra|models deploy fraud 99 prod svc|models approve fraud 99|models approve fraud 1 --withdraw
models describe zebra|models describe fraud 99|models archive zebra|models archive fraud 99|models archive fraud 1
models restore fraud 99|models webhooks deliveries 99|models webhooks add zebra|export /zebra/x.zip
"""


@pytest.mark.parametrize("line", [one for line in WRONG.split("\n") for one in line.split("|") if one])
def test_no_error_speaks_of_calls_fields_and_methods(ask: Run, line: str) -> None:
    told = ask(*line.split(" "))
    assert told.status in (3, 6), told
    (sentence,) = told.err.splitlines()
    words = set(re.findall(r"\w+", sentence))
    assert not words & CALLS, sentence
    assert not words & FIELDS, sentence
    assert not re.search(r"\w\(|\w=[.,;) ]|store\.", sentence), sentence
    assert re.match(r"mlmd: (?:[A-Z]+|--[a-z-]+): ", sentence), sentence


@pytest.mark.parametrize(
    "words",
    [
        [LONG],
        [f"--{LONG}"],
        ["ls", f"--{LONG}"],
        ["ls", "--limit", LONG],
        ["ls", f"--limit={LONG}"],
        ["models", LONG],
        ["put", f"{LONG}/a b", "kept"],
        ["--server", f"/{LONG}", "ls"],
        ["put", "--json", "x", "y", LONG],
    ],
)
def test_what_is_wrong_with_a_very_long_word_is_said_without_repeating_it(run: Run, words: list[str]) -> None:
    said = run(*words)
    assert said.status != 0
    assert len(said.err) < 700
    assert "Error: " in said.err or "mlmd: " in said.err
