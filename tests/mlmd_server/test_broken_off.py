"""Commands that are broken off: by Ctrl-C, by a reader of their output who left, by an output that is full."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from mlmd_artifact_store.requests import Requests
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.artifact_store.care import opened, upload
from tests.metadata_store.calls import Calls
from tests.services.server import PROGRAMS
from tests.services.waiting import wait_for

KEEP_NOTHING = ("--keep-newest", "0", "--keep-younger-than", "0s")
FULL = "mlmd-server: the output cannot be written: No space left on device; what was done until here stays done.\n"
Start = Callable[..., "subprocess.Popen[bytes]"]
Output = int | IO[bytes]


@pytest.fixture
def requests(sqlite_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An artifact store of this process, with two artifacts that nothing keeps when all are too old."""
    with opened(sqlite_url, tmp_path) as requests:
        for content in (b"one", b"two"):
            upload(requests, content)
        yield requests


@pytest.fixture
def start(sqlite_url: str, tmp_path: Path, requests: Requests) -> Iterator[Start]:
    """Start a command of `mlmd-server` on that store, with an output of its own."""
    with contextlib.ExitStack() as stack:

        def command(output: Output, name: str, *options: str, **environment: str) -> "subprocess.Popen[bytes]":
            where = ["--database", sqlite_url, "--artifacts", str(tmp_path / "artifacts"), "--log-level", "warning"]
            line = [str(PROGRAMS / "mlmd-server"), name, *where, *options]
            process = subprocess.Popen(
                line, stdout=output, stderr=subprocess.PIPE, cwd=tmp_path, env=os.environ | environment
            )
            return stack.enter_context(process)

        yield command


def test_a_reader_who_left_is_told_nothing(start: Start) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start(writing, "gc", "--dry-run", *KEEP_NOTHING)
    os.close(writing)
    assert (process.communicate()[1], process.returncode) == (b"", 1)


def test_an_output_that_is_full_is_told(start: Start) -> None:
    with open("/dev/full", "wb") as full:
        process = start(full, "gc", "--dry-run", *KEEP_NOTHING)
    told = process.communicate()[1].decode()
    assert process.returncode == 1
    assert told == FULL


def test_an_output_that_is_full_is_told_of_the_version_too() -> None:
    with open("/dev/full", "wb") as full:
        told = subprocess.run([PROGRAMS / "mlmd-server", "--version"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (told.returncode, told.stderr) == (1, FULL)


def test_what_is_deleted_when_ctrl_c_comes_stays_so_and_the_command_goes_on(start: Start, requests: Requests) -> None:
    with _full_pipe() as writing:
        process = start(writing, "gc", *KEEP_NOTHING)
        wait_for(lambda: _deleted(requests) == 2)
        process.send_signal(signal.SIGINT)
        assert (process.communicate()[1], process.returncode) == (b"mlmd-server: interrupted\n", 130)
    again = start(subprocess.PIPE, "gc", *KEEP_NOTHING)
    told = again.communicate()[1].decode()
    assert (again.returncode, told) == (0, "mlmd-server: deleted 0 artifacts, 0 bytes; 0 are kept\n")


def test_what_a_locale_has_no_letters_for_is_escaped(start: Start, requests: Requests) -> None:
    named = upload(requests, b"three", collection="größe")
    process = start(subprocess.PIPE, "purge", "artifact", str(named), PYTHONIOENCODING="ascii")
    told = process.communicate()
    assert (process.returncode, b"gr\\xf6\\xdfe/1" in told[0]) == (0, True), told


@contextlib.contextmanager
def _full_pipe() -> Iterator[int]:
    """A pipe that takes nothing more: whoever writes to it waits."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b" " * 65_536)
    os.set_blocking(writing, True)
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


def _deleted(requests: Requests) -> int:
    artifacts = Calls(requests.artifacts.store)("GetArtifacts").artifacts
    return sum(artifact.state == pb.Artifact.DELETED for artifact in artifacts)
