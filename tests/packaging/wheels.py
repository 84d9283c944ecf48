"""Our wheel, built from the working tree and unpacked as an installer would."""

import fcntl
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build(folder: Path) -> Path:
    """Build the wheel into a folder and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def unpack(wheel: Path) -> Path:
    """Unpack a wheel beside itself and return the folder, which can go on a path of modules."""
    folder = wheel.with_suffix("")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def shared(folder: Path) -> Path:
    """Return the run's unpacked wheel, made at the first call; `folder` is common to the run's workers."""
    made = folder / "wheel"
    with (folder / "wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            unfinished = folder / "wheel.partial"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            unpack(build(unfinished))
            unfinished.rename(made)
    (unpacked,) = (path for path in made.iterdir() if path.is_dir())
    return unpacked


def environment(unpacked: Path) -> dict[str, str]:
    """Return the environment of an interpreter that has our packages beside what is installed there.

    What it imports is compiled once for the whole run, and nothing is written into environments that others use too.
    """
    compiled = unpacked.parents[1] / "compiled"
    return {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONPYCACHEPREFIX": str(compiled)}
