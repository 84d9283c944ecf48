"""The bar that people see: on a real terminal it ends full, with the right bytes; elsewhere nothing is drawn."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.client.terminal import Drawn, on_terminal
from tests.services.faulty_http import Fault, FaultyHttp, Request
from tests.services.server import Server

MLMD = str(Path(sys.executable).parent / "mlmd")
LOG = """
import sys
from mlmd_client import Store
with Store() as store, store.run("a/b", capture=False) as run:
    print(run.log_model("m", sys.argv[1]).ref)
"""
SIZES = {"a.bin": 1_500_000, "deep/b.bin": 700_000}
SHOWN_AFTER_SECONDS = 0.7
"""A bar is drawn for what takes more than half a second."""
Watch = Callable[..., Drawn]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with 2.2 MB in two files."""
    for name, size in SIZES.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(os.urandom(size))
    return tmp_path / "model"


@pytest.fixture
def held(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[Server, FaultyHttp]]:
    """A server whose files go through a proxy, which holds the next one until it is told to let go."""
    server = Server(sqlite_url, tmp_path / "server", http=True)
    with FaultyHttp(server.http_port) as proxy:
        server.options = ("--http-address", proxy.url)
        with server:
            yield server, proxy


@pytest.fixture
def watch(held: tuple[Server, FaultyHttp], tmp_path: Path) -> Watch:
    """A function that runs a program on a terminal, its first request for a file taking its time."""
    server, proxy = held

    def run(command: Sequence[str], columns: int = 100, method: str = "PUT", **more: str) -> Drawn:
        proxy.plan(1, Fault.HELD, where=moves(method))

        def let_go() -> None:
            assert proxy.held.wait(120)
            time.sleep(SHOWN_AFTER_SECONDS)  # a bar is drawn when a transfer takes that long
            proxy.release()

        return on_terminal(command, tmp_path, environment(server, tmp_path) | more, columns, let_go)

    return run


def moves(method: str) -> Callable[[Request], bool]:
    """Return what tells a request that moves a file this way."""
    return lambda request: request.method == method and request.target.startswith("/artifacts/")


def environment(server: Server, folder: Path) -> dict[str, str]:
    """Return what a program on this server has to know."""
    told = {"MLMD_SERVER": f"grpc://{server.target}", "MLMD_JOURNAL": str(folder / "journal")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLMD_")}
    return kept | told | {"MLMD_STATE_HOME": str(folder / "state"), "MLMD_CACHE": str(folder / "cache")}


def ends_full(drawn: Drawn, label: str) -> None:
    """The last state is 100 % of 2.2 MB and of both files; shares never fall, and the line is left at the end."""
    assert drawn.status == 0, drawn.terminal
    assert drawn.states[-1] == f"{label} {'█' * 24} 100 %  2.2 MB of 2.2 MB, 2 of 2 files"
    shares = [int(found[1]) for state in drawn.states if (found := re.search(r"(\d+) %", state))]
    assert shares == sorted(shares)
    assert all(state.startswith(label) for state in drawn.states)
    assert drawn.terminal.endswith("\r\n")
    assert "\x1b" not in drawn.terminal


def test_put_and_get_draw_a_bar(watch: Watch, folder: Path, tmp_path: Path) -> None:
    put = watch([MLMD, "put", str(folder), "m", "--json"])
    ends_full(put, "m")
    assert json.loads(put.out)["ref"] == "m@1", "what programs read is not drawn upon"
    got = watch([MLMD, "get", "m@1", "out", "--json"], method="GET")
    ends_full(got, "m@1")
    assert json.loads(got.out)["bytes"] == sum(SIZES.values())
    assert {name: (tmp_path / "out" / name).stat().st_size for name in SIZES} == SIZES


def test_the_sdk_draws_a_bar(watch: Watch, folder: Path) -> None:
    drawn = watch([sys.executable, "-c", LOG, str(folder)])
    ends_full(drawn, "m")
    assert drawn.out == "m@1\n"


def test_a_bar_fits_a_narrow_terminal(watch: Watch, folder: Path) -> None:
    drawn = watch([MLMD, "put", str(folder), "a-name-that-is-rather-long-for-a-terminal"], columns=80)
    assert max(map(len, drawn.states)) == 79, "a line that wraps cannot be drawn over"
    assert drawn.states[-1] == f"a-name-that-is-…{' ' + '█' * 24} 100 %  2.2 MB of 2.2 MB, 2 of 2 files"


def test_a_bar_may_be_turned_off(watch: Watch, folder: Path) -> None:
    drawn = watch([MLMD, "put", str(folder), "m"], MLMD_PROGRESS="off")
    assert (drawn.status, drawn.terminal) == (0, "")


def test_nothing_is_drawn_where_nobody_looks(held: tuple[Server, FaultyHttp], folder: Path, tmp_path: Path) -> None:
    server, proxy = held
    for method, command in (
        ("PUT", [MLMD, "put", str(folder), "m"]),
        ("GET", [MLMD, "get", "m", "out"]),
        ("PUT", [sys.executable, "-c", LOG.replace('"m"', '"other"'), str(folder)]),
    ):
        proxy.plan(1, Fault.HELD, where=moves(method))
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment(server, tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert proxy.held.wait(120)
        time.sleep(SHOWN_AFTER_SECONDS)
        proxy.release()
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert out
        assert "█" not in out
