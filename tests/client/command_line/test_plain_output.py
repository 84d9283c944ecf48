"""What the command writes to a file or a pipe: names as they are, lines whole, nothing that nobody knows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlmd_client.store import Store

from tests.client.command_line.conftest import Run


@pytest.mark.parametrize("name", ["data[red]", "[/]", "[bold]sales", ":smile:", "a:warning:b"])
def test_names_are_written_as_they_are(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("a")
    assert run("put", "a.txt", name).out.partition("  ")[0] == f"{name}@1"
    folder = tmp_path / name.replace("/", "")
    assert run("get", f"{name}@1", str(folder)).out == f"{folder}  1 file, 1 byte, verified\n"
    assert (folder / "a.txt").read_text() == "a"


@pytest.mark.parametrize("columns", ["", "40"])
@pytest.mark.parametrize("colours", ["", "1"])
def test_no_line_is_cut_or_folded(
    run: Run, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str, colours: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", colours)
    step, name = "a-step-of-a-long-name-" * 5, "data-of-a-long-name-" * 5
    (tmp_path / "a.txt").write_text("a")
    with Store(store) as made, made.run(f"long/{step}", capture=False) as of:
        of.log_dataset(name, tmp_path / "a.txt")
    for words in (("lineage", name), ("lineage", name, "--format", "table"), ("runs",), ("impact", f"long/{step}/1")):
        assert f"long/{step}/1" in run(*words).out, words
    for words in (("lineage", name), ("ls",), ("show", name), ("impact", f"long/{step}/1")):
        assert name in run(*words).out, words


def test_changes_are_told_of_a_commit_alone(run: Run, store: str, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    with Store(store) as made, made.run("code/step", capture=["command"]):
        pass
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    with Store(store) as made, made.run("code/step", capture=["command", "git"]):
        pass
    for number, dirty in ((1, None), (2, False)):
        (code,) = run("provenance", f"code/step/{number}", "--json").json["code"]
        assert code["dirty"] is dirty
        assert ("dirty" in run("provenance", f"code/step/{number}").out) is (dirty is not None)


@pytest.mark.parametrize("letters", ["ascii", "latin-1"])
def test_what_a_locale_has_no_letters_for_is_written_in_others(
    run: Run, store: str, tmp_path: Path, letters: str
) -> None:
    (tmp_path / "a.txt").write_text("a")
    run("put", "a.txt", "模型é")

    def said(*words: str) -> bytes:
        program = [sys.executable, "-m", "mlmd_client.command_line", "--server", store, *words]
        return subprocess.run(
            program, env=os.environ | {"PYTHONIOENCODING": letters}, stdout=subprocess.PIPE, check=True
        ).stdout

    for words in (("show", "模型é"), ("lineage", "模型é"), ("put", "a.txt", "模型é"), ("get", "模型é", "é")):
        assert said(*words), words
        if words[0] != "get":
            assert json.loads(said(*words, "--json").decode(letters)) == run(*words, "--json").json, words
    assert "\\u6a21\\u578b" in said("lineage", "模型é").decode(letters)
    assert (tmp_path / "é" / "a.txt").read_text() == "a"
