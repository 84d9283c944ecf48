"""A test run that is killed leaves no process behind, whoever started it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.services.leftovers import MARKS, REPOSITORY, marked
from tests.services.waiting import wait_for

_RUN = """
import os, signal, subprocess, sys
from pathlib import Path
from tests.services.mariadb import MariaDB
from tests.services.server import Server

HERE = Path(__file__).parent

def stay(name):
    (HERE / f"{name}.part").write_text(os.environ["TEST_RUNS_OF_MLMD"])
    (HERE / f"{name}.part").rename(HERE / name)
    while True:
        signal.pause()

def test_on_the_servers_of_the_run(mariadb_url, start_server):
    start_server(mariadb_url)
    start_server(mariadb_url, options=("--workers", "2"))
    stay("ready_1")

def test_on_servers_of_its_own(own_mariadb, tmp_path):
    subprocess.Popen(["setsid", "sleep", "1234"])
    Server(f"sqlite:///{tmp_path}/1.db", tmp_path / "fresh", fresh=True).start()
    stay("ready_2")
"""


def names(pids: list[int]) -> set[str]:
    """Return the programs that processes run."""
    return {Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids}


def folder_of(pid: int) -> Path:
    """Return the folder of a server of MySQL's protocol, which works in that of its data."""
    return Path(os.readlink(f"/proc/{pid}/cwd")).parent


def test_a_run_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "test_staying.py").write_text(_RUN)
    command = [sys.executable, "-m", "pytest", "-n", "2", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    run = subprocess.Popen([*command, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ready = [tmp_path / "ready_1", tmp_path / "ready_2"]
    wait_for(lambda: run.poll() is not None or all(path.exists() for path in ready))
    assert run.poll() is None, run.communicate()[0].decode()
    mark = ready[0].read_text().split(",")[-2]
    assert mark != os.environ[MARKS].split(",")[-2], "the run within is a run of its own"
    assert {"mariadbd", "mlmd-server", "python", "sleep"} <= names(marked(mark))
    (kept,) = {folder for folder in map(folder_of, marked(mark)) if folder.name.startswith("mlmd-mariadb-")}
    assert (kept / "data").exists()
    run.send_signal(signal.SIGKILL)
    run.communicate()
    wait_for(lambda: not marked(mark), says=lambda: names(marked(mark)))
    wait_for(lambda: not kept.exists(), says=lambda: list(kept.iterdir()))
