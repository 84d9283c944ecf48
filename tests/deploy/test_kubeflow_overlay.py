"""The Kubeflow Pipelines component changes the image of the metadata server and not one thing besides."""

import copy
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from mlmd_server import google_flags
from tests.deploy.parts import DEPLOY, Document, built, find, kustomize, program, run

COMPONENT = DEPLOY / "kubernetes" / "overlays" / "kubeflow-pipelines"
WITHOUT_ENVOY = COMPONENT.with_name("kubeflow-pipelines-without-envoy")
PIPELINES = Path(__file__).parent / "data" / "kubeflow-pipelines"
OURS = "mlmd-server:0.1.0"
NAME = "metadata-grpc-deployment"


def overlay(folder: Path, resources: Path, *components: Path, more: str = "") -> Path:
    """Write a kustomization that puts the component, and further ones, onto `resources`, as a user would."""
    folder.mkdir()
    named = ", ".join(os.path.relpath(path, folder) for path in (COMPONENT, *components))
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"resources: [{os.path.relpath(resources, folder)}]\n"
        f"components: [{named}]\n{more}",
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


def test_kubeflows_own_flags_are_taken(tmp_path: Path) -> None:
    """The arguments of the manifest, as Kubernetes would expand them, name the database, the port and the limits."""
    pod = find(built(PIPELINES / "install"), "Deployment", NAME)["spec"]["template"]["spec"]
    settings = {
        "MYSQL_DATABASE": "metadb",
        "MYSQL_HOST": "mysql",
        "MYSQL_PORT": "3306",
        "DBCONFIG_USER": "root",
        "DBCONFIG_PASSWORD": "p@ss/word",
    }
    container = pod["containers"][0]
    assert {setting["name"] for setting in container["env"]} == set(settings)
    arguments = [re.sub(r"\$\((\w+)\)", lambda match: settings[match[1]], text) for text in container["args"]]
    config, warnings = google_flags.to_config(google_flags.read_flags(arguments, settings), settings, lambda: tmp_path)
    url = urlsplit(config.database.url)
    assert (url.hostname, url.port, url.path, url.username) == ("mysql", 3306, "/metadb", "root")
    assert unquote(url.password or "") == "p@ss/word"
    assert (config.listen.host, config.listen.grpc_port, config.listen.http_port) == ("0.0.0.0", 8080, 0)
    assert config.listen.max_message_bytes == 104857600
    assert config.database.enable_upgrade
    assert warnings == ()


def test_without_envoy_the_server_is_behind_its_service(tmp_path: Path) -> None:
    """Envoy's Deployment goes, its Service selects the server, whose HTTP port is the Service's; all else is equal."""
    objects = built(overlay(tmp_path / "overlay", PIPELINES / "install", WITHOUT_ENVOY))
    before = with_image(built(PIPELINES / "install"), OURS)
    names = [each["metadata"]["name"] for each in before if each["metadata"]["name"] != "metadata-envoy-deployment"]
    assert [each["metadata"]["name"] for each in objects] == names
    service = find(objects, "Service", "metadata-envoy-service")["spec"]
    server = find(objects, "Deployment", NAME)["spec"]["template"]
    assert service["selector"].items() <= server["metadata"]["labels"].items()
    (container,) = server["spec"]["containers"]
    assert {"name": "MLMD_HTTP_PORT", "value": str(service["ports"][0]["port"])} in container["env"]
    assert {port["containerPort"] for port in container["ports"]} == {8080, 9090}
    assert container["args"] == find(before, "Deployment", NAME)["spec"]["template"]["spec"]["containers"][0]["args"]
