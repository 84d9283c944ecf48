"""The programs that read what we deploy with, and what they say of a file.

They live in an environment of their own (`.envs/deploy`), kubectl on the PATH or in `.envs/kubectl`; where one is
missing the test skips with the sentence that says how to get it.
"""

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.services.missing import missing

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
ENVIRONMENTS = ROOT / ".envs"
TIMEOUT_SECONDS = 120
# Through a process, because the main environment has no YAML reader and needs none.
YAML_TO_JSON = (
    "import json, sys, yaml; json.dump([d for d in yaml.safe_load_all(sys.stdin) if d is not None], sys.stdout)"
)

Document = dict[str, Any]


def program(name: str) -> str:
    """Return the path of a program of the deploy environment or the PATH; skips the test when it is not there."""
    path = ENVIRONMENTS / "deploy" / "bin" / name
    if not path.exists() and name != "python" and (elsewhere := shutil.which(name)):
        return elsewhere
    if not path.exists():
        missing(f"{name} is not there ({path}): get it with `make deploy-tools`, which `make test-deps` calls")
    return str(path)


def kubectl() -> str:
    """Return the path of a kubectl that has `kustomize`; skips the test when there is none."""
    unpacked = ENVIRONMENTS / "kubectl" / "usr" / "bin" / "kubectl"
    path = str(unpacked) if unpacked.exists() else shutil.which("kubectl")
    if path is None:
        missing("kubectl is not there: get it with `make deploy-tools`, which `make test-deps` calls")
    return path


def run(*command: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program in the project's folder and return what it said, whatever its exit status."""
    return subprocess.run(
        command,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        cwd=ROOT,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def documents(text: str) -> list[Document]:
    """Return the documents of a YAML text."""
    read: list[Document] = json.loads(_as_json(text))
    return read


@functools.cache
def _as_json(text: str) -> str:
    done = run(program("python"), "-c", YAML_TO_JSON, text=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def kustomize(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a kustomization and return what kubectl said."""
    return run(kubectl(), "kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder))


def built(folder: Path) -> list[Document]:
    """Return the objects of a kustomization that has to build."""
    done = kustomize(folder)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def find(objects: list[Document], kind: str, name: str) -> Document:
    """Return the one object of that kind and name."""
    found = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} objects {kind}/{name}"
    return found[0]
