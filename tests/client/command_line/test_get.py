"""`mlmd get` into folders that have something in them: in this process and from a server."""

from pathlib import Path

import pytest
from mlmd_client.failures import Refused
from mlmd_client.store import Store

from tests.client.command_line.conftest import Run, run_on
from tests.client.places import read_files, write_files
from tests.conftest import StartServer


@pytest.fixture(params=["embedded", "served"])
def target(request: pytest.FixtureRequest, start_server: StartServer, sqlite_url: str, tmp_path: Path) -> str:
    """An empty store of each kind."""
    if request.param == "embedded":
        return str(tmp_path / "store")
    return f"grpc://{start_server(sqlite_url, http=True).target}"


@pytest.fixture
def run(target: str) -> Run:
    """The command on it."""
    return run_on(target)


def test_get_replaces_no_file_of_others_unless_told(run: Run, tmp_path: Path) -> None:
    write_files(tmp_path / "model", {"model.pkl": b"weights", "notes.md": b"theirs"})
    assert run("put", "model", "fraud").status == 0
    here = write_files(tmp_path / "here", {"notes.md": b"mine"})
    refused = run("get", "fraud", str(here), "--json")
    assert (refused.status, refused.out) == (6, "")
    assert refused.err == (
        f"mlmd: TARGET: {str(here)!r} has another 'notes.md', whose bytes no version of this name has, and it would be "
        "lost; move it away, choose another target, or give --overwrite.\n"
    )
    assert read_files(here) == {"notes.md": b"mine"}
    assert run("get", "fraud", str(here), "--overwrite", "--json").json["files_there_already"] == 0
    assert read_files(here) == {"model.pkl": b"weights", "notes.md": b"theirs"}
    (here / "model.pkl").unlink()  # as where one broke off
    assert run("get", "fraud", str(here), "--json").json["files_there_already"] == 1
    assert read_files(here) == {"model.pkl": b"weights", "notes.md": b"theirs"}


@pytest.mark.parametrize("uri", ["s3://bucket/new", "file:///srv/models"])
def test_a_target_that_is_a_uri_is_refused(target: str, run: Run, tmp_path: Path, uri: str) -> None:
    write_files(tmp_path, {"a.txt": b"text"})
    run("put", "a.txt", "text")
    there = sorted(tmp_path.iterdir())
    refused = run("get", "text", f"{uri}/")
    assert (refused.status, refused.out) == (6, "")
    assert refused.err == (
        f"mlmd: TARGET: {uri!r} is a URI, and files are fetched into a folder of this machine; name a folder, and copy "
        "them on from there with a client of that place.\n"
    )
    assert sorted(tmp_path.iterdir()) == there
    with Store(target) as store, pytest.raises(Refused, match=f"target: '{uri}' is a URI"):
        store["text"].download(f"{uri}/")


def test_a_deployment_gets_each_version_into_its_folder(run: Run, tmp_path: Path) -> None:
    for number in (1, 2):
        write_files(tmp_path / "model", {"model.pkl": b"weights %d" % number})
        run("put", "model", "fraud", "--type", "model")
        run("models", "register", "fraud", f"fraud@{number}")
    for number in (1, 2, 1):
        assert run("models", "promote", "fraud", "champion", str(number)).status == 0
        assert run("get", "models:/fraud@champion", "served").status == 0
        assert read_files(tmp_path / "served") == {"model.pkl": b"weights %d" % number}


def test_the_function_is_as_careful(target: str, run: Run, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": b"theirs"})
    run("put", "a.txt", "text")
    here = write_files(tmp_path / "here", {"a.txt": b"mine"})
    with Store(target) as store:
        with pytest.raises(Refused, match=r"another 'a.txt'.* or say overwrite=True\."):
            store["text"].download(here)
        assert read_files(here) == {"a.txt": b"mine"}
        assert store["text"].download(here, overwrite=True).read_bytes() == b"theirs"
        (cached := store["text"].path).write_bytes(b"spoilt")
        assert store["text"].path == cached
        assert cached.read_bytes() == b"theirs", "the cache is ours, and mended"


@pytest.mark.parametrize("folder", [".", "", "..", "absolute"])
def test_the_function_takes_any_name_of_a_folder(
    target: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    write_files(tmp_path, {"a.txt": b"theirs"})
    run("put", "a.txt", "text")
    (tmp_path / "above" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "above" / "here")
    named = folder if folder != "absolute" else f"{tmp_path}/above/"
    with Store(target if target.startswith("grpc") else str(tmp_path / "store")) as store:
        got = store["text"].download(named)
    assert got.read_bytes() == b"theirs"
    assert got.resolve() == (Path(named) / "a.txt").resolve()


def test_bytes_that_somebody_moved_are_told_with_the_mend(run: Run, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": b"a"})
    uri = run("put", "a.txt", "text", "--json").json["uri"]
    Path(uri.removeprefix("file://")).rename(tmp_path / "elsewhere")
    said = run("get", "text", "out")
    assert (said.status, said.out) == (3, "")
    assert "a.txt' in the artifact folder, which artifact 1 has by its manifest: it was moved or deleted" in said.err
    assert said.err.endswith("put it back from a copy.\n")


def test_a_target_that_is_no_utf_8_is_told_when_it_is_there(run: Run, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": b"a"})
    run("put", "a.txt", "text")
    said = run("get", "text", "caf\udce9")
    assert (said.status, said.err) == (0, "")
    assert said.out.endswith("caf\\udce9  1 file, 1 byte, verified\n")
    assert run("get", "text", "caf\udce9", "--json").json["path"].endswith("caf\udce9")
    assert read_files(tmp_path / "caf\udce9") == {"a.txt": b"a"}


def test_a_target_whose_name_is_too_long_is_told_as_one(run: Run, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": b"a"})
    run("put", "a.txt", "text")
    said = run("get", "text", "t" * 290)
    assert (said.status, said.out) == (6, "")
    assert said.err.startswith("mlmd: TARGET: ")
    assert said.err.endswith(" cannot be written (File name too long).\n")


def test_a_property_of_more_levels_than_are_read_is_text(run: Run, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": b"a"})
    deep = "[" * 100_000
    assert run("put", "a.txt", "text", "-p", f"deep={deep}").status == 0
