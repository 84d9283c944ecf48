"""Google's own tests pass against our server, unchanged."""

from pathlib import Path

import pytest

from tests.google import suite
from tests.reference import client
from tests.services.missing import missing
from tests.services.server import Server

pytestmark = pytest.mark.reference

BROKEN_IN_THE_WHEEL = {
    "test_connection_config_with_grpc_client_timeout_sec_errors": "missing 1 required positional argument: 'cli_args'",
    "test_connection_config_with_grpc_http2_max_ping_strikes": "missing 1 required positional argument: 'cli_args'",
    "test_connection_config_with_grpc_max_receive_message_length": "missing 1 required positional argument: 'cli_args'",
    "test_connection_config_with_grpc_max_receive_message_length_errors": "has no attribute 'self'",
}
"""These call their own helper wrongly as soon as a gRPC server is given; no server can pass them."""

MARKED_XFAIL = {"test_downgrade_metadata_store", "test_enable_metadata_store_upgrade_migration"}


@pytest.fixture(autouse=True)
def _need_reference() -> None:
    if (sentence := client.absence()) is not None:
        missing(sentence)


def test_the_suite_passes_on_googles_own_core(tmp_path: Path) -> None:
    outcome = suite.run(tmp_path)
    assert outcome.failed == {}
    assert outcome.skipped == MARKED_XFAIL
    assert len(outcome.passed) == 106


@pytest.mark.parametrize("database_url", ["sqlite", "mariadb", "mysql9"], indirect=True)
def test_the_suite_passes_on_our_server(database_url: str, tmp_path: Path) -> None:
    with Server(database_url, tmp_path / "server") as server:
        outcome = suite.run(
            tmp_path, "--use_grpc_backend", "--grpc_host", "127.0.0.1", "--grpc_port", str(server.grpc_port)
        )
    unexpected = {name: text for name, text in outcome.failed.items() if name not in BROKEN_IN_THE_WHEEL}
    assert not unexpected, "\n\n".join(f"{name}: {text}" for name, text in unexpected.items())
    for name, reason in BROKEN_IN_THE_WHEEL.items():
        assert reason in outcome.failed[name]
    assert outcome.skipped == MARKED_XFAIL
    assert len(outcome.passed) == 102
