"""What is signed, and a role's token, are in the addresses of requests: no log tells them, whatever fails."""

import logging
from pathlib import Path

import pytest
import urllib3
from mlmd_api.journal import cause
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_roles import named_role
from mlmd_client.transport import open_transport
from mlmd_client.upload import upload
from mlmd_schemas.errors import Unavailable

from tests.artifact_store.conformance.suite import put
from tests.artifact_store.versions import Settings
from tests.client.places import artifact, write_files
from tests.conftest import StartServer
from tests.services.ceph import S3Address
from tests.services.faulty_http import Fault, FaultyHttp
from tests.services.ports import free_port


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST])
def test_a_copy_that_breaks_off(
    make_settings: Settings, proxy: FaultyHttp, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    store = S3Store(make_settings())
    put(store, "source", b"source")
    before = proxy.count("PUT")
    proxy.fault = lambda request: fault if "x-amz-copy-source" in request.headers else None
    with caplog.at_level(logging.INFO), pytest.raises(Unavailable, match="broke off") as refused:
        store.copy("source", "target")
    assert proxy.count("PUT") - before == 4
    assert "/target" in cause(refused.value)
    assert "X-Amz" not in cause(refused.value) + caplog.text
    assert "Retrying" not in caplog.text


def test_a_token_service_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "token").write_text("pods-own")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{free_port()}")
    role = named_role()
    assert role is not None
    with caplog.at_level(logging.INFO), pytest.raises(Unavailable, match="nobody answers"):
        role()
    assert "pods-own" not in caplog.text


def test_what_others_try_again_is_told_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), urllib3.PoolManager() as http, pytest.raises(urllib3.exceptions.HTTPError):
        http.request("GET", f"http://127.0.0.1:{free_port()}/theirs", retries=urllib3.Retry(1, backoff_factor=0))
    assert "Retrying" in caplog.text


def test_a_server_that_tells_all_it_does(
    start_server: StartServer, s3: S3Address, bucket: str, sqlite_url: str, tmp_path: Path
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    options = ("--artifacts", f"s3://{bucket}", "--artifacts-endpoint", s3.endpoint, "--log-level", "debug")
    server = start_server(sqlite_url, options=options, environment=keys)
    transport = open_transport(server.target)
    upload(transport, artifact(transport), write_files(tmp_path / "files", {"large": b"l" * (17 << 20)}))
    transport.close()
    assert "/SignParts OK" in server.output()
    assert "X-Amz-Signature" not in server.output()
