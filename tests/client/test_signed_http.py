"""What becomes of a signed request by what is answered, without a wait: again, signed anew, taken up, or given up."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from mlmd_client.http_connections import Answer, Connections
from mlmd_client.signed_http import Patience, SignedHttp, Span
from mlmd_client.transfer_errors import ChangedFile, TransferError
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

STORED, BUSY, EXPIRED, THERE = (Answer(status, {}, b"") for status in (200, 503, 403, 412))
HASTY = Patience(attempts=3, first_seconds=0.0, longest_seconds=0.0, silent_seconds=0.0)
CONTENT = b"0123456789"
DAMAGED = Answer(400, {}, b"<Error><Code>BadDigest</Code></Error>")
PAST_MS = int((time.time() - 60) * 1000)
ONCE = {"If-None-Match": "*"}


class Reply:
    """A reply to a request for bytes: what comes, a few bytes at a time, and what breaks it off."""

    def __init__(self, content: bytes, status: int = 206, error: OSError | None = None, at_once: int = 3) -> None:
        self.status, self.headers = status, dict[str, str]()
        self._content, self._error, self._at_once = content, error, at_once

    @property
    def is_read(self) -> bool:
        return not self._content

    def read(self, most: int) -> bytes:
        found, self._content = self._content[:most], self._content[most:]
        return found

    def readinto(self, buffer: memoryview) -> int:
        found = self.read(min(len(buffer), self._at_once))
        if not found and self._error:
            raise self._error
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None: ...


class Said(Connections):
    """Connections to a store that answers as it was told, and what was asked of it."""

    def __init__(self, *answers: Answer | Reply | Exception) -> None:
        super().__init__()
        self._answers = iter(answers)
        self.urls, self.ranges, self.dropped = list[str](), list[str | None](), list[str]()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> Any:
        self.urls.append(url)
        self.ranges.append(headers.get("Range"))
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def fetch(self, url: str, headers: Mapping[str, str]) -> Any:
        return self.send("GET", url, headers, None)

    def drop(self, url: str) -> None:
        self.dropped.append(url)


def signed(name: str = "first", expires_ms: int = 0, headers: Mapping[str, str] | None = None) -> v1.SignedRequest:
    """Return a request for the store."""
    return v1.SignedRequest(method="PUT", url=f"http://store/{name}", headers=headers, expires_ms=expires_ms)


def renewals(*requests: v1.SignedRequest | None) -> Callable[[], v1.SignedRequest | None]:
    """Sign anew so often, and no more."""
    left = iter(requests)
    return lambda: next(left)


def put(
    said: Said,
    request: v1.SignedRequest,
    *anew: v1.SignedRequest | None,
    patience: Patience = HASTY,
    stops: bool = False,
) -> list[str]:
    """Send a piece; return what was asked."""
    stop = threading.Event()
    if stops:
        stop.set()
    body: Any = SimpleNamespace(source=SimpleNamespace(check=lambda: None))
    SignedHttp(said, stop, patience=patience).put(request, body, "f", renewals(*anew))
    return [url.rsplit("/")[-1] for url in said.urls]


def got(said: Said, span: Span, *anew: v1.SignedRequest | None, patience: Patience = HASTY) -> bytes:
    """Fetch a part of a file."""
    found = bytearray()
    SignedHttp(said, threading.Event(), patience=patience).get(signed(), span, "f", renewals(*anew), found.extend)
    return bytes(found)


def test_what_expired_while_it_waited_is_signed_anew() -> None:
    assert put(Said(BUSY, STORED), signed(expires_ms=PAST_MS), signed("second")) == ["first", "second"]


@pytest.mark.parametrize("hours", [0, 1])
def test_what_is_valid_after_a_wait_is_sent_again_as_it_is(hours: int) -> None:
    expires_ms = hours and int((time.time() + hours * 3600) * 1000)
    assert put(Said(BUSY, STORED), signed(expires_ms=expires_ms)) == ["first", "first"]


def test_what_is_refused_as_expired_is_signed_once_and_not_waited_for() -> None:
    anew = signed("second", expires_ms=PAST_MS)  # by the clock of a server that is behind
    assert put(Said(EXPIRED, STORED), signed(), anew) == ["first", "second"]


def test_what_need_not_be_sent_any_more_is_not_sent_again() -> None:
    assert put(Said(BUSY), signed(expires_ms=PAST_MS), None) == ["first"]
    assert put(Said(EXPIRED), signed(), None) == ["first"]


def test_what_is_there_already_is_stored_only_if_that_was_asked() -> None:
    assert put(Said(THERE), signed(headers=ONCE)) == ["first"]
    with pytest.raises(TransferError):
        put(Said(THERE), signed())
    with pytest.raises(TransferError):
        put(Said(Answer(409, {}, b"")), signed(headers=ONCE))


def test_a_transfer_that_stops_asks_no_more() -> None:
    said = Said(BUSY, STORED)
    with pytest.raises(TransferError):
        put(said, signed(), stops=True)
    assert len(said.urls) == 1


def test_of_silences_fewer_are_borne_than_of_other_failures() -> None:
    patience = Patience(5, 0.0, 0.0, 0.0, silences=2)
    resets = [ConnectionResetError(), ConnectionResetError()]
    assert len(put(Said(TimeoutError(), *resets, STORED), signed(), patience=patience)) == 4
    said = Said(TimeoutError(), ConnectionResetError(), TimeoutError(), STORED)
    with pytest.raises(TransferError):
        put(said, signed(), patience=patience)
    assert len(said.urls) == 3


@pytest.mark.parametrize("failure", [BUSY, ConnectionResetError()])
def test_so_many_attempts_are_made_and_no_more(failure: Answer | OSError) -> None:
    assert put(Said(failure, failure, STORED), signed()) == ["first"] * 3
    sent, fetched = Said(*[failure] * 3, STORED), Said(*[ConnectionResetError()] * 3, Reply(CONTENT))
    with pytest.raises(TransferError):
        put(sent, signed())
    with pytest.raises(TransferError):
        got(fetched, Span(0, 10, 10))
    assert (len(sent.urls), len(fetched.urls)) == (3, 3)


def test_a_certificate_that_is_not_trusted_is_not_asked_again() -> None:
    said = Said(ssl.SSLCertVerificationError("self-signed"), STORED)
    with pytest.raises(TransferError):
        put(said, signed())
    assert len(said.urls) == 1


def test_bytes_that_came_damaged_are_sent_twice_more() -> None:
    assert put(Said(DAMAGED, DAMAGED, STORED), signed()) == ["first"] * 3
    said = Said(*[DAMAGED] * 3, STORED)
    with pytest.raises(TransferError):
        put(said, signed(), patience=Patience(9, 0.0, 0.0, 0.0))
    assert len(said.urls) == 3


def test_what_is_refused_as_expired_right_after_it_was_signed_is_not_signed_again() -> None:
    said = Said(EXPIRED, EXPIRED, STORED)
    with pytest.raises(TransferError, match="signature"):
        put(said, signed(), signed("second"))
    assert len(said.urls) == 2


def test_what_is_stored_of_a_file_that_changed_meanwhile_is_an_error() -> None:
    def check() -> None:
        raise ChangedFile.saying("It changed.")

    body: Any = SimpleNamespace(source=SimpleNamespace(check=check))
    with pytest.raises(ChangedFile):
        SignedHttp(Said(STORED), threading.Event()).put(signed(), body, "f", renewals())


class Waits(threading.Event):
    """Waits that are over at once, and how long they were to be."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = list[float]()

    def wait(self, timeout: float | None = None) -> bool:
        """Note it."""
        self.seconds.append(timeout or 0.0)
        return False


def test_a_store_is_given_time_before_it_is_asked_again() -> None:
    stop, found = Waits(), bytearray()
    told = Reply(b"", 503)
    told.headers["retry-after"] = "7"
    http = SignedHttp(Said(told, ConnectionResetError(), Reply(CONTENT)), stop, patience=Patience(3, 1.0, 8.0))
    http.get(signed(), Span(0, 10, 10), "f", renewals(), found.extend)
    first, second = stop.seconds
    assert first == 7.0
    assert 1.0 <= second <= 2.0


def test_a_stream_is_taken_up_as_often_as_it_breaks_off_where_it_did() -> None:
    cut = [Reply(CONTENT[at : at + 2], 206 if at else 200, ConnectionResetError()) for at in range(0, 10, 2)]
    said = Said(*cut)
    assert got(said, Span(0, 10, 10), patience=Patience(2, 0.0, 0.0, 0.0)) == CONTENT
    assert said.ranges == [None, *(f"bytes={at}-9" for at in range(2, 10, 2))]


def test_a_stream_that_ends_early_is_an_error() -> None:
    with pytest.raises(TransferError):
        got(Said(Reply(CONTENT[:9], 200), Reply(CONTENT[9:])), Span(0, 10, 10))


@pytest.mark.parametrize(("start", "end"), [(0, 4), (2, 7), (1, 10)])
def test_a_part_is_asked_for_and_never_more_taken(start: int, end: int) -> None:
    said = Said(Reply(CONTENT[start:] + b"more"))
    assert got(said, Span(start, end, 10)) == CONTENT[start:end]
    assert said.ranges == [f"bytes={start}-{end - 1}"]
    assert said.dropped == ["http://store/first"], "the next answer on the connection would begin with the rest"
    with pytest.raises(TransferError):
        got(Said(Reply(CONTENT, 200)), Span(start, end, 10))


def test_what_was_not_taken_to_its_end_is_not_left_for_the_next_answer() -> None:
    def full(chunk: object) -> None:
        raise ChangedFile.saying("There is no room.")

    said = Said(Reply(CONTENT))
    with pytest.raises(ChangedFile):
        SignedHttp(said, threading.Event()).get(signed(), Span(0, 10, 10), "f", renewals(), full)
    assert said.dropped == ["http://store/first"]


def test_what_was_read_to_its_end_keeps_its_connection() -> None:
    said = Said(Reply(b"", 503), Reply(CONTENT))
    assert got(said, Span(0, 10, 10)) == CONTENT
    assert said.dropped == []
    assert said.ranges == [None, "bytes=0-9"], "a server breaks off a whole file that is damaged, and not a range"


def test_what_nobody_signs_anew_is_told_as_it_was_refused() -> None:
    with pytest.raises(TransferError, match="signature"):
        got(Said(Reply(b"", 403)), Span(0, 10, 10), None)


@pytest.fixture
def own() -> Iterator[SignedHttp]:
    """What speaks to a server that has a token, at an address of its own."""
    connections = Connections()
    yield SignedHttp(connections, threading.Event(), "http://server:80", {"authorization": "Bearer mine"})
    connections.close()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://server:80/files/1", True),
        ("http://server:8081/files/1", False),
        ("http://server:80.evil/files/1", False),
        ("http://store/?at=http://server:80/", False),
    ],
)
def test_a_token_is_told_to_its_own_server_alone(own: SignedHttp, url: str, told: bool) -> None:
    found = own.headers(v1.SignedRequest(url=url, headers={"content-md5": "x"}))
    assert found == {"content-md5": "x"} | ({"authorization": "Bearer mine"} if told else {})


def test_waits_double_up_to_the_longest_and_heed_what_was_asked_for() -> None:
    patience = Patience(first_seconds=1.0, longest_seconds=8.0)
    for attempt, most in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (9, 8.0)):
        found = [patience.seconds(attempt, None) for _ in range(200)]
        assert most / 2 <= min(found) < most * 0.75 < max(found) <= most
    for asked, least, most in (
        ("5", 5.0, 5.0),
        ("500", 8.0, 8.0),
        ("0", 0.5, 1.0),
        ("soon", 0.5, 1.0),
        ("²", 0.5, 1.0),
    ):
        assert least <= patience.seconds(1, Answer(503, {"retry-after": asked}, b"")) <= most
