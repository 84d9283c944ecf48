"""The example of the page on artifacts does what it says."""

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import StartServer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "artifacts.md").read_text()


def test_a_model_goes_up_and_comes_back(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    server = start_server(sqlite_url, http=True)
    example = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)[0]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(bytes(range(200)))
    program = example.replace("127.0.0.1:8080", server.target)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 file:///" in done.stdout
    assert (tmp_path / "copy" / "weights.bin").read_bytes() == bytes(range(200))
