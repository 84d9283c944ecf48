"""Commands of `mlmd-server`, each in a process of its own that need not import everything again.

A process that has the modules loaded is started once and forks for each command, which so costs what it does and not
what Python takes to begin.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_PRELOADED = ["mlmd_server.cli", "mlmd_server.care", "mlmd_server.settings", "mlmd_server.wiring"]
_LONGEST_SECONDS = 120.0


def run_program(arguments: Sequence[str], cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run `mlmd-server` with these arguments in a folder; return its exit status and what it wrote."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "stdout", Path(folder) / "stderr"
        names = [str(path) for path in written]
        process = context.Process(target=_main, args=(list(arguments), str(cwd), names, dict(os.environ)))
        process.start()
        process.join(_LONGEST_SECONDS)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(list(arguments), _LONGEST_SECONDS)
        out, err = (path.read_text() for path in written)
        return subprocess.CompletedProcess(list(arguments), process.exitcode, out, err)


def _main(arguments: list[str], cwd: str, written: list[str], environment: dict[str, str]) -> None:
    for descriptor, path in enumerate(written, 1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["mlmd-server", *arguments]
    from mlmd_server.cli import main

    sys.exit(main())
