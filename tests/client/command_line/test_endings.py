"""How the program itself ends: interrupted while it is still loading, and with nobody to read what it says."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlmd_client.service import Service
from mlmd_client.store import Store
from mlmd_schemas.pb.v1 import archive_pb2 as v1

from tests.client.command_line.conftest import run_on
from tests.client.places import read_files, write_files
from tests.conftest import StartServer

_INTERRUPTED = """
import sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "mlmd_client.command_line.commands":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
from mlmd_client.command_line import main
main()
"""


def test_an_interrupt_while_it_loads_shows_no_trace() -> None:
    ended = subprocess.run([sys.executable, "-c", _INTERRUPTED], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "mlmd: interrupted\n")


_UNDER_WAY = """
import os, signal
from mlmd_client.progress_bar import ProgressBar

def interrupt(bar, progress):
    if not pressed:
        pressed.append(True)
        os.kill(os.getpid(), signal.SIGINT)

pressed = []
ProgressBar.__call__ = interrupt
from mlmd_client.command_line import main
main()
"""


def test_an_interrupt_while_bytes_move_has_the_status_of_shells_and_the_same_command_goes_on(
    store: str, tmp_path: Path
) -> None:
    source = write_files(tmp_path / "source", {"large": b"l" * (3 << 20), "small": b"s"})
    for words in (["put", str(source), "kept"], ["get", "kept", str(tmp_path / "target")]):
        command = [sys.executable, "-c", _UNDER_WAY, "--server", store, *words]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        told = "mlmd: interrupted; nothing is half done, and the same command goes on\n"
        assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", told), words
        assert run_on(store)(*words).status == 0, words
    assert read_files(tmp_path / "target") == read_files(source)
    assert [row["versions"] for row in run_on(store)("ls", "--json").json] == [1]


def test_an_interrupt_while_the_store_is_closed_has_the_same_status(
    history: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(store: Store) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "close", interrupted)
    assert run_on(history)("ls").status == 130


def test_a_reader_who_has_seen_enough_is_no_failure(history: str) -> None:
    for words in (["ls"], ["lineage", "churn"], ["ls", "--json"]):
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "mlmd_client.command_line", "--server", history, *words]
        ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
        os.close(writer)
        assert (ended.returncode, ended.stderr) == (0, ""), words


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_a_stream_that_is_closed_keeps_no_command_from_its_end(store: str, tmp_path: Path, closed: str) -> None:
    source = write_files(tmp_path / "source", {"a.txt": b"a"})
    program = shlex.join([sys.executable, "-m", "mlmd_client.command_line", "--server", store])
    for words, status in ((f"put {source} kept", 0), (f"get kept {tmp_path}/target", 0), ("ls", 0), ("show no", 3)):
        ended = subprocess.run(["sh", "-c", f"{program} {words} {closed}"], capture_output=True, text=True, timeout=120)
        assert (ended.returncode, "Traceback" in ended.stderr) == (status, False), words
    assert read_files(tmp_path / "target") == {"a.txt": b"a"}


def test_a_full_disk_behind_standard_output_is_a_sentence(history: str) -> None:
    program = [sys.executable, "-m", "mlmd_client.command_line", "--server", history]
    for words in (["--help"], ["--version"], ["ls", "--help"], ["completion", "bash"], ["ls"], ["ls", "--json"]):
        with Path("/dev/full").open("wb") as full:
            ended = subprocess.run([*program, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
        assert (ended.returncode, ended.stderr) == (1, "mlmd: No space left on device\n"), words


@pytest.mark.parametrize(
    ("words", "status"),
    [(["ls"], 1), (["put", "n", "x"], 2), (["put", "/absent", "x"], 2), (["import", "archive.zip"], 2)],
)
def test_a_working_directory_that_is_gone_is_told(tmp_path: Path, words: list[str], status: int) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f"cd {shlex.quote(str(gone))} && rmdir {shlex.quote(str(gone))} && "
    line += shlex.join([sys.executable, "-m", "mlmd_client.command_line", *words])
    environment = os.environ | {"PYTHONSAFEPATH": "1"}
    ended = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=120, env=environment)
    told = "the folder in which this was started is no longer there; go to another one.\n"
    if "/absent" in words:
        told = "Path '/absent' does not exist.\n"
    assert (ended.returncode, ended.stderr.endswith(f": {told}"), "Traceback" in ended.stderr) == (status, True, False)


def test_an_import_whose_answer_does_not_come_says_that_it_may_be_done_and_goes_on(
    history: str, start_server: StartServer, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_on(history)("export", "archive").status == 0
    server = start_server(sqlite_url)
    once = Service.once

    def cut_off(service: Service, request: Any, *arguments: Any, **options: Any) -> Any:
        assert isinstance(request, v1.CommitImportRequest)
        assert server.process is not None
        os.killpg(server.process.pid, signal.SIGKILL)
        return once(service, request, *arguments, **options)

    with monkeypatch.context() as cut:
        cut.setattr(Service, "once", cut_off)
        ended = run_on(f"grpc://{server.target}")("import", "archive")
    assert (ended.status, ended.out) == (4, "")
    assert ended.err.endswith(
        "The server may still take the rows in, all or none; the same command tells what is there, and goes on.\n"
    )
    again = run_on(f"grpc://{start_server(sqlite_url).target}")("--json", "import", "archive")
    assert [row["added"] > 0 for row in again.json if row["table"] == "Artifact"] == [True]
