"""The Model Registry component adds the Service that Kubeflow's clients look for, and touches nothing else."""

import os
from pathlib import Path

import pytest

from tests.deploy.parts import DEPLOY, built, find, kustomize, program, run

OVERLAYS = DEPLOY / "kubernetes" / "overlays"
COMPONENT = OVERLAYS / "kubeflow-model-registry"
HOSTS = [DEPLOY / "kubernetes" / "base", OVERLAYS / "complete", OVERLAYS / "sqlite"]
SERVICE = "model-registry-service"


def overlay(folder: Path, resources: Path) -> Path:
    """Write the kustomization that a user would."""
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: kubeflow\n"
        f"resources: [{os.path.relpath(resources, folder)}]\n"
        f"components: [{os.path.relpath(COMPONENT, folder)}]\n",
        "utf-8",
    )
    return folder


@pytest.mark.parametrize("host", HOSTS, ids=lambda path: path.name)
def test_the_service_is_the_one_that_kubeflow_looks_for(host: Path, tmp_path: Path) -> None:
    """Name, label and port name are those of Kubeflow's manifests, and the port leads to the server's HTTP."""
    objects = built(overlay(tmp_path / "overlay", host))
    service = find(objects, "Service", SERVICE)
    assert service["metadata"]["namespace"] == "kubeflow"
    assert service["metadata"]["labels"]["component"] == "model-registry"
    (port,) = service["spec"]["ports"]
    assert (port["name"], port["port"]) == ("http-api", 8080)
    pod = find(objects, "Deployment", "mlmd-server")["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (container,) = pod["spec"]["containers"]
    assert port["targetPort"] in {each["name"] for each in container["ports"]}
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports[port["targetPort"]] == 8081


def test_nothing_else_is_there_or_changed(tmp_path: Path) -> None:
    """Without the Service, what is built is what the base is, in the namespace."""
    objects = built(overlay(tmp_path / "overlay", HOSTS[0]))
    rest = [each for each in objects if each["metadata"]["name"] != SERVICE]
    before = built(HOSTS[0])
    assert [(each["kind"], each["metadata"]["name"]) for each in rest] == [
        (each["kind"], each["metadata"]["name"]) for each in before
    ]
    assert [each.get("spec") for each in rest] == [each.get("spec") for each in before]


def test_the_result_is_valid(tmp_path: Path) -> None:
    """kubernetes-validate accepts what comes out."""
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(kustomize(overlay(tmp_path / "overlay", HOSTS[0])).stdout, "utf-8")
    verdict = run(program("kubernetes-validate"), "--strict", "-k", "1.30", str(manifest))
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
