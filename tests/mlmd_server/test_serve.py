"""The process as its operators meet it: what it says, how it starts, how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import httpx
import pytest
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc

from tests.mlmd_server.conftest import Authority
from tests.services.ports import free_port
from tests.services.server import NO_PROXY, PROGRAMS, Server
from tests.services.trailers import trailers

PUT_TYPE = "/ml_metadata.MetadataStoreService/PutArtifactType"


def _put_types(server: Server, count: int) -> list[int]:
    with server.channel() as channel:
        stub = service_grpc.MetadataStoreServiceStub(channel)
        requests = (service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name=f"T{n}")) for n in range(count))
        return [stub.PutArtifactType(request, timeout=30).type_id for request in requests]


def _wait_for(condition: object, seconds: float = 30) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def _said(server: Server, line: str) -> bool:
    return line in server.stdout.read_text().splitlines()


def _processes_of(server: Server) -> list[int]:
    assert server.process is not None
    path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def test_it_says_where_it_listens_and_when_it_is_ready(running: Server) -> None:
    _wait_for(lambda: _said(running, "ready"))
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
    _put_types(running, 5)
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


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_is_not_there_ends_it_with_a_sentence(tmp_path: Path, workers: str) -> None:
    address = f"mysql://root:s3cret@127.0.0.1:{free_port()}/metadb"
    server = Server(address, tmp_path, options=("--workers", workers))
    result = subprocess.run(server.command(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr.startswith("mlmd-server: ")
    assert "Traceback" not in result.stderr
    assert "s3cret" not in result.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_lets_calls_in_flight_finish(tmp_path: Path, sqlite_url: str, workers: str) -> None:
    """A write that waits for SQLite's lock when SIGTERM comes is answered, and its row is there afterwards."""
    import sqlite3

    with Server(sqlite_url, tmp_path / "server", http=True, options=("--workers", workers)) as server:
        _put_types(server, 1)
        blocker = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        answers: list[int] = []
        caller = threading.Thread(
            target=lambda: answers.append(
                httpx.post(
                    server.http_url + PUT_TYPE, json={"artifactType": {"name": "Late"}}, timeout=60, trust_env=False
                ).status_code
            )
        )
        with server.channel() as channel:
            stub = service_grpc.MetadataStoreServiceStub(channel)
            request = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Later"))
            future = stub.PutArtifactType.future(request, timeout=60)
            caller.start()
            time.sleep(0.5)
            process = server.process
            assert process is not None
            process.terminate()
            time.sleep(0.5)
            assert process.poll() is None
            blocker.execute("COMMIT")
            blocker.close()
            assert future.result().type_id
            caller.join(60)
        assert answers == [200]
        assert process.wait(60) == 0
        server.process = None
    names = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    assert names.execute("SELECT count(*) FROM Type WHERE name IN ('Late', 'Later')").fetchone() == (2,)
    names.close()


def test_a_second_signal_does_not_wait(tmp_path: Path, sqlite_url: str) -> None:
    import sqlite3

    for number, workers in enumerate(("1", "2")):
        with Server(sqlite_url, tmp_path / f"server{number}", options=("--workers", workers)) as server:
            _put_types(server, 1)
            blocker = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            with server.channel() as channel:
                stub = service_grpc.MetadataStoreServiceStub(channel)
                request = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Never"))
                future = stub.PutArtifactType.future(request, timeout=60)
                time.sleep(0.5)
                process = server.process
                assert process is not None
                started = time.monotonic()
                process.terminate()
                time.sleep(0.3)
                process.terminate()
                process.wait(60)
                assert time.monotonic() - started < 10
                assert future.exception() is not None
            server.process = None
            blocker.execute("COMMIT")
            blocker.close()


def test_a_drain_has_an_end(tmp_path: Path, sqlite_url: str) -> None:
    """A call that does not finish is given up after --drain-seconds, and nothing of it is written."""
    import sqlite3

    path = sqlite_url.removeprefix("sqlite:///")
    with (
        Server(sqlite_url, tmp_path / "server", options=("--drain-seconds", "1")) as server,
        server.channel() as channel,
    ):
        _put_types(server, 1)
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        stub = service_grpc.MetadataStoreServiceStub(channel)
        request = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Never"))
        future = stub.PutArtifactType.future(request, timeout=60)
        time.sleep(0.5)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 15
        assert future.exception() is not None
        blocker.execute("COMMIT")
        assert blocker.execute("SELECT count(*) FROM Type WHERE name = 'Never'").fetchone() == (0,)
        blocker.close()


def test_workers_share_the_ports_and_metrics_add_them_up(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path / "server", http=True, options=("--workers", "3")) as server:
        _wait_for(lambda: _said(server, "ready"))
        assert len(_processes_of(server)) == 3
        body = {"artifactType": {"name": "T"}}
        for _ in range(30):
            assert httpx.post(server.http_url + PUT_TYPE, json=body, trust_env=False).status_code == 200
        pages = [httpx.get(server.http_url + "/metrics", trust_env=False).text for _ in range(10)]
        total = (
            'mlmd_calls_total{code="OK",method="ml_metadata.MetadataStoreService/PutArtifactType",wire="connect-json"}'
        )
        assert {line for page in pages for line in page.splitlines() if line.startswith(total)} == {f"{total} 30.0"}


def test_a_worker_that_dies_is_replaced_and_the_others_go_on(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path / "server", options=("--workers", "2")) as server:
        _wait_for(lambda: _said(server, "ready"))
        before = _processes_of(server)
        os.kill(before[0], signal.SIGKILL)
        _wait_for(lambda: len(_processes_of(server)) == 2 and before[0] not in _processes_of(server))
        _wait_for(server.serving)
        assert before[1] in _processes_of(server)
        assert _put_types(server, 3)
        assert "ended with status -9" in server.stderr.read_text()


def test_workers_do_not_outlive_their_parent(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path / "server", options=("--workers", "2", "--drain-seconds", "2")) as server:
        _wait_for(lambda: _said(server, "ready"))
        workers = _processes_of(server)
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
        server.process = None
        _wait_for(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() and _alive(pid) for pid in workers))


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_an_open_door_is_warned_of(tmp_path: Path, sqlite_url: str) -> None:
    options = ("--host", "0.0.0.0")
    with Server(sqlite_url, tmp_path / "open", options=options) as server:
        assert "warning: --auth none on 0.0.0.0" in server.stderr.read_text()
    tokens = tmp_path / "tokens.toml"
    tokens.write_text('[[token]]\ntoken = "t"\nsubject = "s"\n')
    with Server(sqlite_url, tmp_path / "closed", options=(*options, "--auth", f"tokens={tokens}")) as server:
        assert "warning" not in server.stderr.read_text()
    with Server(sqlite_url, tmp_path / "local") as server:
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
    server = Server("", tmp_path / "server", http=True, options=options)
    command = [word for word in server.command() if word not in ("--database", "")]
    server.command = lambda: command  # type: ignore[method-assign]
    with server:
        found = {}
        for name in "ab":
            headers = {"authorization": f"Bearer {name}"}
            with httpx.Client(base_url=server.http_url, headers=headers, trust_env=False) as client:
                client.post(PUT_TYPE, json={"artifactType": {"name": f"of-{name}"}}).raise_for_status()
                got = client.post("/ml_metadata.MetadataStoreService/GetArtifactTypes", json={}).json()
                found[name] = [kind["name"] for kind in got["artifactTypes"]]
        assert found == {"a": ["of-a"], "b": ["of-b"]}
        assert httpx.post(server.http_url + PUT_TYPE, json={}, trust_env=False).status_code == 401
        assert httpx.get(server.http_url + "/readyz", trust_env=False).status_code == 200
    assert not (tmp_path / "server" / "mlmd-data").exists()


def test_the_log_has_a_line_a_call_as_json(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path / "server", options=("--log-format", "json")) as server:
        _put_types(server, 1)
        with server.channel() as channel, pytest.raises(grpc.RpcError) as caught:
            service_grpc.MetadataStoreServiceStub(channel).GetArtifactType(
                service.GetArtifactTypeRequest(type_name="None"), timeout=30
            )
        request_id = trailers(caught.value)["x-request-id"]
        _wait_for(lambda: request_id in server.stderr.read_text())
    lines = [json.loads(line) for line in server.stderr.read_text().splitlines()]
    calls = [line for line in lines if "method" in line]
    assert [(line["code"], line["wire"]) for line in calls] == [("OK", "grpc"), ("NOT_FOUND", "grpc")]
    assert calls[1]["request_id"] == request_id


def test_a_deadline_that_passes_while_waiting_writes_nothing(running: Server, sqlite_url: str) -> None:
    import sqlite3

    _put_types(running, 1)
    blocker = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    headers = {"connect-timeout-ms": "700"}
    body = {"artifactType": {"name": "Never"}}
    response = httpx.post(running.http_url + PUT_TYPE, json=body, headers=headers, timeout=60, trust_env=False)
    blocker.execute("COMMIT")
    assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")
    time.sleep(0.5)
    assert blocker.execute("SELECT count(*) FROM Type WHERE name = 'Never'").fetchone() == (0,)
    blocker.close()


def _tls_options(authority: Authority, mutual: bool) -> tuple[str, ...]:
    options = ("--tls-cert", str(authority.server.certificate), "--tls-key", str(authority.server.key))
    return (*options, "--tls-client-ca", str(authority.ca)) if mutual else options


def _grpc_over_tls(server: Server, authority: Authority, client: object = None) -> int:
    from tests.mlmd_server.conftest import Certificate

    shown = (
        (client.key.read_bytes(), client.certificate.read_bytes()) if isinstance(client, Certificate) else (None, None)
    )
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes(), *shown)
    with grpc.secure_channel(f"localhost:{server.grpc_port}", credentials, options=[NO_PROXY]) as channel:
        stub = service_grpc.MetadataStoreServiceStub(channel)
        return len(stub.GetArtifactTypes(service.GetArtifactTypesRequest(), timeout=20).artifact_types)


def _http_over_tls(server: Server, authority: Authority, client: object = None) -> int:
    import ssl

    from tests.mlmd_server.conftest import Certificate

    context = ssl.create_default_context(cafile=str(authority.ca))
    if isinstance(client, Certificate):
        context.load_cert_chain(client.certificate, client.key)
    url = f"https://localhost:{server.http_port}/readyz"
    return httpx.get(url, verify=context, trust_env=False).status_code


def _launched(server: Server) -> None:
    server.launch()
    _wait_for(lambda: _said(server, "ready"), 60)


def test_tls_on_both_listeners(tmp_path: Path, sqlite_url: str, authority: Authority) -> None:
    server = Server(sqlite_url, tmp_path / "server", http=True, options=_tls_options(authority, mutual=False))
    _launched(server)
    try:
        assert _grpc_over_tls(server, authority) == 0
        assert _http_over_tls(server, authority) == 200
        assert not server.serving(), "plain text must not be served"
    finally:
        assert server.stop() == 0


def test_a_client_certificate_is_demanded_on_both_listeners(
    tmp_path: Path, sqlite_url: str, authority: Authority
) -> None:
    server = Server(sqlite_url, tmp_path / "server", http=True, options=_tls_options(authority, mutual=True))
    _launched(server)
    try:
        assert _grpc_over_tls(server, authority, authority.client) == 0
        assert _http_over_tls(server, authority, authority.client) == 200
        for stranger in (None, authority.stranger):
            with pytest.raises(grpc.RpcError):
                _grpc_over_tls(server, authority, stranger)
            with pytest.raises(httpx.HTTPError):
                _http_over_tls(server, authority, stranger)
    finally:
        assert server.stop() == 0


def test_a_key_that_does_not_fit_is_told(tmp_path: Path, sqlite_url: str, authority: Authority) -> None:
    options = ("--tls-cert", str(authority.server.certificate), "--tls-key", str(authority.client.key))
    for http in (False, True):
        server = Server(sqlite_url, tmp_path / f"server{http}", http=http, options=options)
        result = subprocess.run(server.command(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert result.returncode == 1
        assert "mlmd-server: " in result.stderr
        assert "Traceback" not in result.stderr


def test_googles_command_serves_with_kubeflows_words(tmp_path: Path, mariadb_url: str) -> None:
    from mlmd_metadata_store.addresses import parse_url

    url, port, http_port = parse_url(mariadb_url), free_port(), free_port()
    command = [
        str(PROGRAMS / "metadata_store_server"),
        f"--grpc_port={port}",
        f"--mysql_config_database={url.database}",
        f"--mysql_config_host={url.host}",
        f"--mysql_config_port={url.port}",
        f"--mysql_config_user={url.username}",
        f"--mysql_config_password={url.password or ''}",
        "--enable_database_upgrade=true",
        "--grpc_channel_arguments=grpc.max_metadata_size=16384,grpc.max_receive_message_length=104857600,"
        "grpc.max_send_message_length=104857600",
    ]
    _serves(command, tmp_path, port, {"MLMD_HTTP_PORT": str(http_port)})


def test_googles_command_without_a_database_keeps_all_in_memory_while_it_lives(tmp_path: Path) -> None:
    port = free_port()
    command = [str(PROGRAMS / "metadata_store_server")]
    said = _serves(command, tmp_path, port, {"GRPC_PORT": str(port), "TMPDIR": str(tmp_path)})
    assert "lost when this process ends" in said
    assert not list(tmp_path.glob("mlmd-memory-*")), "nothing is left behind"


def test_googles_config_file_with_pem_contents(tmp_path: Path, authority: Authority) -> None:
    def quoted(path: Path) -> str:
        return json.dumps(path.read_text())

    file = tmp_path / "config.pbtxt"
    file.write_text(
        f"""connection_config {{ sqlite {{ filename_uri: "{tmp_path}/m.db" connection_mode: READWRITE_OPENCREATE }} }}
        ssl_config {{ server_key: {quoted(authority.server.key)} server_cert: {quoted(authority.server.certificate)}
          custom_ca: {quoted(authority.ca)} client_verify: true }}"""
    )
    server = Server("", tmp_path / "server")
    command = [str(PROGRAMS / "metadata_store_server"), f"--grpc_port={server.grpc_port}"]
    server.command = lambda: [*command, f"--metadata_store_server_config_file={file}"]  # type: ignore[method-assign]
    _launched(server)
    try:
        assert _grpc_over_tls(server, authority, authority.client) == 0
        with pytest.raises(grpc.RpcError):
            _grpc_over_tls(server, authority)
    finally:
        assert server.stop() == 0


def _serves(command: list[str], folder: Path, port: int, environment: dict[str, str]) -> str:
    """Start Google's command, write through it twice, end it; returns what it said on standard error."""
    server = Server("", folder, environment=environment | {"MLMD_HOST": "127.0.0.1"})
    server.grpc_port = port
    server.command = lambda: command  # type: ignore[method-assign]
    with server:
        assert len(set(_put_types(server, 3))) == 3
        assert _put_types(server, 3) == _put_types(server, 3)
        assert server.stop() == 0
    return server.stderr.read_text()


def test_a_downgrade_ends_the_command_with_a_sentence(tmp_path: Path) -> None:
    file, database = tmp_path / "config.pbtxt", tmp_path / "m.db"
    source = f'connection_config {{ sqlite {{ filename_uri: "{database}" }} }}'
    file.write_text(f"{source} migration_options {{ downgrade_to_schema_version: 9 }}")
    made = Server(f"sqlite:///{database}", tmp_path / "server")
    with made:
        pass
    command = [str(PROGRAMS / "metadata_store_server"), f"--metadata_store_server_config_file={file}"]
    environment = os.environ | {"GRPC_PORT": str(free_port())}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "Downgrade migration was performed" in result.stderr
    refused = subprocess.run(made.command(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert "--enable-upgrade" in refused.stderr


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


def test_nothing_is_heard_on_a_port_that_is_off(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path / "server") as server:
        assert "http" not in server.stdout.read_text()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", 8081 if server.http_port else free_port())) != 0
