"""Tokens that are replaced while a run goes on, and files that hold none."""

import time
from pathlib import Path

import pytest
from mlmd_client import CallError, Denied, Store
from mlmd_client.tokens import Token

from tests.conftest import StartServer


def let_in(tokens: Path, token: str) -> None:
    """Let the server know one token and no other."""
    tokens.write_text(f'[[token]]\ntoken = "{token}"\nsubject = "amy"\nroles = ["writer"]\n')


def wait_for(target: str, token: str) -> None:
    """Wait until a server has read that it knows a token."""
    with Store(target, token=token) as store:
        while True:
            try:
                store.find("artifacts", limit=1)
            except Denied:
                time.sleep(0.1)
            else:
                return


def test_a_run_goes_on_with_the_token_that_came_into_the_file(
    sqlite_url: str, start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, mine = tmp_path / "tokens.toml", tmp_path / "mine"
    let_in(tokens, "first")
    mine.write_text("first\n")
    monkeypatch.setenv("MLMD_TOKEN_FILE", str(mine))
    server = start_server(sqlite_url, http=True, options=("--auth", f"tokens={tokens}"))
    target = f"grpc://{server.target}"
    with Store(target) as store:
        with store.run("tokens/replaced", finish_seconds=60) as run:
            run.metric("loss", 1.0, step=0)
            assert run.flush() == 0
            let_in(tokens, "second")
            wait_for(target, "second")
            with pytest.raises(Denied, match="does not know the token"):
                store["m"]
            run.metric("loss", 2.0, step=1)
            mine.write_text("second\n")
            assert run.log_model("m", {"w": 1}).load() == {"w": 1}, "the bytes go up and down with it too"
        assert store.run_facts("tokens/replaced/1").state == "COMPLETE"
        assert store.compare("tokens/replaced/1").table().where(figure="loss")[0]["tokens/replaced/1"] == 2.0


def test_what_was_given_counts_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("c\n")
    told = {"MLMD_TOKEN": "b", "MLMD_TOKEN_FILE": str(file)}
    assert dict(Token.chosen("a\n", told)) == {"authorization": "Bearer a"}
    assert dict(Token.chosen("", told)) == {"authorization": "Bearer b"}
    assert dict(Token.chosen("", {"MLMD_TOKEN_FILE": str(file)})) == {"authorization": "Bearer c"}
    assert dict(Token.chosen("", {})) == {}


def test_a_file_without_a_token_is_told_by_name_and_may_be_there_later(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(CallError, match=r"^MLMD_TOKEN_FILE: '.*token' cannot be read: No such file") as missing:
        Token("", file)
    file.write_text(" \n")
    with pytest.raises(CallError, match=r"^MLMD_TOKEN_FILE: '.*token' is empty") as empty:
        Token("", file)
    assert (missing.value.code, empty.value.code) == (16, 16), "UNAUTHENTICATED, after which is tried again"
    file.write_text("schlüssel")
    with pytest.raises(CallError, match=r"^MLMD_TOKEN_FILE: has a character"):
        Token("", file)
