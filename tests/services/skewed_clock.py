"""A clock that is wrong for one process alone, though the machine's is right."""

import shutil
import subprocess
from pathlib import Path

from tests.services.missing import HINT, missing

SOURCE = Path(__file__).with_suffix(".c")


def skewed(seconds: int, folder: Path) -> dict[str, str]:
    """Return the environment of a process whose clock is `seconds` ahead (below 0: behind)."""
    compiler = shutil.which("cc")
    if compiler is None:
        missing(f"there is no C compiler to make a wrong clock with; {HINT}")
    library = folder / "skewed_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
    return {"LD_PRELOAD": str(library), "SKEW_SECONDS": str(seconds)}
