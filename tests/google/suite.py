"""Google's own test suite, as it lies in the installed wheel, run by the reference environment's pytest."""

import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from tests.reference.client import PYTHON

LOCATE = "import ml_metadata.metadata_store as package; print(package.__path__[0])"


@dataclass
class Outcome:
    """Names of tests by what became of them, with the failures' texts."""

    passed: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)


def run(folder: Path, *arguments: str) -> Outcome:
    """Run the suite with `folder` as its working directory; its options come after it, as pytest's plugins do."""
    located = subprocess.run([str(PYTHON), "-I", "-c", LOCATE], capture_output=True, text=True, check=True, cwd=folder)
    suite = Path(located.stdout.strip()) / "metadata_store_test.py"
    (folder / "pytest.ini").write_text("[pytest]\n")
    report = folder / "report.xml"
    options = ["-q", "-c", "pytest.ini", "--rootdir", str(folder), "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [str(PYTHON), "-I", "-m", "pytest", *options, str(suite), *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
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
