"""Every kustomization builds, is valid to the field, and keeps the promises of docs/deployment.md."""

from pathlib import Path
from typing import Any

import pytest
from mlmd_server.options import OPTIONS

from tests.deploy.parts import DEPLOY, Document, built, find, kustomize, program, run

KUBERNETES = DEPLOY / "kubernetes"
FOLDERS = ("base", "mysql", "minio", "overlays/complete", "overlays/sqlite")
COMPONENTS = (
    "overlays/kserve",
    "overlays/kubeflow-model-registry",
    "overlays/kubeflow-pipelines",
    "overlays/kubeflow-pipelines-without-envoy",
)
WORKLOADS = ("Deployment", "StatefulSet")
VARIABLES = {option.variable for option in OPTIONS}


def pods(objects: list[Document]) -> list[tuple[str, Document]]:
    """Return name and pod of each workload."""
    return [
        (each["metadata"]["name"], each["spec"]["template"]["spec"]) for each in objects if each["kind"] in WORKLOADS
    ]


def test_every_kustomization_is_tested() -> None:
    """A folder that is added is checked, or is a component that the Kubeflow tests check."""
    present = {str(path.parent.relative_to(KUBERNETES)) for path in KUBERNETES.rglob("kustomization.yaml")}
    assert present == {*FOLDERS, *COMPONENTS}


def test_yaml_is_clean() -> None:
    """yamllint has nothing to say, warnings included."""
    done = run(program("yamllint"), "--strict", "compose.yaml", "deploy", "tests/deploy/data", ".yamllint.yaml")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", ["1.30", "1.34"])
@pytest.mark.parametrize("folder", FOLDERS)
def test_is_valid_to_the_field(folder: str, version: str, tmp_path: Path) -> None:
    """kubernetes-validate knows every object, every field and every type."""
    done = kustomize(KUBERNETES / folder)
    assert done.returncode == 0, done.stderr
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(done.stdout, "utf-8")
    verdict = run(program("kubernetes-validate"), "--strict", "-k", version, str(manifest))
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    assert (verdict.stdout + verdict.stderr).count(" passed for resource ") == done.stdout.count("\nkind: ")


def test_an_unknown_field_is_not_valid(tmp_path: Path) -> None:
    """The check above can fail: one misspelt field is enough."""
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(kustomize(KUBERNETES / "base").stdout.replace("readinessProbe:", "readynessProbe:"), "utf-8")
    assert run(program("kubernetes-validate"), "--strict", "-k", "1.30", str(manifest)).returncode != 0


@pytest.mark.parametrize("folder", FOLDERS)
def test_pods_are_confined(folder: str) -> None:
    """No root, no capabilities, nothing writable but volumes, no token: the level `restricted` and more."""
    found = pods(built(KUBERNETES / folder))
    assert found
    for name, pod in found:
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"requests", "limits"} <= set(container["resources"]), name
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), name


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_point_at_something(folder: str) -> None:
    """Mounts have volumes, probes and Services have ports, selectors have pods."""
    objects = built(KUBERNETES / folder)
    workloads = [each for each in objects if each["kind"] in WORKLOADS]
    for each in workloads:
        pod = each["spec"]["template"]["spec"]
        volumes = [volume["name"] for volume in pod.get("volumes", [])]
        volumes += [claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])]
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                action = container[probe].get("httpGet") or container[probe].get("tcpSocket")
                assert action is None or action["port"] in ports
    for each in objects:
        if each["kind"] in ("Service", "PodDisruptionBudget"):
            assert _selected(each, workloads), each["metadata"]["name"]


def _selected(chooser: Document, workloads: list[Document]) -> bool:
    selector = chooser["spec"]["selector"]
    labels: dict[str, str] = selector.get("matchLabels", selector)
    targets = {port["targetPort"] for port in chooser["spec"].get("ports", [])}
    for workload in workloads:
        template = workload["spec"]["template"]
        offered = {port["name"] for container in template["spec"]["containers"] for port in container["ports"]}
        if labels.items() <= template["metadata"]["labels"].items() and targets <= offered:
            return True
    return False


@pytest.mark.parametrize("folder", ["base", "overlays/sqlite"])
def test_settings_are_options_of_the_server(folder: str) -> None:
    """Every MLMD_* variable is an option, with a value that it takes; the ports are its defaults."""
    server = find(built(KUBERNETES / folder), "Deployment", "mlmd-server")["spec"]["template"]["spec"]
    container = server["containers"][0]
    by_variable = {option.variable: option for option in OPTIONS}
    for setting in container["env"]:
        option = by_variable[setting["name"]]
        if "value" in setting:
            option.parse(setting["value"], "from the manifest")
    defaults = {f"{option.name}": option.default for option in OPTIONS}
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "grpc": defaults["grpc-port"],
        "http": defaults["http-port"],
    }


def test_service_links_cannot_set_options() -> None:
    """A Service `mlmd-grpc` would put MLMD_GRPC_PORT=tcp://... into the pod's environment."""
    assert "MLMD_GRPC_PORT" in VARIABLES
    assert (
        find(built(KUBERNETES / "base"), "Deployment", "mlmd-server")["spec"]["template"]["spec"]["enableServiceLinks"]
        is False
    )


def test_the_server_has_time_to_drain() -> None:
    """The grace period is longer than preStop and the drain together."""
    pod = find(built(KUBERNETES / "base"), "Deployment", "mlmd-server")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    settings: dict[str, Any] = {setting["name"]: setting.get("value") for setting in container["env"]}
    pause = float(container["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert pod["terminationGracePeriodSeconds"] > pause + float(settings["MLMD_DRAIN_SECONDS"])


def test_a_node_is_drained_while_the_database_is_away() -> None:
    """No replica is ready then; a budget that counts the ready alone would keep all of them where they are."""
    budget = find(built(KUBERNETES / "base"), "PodDisruptionBudget", "mlmd-server")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def test_complete_keeps_data_on_claims() -> None:
    """MySQL and MinIO have volume claims that outlive their StatefulSets; Secrets are asked for, none is delivered."""
    objects = built(KUBERNETES / "overlays" / "complete")
    assert {each["metadata"].get("namespace", "mlmd") for each in objects} == {"mlmd"}
    assert not [each for each in objects if each["kind"] == "Secret"]
    for name in ("mlmd-mysql", "mlmd-minio"):
        spec = find(objects, "StatefulSet", name)["spec"]
        assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
        assert spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
    assert find(objects, "PodDisruptionBudget", "mlmd-server")["spec"]["maxUnavailable"] == 1


def test_artifacts_outlive_pods() -> None:
    """In MinIO's bucket, in the folder of the claim, or where the optional ConfigMap says."""

    def server(folder: str) -> Any:
        pod = find(built(KUBERNETES / folder), "Deployment", "mlmd-server")["spec"]["template"]["spec"]
        return pod["containers"][0]

    def settings(folder: str) -> dict[str, Any]:
        return {setting["name"]: setting for setting in server(folder)["env"]}

    complete = settings("overlays/complete")
    assert complete["MLMD_ARTIFACTS"]["value"] == "s3://mlmd"
    service = find(built(KUBERNETES / "overlays" / "complete"), "Service", "mlmd-minio")
    port = service["spec"]["ports"][0]["port"]
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert complete["MLMD_ARTIFACTS_ENDPOINT"]["value"] == f"http://{host}:{port}"
    for name, key in (("MINIO_ACCESS_KEY", "root-user"), ("MINIO_SECRET_KEY", "root-password")):
        assert complete[name]["valueFrom"]["secretKeyRef"] == {"name": "mlmd-minio", "key": key}
    mounts = {mount["name"]: mount["mountPath"] for mount in server("overlays/sqlite")["volumeMounts"]}
    assert settings("overlays/sqlite")["MLMD_ARTIFACTS"]["value"].startswith(f"file://{mounts['data']}/")
    reference = {"name": "mlmd-artifacts", "optional": True}
    assert server("base")["envFrom"] == [{"configMapRef": reference}, {"secretRef": reference}]


def test_sqlite_is_one_process_on_one_claim() -> None:
    """One replica that never overlaps its successor, no budget that would forbid draining, no database but the file."""
    objects = built(KUBERNETES / "overlays" / "sqlite")
    spec = find(objects, "Deployment", "mlmd-server")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    pod = spec["template"]["spec"]
    assert "MLMD_DATABASE" not in [setting["name"] for setting in pod["containers"][0]["env"]]
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "emptyDir" not in volume]
    assert claims == [find(objects, "PersistentVolumeClaim", "mlmd-data")["metadata"]["name"]]
    assert not [each for each in objects if each["kind"] == "PodDisruptionBudget"]
