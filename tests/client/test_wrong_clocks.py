"""Requests that were signed by a clock that is wrong: they are refused each time, and asked for twice and no more."""

import io
import threading
import time
from collections.abc import Iterator

import pytest
from mlmd_artifact_store.blob_store import VALID_SECONDS
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_client import signed_http
from mlmd_client.http_connections import Connections
from mlmd_client.signed_http import SignedHttp, Span
from mlmd_client.transfer_errors import TransferError
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.services.ceph import S3Address

CONTENT = b"0123456789"


@pytest.fixture
def settings(s3: S3Address, bucket: str) -> S3Settings:
    """A bucket with one blob."""
    told = S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)
    S3Store(told).put("k", io.BytesIO(CONTENT), len(CONTENT))
    return told


@pytest.fixture
def http() -> Iterator[SignedHttp]:
    """What a transfer sends by."""
    connections = Connections()
    yield SignedHttp(connections, threading.Event())
    connections.close()


def signed(settings: S3Settings, seconds: float) -> v1.SignedRequest:
    """Return what a server signs whose clock is so many seconds ahead."""
    store = S3Store(settings, clock=lambda: time.time() + seconds)
    assert store.presigner is not None
    request = store.presigner.get("k", VALID_SECONDS)
    expires_ms = int((time.time() + seconds + VALID_SECONDS) * 1000)
    return v1.SignedRequest(method="GET", url=request.url, headers=request.headers, expires_ms=expires_ms)


def test_a_server_whose_clock_is_far_behind(settings: S3Settings, http: SignedHttp) -> None:
    asked = list[int]()

    def renew() -> v1.SignedRequest:
        asked.append(1)
        assert len(asked) < 20, "it is asked for without an end"
        return signed(settings, -7200)

    with pytest.raises(TransferError, match=r"clocks of the server .* are 7[12]\d\d s apart .*NTP") as told:
        http.get(signed(settings, -7200), Span(0, 10, 10), "k", renew, lambda chunk: None)
    assert told.value.code == Code.FAILED_PRECONDITION
    assert len(asked) == 1


def test_a_clock_that_is_set_right_meanwhile(settings: S3Settings, http: SignedHttp) -> None:
    found = bytearray()
    http.get(signed(settings, -7200), Span(0, 10, 10), "k", lambda: signed(settings, 0), found.extend)
    assert found == CONTENT


def test_a_long_transfer_asks_whenever_it_has_expired(
    settings: S3Settings, http: SignedHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_http, "_FRESH_SECONDS", 0.0)  # every request has been there for long
    left, found = [signed(settings, seconds) for seconds in (0, -7200, -7200)], bytearray()
    http.get(signed(settings, -7200), Span(0, 10, 10), "k", left.pop, found.extend)
    assert bytes(found) == CONTENT
    assert not left
