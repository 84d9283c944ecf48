"""The process as its operators meet it: what it says, how it starts, whom it lets in."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc

from tests.mlmd_server.processes import PUT_TYPE, put_types, said
from tests.services.ports import free_port
from tests.services.server import PROGRAMS, Server
from tests.services.trailers import trailers
from tests.services.waiting import wait_for


@pytest.fixture
def running(tmp_path: Path, sqlite_url: str) -> Iterator[Server]:
    """Our server as a user starts it, both ports open."""
    with Server(sqlite_url, tmp_path / "server", http=True, fresh=True) as server:
        yield server


def test_it_says_where_it_listens_and_when_it_is_ready(running: Server) -> None:
    wait_for(lambda: said(running, "ready"))
    assert running.stdout.read_text().splitlines() == [
        f"grpc listening on 127.0.0.1:{running.grpc_port}",
        f"http listening on 127.0.0.1:{running.http_port}",
        "ready",
    ]


def test_without_any_option_it_makes_its_folder(tmp_path: Path) -> None:
    environment = os.environ | {"MLMD_GRPC_PORT": str(free_port()), "MLMD_HTTP_PORT": "0"}
    command = [str(PROGRAMS / "mlmd-server"), "serve"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("grpc listening on 127.0.0.1:")
        assert process.stdout.readline() == "ready\n"
        assert (tmp_path / "mlmd-data" / "metadata.db").exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_it_starts_fast_and_stays_small(running: Server) -> None:
    assert running.process is not None
    put_types(running, 5)
    rollup = Path(f"/proc/{running.process.pid}/smaps_rollup").read_text()
    match = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    assert match is not None
    assert int(match[1]) < 150_000


def test_a_port_that_is_taken_ends_it_with_a_sentence(running: Server, tmp_path: Path) -> None:
    for workers in ("1", "2"):
        command = [*running.command()[:-2], "--http-port", "0", "--workers", workers]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert result.returncode == 1
        assert re.fullmatch(r"mlmd-server: grpc-port: cannot listen on 127\.0\.0\.1:.*\n", result.stderr), result.stderr
        assert "ready" not in result.stdout


def test_a_host_that_nobody_can_have_ends_it_with_a_sentence(tmp_path: Path, sqlite_url: str) -> None:
    for host in ("ü" * 80, "203.0.113.1"):
        command = [str(PROGRAMS / "mlmd-server"), "serve", "--database", sqlite_url, "--host", host]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert result.returncode == 1
        last = result.stderr.splitlines()[-1]
        assert last.startswith(f"mlmd-server: host: {host!r} is no address of this machine: ")
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_is_away_is_told_by_its_place(workers: str, tmp_path: Path) -> None:
    port, url = str(free_port()), f"mysql://mlmd:hunter2@127.0.0.1:{free_port()}/facts"
    options = ["--database", url, "--grpc-port", port, "--http-port", "0", "--workers", workers]
    command = [str(PROGRAMS / "mlmd-server"), "serve", *options]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("mlmd-server: The database cannot be used: nothing listens on its socket or host and port;")
    assert last.endswith(f" It was sought at {url.replace('hunter2', '***')}.")
    assert "hunter2" not in result.stderr


def test_a_database_that_is_away_behind_a_socket_is_told_by_the_socket(tmp_path: Path) -> None:
    url, port = "mysql://mlmd:hunter2@db.example:3307/facts", str(free_port())
    options = ["--database", url, "--database-socket", "/nowhere/mysqld.sock"]
    for words in (["serve", "--grpc-port", port, "--http-port", "0"], ["migrate"]):
        command = [str(PROGRAMS / "mlmd-server"), *words, *options]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert result.returncode == 1
        told = " It was sought at the socket '/nowhere/mysqld.sock', as mysql://mlmd:***@/facts."
        assert result.stderr.splitlines()[-1].endswith(told)


def test_what_nobody_foresaw_while_opening_the_database_is_told(tmp_path: Path) -> None:
    program = (
        "import sys, mlmd_server.wiring as wiring; from mlmd_server.cli import main\n"
        "wiring.tenant_stores = lambda config: {}['a defect']\n"
        "sys.exit(main())"
    )
    options = ["serve", "--workers", "2", "--http-port", "0", "--grpc-port", str(free_port())]
    command = [sys.executable, "-c", program, *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "KeyError: 'a defect'" in done.stderr
    assert "ready" not in done.stdout


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("mlmd_server.wiring.tenant_stores", "the process that opens the database first was ended by SIGKILL"),
        ("mlmd_server.lifecycle.run", r"worker \d \(pid \d+\) was ended by SIGKILL, .* before it was ready"),
    ],
    ids=["opening", "starting"],
)
def test_a_process_that_is_killed_before_it_is_ready_is_told_of(tmp_path: Path, place: str, told: str) -> None:
    program = (
        "import os, pkgutil, sys; from mlmd_server.cli import main; import mlmd_server.wiring, mlmd_server.lifecycle\n"
        f"owner, _, name = {place!r}.rpartition('.')\n"
        "setattr(pkgutil.resolve_name(owner), name, lambda *arguments: os.kill(os.getpid(), 9))\n"
        "sys.exit(main())"
    )
    options = ["serve", "--workers", "2", "--http-port", "0", "--grpc-port", str(free_port())]
    command = [sys.executable, "-c", program, *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert re.search(told, done.stderr), done.stderr
    assert "ready" not in done.stdout


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_is_not_there_ends_it_with_a_sentence(tmp_path: Path, workers: str) -> None:
    address = f"mysql://root:s3cret@127.0.0.1:{free_port()}/metadb"
    server = Server(address, tmp_path, options=("--workers", workers), fresh=True)
    result = subprocess.run(server.command(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("mlmd-server: ")  # it may have cleaned up behind another before
    assert "Traceback" not in result.stderr
    assert "s3cret" not in result.stderr


def test_an_open_door_is_warned_of(tmp_path: Path, sqlite_url: str) -> None:
    options = ("--host", "0.0.0.0")
    with Server(sqlite_url, tmp_path / "open", options=options, fresh=True) as server:
        assert "warning: --auth none on 0.0.0.0" in server.stderr.read_text()
    tokens = tmp_path / "tokens.toml"
    tokens.write_text('[[token]]\ntoken = "t"\nsubject = "s"\n')
    with Server(
        sqlite_url, tmp_path / "closed", options=(*options, "--auth", f"tokens={tokens}"), fresh=True
    ) as server:
        assert "warning" not in server.stderr.read_text()
    with Server(sqlite_url, tmp_path / "local", fresh=True) as server:
        assert "warning" not in server.stderr.read_text()


def test_tokens_and_tenants_through_the_whole_process(tmp_path: Path) -> None:
    tokens, tenants = tmp_path / "tokens.toml", tmp_path / "tenants.toml"
    tokens.write_text(
        "".join(
            f'[[token]]\ntoken = "{name}"\nsubject = "{name}"\ntenant = "{name}"\nroles = ["writer"]\n' for name in "ab"
        )
    )
    tenants.write_text("".join(f'[tenant.{name}]\ndatabase = "sqlite:///{tmp_path}/{name}.db"\n' for name in "ab"))
    options = ("--auth", f"tokens={tokens}", "--tenants", str(tenants))
    server = Server("", tmp_path / "server", http=True, options=options, fresh=True)
    server.words = [word for word in server.command() if word not in ("--database", "")]
    with server:
        found = {}
        for name in "ab":
            headers = {"authorization": f"Bearer {name}"}
            with httpx.Client(base_url=server.http_url, headers=headers, timeout=60, trust_env=False) as client:
                client.post(PUT_TYPE, json={"artifactType": {"name": f"of-{name}"}}).raise_for_status()
                got = client.post("/ml_metadata.MetadataStoreService/GetArtifactTypes", json={}).json()
                found[name] = [kind["name"] for kind in got["artifactTypes"]]
        assert found == {"a": ["of-a"], "b": ["of-b"]}
        for path in (PUT_TYPE, "/graphql", "/api/model_registry/v1/registered_models/1", "/registry/resolve"):
            method = "POST" if path in (PUT_TYPE, "/graphql") else "GET"
            refused = httpx.request(method, server.http_url + path, json={}, timeout=60, trust_env=False)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="mlmd-server"')
        assert httpx.get(server.http_url + "/readyz", timeout=60, trust_env=False).status_code == 200
    assert not (tmp_path / "server" / "mlmd-data").exists()


def test_the_log_has_a_line_a_call_as_json(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path / "server", options=("--log-format", "json"), fresh=True) as server:
        put_types(server, 1)
        with server.channel() as channel, pytest.raises(grpc.RpcError) as caught:
            service_grpc.MetadataStoreServiceStub(channel).GetArtifactType(
                service.GetArtifactTypeRequest(type_name="None"), timeout=30
            )
        request_id = trailers(caught.value)["x-request-id"]
        wait_for(lambda: request_id in server.stderr.read_text())
    lines = [json.loads(line) for line in server.stderr.read_text().splitlines()]
    calls = [line for line in lines if "method" in line]
    assert [(line["code"], line["wire"]) for line in calls] == [("OK", "grpc"), ("NOT_FOUND", "grpc")]
    assert calls[1]["request_id"] == request_id


def test_migrate_plans_and_migrates(tmp_path: Path, sqlite_url: str) -> None:
    def migrate(*options: str) -> subprocess.CompletedProcess[str]:
        command = [str(PROGRAMS / "mlmd-server"), "migrate", "--database", sqlite_url, *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    planned = migrate("--plan")
    assert planned.returncode == 0, planned.stderr
    assert "Type" in planned.stdout
    done = migrate()
    assert done.returncode == 0, done.stderr
    assert "today's shape" in done.stdout
    assert migrate("--plan").stdout == "nothing to do\n"


def test_a_missing_extra_is_told_with_the_line_that_mends_it() -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; sys.modules['sqlalchemy'] = None\n"
        "from mlmd_server.cli import main; sys.exit(main(['serve']))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].endswith("run: pip install 'mlmd-server[server]'")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("words", [["--help"], ["serve", "--help"], ["gc", "--help"], ["--version"], ["serve", "--no"]])
def test_a_word_about_the_command_loads_nothing_large(words: list[str]) -> None:
    code = (
        "import sys\nfrom mlmd_server.cli import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"
        "    print('loaded', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
    loaded = result.stdout.splitlines()[-1].split()
    assert loaded[0] == "loaded"
    assert "mlmd_server" in loaded
    large = {"sqlalchemy", "google", "grpc", "starlette", "graphql", "mlmd_api", "mlmd_artifact_store", "asyncio"}
    assert not large.intersection(loaded)


def test_nothing_is_heard_on_a_port_that_is_off(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path / "server", fresh=True) as server:
        assert "http" not in server.stdout.read_text()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", 8081 if server.http_port else free_port())) != 0
