"""Workers count in files of the folder for temporary files, which may be full, or not be there."""

import os
import signal
import subprocess
from pathlib import Path

from mlmd_api.shared_counts import SIZES

from tests.mlmd_server.processes import in_flight, processes_of, put_types, said
from tests.services.disks import mounted
from tests.services.server import Server
from tests.services.waiting import wait_for


def fill(folder: Path) -> Path:
    """Take all the room there is; return the file that has it."""
    filling = folder / "filling"
    subprocess.run(["dd", "if=/dev/zero", f"of={filling}", "bs=4096"], capture_output=True, check=False)
    return filling


def test_a_folder_that_fills_up_ends_no_worker(tmp_path: Path, sqlite_url: str) -> None:
    small = tmp_path / "small"
    with mounted(small, "-t", "tmpfs", "-o", "size=32m", "none"):
        options = ("--workers", "2")
        with Server(sqlite_url, tmp_path, http=True, options=options, environment={"TMPDIR": str(small)}) as server:
            wait_for(lambda: said(server, "ready"))
            workers, filling = processes_of(server), fill(small)
            for _ in range(10):
                put_types(server, 3)
                assert in_flight(server) == 0
            assert processes_of(server) == workers
            os.kill(workers[0], signal.SIGKILL)
            wait_for(lambda: "No space left on device); make room there" in server.stderr.read_text())
            put_types(server, 3)
            filling.unlink()
            wait_for(lambda: len(processes_of(server)) == 2)
            assert in_flight(server) == 0
            assert server.stop() == 0


def test_a_folder_that_was_cleared_is_made_again(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path, options=("--workers", "2"), environment={"TMPDIR": str(tmp_path)}) as server:
        wait_for(lambda: said(server, "ready"))
        (folder,) = tmp_path.glob("mlmd-metrics-*")
        assert {file.name for file in folder.glob("counter_*")} == {f"counter_{pid}.db" for pid in processes_of(server)}
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        for _ in range(10):  # to workers that have counted nothing yet
            put_types(server, 1)
        wait_for(lambda: "calls are not counted while their files cannot be made" in server.output())
        worker = processes_of(server)[0]
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: len(processes_of(server)) == 2 and worker not in processes_of(server))
        wait_for(lambda: len(list(folder.glob("*.db"))) == len(SIZES))
        for _ in range(5):
            put_types(server, 3)
        assert server.stop() == 0


def test_a_folder_that_is_not_there_ends_it_with_a_sentence(tmp_path: Path, sqlite_url: str) -> None:
    small = tmp_path / "small"
    with mounted(small, "-t", "tmpfs", "-o", "size=64k", "none"):
        server = Server(sqlite_url, tmp_path, options=("--workers", "2"), environment={"TMPDIR": str(small)})
        environment = os.environ | server.environment
        command = server.command()
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "metrics: " in done.stderr
    assert "make room there, or set TMPDIR to another place" in done.stderr
    assert "Traceback" not in done.stderr
