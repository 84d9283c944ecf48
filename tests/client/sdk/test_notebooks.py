"""Runs in a kernel of Jupyter: each ends as what was done in it, whatever other cells did."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.client.sdk.conftest import OpenStore
from tests.services.ports import free_port

SECONDS = 240.0


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KernelManager]:
    """A kernel of IPython in a process of its own."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    channels = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
    ports = {channel: free_port() for channel in channels}  # of its own choice others may take one before it listens
    manager = KernelManager(shutdown_wait_time=SECONDS, cache_ports=False, **ports)
    manager.start_kernel()
    yield manager
    if manager.is_alive():
        manager.shutdown_kernel(now=True)


def run_cells(kernel: KernelManager, cells: list[str]) -> list[str]:
    """Run cells and end the kernel as Jupyter does; return the name of the error of each, "" for none."""
    client: BlockingKernelClient = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=SECONDS)
        replies = [client.execute_interactive(cell, timeout=SECONDS, output_hook=lambda _: None) for cell in cells]
    finally:
        client.stop_channels()
    kernel.shutdown_kernel()
    return [reply["content"].get("ename", "") for reply in replies]


def test_a_run_fails_by_an_exception_of_its_own_cells_alone(
    kernel: KernelManager, sqlite_url: str, open_store: OpenStore
) -> None:
    started = "{0} = store.run('cells/{0}', capture=False).start()"
    cells = {
        f"from mlmd_client import Store; store = Store({sqlite_url!r})": "",
        "1 / 0": "ZeroDivisionError",
        started.format("first"): "",
        "no syntax": "SyntaxError",
        started.format("second"): "",
        "try:\n    {}['caught']\nexcept KeyError:\n    pass": "",
        "[][1]": "IndexError",
        "second.metric('loss', 1.0)": "",
        started.format("ended"): "",
        "int('x')": "ValueError",
        "ended.finish()": "",
        started.format("third"): "",
        "with store.run('cells/inner', capture=False):\n    raise LookupError('its own')": "LookupError",
        "third.metric('loss', 1.0)": "",
    }
    assert run_cells(kernel, list(cells)) == list(cells.values())
    table = open_store(sqlite_url).runs("cells")
    ends = {row["name"]: (row["state"], row["reason"].partition("(")[0]) for row in table}
    assert ends == {
        "cells/first/1": ("FAILED", "SyntaxError: invalid syntax "),
        "cells/second/1": ("FAILED", "IndexError: list index out of range"),
        "cells/ended/1": ("COMPLETE", ""),
        "cells/inner/1": ("FAILED", "LookupError: its own"),
        "cells/third/1": ("COMPLETE", ""),
    }
