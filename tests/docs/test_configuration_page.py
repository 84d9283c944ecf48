"""docs/configuration.md: every option and variable that it names is real, its files are read, and it names them all."""

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlmd_api.callers import read_tokens
from mlmd_api.methods import Method, StreamMethod
from mlmd_schemas.caller import Role
from mlmd_server.cli import make_parser
from mlmd_server.google_flags import main as google_main
from mlmd_server.manual import BEGIN, END
from mlmd_server.options import OPTIONS
from mlmd_server.settings import CONFIG_VARIABLE, load_config
from mlmd_server.wiring import assemble

from tests.conftest import StartServer
from tests.services.server import READY_SECONDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text()
PROSE = PAGE.partition(BEGIN)[0] + PAGE.partition(END)[2]
GOOGLES = PAGE.partition("## In the place of Google's server")[2]
SOURCES = ("api", "artifact_store", "client", "mlmd_server", "model_registry", "schemas", "metadata_store")


def commands() -> Iterator[argparse.ArgumentParser]:
    for action in make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


def flags() -> set[str]:
    return {name for command in commands() for action in command._actions for name in action.option_strings}


def files() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", PAGE, flags=re.S)


def test_every_flag_that_the_page_names_is_one() -> None:
    ours = re.findall(r"--[a-z][a-z-]*[a-z]", PROSE.partition("## In the place of Google's server")[0])
    assert set(ours) - flags() == {"--database-ssl"}, "which stands for those that begin so"
    assert "`--database-ssl-*`" in PAGE


def test_every_variable_that_the_page_names_is_one() -> None:
    known = {option.variable for option in OPTIONS} | {CONFIG_VARIABLE}
    assert set(re.findall(r"MLMD_[A-Z_]*[A-Z]", PAGE)) - known == set()


@pytest.fixture
def methods(tmp_path: Path) -> list[Method | StreamMethod]:
    """Every method of a server."""
    config = load_config({"database": f"sqlite:///{tmp_path}/m.db", "grpc-port": "0"}, {}, None)
    listen = replace(config.listen, http_port=0)
    parts = assemble(replace(config, listen=listen))
    try:
        return [*parts.dispatcher.methods.values(), *parts.dispatcher.streams.values()]
    finally:
        parts.stores.close()


_READING = re.compile(
    "Get|List|Read|Find|Resolve|Compare|Diff|Matrix|Join|Export|Check|Diagnose|Explain|Watch|StreamDownloadUrls"
)
"""How the names of methods begin that change nothing."""
_SIGNED_FOR_WRITING = {"ListUploadUrls"}
"""What only answers, with that by which files are written."""


def test_readers_may_call_what_only_reads_and_writers_the_rest(methods: list[Method | StreamMethod]) -> None:
    for method in methods:
        reads = bool(_READING.match(method.name)) and method.name not in _SIGNED_FOR_WRITING
        if method.role in (Role.READER, Role.WRITER):
            assert (method.role is Role.READER) is reads, method.name


def test_the_calls_of_administrators_are_those_that_it_names(methods: list[Method | StreamMethod]) -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| `admin` |"))
    named = set(re.findall(r"`([A-Z]\w+)`", row))
    assert named == {method.name for method in methods if method.role is Role.ADMIN}
    roles = {method.name: method.role for method in methods}
    assert (roles["ListPins"], roles["PinArtifact"], roles["UnpinArtifact"]) == (Role.READER, Role.WRITER, Role.WRITER)
    assert {method.name for method in methods if method.role is None} == {"GetInfo"}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_option_is_told_by_flag_variable_and_key(option: object) -> None:
    name, variable, key = (getattr(option, part) for part in ("name", "variable", "key"))
    (row,) = (line for line in PAGE.splitlines() if line.startswith((f"| `--{name}`", f"| `--{name} ")))
    assert (f"`{variable}`" in row, f"`{key}`" in row, f"--{name}" in flags()) == (True, True, True)


def test_every_variable_that_a_program_of_ours_asks_is_told_somewhere() -> None:
    known = {option.variable for option in OPTIONS}
    asked = {
        name
        for folder in SOURCES
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r'"(MLMD_[A-Z_]*[A-Z])"', path.read_text())
    }
    told = "\n".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    assert len(asked) > 10
    assert {name for name in asked - known if not re.search(rf"\b{name}\b", told)} == set()


def test_the_example_of_tokens_lets_in_whom_it_says(tmp_path: Path) -> None:
    (tokens,) = (content for content in files() if "[[token]]" in content)
    (tmp_path / "tokens.toml").write_text(tokens)
    found = read_tokens(tmp_path / "tokens.toml")
    pipeline, dashboard = found.values()
    assert (pipeline.subject, pipeline.tenant, pipeline.roles) == (
        "training-pipeline",
        "vision",
        frozenset({Role.READER, Role.WRITER}),
    )
    assert (dashboard.subject, dashboard.roles) == ("dashboard", frozenset({Role.READER}))


def test_the_example_of_tenants_is_read(tmp_path: Path) -> None:
    (tenants,) = (content for content in files() if "[tenant." in content)
    (tmp_path / "tenants.toml").write_text(tenants)
    config = load_config({"tenants": str(tmp_path / "tenants.toml")}, {}, None)
    assert [name for name, _ in config.tenants] == ["vision", "speech"]
    assert config.database.url == "", "there is no default database"


def test_flag_variable_and_file_speak_in_that_order(tmp_path: Path) -> None:
    flag, variable, line = re.findall(r"`([^`]*9000)`", PAGE)
    file = tmp_path / "mlmd.toml"
    file.write_text(f'{line}\ncors_origins = ["https://kubeflow.example"]\n')
    assert 'cors_origins = ["https://kubeflow.example"]' in PAGE
    name, _, value = variable.partition("=")
    config = load_config({}, {}, str(file))
    assert (config.listen.grpc_port, config.listen.cors_origins) == (9000, ("https://kubeflow.example",))
    assert load_config({}, {name: value}, None).listen.grpc_port == 9000
    chosen = make_parser().parse_args(flag.split()[1:])
    assert vars(chosen)["grpc-port"] == "9000"
    assert load_config({"grpc-port": "1"}, {name: "2", CONFIG_VARIABLE: str(file)}, None).listen.grpc_port == 1
    assert load_config({}, {name: "2", CONFIG_VARIABLE: str(file)}, None).listen.grpc_port == 2


def test_a_value_that_cannot_be_used_ends_with_status_2_and_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlmd_server.cli", "serve", "--grpc-port", "no"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert "grpc-port" in sentence
    assert "'no'" in sentence


def test_it_prints_what_the_page_says(start_server: StartServer, sqlite_url: str) -> None:
    (shown,) = re.findall(r"((?:^    .*listening on.*\n)+    ready\n)", PAGE, flags=re.M)
    server = start_server(sqlite_url, http=True)
    until = time.monotonic() + READY_SECONDS
    while "ready" not in server.stdout.read_text():
        assert time.monotonic() < until, server.output()
        time.sleep(0.02)
    printed = [re.sub(r":\d+$", "", line) for line in server.stdout.read_text().splitlines()]
    assert printed == [re.sub(r":\d+$", "", line.strip()) for line in shown.splitlines()]


@pytest.mark.parametrize("name", ["GRPC_PORT", "METADATA_STORE_SERVER_CONFIG_FILE"])
def test_googles_variables_are_asked(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"`{name}`" in GOOGLES
    monkeypatch.setenv(name, "/no/such/port-or-file")
    assert google_main([]) != 0
    assert "/no/such/port-or-file" in capsys.readouterr().err
