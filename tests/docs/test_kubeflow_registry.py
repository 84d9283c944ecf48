"""The examples of docs/kubeflow-registry.md do what they say, with Kubeflow's own client."""

import json
import re
import subprocess
from pathlib import Path

from tests.conftest import StartServer
from tests.model_registry.kubeflow.test_client import python_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "kubeflow-registry.md").read_text("utf-8")


def block(language: str) -> str:
    """Return the page's one example in a language."""
    found: str
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.S)
    return found


def test_the_examples(start_server: StartServer, sqlite_url: str) -> None:
    server = start_server(sqlite_url, http=True)
    python = block("python").replace("8081", str(server.http_port))
    command = [str(python_of("v1alpha3")), "-W", "ignore", "-c", python]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "s3://models/fraud/1"
    shell = block("sh").replace("8081", str(server.http_port)).replace("curl -s", "curl -s --noproxy '*' -w '\\n'")
    done = subprocess.run(["bash", "-euc", shell], capture_output=True, text=True, timeout=60)
    model, versions = map(json.loads, done.stdout.splitlines())
    assert model["name"] == "fraud"
    assert [version["name"] for version in versions["items"]] == ["1.0"]
