"""README's examples do what they say, and its links lead somewhere."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.services.server import Server

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_ten_lines_talk_to_the_server(start_server: Callable[..., Server], sqlite_url: str) -> None:
    server = start_server(sqlite_url, http=True)
    (example,) = (block for block in blocks("python") if "insecure_channel" in block)
    assert len(example.strip().splitlines()) <= 13
    done = subprocess.run(
        [sys.executable, "-c", example.replace("127.0.0.1:8080", server.target)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "execution_id: 1" in done.stdout
    assert 'uri: "s3://bucket/iris"' in done.stdout
    assert "127.0.0.1:8081/ml_metadata.MetadataStoreService/GetArtifacts" in blocks("sh")[-1]
    path = "/ml_metadata.MetadataStoreService/GetArtifacts"
    answer = httpx.post(server.http_url + path, json={}, trust_env=False).json()
    assert answer["artifacts"][0]["properties"]["rows"] == {"intValue": "150"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and not target.startswith(("http://", "https://", "mailto:"))]
    missing = [target for target in local if not (document.parent / target).exists()]
    assert not missing
