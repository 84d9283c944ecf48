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


def anchors(document: Path) -> set[str]:
    """Return what a link may name behind `#` in a document, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", document.read_text(), flags=re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def links(document: Path) -> list[tuple[Path, str]]:
    """Return the files of the project that a document leads to, each with what is behind `#`."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    parts = [target.partition("#") for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [(path, anchor) for path, _, anchor in parts if not path.startswith(("http:", "https:", "mailto:"))]
    return [((document.parent / path).resolve() if path else document, anchor) for path, anchor in local]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for path, anchor in links(document):
        assert path.exists(), path
        assert not anchor or anchor in anchors(path), f"{path.name}#{anchor}"


@pytest.mark.parametrize(("index", "folder"), [("README.md", "docs"), ("docs/decisions/README.md", "docs/decisions")])
def test_an_index_leads_to_every_page(index: str, folder: str) -> None:
    found = {path for path, _ in links(ROOT / index)}
    assert {page for page in (ROOT / folder).glob("*.md") if page.name != "README.md"} <= found
