"""Commands of `mlmd-server`, each in a process of its own that need not import everything again."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.services.forked import start_forked
from tests.services.server import PROGRAMS

_LONGEST_SECONDS = 120.0


def run_program(arguments: Sequence[str], cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run `mlmd-server` with these arguments in a folder; return its exit status and what it wrote."""
    command = [str(PROGRAMS / "mlmd-server"), *arguments]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start_forked(command, out, err, cwd, os.environ) or subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        try:
            status = process.wait(_LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, status, out.read().decode(), err.read().decode())
