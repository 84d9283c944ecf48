"""Google's own test suite, as it lies in the installed wheel, run by the reference environment's pytest."""

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.packaging import wheels
from tests.reference.client import PYTHON

LOCATE = "import ml_metadata.metadata_store as package; print(package.__path__[0])"


@dataclass
class Outcome:
    """Names of tests by what became of them, with the failures' texts."""

    passed: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)


FILES = ("metadata_store_test.py", "mlmd_types_test.py", "conftest.py")
LONGEST_SECONDS = 280


def run(folder: Path, *arguments: str) -> Outcome:
    """Run the suite with `folder` as its working directory; its options come after it, as pytest's plugins do."""
    suite = located() / FILES[0]
    return _run([str(PYTHON), "-I", "-m", "pytest"], [suite], folder, *arguments)


def run_on_our_client(python: Path, wheel: Path, folder: Path, *arguments: str) -> Outcome:
    """Run copies of both files of tests in an environment without ml-metadata, our wheel standing in for it."""
    for name in FILES:
        shutil.copy(located() / name, folder / name)
    command = [str(python), "-m", "mlmd_client.compat", "-m", "pytest"]
    files = [folder / name for name in FILES[:2]]
    return _run(command, files, folder, *arguments, environment=wheels.environment(wheel))


def located() -> Path:
    """Return the folder of the suite in the installed wheel."""
    done = subprocess.run([str(PYTHON), "-I", "-c", LOCATE], capture_output=True, text=True, check=True, cwd="/")
    return Path(done.stdout.strip())


def _run(
    command: list[str], files: list[Path], folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Outcome:
    (folder / "pytest.ini").write_text("[pytest]\n")
    report = folder / "report.xml"
    options = ["-q", "-c", "pytest.ini", "--rootdir", str(folder), "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [*command, *options, *map(str, files), *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        timeout=LONGEST_SECONDS,
    )
    if not report.exists():
        raise RuntimeError(f"Google's suite did not run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return read(report)


def read(report: Path) -> Outcome:
    """Read a JUnit report; an xfail counts as skipped there."""
    outcome = Outcome()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name, failure = case.attrib["name"], case.find("failure")
        if failure is None:
            failure = case.find("error")
        if failure is not None:
            outcome.failed[name] = failure.attrib.get("message", "") + (failure.text or "")
        elif case.find("skipped") is not None:
            outcome.skipped.add(name)
        else:
            outcome.passed.add(name)
    return outcome
