"""Answers that no S3 server should give, and some do: errors that say 200, redirections, pages of what is between."""

import dataclasses
import io
import re
import socket
import threading
from contextlib import suppress
from xml.sax.saxutils import escape

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.requests import Requests, file_page
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_requests import tag
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.verification import Verdict, verify
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import NO_RETRY, Aborted, DataLoss, FailedPrecondition, InvalidArgument, Unavailable
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.care import upload
from tests.artifact_store.conformance.suite import content_of, md5, put
from tests.artifact_store.test_s3 import uses
from tests.services.ceph import S3Address
from tests.services.faulty_http import Answer, Fault, FaultyHttp, error

KEPT_ALIVE = b'<?xml version="1.0" encoding="UTF-8"?>\n' + b" " * 3000 + b"\n<Error><Code>InternalError</Code></Error>"
XML = {"content-type": "application/xml"}


@pytest.fixture
def settings(s3: S3Address, bucket: str, proxy: FaultyHttp) -> S3Settings:
    """The settings of an empty bucket behind the proxy."""
    return S3Settings(bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key, busy_seconds=0.01)


@pytest.fixture
def store(settings: S3Settings) -> S3Store:
    """The bucket."""
    return S3Store(settings)


@pytest.mark.parametrize("answer", [error(200, "InternalError"), Answer(200, KEPT_ALIVE, XML)])
def test_a_copy_that_says_200_and_failed(store: S3Store, proxy: FaultyHttp, answer: Answer) -> None:
    put(store, "source", b"source")
    put(store, "target", b"before")
    proxy.fault = lambda request: answer if "x-amz-copy-source" in request.headers else None
    for target in ("target", "another"):
        with pytest.raises(Unavailable, match="is busy or ill"):
            store.copy("source", target)


@pytest.mark.parametrize("body", [b"", b"<CopyObjectResult></CopyObjectResult>"])
def test_a_copy_that_says_nothing(store: S3Store, proxy: FaultyHttp, body: bytes) -> None:
    put(store, "source", b"source")
    proxy.fault = lambda request: Answer(200, body, XML) if "x-amz-copy-source" in request.headers else None
    with pytest.raises(Unavailable, match="S3 server"):
        store.copy("source", "target")


def test_a_copy_that_is_something_else(store: S3Store, proxy: FaultyHttp) -> None:
    said = Answer(200, b'<CopyObjectResult><ETag>"other"</ETag></CopyObjectResult>', XML)
    put(store, "source", b"source")
    put(store, "target", b"before")
    put(store, "twin", b"source")
    proxy.fault = lambda request: said if "x-amz-copy-source" in request.headers else None
    with pytest.raises(Unavailable, match="did not copy 'source'"):
        store.copy("source", "target")
    assert store.copy("source", "twin").size_bytes == 6


@pytest.mark.parametrize("answer", [error(200, "InternalError"), Answer(200, KEPT_ALIVE, XML), Answer(200, b"", XML)])
def test_a_completion_that_says_200_and_failed(store: S3Store, proxy: FaultyHttp, answer: Answer) -> None:
    put(store, "k", b"before")
    upload = store.begin_parts("k")
    part = store.put_part("k", upload, 1, io.BytesIO(b"after"), 5, md5(b"after"))
    proxy.fault = lambda request: answer if request.method == "POST" else None
    with pytest.raises(Unavailable):
        store.complete_parts("k", upload, [part])
    proxy.calm()
    assert store.complete_parts("k", upload, [part]).size_bytes == 5
    assert content_of(store, "k") == b"after"


@pytest.mark.parametrize(
    "answer",
    [
        error(301, "PermanentRedirect"),
        error(307, "TemporaryRedirect"),
        error(307, "TemporaryRedirect", location="http://127.0.0.1:1/elsewhere"),
        error(400, "AuthorizationHeaderMalformed"),
        error(400, "AuthorizationQueryParametersError"),
        error(400, "IllegalLocationConstraintException"),
    ],
    ids=lambda answer: str(tag(answer.body, "Code")),
)
def test_a_bucket_in_another_region(store: S3Store, proxy: FaultyHttp, answer: Answer) -> None:
    proxy.fault = lambda request: answer
    told = uses(store)
    assert len(told) == 9
    assert all("FailedPrecondition: artifacts: the bucket" in message for message in told), told
    assert all("in another region or at another endpoint" in message for message in told), told


@pytest.mark.parametrize("words", ["Part number must be between 1 and 1000 & whole", "x" * 5000, ""])
def test_a_refusal_that_says_nothing_to_us_is_told_in_the_stores_words(
    store: S3Store, proxy: FaultyHttp, words: str
) -> None:
    refusal = f"<Error><Code>InvalidArgument</Code><Message>{escape(words)}</Message></Error>"
    proxy.fault = lambda request: Answer(400, refusal.encode(), XML)
    shown = repr(words[:300]) if words else "no reason given"
    for use in (
        lambda: store.put_part("k", "upload", 1001, io.BytesIO(b"x"), 1, md5(b"x")),
        lambda: store.begin_parts("k"),
        lambda: list(store.list()),
    ):
        with pytest.raises(Unavailable, match=re.escape(f"refused a request (InvalidArgument: {shown}); see")):
            use()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirection_without_a_word(store: S3Store, proxy: FaultyHttp, status: int) -> None:
    proxy.fault = lambda request: Answer(status)
    with pytest.raises(FailedPrecondition, match="in another region or at another endpoint"):
        store.put("k", io.BytesIO(b"x"), 1)
    with pytest.raises(FailedPrecondition, match="in another region or at another endpoint"):
        store.begin_parts("k")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, b"<html>no such route</html>", {"content-type": "text/html"}),
        Answer(200, b"<html><body/></html>", {"content-type": "text/html"}),
        Answer(200, b"welcome", {}),
        Answer(404, b"", {}),
    ],
    ids=["no route", "a page", "no XML", "nothing"],
)
def test_what_is_no_answer_of_the_store_is_no_answer(store: S3Store, proxy: FaultyHttp, answer: Answer) -> None:
    put(store, "k", b"x")
    upload = store.begin_parts("k")
    proxy.fault = lambda request: answer
    for ask in (
        store.check,
        lambda: list(store.list()),
        lambda: store.copy("k", "l"),
        lambda: store.begin_parts("k"),
        lambda: store.parts("k", upload),
        lambda: store.complete_parts("k", upload, []),
        lambda: store.tidy("", 10**14),
    ):
        with pytest.raises(Unavailable, match="S3 server"):
            ask()
    if answer.status == 404:
        with pytest.raises(Unavailable, match="S3 server"):
            store.stat("k")
        with pytest.raises(Unavailable, match="S3 server"):
            store.read("k")
        with pytest.raises(Unavailable, match="S3 server"):
            store.abort_parts("k", upload)


def test_a_range_that_is_answered_with_the_whole(store: S3Store, proxy: FaultyHttp) -> None:
    proxy.fault = lambda request: Answer(200, b"0123456789", {"etag": '"e"'})
    assert content_of(store, "k") == b"0123456789"
    for start, length in ((3, 2), (3, None), (0, 4)):
        with pytest.raises(Unavailable, match="a range of 'k' with the whole of it"):
            store.read("k", start, length)


@pytest.mark.parametrize(("code", "status"), [("ConditionalRequestConflict", 409), ("PreconditionFailed", 412)])
def test_a_condition_that_fails_for_what_is_not_there(
    store: S3Store, proxy: FaultyHttp, code: str, status: int
) -> None:
    proxy.fault = lambda request: error(status, code) if request.method == "PUT" else None
    with pytest.raises(Aborted, match="send it again"):
        store.put("k", io.BytesIO(b"x"), 1, md5(b"x"), only_new=True)


def test_names_in_answers_are_read_as_every_server_writes_them() -> None:
    written = b"<Upload><Key>it&#39;s &quot;&#34;&apos;&lt;&gt;&amp;amp;&#xFC;</Key><ETag>&#34;e&#34;</ETag></Upload>"
    assert tag(written, "Key") == "it's \"\"'<>&amp;ü"
    assert tag(written, "ETag").strip('"') == "e"
    assert tag(written, "UploadId") == ""


def test_a_busy_store_is_asked_again(store: S3Store, proxy: FaultyHttp) -> None:
    put(store, "k", b"x")
    for times, fails in ((3, False), (4, True)):
        proxy.plan(1, Fault.SLOW_DOWN, times=times, where=lambda request: request.method == "GET")
        if fails:
            with pytest.raises(Unavailable, match="busy or ill"):
                store.read("k")
        else:
            assert content_of(store, "k") == b"x"


def test_bytes_that_change_on_their_way_are_not_kept_for_those_that_were_sent(
    store: S3Store, proxy: FaultyHttp
) -> None:
    proxy.plan(1, Fault.FLIPPED, times=2, where=lambda request: request.method == "PUT")
    with pytest.raises(DataLoss, match="kept other bytes of 'k'"):
        store.put("k", io.BytesIO(b"sent"), 4)
    with pytest.raises(InvalidArgument, match="are not those declared"):
        store.put("l", io.BytesIO(b"sent"), 4, md5(b"sent"))
    assert [blob.key for blob in store.list()] == ["k"]


def test_a_stream_may_break_off_as_often_as_it_gets_on(store: S3Store, proxy: FaultyHttp) -> None:
    content = bytes(range(256)) * 32_768
    put(store, "k", content)
    proxy.fault = lambda request: Fault.SHORT if request.method == "GET" and request.number <= 5 else None
    assert content_of(store, "k") == content
    assert proxy.count("GET") == 6
    proxy.calm()
    proxy.fault = lambda request: Fault.SHORT if request.method == "GET" else None
    with pytest.raises(Unavailable, match="broke off"):
        content_of(store, "k")


class _Chunked:
    """A server that sends its answers in chunks and ends the connection before it said that they are complete."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "_Chunked":
        self._answering = threading.Thread(target=self._answer)
        self._answering.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._answering.join()
        self._listener.close()

    def _answer(self) -> None:
        with suppress(OSError):  # the test is over
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    lines = connection.recv(65536).decode().split("\r\n")
                    found = [line.partition("=")[2] for line in lines if line.lower().startswith("range:")]
                    self.asked += found
                    connection.sendall(self._said(found[0] if found else "0-"))

    def _said(self, asked: str) -> bytes:
        first, _, last = asked.partition("-")
        piece = self._content[int(first) : int(last) + 1 if last else None]
        if not piece:
            body = b"<Error><Code>InvalidRange</Code></Error>"
            head = f"HTTP/1.1 416 No\r\ncontent-type: application/xml\r\ncontent-length: {len(body)}\r\n\r\n"
            return head.encode() + body
        head = f'HTTP/1.1 206 OK\r\netag: "e"\r\ntransfer-encoding: chunked\r\n\r\n{len(piece):x}\r\n'
        return head.encode() + piece + b"\r\n"


def test_a_stream_that_breaks_off_after_the_last_byte(settings: S3Settings) -> None:
    with _Chunked(b"0123456789") as server:
        store = S3Store(dataclasses.replace(settings, endpoint=server.url))
        assert content_of(store, "k") == b"0123456789"
        assert server.asked == ["10-"]
        assert content_of(store, "k", 2, 3) == b"234"
        assert server.asked == ["10-", "2-4"]


PAGE = b"<html>log in</html>"
HTML = {"content-type": "text/html"}


def test_a_page_that_is_there_for_whatever_is_asked_is_no_blob(store: S3Store, proxy: FaultyHttp) -> None:
    put(store, "k", b"x")
    proxy.fault = lambda request: Answer(200, PAGE, HTML)
    for ask in (
        lambda: store.stat("k"),
        lambda: store.read("k"),
        lambda: store.read("k", 0, 1),
        lambda: store.read_mark("owners/_"),
        lambda: store.put("k", io.BytesIO(b"x"), 1),
    ):
        with pytest.raises(Unavailable, match="does not answer as an S3 server does; check the endpoint") as told:
            ask()
        assert told.value.facts == NO_RETRY


def test_a_page_of_a_proxy_whose_store_is_away_is_waited_for(store: S3Store, proxy: FaultyHttp) -> None:
    proxy.fault = lambda request: Answer(503, PAGE, HTML)
    for ask in (lambda: store.read("k"), lambda: store.put("k", io.BytesIO(b"x"), 1)):
        with pytest.raises(Unavailable, match=r"is busy or ill \(503\)") as told:
            ask()
        assert told.value.facts == {}


def test_an_answer_without_etag_is_the_stores_by_its_other_headers(store: S3Store, proxy: FaultyHttp) -> None:
    proxy.fault = lambda request: Answer(200, b"content", {"X-Amz-Request-Id": "tx1"})
    assert content_of(store, "k") == b"content"


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (HTML, "does not answer as an S3 server"),
        (HTML | {"etag": '"5f3-1"'}, "is no mark that names a store.*correct --artifacts-endpoint"),
    ],
)
def test_bytes_are_no_others_where_a_page_is_served(
    settings: S3Settings, sqlite_url: str, proxy: FaultyHttp, headers: dict[str, str], told: str
) -> None:
    facts = Store.open(sqlite_url)
    requests = Requests(Artifacts(facts, S3Store(settings, "pre/")))
    made = upload(requests)
    proxy.fault = lambda request: Answer(200, PAGE, headers)
    with pytest.raises((FailedPrecondition, Unavailable), match=told):
        list(verify(requests.artifacts))
    for take in (requests.artifacts.ownership.take_over, lambda: requests.artifacts.ownership.check(fresh=True)):
        with pytest.raises((FailedPrecondition, Unavailable)):
            take()
    proxy.calm()
    (file,) = file_page(requests.artifacts, v1.ListFilesRequest(artifact_id=made)).files
    assert not file.damaged
    assert [finding.verdict for finding in verify(requests.artifacts)] == [Verdict.SAME]
    facts.close()
