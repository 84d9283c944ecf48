"""`make demo` and the script that README shows do what a newcomer is promised."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mlmd_client import Store

pytest.importorskip("sklearn")

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "digits"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Journals and caches of the test's own; one thread, because the machine has others to serve."""
    own = {"MLMD_JOURNAL": str(tmp_path / "journal"), "MLMD_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own}


def test_the_demo_trains_three_models_and_says_where_the_best_came_from(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    command = [sys.executable, str(FOLDER / "demo.py"), str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert re.search(r"test/accuracy +0\.8\d+ +0\.9[78]\d+ +0\.9\d+", done.stdout)
    assert "The champion is digits@2" in done.stdout
    assert "digits-train@1" in done.stdout
    for name in ("champion.svg", "lineage.svg"):
        assert (tmp_path / "demo" / name).read_text().startswith("<svg")
    with Store(str(tmp_path / "demo")) as store:
        assert store.runs("digits").column("state") == ["COMPLETE"] * 4
        assert store["digits@champion"].number == 2
        assert not list((tmp_path / "journal").rglob("*.journal"))


def test_readme_shows_the_script_as_it_is() -> None:
    (shown,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
        if "load_digits" in block
    )
    assert shown == (FOLDER / "digits.py").read_text()
    assert len(shown.splitlines()) <= 45
