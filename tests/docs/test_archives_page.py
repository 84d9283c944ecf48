"""docs/archives.md: its example exports what a store knows."""

import json
import re
import subprocess
from pathlib import Path

from tests.conftest import StartServer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "archives.md").read_text()


def test_the_example_streams_the_header_of_the_store(start_server: StartServer, sqlite_url: str) -> None:
    server = start_server(sqlite_url, http=True)
    (example,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S)
    told = example.replace("http://127.0.0.1:8081", server.http_url).replace("curl ", "curl --noproxy '*' ")
    done = subprocess.run(["bash", "-c", told], capture_output=True, check=True, timeout=60)
    size = int.from_bytes(done.stdout[1:5], "big")
    assert done.stdout[0] == 0
    assert json.loads(done.stdout[5 : 5 + size])["header"]["storeUuid"]
