"""No numbered edge case of the contracts gets lost: each is held by a test that bears its list and number.

The read contract ends with 68 cases, the write contract with 72. A test of one is called `test_read_29_...` and lies
with what it is about. Each case is held on SQLite and on MariaDB.
"""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = {("read", number) for number in range(1, 69)} | {("write", number) for number in range(1, 73)}
DATABASES = {"sqlite", "mariadb"}
ON_NONE = {("read", 65)}
"""How often the client tries is seen against a server that only says codes."""

DEFINED = re.compile(r"^ *def test_(?:read|write)_\d+_", re.MULTILINE)
COLLECTED = re.compile(r"::test_(read|write)_(\d+)_\w*(?:\[(.*)\])?$", re.MULTILINE)


@pytest.fixture(scope="module")
def held() -> dict[tuple[str, int], set[str]]:
    """The cases that tests bear, each with the words of the parameters that its tests run with."""
    files = [str(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if DEFINED.search(path.read_text())]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True).stdout
    found: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for contract, number, parameters in COLLECTED.findall(listed):
        found[contract, int(number)] |= set(parameters.split("-"))
    return found


def test_every_case_is_held_by_a_test_of_its_number(held: dict[tuple[str, int], set[str]]) -> None:
    assert held.keys() == CASES


def test_every_case_is_held_on_both_databases(held: dict[tuple[str, int], set[str]]) -> None:
    assert {case for case in held if not held[case] >= DATABASES} == ON_NONE
