"""Completion as people have it: the script in a real shell on a terminal, and the Tab key."""

import os
import pty
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from click.shell_completion import CompletionItem
from mlmd_client.command_line.commands import mlmd
from mlmd_client.command_line.completion import _Bash
from mlmd_client.store import Store

from tests.conftest import StartServer
from tests.services.missing import HINT, missing

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "--interactive"],
}
SETUP = {
    "bash": 'PS1=; bind "set enable-bracketed-paste off"; bind "set show-all-if-ambiguous on"',
    "zsh": "PS1=; unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; bindkey -e",
    "fish": "function fish_prompt; end; function fish_greeting; end; set -g fish_autosuggestion_enabled 0",
}
_POSIX_PRINT = 'print_line() { printf "%s " "$@"; printf "\\n"; }'
PRINT = {
    "bash": _POSIX_PRINT,
    "zsh": _POSIX_PRINT,
    "fish": 'function print_line; printf "%s " $argv; printf "\\n"; end',
}
LONGEST_SECONDS = 120.0
START_OF_LINE, TAB = "\x01", "\t"


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._master, slave = pty.openpty()
        self.path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": self.path, "HOME": str(folder), "TERM": "xterm", "LANG": "C.UTF-8", "COLUMNS": "200"}
        command = ["setsid", "--ctty", *SHELLS[name]]  # fish wants the terminal to be its own
        self._process = subprocess.Popen(command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self._seen = ""
        self._count = 0

    def say(self, line: str) -> str:
        """Type a line, press Return, and return what came until it was done."""
        self._count += 1
        mark = f"done-{self._count}-"
        began = len(self._seen)
        self._type(f"{line}\n")
        self._type(f"echo {mark[:4]}'{mark[4:]}'\n")  # apart, so that the line as it is typed is not the mark
        self._wait(mark)
        return self._seen[began:]

    def forget(self, variable: str) -> None:
        """Take a variable out of the environment."""
        self.say(f"set -e {variable}" if self._name == "fish" else f"unset {variable}")

    def completed(self, typed: str) -> str:
        """Type the beginning of a command, press Tab, and return the command line as the shell has it then."""
        self._count += 1
        first, last = f"<{self._count}:", f":{self._count}>"
        self._type(f"{typed}{TAB}")
        self._type(f"{START_OF_LINE}print_line '{first[0]}''{first[1:]}' ")
        self._type("\x05 '" + last[0] + "''" + last[1:] + "'\n")
        self._wait(last)
        found = self._seen.rpartition(first)[2]
        return found.partition(last)[0].strip()

    def _type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def _wait(self, mark: str) -> None:
        until = time.monotonic() + LONGEST_SECONDS
        while mark not in self._seen:
            ready, _, _ = select.select([self._master], [], [], 1)
            if ready:
                self._seen += os.read(self._master, 65536).decode(errors="replace")
            assert time.monotonic() < until, f"{self._name} does not go on:\n{self._seen[-3000:]}"

    def __enter__(self) -> Self:
        self.say(SETUP[self._name])
        self.say(PRINT[self._name])
        self.say(f'eval "$(mlmd completion {self._name})"')
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)


@pytest.fixture(params=sorted(SHELLS))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """Each shell with the completion in it, in a folder with one file."""
    if shutil.which(request.param) is None:
        missing(f"{request.param} is not on this machine; {HINT}")
    (tmp_path / "churn-train.csv").write_text("x\n1\n")
    with Shell(request.param, tmp_path) as opened:
        yield opened


def test_the_tab_key_completes(shell: Shell) -> None:
    for typed, line in (
        ("mlmd prov", "mlmd provenance"),
        ("mlmd --serv", "mlmd --server"),
        ("mlmd models prom", "mlmd models promote"),
        ("mlmd lineage churn --form", "mlmd lineage churn --format"),
        ("mlmd lineage churn --format mer", "mlmd lineage churn --format mermaid"),
        ("mlmd runs --state FAI", "mlmd runs --state FAILED"),
        ("mlmd ls data", "mlmd ls datasets"),
        ("mlmd put chu", "mlmd put churn-train.csv"),
        ("mlmd nothing-like-it", "mlmd nothing-like-it"),
    ):
        assert shell.completed(typed) == line


def test_the_tab_key_opens_no_store(shell: Shell, tmp_path: Path) -> None:
    assert shell.completed("mlmd show ch").startswith("mlmd show ch")
    assert [path.name for path in tmp_path.iterdir() if path.name == "mlmd-data"] == []


OFFERED = (
    ("mlmd show fraud-m", "mlmd show fraud-model"),
    ("mlmd show under_", "mlmd show under_score"),
    ("mlmd show fraud-model@be", "mlmd show fraud-model@best"),
    ("mlmd show system.Model/fraud-m", "mlmd show system.Model/fraud-model"),
    ("mlmd show system.Model/fraud-model@be", "mlmd show system.Model/fraud-model@best"),
    ("mlmd lineage fraud/tr", "mlmd lineage fraud/train/1"),
    ("mlmd runs frau", "mlmd runs fraud"),
    ("mlmd runs fraud/tr", "mlmd runs fraud/train"),
    ("mlmd put churn-train.csv fraud-m", "mlmd put churn-train.csv fraud-model"),
    ("mlmd put churn-train.csv x --type=mod", "mlmd put churn-train.csv x --type=model"),
    ("mlmd models promote detec", "mlmd models promote detector"),
    ("mlmd models promote detector cham", "mlmd models promote detector champion"),
    ("mlmd models promote detector champion @cham", "mlmd models promote detector champion @champion"),
    ("mlmd get models:/detector@cham", "mlmd get models:/detector@champion"),
    ("mlmd models resolve detector@cham", "mlmd models resolve detector@champion"),
    ("mlmd models deployments --environment pro", "mlmd models deployments --environment prod"),
)


PATIENT = """\
from mlmd_client.command_line import main, offers
offers.CALL_SECONDS = offers.LONGEST_SECONDS = 100.0
main()
"""
"""The program, waiting for a server that is there as long as it takes."""


def test_the_tab_key_offers_what_the_store_has(
    shell: Shell, start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    target = f"grpc://{start_server(sqlite_url, http=True).target}"
    with Store(target) as store:
        with store.run("fraud/train") as run:
            model = run.log_model("fraud-model", {"w": 1})
            run.log_model("under_score", {"w": 1})
        model.set_alias("best")
        store.models["detector"].register(model).promote("champion").deployed("prod", "scorer")
    (tmp_path / "mlmd").write_text(f"#!{sys.executable}\n{PATIENT}")
    (tmp_path / "mlmd").chmod(0o755)
    shell.say(f"export MLMD_SERVER={target}; export PATH={tmp_path}:{shell.path}")
    for typed, line in OFFERED:
        assert shell.completed(typed) == line
    shell.forget("MLMD_SERVER")
    assert shell.completed(f"mlmd --server {target} show fraud-m") == f"mlmd --server {target} show fraud-model"


def test_the_tab_key_is_silent_when_nobody_answers(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections and never says a word
        for address in ("127.0.0.1:1", f"127.0.0.1:{mute.getsockname()[1]}"):
            shell.say(f"export MLMD_SERVER=grpc://{address}")
            assert shell.completed("mlmd show fraud") == "mlmd show fraud"
            assert shell.completed("mlmd models promote fraud cham") == "mlmd models promote fraud cham"


def test_what_bash_would_split_is_quoted() -> None:
    shown = _Bash(mlmd, {}, "mlmd", "_MLMD_COMPLETE").format_completion
    assert [shown(CompletionItem(value)) for value in ("churn@3", "my model")] == ["plain,churn@3", "plain,'my model'"]
