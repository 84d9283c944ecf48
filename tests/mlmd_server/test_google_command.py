"""`metadata_store_server`: Google's command line, its config file and its downgrade, in front of our server."""

import json
import os
import subprocess
from pathlib import Path

import grpc
import pytest
from mlmd_metadata_store.addresses import parse_url

from tests.mlmd_server.conftest import Authority
from tests.mlmd_server.processes import grpc_over_tls, launched, put_types
from tests.services.ports import free_port
from tests.services.server import PROGRAMS, Server


def test_googles_command_serves_with_kubeflows_words(tmp_path: Path, mariadb_url: str) -> None:
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
    server.words = [*command, f"--metadata_store_server_config_file={file}"]
    launched(server)
    try:
        assert grpc_over_tls(server, authority, authority.client) == 0
        with pytest.raises(grpc.RpcError):
            grpc_over_tls(server, authority)
    finally:
        assert server.stop() == 0


def _serves(command: list[str], folder: Path, port: int, environment: dict[str, str]) -> str:
    """Start Google's command, write through it twice, end it; returns what it said on standard error."""
    server = Server("", folder, environment=environment | {"MLMD_HOST": "127.0.0.1"})
    server.grpc_port = port
    server.words = command
    with server:
        assert len(set(put_types(server, 3))) == 3
        assert put_types(server, 3) == put_types(server, 3)
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
