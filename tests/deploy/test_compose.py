"""compose.yaml names things that exist, waits for what it needs and holds no password."""

import re
import shlex
from typing import Any

import pytest
from mlmd_server.options import OPTIONS

from tests.deploy.parts import ROOT, Document, documents

REQUIRED = re.compile(r"\$\{(\w+):\?[^}]+\}")


@pytest.fixture(scope="module")
def compose() -> Document:
    """The file's one document."""
    (document,) = documents((ROOT / "compose.yaml").read_text("utf-8"))
    return document


def test_services_and_their_images(compose: Document) -> None:
    """Server, MySQL 8.4 and MinIO, each with a pinned image; ours can be built from here."""
    images = {name: service["image"] for name, service in compose["services"].items()}
    assert set(images) == {"server", "mysql", "minio"}
    assert images["mysql"] == "mysql:8.4"
    assert all(not image.endswith(":latest") and ":" in image for image in images.values())
    context = ROOT / compose["services"]["server"]["build"]["context"]
    assert (context / "Dockerfile").is_file()


def test_volumes_are_declared_and_used(compose: Document) -> None:
    """Every named volume is mounted by one service and declared once."""
    mounted = [volume.split(":")[0] for service in compose["services"].values() for volume in service["volumes"]]
    assert sorted(mounted) == sorted(compose["volumes"])


def test_the_server_waits_for_healthy_services(compose: Document) -> None:
    """It depends on services that exist and have a health check; its own is in the image."""
    services = compose["services"]
    for name, condition in services["server"]["depends_on"].items():
        assert condition == {"condition": "service_healthy"}
        assert services[name]["healthcheck"]["test"][0] == "CMD"
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text("utf-8")


def test_no_password_and_no_default(compose: Document) -> None:
    """Whatever is secret is asked for by `${NAME:?why}`, and compose.env.example lists exactly those names, empty."""
    asked: set[str] = set()
    for service in compose["services"].values():
        for key, value in service["environment"].items():
            names = REQUIRED.findall(str(value))
            asked.update(names)
            assert names or not re.search("PASSWORD|SECRET|ROOT_USER|DATABASE_URL", key), key
            assert ":-" not in str(value), key
    example = (ROOT / "compose.env.example").read_text("utf-8")
    entries = dict(line.split("=", 1) for line in shlex.split(example, comments=True))
    assert entries == dict.fromkeys(asked, "")


def test_the_file_with_passwords_is_not_committed() -> None:
    """.env is ignored by git and does not reach the image's builder."""
    assert ".env" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert "*" in (ROOT / ".dockerignore").read_text("utf-8").splitlines()


def test_ports_are_published_on_loopback_only(compose: Document) -> None:
    """Without --auth the server answers everybody who reaches it."""
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_server_gets_options_that_it_has(compose: Document) -> None:
    """Variables are options with values that they take, and the database is the MySQL next to it."""
    settings: dict[str, Any] = compose["services"]["server"]["environment"]
    options = {option.variable: option for option in OPTIONS}
    for variable, value in settings.items():
        if variable not in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
            options[variable].parse(REQUIRED.sub("secret", value), "from compose.yaml")
    mysql = compose["services"]["mysql"]["environment"]
    user, password, database = mysql["MYSQL_USER"], mysql["MYSQL_PASSWORD"], mysql["MYSQL_DATABASE"]
    assert settings["MLMD_DATABASE"] == f"mysql://{user}:{password}@mysql:3306/{database}"


def test_artifacts_are_in_the_minio_next_to_it(compose: Document) -> None:
    """With its root user, at the address of the service for the server and at the published one for clients."""
    settings = compose["services"]["server"]["environment"]
    minio = compose["services"]["minio"]
    assert settings["MLMD_ARTIFACTS"] == "s3://mlmd"
    assert settings["MLMD_ARTIFACTS_ENDPOINT"] == "http://minio:9000"
    assert f"{settings['MLMD_ARTIFACTS_PUBLIC_ENDPOINT'].removeprefix('http://')}:9000" in minio["ports"]
    keys = [settings["MINIO_ACCESS_KEY"], settings["MINIO_SECRET_KEY"]]
    assert keys == [minio["environment"]["MINIO_ROOT_USER"], minio["environment"]["MINIO_ROOT_PASSWORD"]]


def test_containers_are_confined(compose: Document) -> None:
    """The server writes to its volume and /tmp alone; nobody gains privileges."""
    services = compose["services"]
    assert services["server"]["read_only"] is True
    assert services["server"]["tmpfs"] == ["/tmp"]
    assert services["server"]["cap_drop"] == ["ALL"]
    assert all(service["security_opt"] == ["no-new-privileges:true"] for service in services.values())
