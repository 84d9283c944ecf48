"""The oldest and the newest protobuf that the client allows, on every Python of the machine."""

import subprocess
from pathlib import Path

import pytest

from tests.services.missing import missing

ROOT = Path(__file__).resolve().parents[2]
WHAT_IS_THERE = """
import importlib.util, sys, google.protobuf
print("{0.major}.{0.minor}".format(sys.version_info), google.protobuf.__version__.partition(".")[0],
    importlib.util.find_spec("ml_metadata"))
"""
EVERYWHERE = [
    pytest.param(protobuf, python, id=f"protobuf{protobuf}-python{python}")
    for protobuf in ("4", "7")
    for python in ("3.11", "3.12", "3.13", "3.14")
    if (protobuf, python) != ("4", "3.14")  # whose compiled part Python 3.14 does not load any more
]


def environment_of(protobuf: str, python: str) -> Path:
    """Return an environment's interpreter; skips where the machine does not have that Python."""
    found = ROOT / ".envs" / f"protobuf{protobuf}-{python}" / "bin" / "python"
    if not found.exists():
        looked = subprocess.run([ROOT / "environments" / "interpreter", python], capture_output=True)
        missing(
            f"there is no environment of Python {python} with protobuf {protobuf}: make it with `make environments`",
            tolerated=looked.returncode != 0,
        )
    done = subprocess.run([found, "-I", "-c", WHAT_IS_THERE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [python, protobuf, "None"]
    return found
