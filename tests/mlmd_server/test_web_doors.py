"""Which pages and names a server lets in that is told nothing about them."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mlmd_server.settings import load_config
from mlmd_server.web_doors import allowed_hosts, cors_origins

from tests.services.server import Server

CALL = "/ml_metadata.MetadataStoreService/GetArtifactTypes"
MODELS = "/api/model_registry/v1alpha3/registered_models"
JSON = {"content-type": "application/json"}


@pytest.fixture
def http(running: Server) -> Iterator[httpx.Client]:
    """A client of a server that listens on the loopback interface and takes everybody for an administrator."""
    with httpx.Client(base_url=running.http_url, timeout=60, trust_env=False) as client:
        yield client


def test_a_page_of_the_web_neither_reads_nor_writes(http: httpx.Client) -> None:
    page = {"origin": "https://elsewhere.example"}
    asked = http.options(CALL, headers=page | {"access-control-request-method": "POST"})
    assert "access-control-allow-origin" not in asked.headers
    assert "access-control-allow-origin" not in http.post(CALL, json={}, headers=page).headers
    unasked = page | {"content-type": "text/plain"}
    assert http.post(MODELS, content=b'{"name": "m"}', headers=unasked).status_code == 403
    assert http.get(MODELS).json()["size"] == 0


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:9000", "http://[::1]:1"])
def test_a_page_of_this_machine_may_call(http: httpx.Client, origin: str) -> None:
    answer = http.post(CALL, json={}, headers={"origin": origin})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)


@pytest.mark.parametrize(
    "name",
    ["elsewhere.example", "127.0.0.1.elsewhere.example", "localhost.elsewhere.example", "10.0.0.7", "[::2]", "[", ""],
)
def test_a_name_that_leads_here_by_a_trick_is_refused(http: httpx.Client, name: str) -> None:
    """After DNS rebinding the browser takes the page and the server for one origin; the host is the page's."""
    host = {"host": f"{name}:8081", "origin": f"http://{name}:8081"}
    for path, said in ((CALL, b"{}"), ("/graphql", b'{"query": "{ artifactTypes { name } }"}')):
        answer = http.post(path, content=said, headers=JSON | host)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
        assert "--allowed-hosts" in answer.json()["message"]
    assert http.get("/metrics", headers=host).status_code == 403
    web = http.post(CALL, content=b"\0\0\0\0\0", headers=host | {"content-type": "application/grpc-web"})
    assert (web.status_code, b"grpc-status:7\r\ngrpc-message:host: " in web.content) == (200, True)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost.", "mlmd.localhost", "127.8.9.1", "[::1]"])
def test_a_name_of_this_machine_is_answered(http: httpx.Client, name: str) -> None:
    assert http.post(CALL, json={}, headers={"host": f"{name}:8081"}).status_code == 200


def test_on_other_interfaces_pages_are_let_in_as_by_envoy(tmp_path: Path, sqlite_url: str) -> None:
    page = {"origin": "https://kubeflow.example", "host": "metadata-envoy-service.kubeflow:9090"}
    with Server(sqlite_url, tmp_path, http=True, options=("--host", "0.0.0.0")) as server:
        answer = httpx.post(server.http_url + CALL, json={}, headers=page, timeout=60, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://kubeflow.example"
    assert json.loads(answer.content) == {}


@pytest.mark.parametrize(
    ("flags", "origins", "hosts"),
    [
        ({}, ("loopback",), ("loopback",)),
        ({"host": "::1"}, ("loopback",), ("loopback",)),
        ({"host": "0.0.0.0"}, ("*",), ("*",)),
        ({"auth": "tokens=tokens.toml"}, ("*",), ("*",)),
        ({"http-address": "https://Store.example/mlmd"}, ("loopback",), ("loopback", "store.example")),
        ({"cors-origins": "", "allowed-hosts": "a.example,b.example"}, (), ("a.example", "b.example")),
        ({"cors-origins": "*", "allowed-hosts": "*"}, ("*",), ("*",)),
    ],
)
def test_what_is_meant_where_nothing_is_said(
    flags: dict[str, str], origins: tuple[str, ...], hosts: tuple[str, ...]
) -> None:
    config = load_config(flags, {}, None)
    assert (cors_origins(config), allowed_hosts(config)) == (origins, hosts)


def test_a_client_certificate_says_nothing_about_a_page(tmp_path: Path) -> None:
    flags = {"host": "0.0.0.0"}
    for name in ("tls-cert", "tls-key", "tls-client-ca"):
        (tmp_path / name).write_text("a certificate")
        flags[name] = str(tmp_path / name)
    config = load_config(flags, {}, None)
    assert (cors_origins(config), allowed_hosts(config)) == (("loopback",), ("*",))
