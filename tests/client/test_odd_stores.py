"""What is told when something else than an object store answers at its address."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from mlmd_client.http_connections import Connections
from mlmd_client.signed_http import Patience, SignedHttp, Span
from mlmd_client.transfer_errors import TransferError
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

Answering = Callable[[bytes], str]
ATTEMPTS = 3


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A function that lets a server answer every request with some bytes and hang up; it returns the server's URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    answers: list[bytes] = []

    def serve() -> None:
        while True:
            caller, _ = listener.accept()
            with caller:
                if not answers:
                    return
                caller.recv(65_536)
                caller.sendall(answers[0])

    thread = threading.Thread(target=serve)

    def begin(answer: bytes) -> str:
        answers.append(answer)
        thread.start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield begin
    answers.clear()
    socket.create_connection(listener.getsockname()).close()
    thread.join()
    listener.close()


def failure(url: str) -> TransferError:
    """Return what is raised when ten bytes are fetched from there."""
    connections = Connections()
    http = SignedHttp(connections, threading.Event(), patience=Patience(ATTEMPTS, 0.001, 0.001))
    request = v1.SignedRequest(url=f"{url}/bucket/key", method="GET")
    try:
        with pytest.raises(TransferError) as caught:
            http.get(request, Span(0, 10, 10), "model.bin", lambda: None, lambda chunk: None)
    finally:
        connections.close()
    assert caught.value.code == Code.UNAVAILABLE
    assert f"tried {ATTEMPTS} times" in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (b"220 mail.example.org ESMTP\r\n", "220 mail.example.org ESMTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n0123456789", "'ten'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0123456789", "'gzip'"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "more than 100 headers"),
    ],
)
def test_what_speaks_no_http_is_told_with_what_it_said(answering: Answering, answer: bytes, shown: str) -> None:
    said = failure(answering(answer)).message
    assert "speaks no HTTP that can be understood" in said
    assert shown in said


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 206 Some\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 503 Busy\r\n\r\n"]
)
def test_what_breaks_off_or_is_busy_is_told_as_such(answering: Answering, answer: bytes) -> None:
    assert "speaks no HTTP" not in failure(answering(answer)).message


PAGE = b"Content-Type: text/html\r\nContent-Length: 10\r\n\r\n<html>\n\n  "


def test_a_page_for_whatever_is_asked_is_no_file(answering: Answering) -> None:
    url = answering(b"HTTP/1.1 200 OK\r\n" + PAGE)
    connections = Connections()
    http = SignedHttp(connections, threading.Event(), patience=Patience(ATTEMPTS, 0.001, 0.001))
    told = r"at http://127\.0\.0\.1:\d+ does not answer as an object store does .'model.bin' .*--artifacts-public-"
    got = list[bytes]()
    with pytest.raises(TransferError, match=told) as caught:
        http.get(
            v1.SignedRequest(url=f"{url}/bucket/key", method="GET"),
            Span(0, 10, 10),
            "model.bin",
            lambda: None,
            lambda chunk: got.append(bytes(chunk)),
        )
    assert caught.value.code == Code.UNAVAILABLE
    assert not got
    connections.close()
