"""Replies as servers say them, whole, odd and broken off; requests that would say something else than they should."""

import http.client
import io
import socket
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlmd_client.http_replies import Reply, request_head

LONG = bytes(range(256)) * 100


def heard(said: bytes, read: Callable[[Reply], object], *, ends: bool = False) -> object:
    """Return what is read of a reply that a server says, closing the connection after it if it `ends`."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)

    def say() -> None:
        theirs.sendall(said)
        if ends:
            theirs.shutdown(socket.SHUT_WR)

    speaker = threading.Thread(target=say)
    speaker.start()
    try:
        return read(Reply(ours))
    finally:
        speaker.join()
        ours.close()
        theirs.close()


def whole(reply: Reply) -> tuple[int, bytes, bool]:
    """Return status and body, and whether the connection can be used again."""
    content = reply.read(1 << 20)
    return reply.status, content, reply.is_read


LENGTH_1 = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
CHUNKED = b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "ends", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", False, (200, b"abc", True)),
        (b"HTTP/1.1 200 OK\nContent-Length:3\n\nabc", False, (200, b"abc", True)),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", False, (200, b"", True)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, (204, b"", True)),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", False, (200, b"x", True)),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx", False, (200, b"x", False)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", False, (200, b"x", False)),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", True, (200, b"until the end", False)),
        (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", False, (400, b"abcde", True)),
        (CHUNKED + b"1\r\na\r\n0\r\nTrailer: t\r\n\r\n", False, (400, b"a", True)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LONG) + LONG, False, (200, LONG, True)),
        (CHUNKED + b"%x\r\n" % len(LONG) + LONG + b"\r\n0\r\n\r\n", False, (400, LONG, True)),
        (CHUNKED + b"00A ;x=\"y\"\r\n0123456789\r\n0\n\n", False, (400, b"0123456789", True)),
        (CHUNKED + b"0\r\n\r\n", False, (400, b"", True)),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3 + LENGTH_1 + b"x", False, (200, b"x", True)),
        (b"HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n" + LENGTH_1 + b"x", False, (200, b"x", True)),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", False, (304, b"", True)),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", False, (204, b"", True)),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding:CHUNKED\r\nContent-Length:9\r\n\r\n0\r\n\r\n", False, (200, b"", True)),
        (b"HTTP/1.1 200 OK\r\nConnection: TE, close\r\nContent-Length: 0\r\n\r\n", False, (200, b"", False)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", False, (200, b"x", True)),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n  : b\r\n\tc\r\nContent-Length:\r\n 1\r\n\r\nx", False, (200, b"x", True)),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99 + b"Content-Length: 1\r\n\r\nx", False, (200, b"x", True)),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000 + b"\r\nContent-Length: 1\r\n\r\nx", False, (200, b"x", True)),
    ],
)  # fmt: skip
def test_replies(said: bytes, ends: bool, expected: tuple[int, bytes, bool]) -> None:
    assert heard(said, whole, ends=ends) == expected


NO_SIZES = (b"odd", b"", b"+3", b"-3", b"0x3", b"3_", b" 3", b"3 3", b"f" * 17)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", http.client.RemoteDisconnected),
        (b"220 smtp\r\n", http.client.BadStatusLine),
        (b"HTTP/1.1 abc\r\n\r\n", http.client.BadStatusLine),
        (b"HTTP/1.1 200 OK\r\nETag: ", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", http.client.IncompleteRead),
        (CHUNKED + b"3\r\nab", http.client.IncompleteRead),
        (CHUNKED + b"3\r\nabc\r\n", http.client.IncompleteRead),
        *((CHUNKED + line + b"\r\nabc\r\n0\r\n\r\n", http.client.IncompleteRead) for line in NO_SIZES),
        (CHUNKED + b"3\r\nabcde\r\n0\r\n\r\n", http.client.IncompleteRead),
        (CHUNKED + b"3\r\nabc0\r\n\r\n", http.client.IncompleteRead),
        (CHUNKED + b"3\r\nabc\r\n0\r\n", http.client.IncompleteRead),
        (CHUNKED + b"3\r\nabc\r\n0\r\nTrailer: t\r\n", http.client.IncompleteRead),
        (CHUNKED + b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n", http.client.IncompleteRead),
        (b"HTTP/1.1 000 OK\r\n\r\n", http.client.BadStatusLine),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + LENGTH_1 + b"x", http.client.BadStatusLine),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + LENGTH_1 + b"x", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nabc", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\n Content-Length: 1\r\n\r\nx", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length\r\n\r\nx", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1", http.client.HTTPException),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, http.client.LineTooLong),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", http.client.HTTPException),
        (b"HTTP/1.1 200 " + b"x" * 70_000, http.client.LineTooLong),
    ],
)
def test_replies_that_are_none_or_break_off(said: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        heard(said, whole, ends=True)


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=20_000), max_size=6),
    steps=st.lists(st.integers(1, 30_000), min_size=1, max_size=5),
    chunked=st.booleans(),
    before=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_a_body_comes_as_it_was_sent(chunks: list[bytes], steps: list[int], chunked: bool, before: int) -> None:
    """However it is cut, by the server and by whoever reads; and what follows on the connection is left there."""
    body = b"".join(chunks)
    said = b"HTTP/1.1 102 Processing\r\n\r\n" * before + b"HTTP/1.1 200 OK\r\n"
    if chunked:
        said += b"Transfer-Encoding: chunked\r\n\r\n"
        said += b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    else:
        said += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    def read(reply: Reply) -> bytes:
        found, turn = io.BytesIO(), 0
        while size := reply.readinto(buffer := memoryview(bytearray(steps[turn % len(steps)]))):
            found.write(buffer[:size])
            turn += 1
        assert reply.is_read
        return found.getvalue()

    assert heard(said, read) == body


def test_long_values_in_several_lines_and_repeated_headers_are_joined() -> None:
    said = b"HTTP/1.1 200 OK\r\nX: a\r\n\t b \r\nY: 1\r\nX: c\r\nContent-Length: 0\r\n\r\n"
    assert heard(said, lambda reply: reply.headers) == {"x": "a b, c", "y": "1", "content-length": "0"}


def test_headers_are_found_by_small_letters() -> None:
    said = b"HTTP/1.1 503 Slow Down\r\nRETRY-after:  7 \r\nContent-Length: 0\r\n\r\n"
    assert heard(said, lambda reply: reply.headers["retry-after"]) == "7"


def test_a_reply_that_is_not_read_to_its_end_keeps_nothing() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"
    assert heard(said, lambda reply: (reply.read(3), reply.is_read)) == (b"abc", False)


def test_nothing_is_smuggled_into_a_request() -> None:
    assert request_head("PUT", "h:1", "/a%20b?c", {"A": "b"}) == (
        b"PUT /a%20b?c HTTP/1.1\r\nHost: h:1\r\nAccept-Encoding: identity\r\nA: b\r\n\r\n"
    )
    with pytest.raises(http.client.InvalidURL):
        request_head("PUT", "h", "/a\r\nX: y", {})
    for headers in ({"A": "b\r\nX: y"}, {"A\nX": "b"}):
        with pytest.raises(ValueError, match="control characters"):
            request_head("PUT", "h", "/", headers)
