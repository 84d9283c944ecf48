"""docs/deployment.md speaks of files, folders, options and Secrets that exist."""

import os
import re
from pathlib import Path

from mlmd_server.options import OPTIONS

from tests.deploy.parts import DEPLOY, ROOT, built, find, kustomize, program, run

PAGE = (ROOT / "docs" / "deployment.md").read_text("utf-8")


def test_paths_exist() -> None:
    """Every path of the project that the page names."""
    named = set(re.findall(r"\b(?:deploy|tools|tests)/[\w./-]*\w", PAGE))
    assert {"deploy/kubernetes", "tools/build_image_without_engine.sh"} <= named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_folders_of_the_table_are_all_there_is() -> None:
    """The table lists each kustomization once."""
    table = PAGE.split("| folder | what |")[1].split("\n\n")[0]
    listed = re.findall(r"`([\w/-]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))
    present = {str(path.parent.relative_to(DEPLOY / "kubernetes")) for path in DEPLOY.rglob("kustomization.yaml")}
    assert sorted(listed) == sorted(present)


def test_variables_are_options() -> None:
    """Every MLMD_* name of the page is an option of the server."""
    named = set(re.findall(r"\bMLMD_[A-Z_]+\b", PAGE))
    assert named - {option.variable for option in OPTIONS} == set()


def test_secrets_are_those_that_the_manifests_ask_for() -> None:
    """Name and key of each Secret that a manifest reads are in the page's commands; one is read whole."""
    commands = dict(re.findall(r"create secret generic (\S+)((?:\\\n|.)+)", PAGE))
    asked, whole = set(), set[str]()
    for manifest in (DEPLOY / "kubernetes").rglob("*.yaml"):
        asked |= set(re.findall(r"secretKeyRef:\s+name: (\S+)\s+key: (\S+)", manifest.read_text("utf-8")))
        whole |= set(re.findall(r"secretRef:\s+name: (\S+)", manifest.read_text("utf-8")))
    made = {(name, key) for name, rest in commands.items() for key in re.findall(r"--from-literal=([\w-]+)=", rest)}
    assert {(name, key) for name, key in made if name not in whole} == asked
    assert whole <= {name for name, _ in made}


def test_the_tls_patch_builds(tmp_path: Path) -> None:
    """The page's patch goes onto the base, and every probe speaks HTTPS afterwards."""
    (patch,) = re.findall(r"```yaml\n(patches:\n(?:.+\n)+?)```", PAGE)
    base = os.path.relpath(DEPLOY / "kubernetes" / "base", tmp_path)
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{base}]\n{patch}", "utf-8")
    container = find(built(tmp_path), "Deployment", "mlmd-server")["spec"]["template"]["spec"]["containers"][0]
    probes = [container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert [probe["scheme"] for probe in probes] == ["HTTPS"] * 3
    assert {"MLMD_TLS_CERT", "MLMD_TLS_KEY"} <= {setting["name"] for setting in container["env"]}
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(kustomize(tmp_path).stdout, "utf-8")
    assert run(program("kubernetes-validate"), "--strict", "-k", "1.30", str(manifest)).returncode == 0
