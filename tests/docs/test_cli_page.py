"""docs/cli.md: what it shows is what its commands say, on a terminal too, and its tables leave nothing out."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from mlmd_client.command_line import statuses
from mlmd_client.command_line.commands import mlmd

from tests.client.terminal import on_terminal

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()
PROGRAM = str(Path(sys.executable).parent / "mlmd")
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def shown() -> dict[str, str]:
    """Return the answers that the page shows, by command line."""
    (block,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.S)
    found = re.findall(r"^\$ (mlmd .*)\n((?:(?!\$ ).*\n)*)", block, flags=re.M)
    return {command: answer.strip("\n") for command, answer in found}


def table(heading: str) -> list[list[str]]:
    """Return the cells of the table that begins with a heading."""
    lines = PAGE[PAGE.index(heading) :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the page's own script has run."""
    place = tmp_path_factory.mktemp("page")
    (place / "train.csv").write_text("x,y\n1,a\n2,b\n")
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    subprocess.run([sys.executable, "-c", script], cwd=place, env=surroundings(place), check=True)
    return place


def surroundings(place: Path) -> dict[str, str]:
    """Return the environment of somebody who follows the page."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLMD_", "COLUMNS", "LINES"))}
    places = {"MLMD_JOURNAL": str(place / "journal"), "MLMD_CACHE": str(place / "cache"), "MLMD_CAPTURE": "off"}
    return kept | places | {"TERM": "xterm", "PYTHONIOENCODING": "utf-8"}


def words(command: str) -> list[str]:
    return [PROGRAM, *shlex.split(command)[1:]]


def timeless(text: str) -> str:
    """Return a text in which every time is the same one."""
    return TIME.sub("2026-11-26 06:00:03", text)


def test_the_page_shows_enough() -> None:
    assert {shlex.split(command)[1] for command in shown()} == {"ls", "runs", "lineage", "diff", "compare", "find"}


@pytest.mark.parametrize("command", list(shown()))
def test_an_answer_is_what_the_page_shows(command: str, folder: Path) -> None:
    done = subprocess.run(
        words(command), cwd=folder, env=surroundings(folder), capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert timeless(done.stdout).rstrip("\n") == timeless(shown()[command])


@pytest.mark.parametrize("command", list(shown()))
def test_a_person_at_a_terminal_sees_the_same(command: str, folder: Path) -> None:
    drawn = on_terminal(words(command), folder, surroundings(folder), 160, whole=True)
    assert drawn.status == 0

    def cells(text: str) -> list[list[str]]:
        return [line.split() for line in timeless(text).splitlines() if line.strip()]

    assert cells(COLOURS.sub("", drawn.terminal)) == cells(shown()[command])


def test_every_command_is_in_the_table_and_no_other() -> None:
    told = {name for row in table("| command |") for name in re.findall(r"`mlmd ([a-z]+)", row[0])}
    assert told == set(mlmd.commands)
    group = mlmd.commands["models"]
    assert isinstance(group, click.Group)
    (models,) = (row for row in table("| command |") if row[0].startswith("`mlmd models"))
    assert set(re.findall(r"`([a-z-]+)`", models[1])) == set(group.commands)


@pytest.mark.parametrize("row", table("| command |"), ids=lambda row: re.findall(r"mlmd (\w+)", row[0])[0])
def test_every_option_that_the_table_names_is_there(row: list[str]) -> None:
    parts = re.findall(r"`(mlmd [^`]*)`", row[0])
    assert parts
    for part in parts:
        command = mlmd.commands[part.split()[1]]
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        named = set(re.findall(r"(?<![\w-])--[a-z-]+", " ".join(row)))
        others = {
            name
            for other in mlmd.commands.values()
            for parameter in other.params
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        mine = set(re.findall(r"--[a-z-]+", part))
        assert mine <= known, f"{part}: {mine - known}"
        assert named <= known | others


@pytest.mark.parametrize(
    ("command", "makes"),
    [("ls", False), ("find runs ''", False), ("models ls", False), ("export out.zip", False), ("doctor", True)],
)
def test_what_makes_a_store_is_told(command: str, makes: bool, tmp_path: Path) -> None:
    (told,) = re.findall(r"only (`put`.*?)[.]\n", PAGE, flags=re.S)
    assert (f"`{command.split()[0]}`" in told) == makes
    done = subprocess.run(
        words(f"mlmd {command}"), cwd=tmp_path, env=surroundings(tmp_path), capture_output=True, text=True, check=False
    )
    assert ((tmp_path / "mlmd-data").exists(), done.returncode) == ((True, 0) if makes else (False, 3)), done.stderr


def test_too_few_to_compare_is_told_of_the_argument(folder: Path) -> None:
    done = subprocess.run(
        words("mlmd compare churn@1"), cwd=folder, env=surroundings(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "WHAT: 1 given; name at least 2 versions or runs." in done.stderr


def test_the_statuses_are_those_of_the_code() -> None:
    written = re.findall(r"^\| (\d+) \| (.*) \|$", statuses.__doc__ or "", flags=re.M)
    assert [row[0] for row in table("| status |")] == [number for number, _ in written]
    names = ("FAILED", "WRONG_USE", "ABSENT", "UNREACHABLE", "DENIED", "REFUSED", "FOUND_WRONG", "INTERRUPTED")
    assert [getattr(statuses, name) for name in names] == [int(row[0]) for row in table("| status |")][1:]


def test_the_doctors_checks_are_those_it_makes(folder: Path) -> None:
    told = [name for row in table("| check |") for name in re.findall(r"`([a-z ]+)`", row[0])]
    said = subprocess.run(
        [PROGRAM, "doctor"], cwd=folder, env=surroundings(folder), capture_output=True, text=True, check=True
    ).stdout
    seen = [re.split(r"\s{2,}", line)[0] for line in said.splitlines()[1:]]
    assert [*seen, "http"] == told, "a store of this process has no HTTP listener"
