"""Who is asking: bearer tokens from a file that may change."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from mlmd_api import callers
from mlmd_api.callers import Everybody, TokenFile, read_tokens
from mlmd_schemas.caller import Role
from mlmd_schemas.errors import InvalidArgument, Unauthenticated

Write = Callable[[Path, str, tuple[int, int]], None]
DIGEST = hashlib.sha256(b"t-walt").hexdigest()
TOKENS = f"""
[[token]]
token = "t-rita"
subject = "rita"

[[token]]
sha256 = "{DIGEST.upper()}"
subject = "walt"
tenant = "vision"
roles = ["writer"]

[[token]]
token = "t-anna"
subject = "anna"
roles = ["reader", "admin"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.toml"
    path.write_text(TOKENS)
    return path


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_token_says_who_for_whom_and_what_for(file: Path) -> None:
    known = TokenFile(file)
    rita, walt, anna = (known.identify(_bearer(f"t-{name}")) for name in ("rita", "walt", "anna"))
    assert (rita.subject, rita.tenant, rita.roles) == ("rita", "", frozenset({Role.READER}))
    assert (walt.subject, walt.tenant, walt.roles) == ("walt", "vision", frozenset({Role.READER, Role.WRITER}))
    assert anna.roles == set(Role)


def test_the_scheme_may_be_spelt_in_any_case(file: Path) -> None:
    assert TokenFile(file).identify({"authorization": "bearer  t-rita "}).subject == "rita"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic t-rita",
        "t-rita",
        "Bearer t-rit",
        "Bearer t-ritaa",
        f"Bearer {DIGEST}",
        "Bearer ü",
    ],
)
def test_anything_else_is_refused(file: Path, header: str) -> None:
    with pytest.raises(Unauthenticated, match=r"^authorization: "):
        TokenFile(file).identify({"authorization": header})


def test_without_a_header_nobody_is_known(file: Path) -> None:
    with pytest.raises(Unauthenticated):
        TokenFile(file).identify({})


def test_a_changed_file_is_read_again_and_a_broken_one_is_not(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(callers, "_LOOK_EVERY_SECONDS", 0.0)
    known = TokenFile(file)
    file.write_text('[[token]]\ntoken = "t-nora"\nsubject = "nora"\n')
    assert known.identify(_bearer("t-nora")).subject == "nora"
    with pytest.raises(Unauthenticated):
        known.identify(_bearer("t-rita"))
    for broken in ("[[token]\n", "token = [1]\n"):
        file.write_text(broken)
        assert known.identify(_bearer("t-nora")).subject == "nora"
    file.write_text("[[token]\n")
    assert known.identify(_bearer("t-nora")).subject == "nora"
    assert "stay in force" in caplog.text
    os.unlink(file)
    assert known.identify(_bearer("t-nora")).subject == "nora"


def in_place(file: Path, text: str, times: tuple[int, int]) -> None:
    """Write the same number of bytes at another time."""
    file.write_text(text)
    os.utime(file, ns=(times[0], times[1] + 1))


def longer(file: Path, text: str, times: tuple[int, int]) -> None:
    """Write more bytes at the same time, as far as the file tells."""
    file.write_text(f"{text}\n")
    os.utime(file, ns=times)


def another(file: Path, text: str, times: tuple[int, int]) -> None:
    """Put another file of the same size and time in its place."""
    file.with_suffix(".new").write_text(text)
    os.utime(file.with_suffix(".new"), ns=times)
    file.with_suffix(".new").rename(file)


@pytest.mark.parametrize("write", [in_place, longer, another])
def test_any_sign_of_a_change_has_the_file_read_again(
    file: Path, write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(callers, "_LOOK_EVERY_SECONDS", 0.0)
    caplog.set_level("INFO")
    known, state = TokenFile(file), file.stat()
    known.identify(_bearer("t-rita"))
    assert "read the tokens again" not in caplog.text
    write(file, TOKENS.replace("t-rita", "t-nora"), (state.st_atime_ns, state.st_mtime_ns))
    for _ in range(3):
        assert known.identify(_bearer("t-nora")).subject == "rita"
    assert caplog.messages == [f"read the tokens again: 3 in {file}"]


def test_a_file_that_cannot_be_read_is_told_once_and_when_it_comes_again(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(callers, "_LOOK_EVERY_SECONDS", 0.0)
    known, away = TokenFile(file), file.with_suffix(".away")
    for times in (1, 2):
        file.rename(away)
        for _ in range(5):
            known.identify(_bearer("t-rita"))
        assert caplog.text.count("stay in force") == times
        away.rename(file)
        known.identify(_bearer("t-rita"))


def test_a_pipe_in_the_place_of_the_file_holds_nobody_up(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(callers, "_LOOK_EVERY_SECONDS", 0.0)
    tokens = TokenFile(file)
    file.unlink()
    os.mkfifo(file)
    assert tokens.identify({"authorization": "Bearer t-rita"}).subject == "rita"
    assert "is a pipe now" in caplog.text
    file.unlink()
    file.write_text('[[token]]\ntoken = "t-nora"\nsubject = "nora"\n')
    assert tokens.identify({"authorization": "Bearer t-nora"}).subject == "nora"


def test_the_file_is_not_looked_at_for_every_call(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "_LOOK_EVERY_SECONDS", 3600.0)
    known = TokenFile(file)
    file.write_text("")
    assert known.identify(_bearer("t-rita")).subject == "rita"
    monkeypatch.setattr(callers, "_LOOK_EVERY_SECONDS", 0.0)
    with pytest.raises(Unauthenticated):
        known.identify(_bearer("t-rita"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[token]]\nsubject='a'", "exactly one of token and sha256"),
        (f"[[token]]\nsubject='a'\ntoken='x'\nsha256='{DIGEST}'", "exactly one of token and sha256"),
        ("[[token]]\ntoken='x'", "has no subject"),
        ("[[token]]\nsubject='a'\nsha256='abc'", "64 hexadecimal digits"),
        (f"[[token]]\nsubject='a'\nsha256='{DIGEST[:-1]}'", "64 hexadecimal digits"),
        (f"[[token]]\nsubject='a'\nsha256='{DIGEST[:-1]}g'", "64 hexadecimal digits"),
        ("token=5", "table of its own"),
        ("[[token]]\nsubject='a'\ntoken='x'\nroles=['owner']", "choose among reader, writer and admin"),
        ("[[token]]\nsubject='a'\ntoken='x'\nroles=[]", "choose among reader, writer and admin"),
        ("[[token]]\nsubject='a'\ntoken='x'\nteam='b'", "'team'"),
        ("[token]\nsubject='a'", "table of its own"),
        ("token=['x']", "table of its own"),
        ("token=[1]", "table of its own"),
        ("[[token]]\nsubject='a'\ntoken=5", "token is no text"),
        ("[[token]]\nsubject='a'\nsha256=[]", "sha256 is no text"),
        ("[[token]]\nsubject=''\ntoken='x'", "has no subject"),
        ("[[token]]\nsubject=0\ntoken='x'", "subject is 0, which is no text"),
        ("[[token]]\nsubject='a'\ntoken=''", "nothing that a header can carry"),
        ("[[token]]\nsubject='a'\ntoken=' x'", "nothing that a header can carry"),
        ("[[token]]\nsubject='a'\ntoken='é'", "nothing that a header can carry"),
        ("[[tokens]]\nsubject='a'\ntoken='x'", "and nothing else"),
        ("[[token]]\nsubject='a'\ntoken='x'\n[[token]]\nsubject='b'\ntoken='x'", "token 2 of"),
        ("[[token]]\nsubject=7\ntoken='x'", "subject is 7, which is no text"),
        ("[[token]]\nsubject='a'\ntoken='x'\ntenant=true", "tenant is True, which is no text"),
        ("[[token]]\nsubject='a'\ntoken='x'\nroles='writer'", "write a list"),
        ("[[token]]\nsubject='a'\ntoken='x'\nroles=3", "write a list"),
        ("[[token]]\nsubject='a'\ntoken='x'\nroles=[['writer']]", "choose among reader, writer and admin"),
        ("[[token", "cannot be read"),
    ],
)
def test_a_wrong_file_is_told_by_entry_and_reason(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=r"^auth: ") as caught:
        read_tokens(path)
    assert reason in caught.value.message
    assert "'x'" not in caught.value.message, "a token must not be shown"


SECRETS = ("31415926", "3.1415926", "['31415926']", "{a = '31415926'}", "true31415926", "31415926x", "'31415926' x")


@pytest.mark.parametrize("name", ["token", "sha256"])
@pytest.mark.parametrize("written", SECRETS)
def test_a_secret_of_the_wrong_shape_is_not_shown(tmp_path: Path, name: str, written: str) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(f"[[token]]\nsubject = 'a'\n{name} = {written}\n")
    with pytest.raises(InvalidArgument, match=r"^auth: ") as caught:
        read_tokens(path)
    assert "1415926" not in caught.value.message
    assert name in caught.value.message or "line 3" in caught.value.message


def test_an_empty_file_lets_nobody_in_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "tokens.toml"
    path.write_bytes(b"")
    assert read_tokens(path) == {}
    assert "nobody may call" in caplog.text


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot be read"):
        TokenFile(tmp_path / "none.toml")


def test_everybody_is_an_administrator_or_a_reader() -> None:
    assert Everybody().identify({}).roles == set(Role)
    assert Everybody(read_only=True).identify({}).roles == {Role.READER}
