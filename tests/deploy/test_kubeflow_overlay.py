"""The Kubeflow Pipelines component changes the image of the metadata server and not one thing besides."""

import copy
import os
from pathlib import Path

import pytest

from tests.deploy.parts import DEPLOY, Document, built, find, kustomize, program, run

COMPONENT = DEPLOY / "kubernetes" / "overlays" / "kubeflow-pipelines"
PIPELINES = Path(__file__).parent / "data" / "kubeflow-pipelines"
OURS = "mlmd-server:0.1.0"
NAME = "metadata-grpc-deployment"


def overlay(folder: Path, resources: Path, *, more: str = "") -> Path:
    """Write a kustomization that puts the component onto `resources`, as a user would."""
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"resources: [{os.path.relpath(resources, folder)}]\n"
        f"components: [{os.path.relpath(COMPONENT, folder)}]\n{more}",
        "utf-8",
    )
    return folder


def with_image(objects: list[Document], image: str) -> list[Document]:
    """Return a copy of the objects in which the metadata server's container has another image."""
    changed = copy.deepcopy(objects)
    containers = find(changed, "Deployment", NAME)["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["container"]
    containers[0]["image"] = image
    return changed


@pytest.mark.parametrize("part", ["metadata", "install"])
def test_only_the_image_differs(part: str, tmp_path: Path) -> None:
    """With and without a namespace: everything else is equal, in order and to the field."""
    before = built(PIPELINES / part)
    after = built(overlay(tmp_path / "overlay", PIPELINES / part))
    assert after == with_image(before, OURS)
    assert after != before


def test_the_result_is_valid(tmp_path: Path) -> None:
    """kubernetes-validate accepts what comes out."""
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(kustomize(overlay(tmp_path / "overlay", PIPELINES / "install")).stdout, "utf-8")
    verdict = run(program("kubernetes-validate"), "--strict", "-k", "1.30", str(manifest))
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_the_image_can_be_named_by_the_user(tmp_path: Path) -> None:
    """`images:` of the user's kustomization sees the component's image, because components come first."""
    more = "images: [{name: mlmd-server, newName: registry.example/team/mlmd-server, newTag: 9.9.9}]\n"
    after = built(overlay(tmp_path / "overlay", PIPELINES / "install", more=more))
    assert after == with_image(built(PIPELINES / "install"), "registry.example/team/mlmd-server:9.9.9")


def test_a_missing_deployment_is_an_error(tmp_path: Path) -> None:
    """A release that renamed its Deployment is noticed, rather than left as it was."""
    done = kustomize(overlay(tmp_path / "overlay", DEPLOY / "kubernetes" / "base"))
    assert done.returncode != 0
    assert NAME in done.stderr
