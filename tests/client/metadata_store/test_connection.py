"""Configurations, attempts, times and errors of MLMD's client."""

import gc
import logging
import pickle
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlmd_client.metadata_store import MetadataStore, downgrade_schema, errors
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.client.metadata_store.conftest import Stub
from tests.services.certificates import make_certificates
from tests.services.server import Server


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The means of the pauses between attempts, which take no time here."""
    means: list[float] = []

    def draw(rate: float) -> float:
        means.append(1 / rate)
        return 0.0

    monkeypatch.setattr("mlmd_client.metadata_store.connection.CHANCE.expovariate", draw)
    return means


@pytest.mark.parametrize("code", range(1, 17))
def test_each_status_is_its_exception_with_the_servers_words(
    code: int, stub: Callable[..., Stub], pauses: list[float]
) -> None:
    server = stub(lambda name, request: (code, f"ünexpected {code}"))
    with pytest.raises(errors.StatusError) as caught:
        server.store().get_artifacts()
    assert type(caught.value) is errors.exception_type_from_error_code(code)
    assert (caught.value.error_code, caught.value.message) == (code, f"ünexpected {code}")
    assert str(caught.value) == f"ünexpected {code}"
    assert len(server.requests) == (5 if code == errors.ABORTED else 1)


def test_aborted_is_tried_five_times_two_seconds_apart_on_the_mean(
    stub: Callable[..., Stub], pauses: list[float]
) -> None:
    server = stub(lambda name, request: (errors.ABORTED, "again"))
    with pytest.raises(errors.AbortedError):
        server.store().put_events([])
    assert server.names() == ["PutEvents"] * 5
    assert pauses == [2.0] * 4


def test_unavailable_is_not_tried_again(stub: Callable[..., Stub], pauses: list[float]) -> None:
    server = stub(lambda name, request: (errors.UNAVAILABLE, "away"))
    with pytest.raises(errors.UnavailableError):
        server.store().get_contexts()
    assert len(server.requests) == 1
    assert pauses == []


def test_an_attempt_that_succeeds_is_the_last(stub: Callable[..., Stub], pauses: list[float]) -> None:
    answers: list[Any] = [(errors.ABORTED, "again"), (errors.ABORTED, "again"), service.PutEventsResponse()]
    server = stub(lambda name, request: answers.pop(0))
    server.store().put_events([])
    assert len(server.requests) == 3


@pytest.mark.parametrize(("retries", "attempts"), [(1, 1), (7, 7), (0, 12)])
def test_retry_options_say_how_often(
    retries: int, attempts: int, stub: Callable[..., Stub], pauses: list[float]
) -> None:
    """0 tries for ever: here until the twelfth time succeeds."""
    config = pb.ConnectionConfig(fake_database=pb.FakeDatabaseConfig())
    config.retry_options.max_num_retries = retries
    store = MetadataStore(config)
    asked: list[str] = []

    def script(name: str, request: Any) -> Any:
        asked.append(name)
        return (errors.ABORTED, "") if len(asked) < 12 else service.PutEventsResponse()

    server = stub(script)
    store.close()
    store._transport = server.store()._transport
    if retries:
        with pytest.raises(errors.AbortedError):
            store.put_events([])
    else:
        store.put_events([])
    assert len(asked) == attempts


def test_calls_have_no_deadline_unless_one_is_given(stub: Callable[..., Stub]) -> None:
    server = stub(lambda name, request: service.GetArtifactsResponse())
    server.store().get_artifacts()
    config = server.config
    config.client_timeout_sec = 20
    MetadataStore(config).get_artifacts()
    without, given = server.remaining_seconds
    assert without is None or without > 1e9
    assert given is not None
    assert 10 < given < 22  # gRPC rounds what is left up


def test_a_deadline_ends_a_call(stub: Callable[..., Stub]) -> None:
    ended = threading.Event()

    def script(name: str, request: Any) -> Any:
        ended.wait(60)
        return service.GetArtifactsResponse()

    server = stub(script)
    config = server.config
    config.client_timeout_sec = 0.2
    with pytest.raises(errors.DeadlineExceededError):
        MetadataStore(config).get_artifacts()
    ended.set()


def test_answers_over_four_megabytes_come_unless_the_configuration_forbids(stub: Callable[..., Stub]) -> None:
    large = service.GetArtifactsResponse(artifacts=[pb.Artifact(uri="x" * 5_000_000)])
    server = stub(lambda name, request: large)
    assert server.store().get_artifacts()[0].uri == large.artifacts[0].uri
    config = server.config
    config.channel_arguments.max_receive_message_length = 1000
    with pytest.raises(errors.ResourceExhaustedError):
        MetadataStore(config).get_artifacts()


def test_tls_by_pem(tmp_path: Path, sqlite_url: str) -> None:
    made = make_certificates(tmp_path)
    pem = {"tls-cert": made.certificate, "tls-key": made.key, "tls-client-ca": made.authority}
    options = [part for name, path in pem.items() for part in (f"--{name}", str(path))]
    server = Server(sqlite_url, tmp_path / "server", options=tuple(options))
    server.launch()
    try:
        config = pb.MetadataStoreClientConfig(host="localhost", port=server.grpc_port)
        config.ssl_config.custom_ca = made.authority.read_text()
        config.ssl_config.client_key = made.key.read_text()
        config.ssl_config.server_cert = made.certificate.read_text()
        until = time.monotonic() + 60
        while True:
            try:
                assert MetadataStore(config).get_artifacts() == []
                break
            except errors.UnavailableError:
                assert time.monotonic() < until
        config.ClearField("ssl_config")
        with pytest.raises(errors.UnavailableError):
            MetadataStore(config).get_artifacts()
    finally:
        server.kill()


@pytest.mark.parametrize("config", [None, "127.0.0.1:8080", pb.Artifact(), pb.SqliteMetadataSourceConfig()])
def test_what_is_no_configuration(config: object) -> None:
    with pytest.raises(ValueError, match="neither a ConnectionConfig nor a MetadataStoreClientConfig"):
        MetadataStore(config)


def test_a_server_is_not_upgraded_by_its_client() -> None:
    with pytest.raises(ValueError, match="enable_upgrade_migration"):
        MetadataStore(pb.MetadataStoreClientConfig(host="h", port=1), enable_upgrade_migration=True)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (pb.ConnectionConfig(), "unset; give mysql, sqlite or fake_database"),
        (pb.ConnectionConfig(postgresql=pb.PostgreSQLDatabaseConfig(host="h")), "PostgreSQL is not supported"),
        (pb.ConnectionConfig(mysql=pb.MySQLDatabaseConfig(host="h")), "connection_config.mysql.database: missing"),
        (pb.ConnectionConfig(sqlite={"filename_uri": "/proc/none/x.db"}), "/proc/none"),
    ],
)
def test_what_cannot_be_opened_is_a_runtime_error(config: pb.ConnectionConfig, sentence: str) -> None:
    with pytest.raises(RuntimeError, match=sentence) as caught:
        MetadataStore(config)
    assert not isinstance(caught.value, errors.StatusError)


def test_a_mysql_database_by_its_parts(mariadb_url: str) -> None:
    from mlmd_metadata_store.addresses import parse_url

    url = parse_url(mariadb_url)
    mysql = pb.MySQLDatabaseConfig(host=url.host or "", port=url.port or 0, user=url.username or "")
    mysql.database, mysql.password = url.database or "", url.password or ""
    store = MetadataStore(pb.ConnectionConfig(mysql=mysql))
    type_id = store.put_artifact_type(pb.ArtifactType(name="Data"))
    store.put_artifacts([pb.Artifact(type_id=type_id, name="ü")])
    store.close()
    again = MetadataStore(pb.ConnectionConfig(mysql=mysql))
    assert [artifact.name for artifact in again.get_artifacts()] == ["ü"]
    again.close()


def sqlite(path: Path) -> pb.ConnectionConfig:
    """Return the configuration of a file."""
    return pb.ConnectionConfig(sqlite=pb.SqliteMetadataSourceConfig(filename_uri=str(path)))


def test_down_and_up_again(tmp_path: Path) -> None:
    config = sqlite(tmp_path / "metadata.db")
    store = MetadataStore(config)
    store.put_artifact_type(pb.ArtifactType(name="Data"))
    store.close()
    with pytest.raises(errors.InvalidArgumentError, match="downgrade_to_schema_version not specified"):
        downgrade_schema(config, -1)
    with pytest.raises(errors.InvalidArgumentError, match="MLMD cannot be downgraded to schema_version 999999"):
        downgrade_schema(config, 999999)
    with pytest.raises(RuntimeError, match="unset"):
        downgrade_schema(pb.ConnectionConfig(), 0)
    downgrade_schema(config, 0)
    with pytest.raises(RuntimeError, match="chema migration is disabled"):
        MetadataStore(config)
    upgraded = MetadataStore(config, enable_upgrade_migration=True)
    assert [kind.name for kind in upgraded.get_artifact_types() if kind.name == "Data"] == ["Data"]
    upgraded.close()


def test_a_store_that_is_forgotten_leaves_nothing_open(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        store = MetadataStore(sqlite(tmp_path / "metadata.db"))
        store.get_artifacts()
        del store
        gc.collect()
    assert not (tmp_path / "metadata.db-wal").exists()


def test_exceptions_are_made_as_there(caplog: pytest.LogCaptureFixture) -> None:
    assert type(errors.make_exception("m", 0)) is errors.UnknownError
    assert errors.make_exception("m", 99).error_code == errors.UNKNOWN
    assert errors.UnknownError("m", 7).error_code == 7
    with pytest.raises(KeyError):
        errors.exception_type_from_error_code(0)
    assert caplog.records == []
    made = errors.make_exception("broken", errors.INTERNAL)
    assert isinstance(made, errors.InternalError)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "InternalError: broken")
    ]


def test_exceptions_travel_between_processes() -> None:
    for code in range(1, 17):
        made = pickle.loads(pickle.dumps(errors.make_exception("m", code)))
        assert (type(made), made.error_code) == (errors.exception_type_from_error_code(code), code)


def test_a_pipeline_asset_is_none_and_said_so(store: MetadataStore, caplog: pytest.LogCaptureFixture) -> None:
    assert store.pipeline_asset is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
