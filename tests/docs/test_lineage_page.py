"""The worked example of docs/lineage.md prints what the page says."""

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import StartServer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "lineage.md").read_text()


def test_the_worked_example(start_server: StartServer, sqlite_url: str) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    (printed,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.S)
    server = start_server(sqlite_url)
    program = example.replace("127.0.0.1:8080", server.target)
    done = subprocess.run([sys.executable, "-X", "utf8", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed
