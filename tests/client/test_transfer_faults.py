"""What goes wrong on the way between client and object store, and what becomes of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from minio import Minio
from mlmd_client.calls import CallError
from mlmd_client.download import download
from mlmd_client.progress import Progress
from mlmd_client.signed_http import Patience
from mlmd_client.transfer_errors import ChangedFile, DamagedBytes
from mlmd_client.transport import Transport, open_transport
from mlmd_client.upload import Uploaded, upload
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.client.places import artifact, every_artifact, read_files, stored, write_files
from tests.conftest import NUMBERS
from tests.services.ceph import S3Address
from tests.services.faulty_http import Answer, Fault, FaultyHttp, Request, error
from tests.services.server import Server

PART = 5 << 20
CONTENTS = {"big.bin": os.urandom(3 * PART + 5), "a": b"first", "b/c": b"second", "b/d": b"third", "empty": b""}
PIECES = len(CONTENTS) + 3
HASTY = Patience(6, 0.01, 0.05)


@pytest.fixture(scope="module")
def proxied(s3: S3Address) -> Iterator[FaultyHttp]:
    """The proxy between clients and the object store."""
    with FaultyHttp(s3.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def bucket_of_all(s3_admin: Minio, worker_id: str) -> str:
    """A bucket of this one server: a worker may leave a module and come back to it, and a bucket has one owner."""
    name = f"faults-{worker_id}-{next(NUMBERS)}"
    s3_admin.make_bucket(name)
    return name


@pytest.fixture(scope="module")
def server(
    s3: S3Address, proxied: FaultyHttp, bucket_of_all: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that signs requests for the proxy's address."""
    folder = tmp_path_factory.mktemp("server")
    credentials = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    options = ("--artifacts", f"s3://{bucket_of_all}", "--artifacts-endpoint", s3.endpoint)
    public = ("--artifacts-public-endpoint", proxied.url)
    started = Server(f"sqlite:///{folder}/m.db", folder, options=(*options, *public), environment=credentials)
    with started:
        yield started


@pytest.fixture
def proxy(proxied: FaultyHttp) -> FaultyHttp:
    """The proxy, forwarding everything."""
    proxied.calm()
    return proxied


@pytest.fixture
def store(server: Server) -> Iterator[Transport]:
    """The store behind the server."""
    opened = open_transport(server.target)
    yield opened
    opened.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of files, one of them in four parts."""
    return write_files(tmp_path / "source", CONTENTS)


def piece(request: Request) -> str:
    """Return which file, or which part of one, a request is about."""
    path, _, query = request.target.partition("?")
    return f"{request.method} {path} {query.partition('partNumber=')[2].partition('&')[0]}"


def sent(store: Transport, source: Path) -> Uploaded:
    """Upload a folder without much patience."""
    return upload(store, artifact(store), source, part_size=PART, patience=HASTY)


def check(store: Transport, uploaded: Uploaded, tmp_path: Path) -> None:
    """Fetch everything and compare."""
    download(store, uploaded.artifact_id, tmp_path / "target", patience=HASTY)
    assert read_files(tmp_path / "target") == CONTENTS


def test_a_busy_store(store: Transport, proxy: FaultyHttp, source: Path, tmp_path: Path) -> None:
    seen: set[str] = set()

    def every_first_time(request: Request) -> Answer | None:
        if piece(request) in seen:
            return None
        seen.add(piece(request))
        codes = [(503, "SlowDown"), (500, "InternalError"), (429, "TooManyRequests"), (502, "")]
        return error(*codes[len(seen) % 4], retry_after="0")

    proxy.fault = every_first_time
    check(store, sent(store, source), tmp_path)
    assert proxy.count("PUT") == 2 * PIECES
    assert all("authorization" not in request.headers for request in proxy.requests)


def test_a_store_that_stays_busy(store: Transport, proxy: FaultyHttp, source: Path, tmp_path: Path) -> None:
    proxy.fault = lambda request: error(503, "SlowDown")
    with pytest.raises(CallError, match=r"busy or ill \(SlowDown\).*tried 6 times.*goes on where it was") as raised:
        sent(store, source)
    assert raised.value.code == Code.UNAVAILABLE
    pending = every_artifact(store)[-1]
    assert pending.state == pb.Artifact.PENDING
    proxy.calm()
    uploaded = sent(store, source)
    assert uploaded.artifact_id == pending.id
    check(store, uploaded, tmp_path)


def test_a_store_that_is_busy_for_long_is_told_once(
    store: Transport, proxy: FaultyHttp, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.fault = lambda request: error(503, "SlowDown", retry_after="1")
    with pytest.raises(CallError, match="busy or ill"):
        upload(store, artifact(store), source, part_size=PART, patience=Patience(2, 0.01, 1.0))
    assert caplog.messages == [f"waiting for {proxy.url}, and trying again: it is busy or ill (SlowDown)."]


def test_requests_that_expired_are_signed_anew(
    store: Transport, proxy: FaultyHttp, source: Path, tmp_path: Path
) -> None:
    old: set[str] = set()

    def refuse_the_first_signature(request: Request) -> Answer | None:
        if piece(request) in old:
            return None
        old.add(piece(request))
        return error(403, "AccessDenied", date=formatdate(usegmt=True))

    proxy.fault = refuse_the_first_signature
    uploaded = sent(store, source)
    assert old
    old.clear()
    check(store, uploaded, tmp_path)
    assert old


def test_bytes_that_are_damaged_on_their_way(store: Transport, proxy: FaultyHttp, source: Path, tmp_path: Path) -> None:
    proxy.fault = lambda request: Fault.FLIPPED if request.number in (1, 4) else None
    uploaded = sent(store, source)
    proxy.calm()
    proxy.fault = lambda request: Fault.DAMAGED if request.target.split("?")[0].endswith("/a") else None
    with pytest.raises(DamagedBytes, match="'a'"):
        download(store, uploaded.artifact_id, tmp_path / "never", prefix="a", patience=HASTY)
    proxy.calm()
    proxy.fault = lambda request: Fault.DAMAGED if request.number == 1 else None
    told: list[Progress] = []
    download(store, uploaded.artifact_id, tmp_path / "target", prefix="a", patience=HASTY, progress=told.append)
    assert read_files(tmp_path / "target") == {"a": b"first"}
    assert told[-1] == Progress(5, 5, 1, 1, ""), "what came twice is counted once"


def test_bytes_that_are_damaged_each_time(store: Transport, proxy: FaultyHttp, source: Path) -> None:
    proxy.fault = lambda request: Fault.FLIPPED
    with pytest.raises(CallError, match=r"found other bytes in .*BadDigest"):
        sent(store, source)


def test_a_store_that_forgets(store: Transport, proxy: FaultyHttp, source: Path, tmp_path: Path) -> None:
    proxy.fault = lambda request: Answer() if request.method == "PUT" and request.number in (2, 5, 6) else None
    check(store, sent(store, source), tmp_path)
    assert proxy.count("PUT") == PIECES + 3


def test_a_file_that_changes_while_it_is_sent(
    store: Transport, proxy: FaultyHttp, source: Path, tmp_path: Path
) -> None:
    def write_meanwhile(request: Request) -> None:
        if request.method == "PUT" and "big.bin" in request.target and not proxy_done:
            proxy_done.append(True)
            content = CONTENTS["big.bin"]
            (source / "big.bin").write_bytes(content[:-1] + b"!")
        return None

    proxy_done: list[bool] = []
    proxy.fault = write_meanwhile
    with pytest.raises(ChangedFile, match=r"'big.bin' (changed while it was uploaded|became shorter)"):
        sent(store, source)
    assert every_artifact(store)[-1].state == pb.Artifact.PENDING
    (source / "big.bin").write_bytes(CONTENTS["big.bin"])
    check(store, sent(store, source), tmp_path)


def test_other_files_begin_another_upload(store: Transport, proxy: FaultyHttp, source: Path) -> None:
    proxy.fault = lambda request: error(503, "SlowDown") if request.number > 2 else None
    with pytest.raises(CallError):
        sent(store, source)
    left = every_artifact(store)[-1].id
    (source / "a").rename(source / "renamed")
    proxy.calm()
    assert sent(store, source).artifact_id == left + 1
    assert stored(store, left).state == pb.Artifact.ABANDONED


PROGRAM = """
import sys
from pathlib import Path
from mlmd_client.transport import open_transport
from mlmd_client.upload import upload
from tests.client.places import artifact
store = open_transport(sys.argv[1])
upload(store, artifact(store), Path(sys.argv[2]), part_size=5 << 20, workers=1)
"""


def test_a_client_that_was_killed(
    store: Transport, server: Server, proxy: FaultyHttp, source: Path, tmp_path: Path
) -> None:
    def hang(request: Request) -> None:
        if request.number == 6:
            time.sleep(60)

    proxy.fault = hang
    command = [sys.executable, "-c", PROGRAM, server.target, str(source)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as client:
        while proxy.count("PUT") < 6:
            assert client.poll() is None
            time.sleep(0.02)
        client.send_signal(signal.SIGKILL)
    left = every_artifact(store)[-1].id
    proxy.calm()
    uploaded = sent(store, source)
    assert uploaded.artifact_id == left
    assert proxy.count("PUT") == PIECES - 5
    check(store, uploaded, tmp_path)
    assert sent(store, source).artifact_id == left + 1


def test_a_server_that_was_killed(
    store: Transport, server: Server, proxy: FaultyHttp, source: Path, tmp_path: Path
) -> None:
    def kill(request: Request) -> None:
        if request.method == "PUT" and request.number == 2:
            server.kill()
            server.launch()
        return None

    proxy.fault = kill
    try:
        uploaded = sent(store, source)
    except CallError as refused:  # it takes long to come back on a machine that has much to do
        server.wait_ready()
        before = every_artifact(store)[-1].id
        uploaded = sent(store, source)
        assert (refused.code, uploaded.artifact_id) == (14, before)  # noqa: PT017 - it need not be refused
    check(store, uploaded, tmp_path)


def test_clocks_apart(store: Transport, proxy: FaultyHttp, source: Path) -> None:
    late = formatdate(time.time() + 7200, usegmt=True)

    def refuse(request: Request) -> Answer:
        return error(403, "RequestTimeTooSkewed", date=late)

    proxy.fault = refuse
    with pytest.raises(CallError, match=r"clocks of the server .* are 7\d\d\d s apart") as refused:
        sent(store, source)
    assert refused.value.code == Code.FAILED_PRECONDITION


def test_a_signature_that_is_not_accepted(store: Transport, proxy: FaultyHttp, source: Path) -> None:
    proxy.fault = lambda request: error(403, "SignatureDoesNotMatch", date=formatdate(usegmt=True))
    with pytest.raises(CallError, match=r"does not accept the server's signature .*SignatureDoesNotMatch") as refused:
        sent(store, source)
    assert refused.value.code == Code.FAILED_PRECONDITION


def test_a_store_that_is_away(store: Transport, server: Server, proxied: FaultyHttp, source: Path) -> None:
    proxied.calm()
    port, proxied.target = proxied.target, 1
    try:
        with pytest.raises(CallError, match="cannot be reached from here or broke off") as refused:
            sent(store, source)
    finally:
        proxied.target = port
    assert refused.value.code == Code.UNAVAILABLE


def test_no_bucket(store: Transport, proxy: FaultyHttp, source: Path) -> None:
    proxy.fault = lambda request: error(404, "NoSuchBucket")
    with pytest.raises(CallError, match=r"bucket of http://127\.0\.0\.1:\d+/\S+ is not there any more") as refused:
        sent(store, source)
    assert refused.value.code == Code.FAILED_PRECONDITION


def test_a_full_store(store: Transport, proxy: FaultyHttp, source: Path) -> None:
    proxy.fault = lambda request: error(507, "XMinioStorageFull")
    with pytest.raises(CallError, match="is full") as refused:
        sent(store, source)
    assert refused.value.code == Code.RESOURCE_EXHAUSTED
