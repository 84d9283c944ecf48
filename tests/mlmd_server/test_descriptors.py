"""Files and connections that the system lets a process have open, where they are few."""

import contextlib
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlmd_server.descriptors import LEAST, Descriptors

from tests.mlmd_server.processes import put_types
from tests.mlmd_server.test_surroundings import Shell
from tests.services.waiting import wait_for


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("most", [16, LEAST - 1])
def test_a_start_with_too_few_ends_with_a_sentence(tmp_path: Path, sqlite_url: str, most: int, workers: str) -> None:
    server = Shell(sqlite_url, tmp_path, f"ulimit -n {most};", ("--workers", workers))
    server.launch()
    assert server.process is not None
    assert server.process.wait(120) == 1
    assert f"mlmd-server: descriptors: the system lets this process have {most} files" in server.output()
    assert "raise ulimit -H -n" in server.output()
    assert "Traceback" not in server.output()


def test_those_that_are_connected_are_answered_where_none_is_left(tmp_path: Path, sqlite_url: str) -> None:
    with Shell(sqlite_url, tmp_path, f"ulimit -n {LEAST};") as server, contextlib.ExitStack() as held:
        put_types(server, 3)
        for _ in range(LEAST):
            held.enter_context(socket.create_connection(("127.0.0.1", server.grpc_port), 60))
        wait_for(lambda: f"of the {LEAST} files and connections are open" in server.output())
        held.close()
        put_types(server, 3)
        assert server.stop() == 0


@pytest.fixture
def few_left() -> Iterator[None]:
    """Let this process open two files more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as opened:
        first = os.open(os.devnull, os.O_RDONLY)
        opened.callback(os.close, first)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first + 2, before[1]))
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        yield


@pytest.mark.usefixtures("few_left")
def test_it_is_told_when_they_become_few(caplog: pytest.LogCaptureFixture) -> None:
    descriptors = Descriptors()
    for _ in range(2):
        descriptors.look()
    assert len(caplog.messages) == 1
    with contextlib.ExitStack() as opened:
        with contextlib.suppress(OSError):
            while True:
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        Descriptors().look()  # which takes one itself
    assert len(caplog.messages) == 2
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * most, hard))
    descriptors.look()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    descriptors.look()
    assert len(caplog.messages) == 3
