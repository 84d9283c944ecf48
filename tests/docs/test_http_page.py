"""docs/http.md: its example is sent, its paths answer as it says, and it names everything that is measured."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.services.server import Server

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "http.md").read_text()
GET_ARTIFACTS = "/ml_metadata.MetadataStoreService/GetArtifacts"
GET_ARTIFACT_TYPE = "/ml_metadata.MetadataStoreService/GetArtifactType"


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table that begins with a heading."""
    lines = PAGE.partition(heading)[2].splitlines()[2:]
    table = lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody else asks."""
    folder = tmp_path_factory.mktemp("http")
    with Server(f"sqlite:///{folder / 'metadata.db'}", folder, http=True) as started:
        yield started


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(base_url=server.http_url, trust_env=False, timeout=60) as client:
        yield client


def test_the_example_puts_a_type(server: Server, http: httpx.Client) -> None:
    (example,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S)
    words = shlex.split(example.replace("\\\n", " ").replace("http://127.0.0.1:8081", server.http_url))
    done = subprocess.run([*words, "-sS", "--noproxy", "*"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"typeId"' in done.stdout
    asked = http.post(GET_ARTIFACT_TYPE, json={"type_name": "system.Dataset"}).json()["artifactType"]
    assert (asked["name"], asked["properties"]) == ("system.Dataset", {"rows": "INT"})


def test_what_the_operators_paths_answer(http: httpx.Client) -> None:
    told = [path for row in rows("| path | answer |") for path in re.findall(r"`(/\w*)`", row[0])]
    assert told == ["/", "/healthz", "/readyz", "/metrics"]
    for path in told:
        answer = http.get(path)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")


def test_every_path_of_the_front_page_is_on_the_page(http: httpx.Client) -> None:
    places = re.findall(r"^  (\S.*?)  +", http.get("/").text, flags=re.M)
    assert places
    for place in ", ".join(places).split(", "):
        assert f"`{place}" in PAGE or f" {place}`" in PAGE, place


def test_the_series_are_those_that_are_measured(http: httpx.Client) -> None:
    http.post(GET_ARTIFACTS, json={})
    http.post(GET_ARTIFACT_TYPE, json={"type_name": "none"})
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", http.get("/metrics").text, flags=re.M):
        series = re.sub(r"_(bucket|sum|count)$", "", name)
        if not name.endswith("_created"):
            found.setdefault(series, set()).update(set(re.findall(r"(\w+)=", labels)) - {"le"})
    told = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in rows("| series | labels | what |")}
    only_with_tls = {name for name in told if name.startswith("mlmd_certificate_")}
    assert len(only_with_tls) == 2
    elsewhere = only_with_tls | {"mlmd_workers_silent"}  # only with several
    assert elsewhere <= set(told)
    here = {name: labels for name, labels in told.items() if name not in elsewhere}
    assert {name: labels for name, labels in found.items() if name.startswith("mlmd_")} == here


def test_every_wire_is_told() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "api" / "mlmd_api").rglob("*.py"))
    named = set(re.findall(r'(?:wire|WIRE) = "([a-z-]+)"', source))
    named |= set(re.findall(r'b"", headers, "([a-z]+)"', source))
    named |= set(re.findall(r'metadata, "(\w+)", _deadline', source))
    named |= {f"connect-{way}{form}" for way in ("", "stream-") for form in ("json", "proto")}
    named |= {"grpc-web", "grpc-web-text"}
    told = re.search(r"^`wire` is (.*?)\. ", PAGE, flags=re.M | re.S)
    assert told is not None
    assert set(re.findall(r"`([a-z-]+)`", told[1])) == named
    assert len(named) > 9


def test_content_types_verbs_and_errors(http: httpx.Client) -> None:
    assert http.post(GET_ARTIFACTS, content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    assert http.put(GET_ARTIFACTS, content=b"{}").status_code == 405
    absent = http.post(GET_ARTIFACT_TYPE, json={"typeName": "none"})
    assert (absent.status_code, absent.json()["code"], "x-request-id" in absent.headers) == (404, "not_found", True)
    wrong = http.post(GET_ARTIFACTS, json={"no_such_field": 1})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_argument")
    late = http.post(GET_ARTIFACTS, json={}, headers={"connect-timeout-ms": "0"})
    assert late.json()["code"] in ("deadline_exceeded", "invalid_argument")


def test_the_content_types_that_the_page_names_are_answered(http: httpx.Client) -> None:
    of_streams = {"application/connect+json", "application/connect+proto"}
    named = set(re.findall(r"`(application/[a-z+-]+)`", PAGE)) - of_streams
    named |= {"application/grpc-web-text"}
    assert len(named) == 5
    for one in named:
        body = {"application/json": b"{}", "application/proto": b""}.get(one, b"\0\0\0\0\0")
        if one.endswith("-text"):
            body = b"AAAAAAA="
        answer = http.post(GET_ARTIFACTS, content=body, headers={"content-type": one})
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, one)


def test_health_and_reflection_are_on_the_grpc_port(server: Server) -> None:
    assert server.serving()
    program = (
        "import grpc, sys\n"
        "from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase\n"
        "found = ProtoReflectionDescriptorDatabase(grpc.insecure_channel(sys.argv[1])).get_services()\n"
        "print(*found)"
    )
    done = subprocess.run([sys.executable, "-c", program, server.target], capture_output=True, text=True, check=True)
    assert {"grpc.health.v1.Health", "ml_metadata.MetadataStoreService", "mlmd.v1.Runs"} <= set(done.stdout.split())
