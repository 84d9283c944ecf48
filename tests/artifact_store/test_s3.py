"""What is particular to S3: ways to reach a server, what its refusals mean, URLs that others use."""

import contextlib
import dataclasses
import gzip
import io
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import urllib3
from minio import Minio
from mlmd_artifact_store import s3_copies
from mlmd_artifact_store.blob_store import LARGEST_PART_BYTES, SMALLEST_PART_BYTES, Part, SignedRequest
from mlmd_artifact_store.deletions import delete_blobs
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_errors import Whereabouts
from mlmd_artifact_store.s3_settings import S3Settings, completed
from mlmd_schemas.errors import (
    NO_RETRY,
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    StoreError,
    Unavailable,
)

from tests.artifact_store.conformance.suite import content_of, md5, put
from tests.services.ceph import S3Address
from tests.services.faulty_http import Fault, FaultyHttp
from tests.services.ports import free_port
from tests.services.proxy import Proxy


@pytest.fixture
def settings(s3: S3Address, bucket: str) -> S3Settings:
    """The settings of an empty bucket."""
    return S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    """A plain HTTP client that knows nothing of S3."""
    with urllib3.PoolManager() as pool:
        yield pool


def send(http: urllib3.PoolManager, request: SignedRequest, body: bytes = b"") -> int:
    """Send a signed request as anybody would."""
    return http.request(request.method, request.url, body=body, headers=dict(request.headers), retries=False).status


def uses(store: S3Store) -> list[str]:
    """Make every kind of request; return the messages of those that failed."""
    told = []
    for use in (
        store.check,
        lambda: store.stat("k"),
        lambda: store.read("k"),
        lambda: store.put("k", io.BytesIO(b"x"), 1),
        lambda: list(store.list()),
        lambda: store.delete(["k"]),
        lambda: store.copy("k", "l"),
        lambda: store.begin_parts("k"),
        lambda: store.parts("k", "u"),
    ):
        try:
            use()
        except StoreError as error:
            told.append(f"{type(error).__name__}: {error.message}")
    return told


def test_tls_with_an_authority_of_its_own(s3: S3Address, settings: S3Settings) -> None:
    store = S3Store(dataclasses.replace(settings, endpoint=s3.tls_endpoint, ca_file=str(s3.authority)))
    put(store, "k", b"over TLS")
    assert content_of(store, "k") == b"over TLS"
    told = uses(S3Store(dataclasses.replace(settings, endpoint=s3.tls_endpoint)))
    assert len(told) == 9
    assert all(message.startswith("Unavailable") and "certificate that is not trusted" in message for message in told)


def test_an_untrusted_certificate_is_not_waited_for_and_a_handshake_that_broke_off_is() -> None:
    where = Whereabouts("https://s3", "b")
    for said, facts in (
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", NO_RETRY),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", NO_RETRY),
        ("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol", {}),
    ):
        with pytest.raises(Unavailable) as told, where.explained("k"):
            raise urllib3.exceptions.SSLError(said)
        assert told.value.facts == facts


def test_addresses_of_virtual_hosts(settings: S3Settings) -> None:
    store = S3Store(dataclasses.replace(settings, endpoint="https://s3.example:9000", path_style=False))
    assert store.presigner.get("a b", 60).url.startswith(f"https://{settings.bucket}.s3.example:9000/a%20b?")


def test_virtual_hosts(s3: S3Address, settings: S3Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    host = f"{settings.bucket}.localhost"
    resolved = socket.getaddrinfo

    def resolve(name: str, *arguments: Any, **named: Any) -> Any:
        """Know names below localhost, as RFC 6761 asks of every resolver, and not every machine's does."""
        return resolved("127.0.0.1" if name == host else name, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    store = S3Store(dataclasses.replace(settings, endpoint=f"http://localhost:{s3.port}", path_style=False))
    put(store, "a b", b"by host")
    assert content_of(store, "a b") == b"by host"
    assert store.presigner.get("a b", 60).url.startswith(f"http://{host}:{s3.port}/a%20b?")


def test_bucket_missing(settings: S3Settings) -> None:
    told = uses(S3Store(dataclasses.replace(settings, bucket="nobody-made-it")))
    assert len(told) == 9
    assert {message.split(":")[0] for message in told} == {"FailedPrecondition"}
    assert all("no bucket 'nobody-made-it'" in message and "make it" in message for message in told)


@pytest.mark.parametrize("wrong", [{"secret_key": "wrong"}, {"access_key": "nobody"}])
def test_credentials_wrong(settings: S3Settings, wrong: dict[str, Any]) -> None:
    told = uses(S3Store(dataclasses.replace(settings, **wrong)))
    assert len(told) == 9
    assert all("FailedPrecondition: artifacts: the object store at" in message for message in told)
    assert all("does not accept the access key and secret key" in message for message in told), told


def test_clock_skewed(settings: S3Settings) -> None:
    store = S3Store(settings, clock=lambda: time.time() - 2 * 3600)
    with pytest.raises(FailedPrecondition, match=r"clocks .* are 7[12]\d\d s apart; set them by NTP"):
        store.put("k", io.BytesIO(b"x"), 1)


def test_unreachable(settings: S3Settings) -> None:
    told = uses(S3Store(dataclasses.replace(settings, endpoint=f"http://127.0.0.1:{free_port()}")))
    assert len(told) == 9
    assert all(message.startswith("Unavailable: The object store at http://127.0.0.1") for message in told), told


def test_tls_that_is_asked_without(s3: S3Address, settings: S3Settings) -> None:
    told = uses(S3Store(dataclasses.replace(settings, endpoint=f"http://127.0.0.1:{s3.tls_port}", busy_seconds=0)))
    assert len(told) == 9
    assert all("its address has to begin with https://" in message for message in told), told


def test_a_path_that_the_prefix_makes_too_long(settings: S3Settings) -> None:
    store, path = S3Store(settings, f"{'p' * 255}/{'q' * 200}/"), f"t/n/1/{'d' * 250}/{'e' * 250}/{'f' * 59}"
    assert store.presigner.get(path, 60).url.startswith(f"{settings.endpoint}/{settings.bucket}/{store.prefix}{path}?")
    for key in (f"{path}g", path[:-2] + "ü" * 2):
        with pytest.raises(InvalidArgument, match=r"path: .*(ffg|ü)' has 10\d\d bytes .* the prefix of --artifacts"):
            put(store, key, b"x")


def test_host_unknown(settings: S3Settings) -> None:
    with pytest.raises(Unavailable, match=r"host of the object store .* is not known"):
        S3Store(dataclasses.replace(settings, endpoint="http://no-such-host.invalid")).put("k", io.BytesIO(b"x"), 1)


def test_something_that_is_no_s3(settings: S3Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):  # the test is over
                while True:
                    connection, _ = listener.accept()
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
                    connection.close()

        answering = threading.Thread(target=answer)
        answering.start()
        store = S3Store(dataclasses.replace(settings, endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}"))
        with pytest.raises(Unavailable, match="S3 server"):
            store.begin_parts("k")
        listener.shutdown(socket.SHUT_RDWR)
        answering.join()


def test_read_is_taken_up_where_it_broke(s3: S3Address, settings: S3Settings) -> None:
    content = bytes(range(256)) * 20_000
    put(S3Store(settings), "k", content)
    with Proxy(s3.port) as proxy:
        store = S3Store(dataclasses.replace(settings, endpoint=f"http://127.0.0.1:{proxy.port}"))
        proxy.cut_after_bytes(to_client=2_000_000)
        assert content_of(store, "k") == content
        assert proxy.accepted >= 2
        proxy.cut_after_bytes(to_client=1_500_000)
        assert content_of(store, "k", 100, 4_000_000) == content[100:4_000_100]


def test_put_that_breaks_leaves_nothing(s3: S3Address, settings: S3Settings) -> None:
    content = b"x" * 3_000_000
    with Proxy(s3.port) as proxy:
        store = S3Store(dataclasses.replace(settings, endpoint=f"http://127.0.0.1:{proxy.port}"))
        proxy.cut_after_bytes(to_server=1_000_000)
        with pytest.raises(Unavailable, match="broke off"):
            store.put("k", io.BytesIO(content), len(content), md5(content))
        assert list(S3Store(settings).list()) == []
        put(store, "k", content)
        assert content_of(store, "k") == content


def test_signed_put_takes_the_declared_bytes_only(settings: S3Settings, http: urllib3.PoolManager) -> None:
    store = S3Store(settings, "pre/")
    request = store.presigner.put("a b/ü?.bin", md5(b"declared"), 60)
    assert send(http, request, b"other") == 400
    assert send(http, SignedRequest(request.method, request.url, {}), b"declared") == 403
    assert [blob.key for blob in store.list()] == []
    assert send(http, request, b"declared") == 200
    assert content_of(store, "a b/ü?.bin") == b"declared"
    assert send(http, store.presigner.get("a b/ü?.bin", 60)) == 200
    tampered = dataclasses.replace(request, url=request.url.replace("pre/a", "pre/b"))
    assert send(http, tampered, b"declared") == 403


def test_signed_parts(settings: S3Settings, http: urllib3.PoolManager) -> None:
    store = S3Store(settings)
    pieces = [b"1" * SMALLEST_PART_BYTES, b"2"]
    upload = store.begin_parts("k")
    for number, piece in enumerate(pieces, 1):
        assert send(http, store.presigner.put_part("k", upload, number, md5(piece), 60), piece) == 200
    assert send(http, store.presigner.put_part("k", upload, 3, md5(b"3"), 60), b"4") == 400
    store.complete_parts("k", upload, [Part(n, md5(piece).hex(), len(piece)) for n, piece in enumerate(pieces, 1)])
    assert content_of(store, "k") == b"".join(pieces)


def test_signed_requests_expire(settings: S3Settings, http: urllib3.PoolManager) -> None:
    request = S3Store(settings, clock=lambda: time.time() - 100).presigner.put("k", md5(b"x"), 50)
    assert send(http, request, b"x") == 403


def test_signed_for_the_public_address(s3: S3Address, settings: S3Settings, http: urllib3.PoolManager) -> None:
    with Proxy(s3.port) as outside:
        public = f"http://127.0.0.1:{outside.port}"
        store = S3Store(dataclasses.replace(settings, public_endpoint=public))
        request = store.presigner.put("k", md5(b"x"), 60)
        assert request.url.startswith(public)
        assert send(http, request, b"x") == 200
        assert outside.accepted == 1
        assert content_of(store, "k") == b"x"
        assert outside.accepted == 1


def test_what_others_put_there(settings: S3Settings, s3_admin: Minio) -> None:
    store = S3Store(settings, "pre/")
    s3_admin.put_object(settings.bucket, "pre/from outside", io.BytesIO(b"abc"), 3)
    s3_admin.put_object(settings.bucket, "elsewhere", io.BytesIO(b"abc"), 3)
    assert [blob.key for blob in store.list()] == ["from outside"]
    assert content_of(store, "from outside") == b"abc"
    put(store, "a/b", b"ours")
    assert store.uri("a/b") == f"s3://{settings.bucket}/pre/a/b"
    answer = s3_admin.get_object(settings.bucket, "pre/a/b")
    assert answer.read() == b"ours"
    answer.close()
    answer.release_conn()


def test_what_others_compressed_is_read_as_it_is_stored(settings: S3Settings, s3_admin: Minio) -> None:
    stored = gzip.compress(bytes(range(256)) * 1000)
    said: Any = {"Content-Encoding": "gzip"}
    s3_admin.put_object(settings.bucket, "k", io.BytesIO(stored), len(stored), metadata=said)
    store = S3Store(settings)
    assert store.stat("k").size_bytes == len(stored)
    assert content_of(store, "k") == stored
    assert content_of(store, "k", 3, 50) == stored[3:53]


def test_settings_of_the_environment(tmp_path: Path, s3: S3Address) -> None:
    authority = tmp_path / "ca.pem"
    shutil.copy(s3.authority, authority)
    found = completed(
        S3Settings("b"),
        {"AWS_ENDPOINT_URL": "https://minio:9000/", "AWS_REGION": "eu-west-1", "AWS_CA_BUNDLE": str(authority)},
    )
    assert (found.endpoint, found.public_endpoint) == ("https://minio:9000", "https://minio:9000")
    assert (found.region, found.ca_file, found.uses_paths) == ("eu-west-1", str(authority), True)
    aws = completed(S3Settings("b", region="eu-north-1"), {})
    assert (aws.endpoint, aws.uses_paths) == ("https://s3.eu-north-1.amazonaws.com", False)
    assert completed(S3Settings("b", endpoint="http://h:80"), {}).endpoint == "http://h"
    assert completed(S3Settings("b", endpoint="h:9000"), {}).endpoint == "https://h:9000"


@pytest.mark.parametrize(
    "wrong",
    [{"endpoint": "ftp://h"}, {"endpoint": "http://h/path"}, {"endpoint": "http://h:99999"}, {"ca_file": "/nothing"},
     {"access_key": "alone"}, {"public_endpoint": "http://"}],
)  # fmt: skip
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="artifacts: "):
        completed(S3Settings("b", **wrong), {})


@pytest.mark.parametrize("name", ["ab", "a..b", "192.168.0.1", "-a-b", "x" * 64, "models\n"])
def test_names_that_no_bucket_has(settings: S3Settings, name: str) -> None:
    with pytest.raises(InvalidArgument, match=r"no bucket can be called .*; a name has 3 to 63 letters"):
        S3Store(dataclasses.replace(settings, bucket=name))


def test_names_that_no_new_bucket_may_have(settings: S3Settings) -> None:
    with pytest.raises(InvalidArgument, match=r"no new bucket can be called 'My_Models'; a name has 3 to 63 small"):
        S3Store(dataclasses.replace(settings, bucket="My_Models")).make()


def test_a_bucket_is_made_once(settings: S3Settings) -> None:
    store = S3Store(dataclasses.replace(settings, bucket=f"{settings.bucket}-made"), "pre/")
    with pytest.raises(FailedPrecondition, match="no bucket"):
        store.check()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: store.make(), range(4))) == [None] * 4
    store.make()
    store.check()
    put(store, "k", b"v")
    assert content_of(store, "k") == b"v"


def test_what_consoles_make_for_a_folder_does_not_keep_ours_from_being_deleted(
    settings: S3Settings, s3_admin: Minio
) -> None:
    store = S3Store(settings, "pre/")
    for key in ("t/1/a", "t/1/b/c", "t/2/a"):
        put(store, key, b"ours")
    for key in ("pre/t/1/", "pre/t/1/b/", "pre/t/1/x//y", "pre/t/2/"):
        s3_admin.put_object(settings.bucket, key, io.BytesIO(b""), 0)
    delete_blobs(store, "t/1/")
    assert [blob.key for blob in store.list()] == ["t/1/", "t/1/b/", "t/1/x//y", "t/2/", "t/2/a"]


@pytest.mark.parametrize("key", ["plain", "a b", "a%20b", "100%/ü", "a+b"])
def test_a_copy_of_more_than_one_request(
    settings: S3Settings, s3_admin: Minio, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr(s3_copies, "LARGEST_PART_BYTES", SMALLEST_PART_BYTES)
    monkeypatch.setattr(s3_copies, "PIECE_BYTES", SMALLEST_PART_BYTES)
    store, content = S3Store(settings, "pre%20fix/"), b"1" * SMALLEST_PART_BYTES + b"2" * SMALLEST_PART_BYTES + b"3"
    s3_admin.put_object(settings.bucket, f"pre%20fix/{key}", io.BytesIO(content), len(content), "text/x-large")
    copy = store.copy(key, "copy")
    assert copy.size_bytes == len(content)
    assert copy.etag.endswith("-3")
    assert content_of(store, "copy") == content
    assert s3_admin.stat_object(settings.bucket, "pre%20fix/copy").content_type == "text/x-large"
    assert store.tidy("", 10**14) == 0
    with pytest.raises(NotFound, match="'nothing'"):
        store.copy("nothing", "copy")


def test_a_copy_of_parts_is_of_one_blob(s3: S3Address, settings: S3Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_copies, "LARGEST_PART_BYTES", SMALLEST_PART_BYTES)
    monkeypatch.setattr(s3_copies, "PIECE_BYTES", SMALLEST_PART_BYTES)
    beside, contents = S3Store(settings), [bytes([one]) * (SMALLEST_PART_BYTES + 1) for one in b"12"]
    put(beside, "k", contents[0])
    with FaultyHttp(s3.port) as proxy, ThreadPoolExecutor(1) as pool:
        store = S3Store(dataclasses.replace(settings, endpoint=proxy.url))
        proxy.plan(2, Fault.HELD, where=lambda request: "x-amz-copy-source" in request.headers)
        copying = pool.submit(store.copy, "k", "copy")
        assert proxy.held.wait(60)
        put(beside, "k", contents[1])
        proxy.calm()
        with pytest.raises((Aborted, Unavailable)):
            copying.result(60)
    assert [blob.key for blob in beside.list()] == ["k"]
    assert beside.tidy("", 10**14) == 0


def test_one_request_carries_five_gibibytes(settings: S3Settings) -> None:
    store = S3Store(settings)
    with pytest.raises(InvalidArgument, match="more than one request carries; send the blob in parts"):
        store.put("k", io.BytesIO(b"x"), LARGEST_PART_BYTES + 1)
    with pytest.raises(InvalidArgument, match="1 byte came of the"):
        store.put("k", io.BytesIO(b"x"), LARGEST_PART_BYTES)
