"""Names that others wrote: no command to the terminal, and columns that stand below each other."""

import contextlib
import os
import sqlite3
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_client.store import Store
from mlmd_client.tables import Table
from mlmd_client.terminal_text import harmless, in_columns, width
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_server.embedded import open_embedded
from rich.cells import cell_len

from tests.client.command_line.conftest import run_on
from tests.client.terminal import on_terminal

CLEARS = "\x1b[2J\x1b]0;owned\x07"
NAME = f"clear{CLEARS}\u202eed"
COMMANDS = (
    ("find", "artifacts", "name LIKE 'clear%'"),
    ("show", "artifact:1"),
    ("lineage", "artifact:1"),
    ("runs",),
    ("ls",),
)


@pytest.fixture
def target(tmp_path: Path) -> str:
    """A store in which somebody gave an artifact, its type, a property and an execution a name with commands."""
    transport = open_embedded(str(tmp_path / "store"))
    path = "/ml_metadata.MetadataStoreService/"
    typed = transport.unary(
        f"{path}PutTypes",
        service.PutTypesRequest(
            artifact_types=[pb.ArtifactType(name=f"T{CLEARS}")], execution_types=[pb.ExecutionType(name=f"E{CLEARS}")]
        ),
        service.PutTypesResponse,
    )
    artifact = pb.Artifact(type_id=typed.artifact_type_ids[0], name=NAME, uri=f"s3://b/{CLEARS}")
    artifact.custom_properties[f"p{CLEARS}"].string_value = CLEARS
    request = service.PutExecutionRequest(execution=pb.Execution(type_id=typed.execution_type_ids[0], name=NAME))
    request.artifact_event_pairs.add(artifact=artifact, event=pb.Event(type=pb.Event.OUTPUT))
    transport.unary(f"{path}PutExecution", request, service.PutExecutionResponse)
    transport.close()
    return str(tmp_path / "store")


@pytest.mark.parametrize("words", COMMANDS)
def test_nothing_that_is_shown_is_a_command(target: str, words: tuple[str, ...], tmp_path: Path) -> None:
    piped = run_on(target)(*words)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm-256color"}
    program = [str(Path(sys.executable).parent / "mlmd"), "--server", target, *words]
    drawn = on_terminal(program, tmp_path, environment, 120, whole=True)
    assert (piped.status, drawn.status) == (0, 0)
    for text in (piped.out + piped.err, drawn.terminal):
        assert "\x1b[2J" not in text
        assert "\x07" not in text
        assert "\u202e" not in text


def test_they_were_there_to_be_shown(target: str) -> None:
    assert "\\x1b[2J" in run_on(target)("find", "artifacts", "name LIKE 'clear%'").out
    with Store(target) as store:
        assert store.find("artifacts", "name LIKE 'clear%'")[0]["name"] == NAME


def test_columns_stand_below_each_other() -> None:
    lines = str(
        Table(["name", "n"], [{"name": "模型", "n": 1}, {"name": "e\u0301te", "n": 22}, {"name": "🎉", "n": 3}])
    )
    assert {width(line.rstrip("0123456789n")) for line in lines.splitlines()} == {6}


SIGNS = st.one_of(
    *(st.characters(min_codepoint=first, max_codepoint=last) for first, last in ((32, 126), (0x4E00, 0x9FFF))),
    *(st.characters(min_codepoint=first, max_codepoint=last) for first, last in ((0x3041, 0x3096), (0xAC00, 0xD7A3))),
    *(st.characters(min_codepoint=first, max_codepoint=last) for first, last in ((0x410, 0x44F), (0xC0, 0xFF))),
    st.sampled_from("\u0301\u0308🎉😀🚀"),
)


@given(st.text(SIGNS))
def test_a_width_is_what_terminals_draw(text: str) -> None:
    assert width(text) == cell_len(text)


@given(st.text())
def test_what_is_harmless_stays_so(text: str) -> None:
    made = harmless(text)
    assert harmless(made) == made
    assert all(sign in "\n\t" or sign >= " " for sign in made)


@given(st.lists(st.tuples(st.text("ab模", max_size=4), st.text("cd🎉", max_size=4), st.just("|")), min_size=1))
def test_each_column_begins_where_it_does_in_every_row(rows: list[tuple[str, str, str]]) -> None:
    assert len({width(line) for line in in_columns(rows)}) == 1


@pytest.mark.parametrize("words", [("show", "artifact:1"), ("lineage", "artifact:1"), ("find", "artifacts")])
def test_text_that_is_no_utf_8_is_shown_in_some_way(target: str, words: tuple[str, ...]) -> None:
    """Google's server stores such."""
    with contextlib.closing(sqlite3.connect(Path(target) / "metadata.db")) as database, database:
        for table in ("Artifact", "Execution", "Type"):
            database.execute(
                f"UPDATE {table} SET name = CAST(X'ff' || CAST(id AS TEXT) AS TEXT) WHERE id < 3 OR id > 9"
            )
    told = run_on(target)(*words)
    assert told.status == 0, told.err
    assert told.out
