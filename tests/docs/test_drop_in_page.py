"""The examples of docs/drop-in.md run as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "drop-in.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", PAGE, flags=re.M)}


def blocks(section: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", SECTIONS[section], flags=re.S)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("The import", ["[1]", "s3://bucket/iris"]),
        ("Calls of every service", ["'lineage'", "12 /mlmd.v1.Server/Nothing is no method of this server"]),
    ],
)
def test_an_example_says_what_it_should(section: str, said: list[str], tmp_path: Path) -> None:
    (example,) = blocks(section)
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    for words in said:
        assert words in done.stdout
