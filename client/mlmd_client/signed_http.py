"""Signed requests sent straight to the object store: again while it is busy, signed anew when they have expired."""

import http.client
import math
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mlmd_schemas.chance import CHANCE
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_client.http_connections import PATIENCE_SECONDS, Answer, Body, Connections
from mlmd_client.refusals import (
    Meaning,
    busy,
    is_page,
    meaning_of,
    no_store,
    refusal,
    replaced,
    short,
    trouble,
    whole_instead,
)
from mlmd_client.tls import Tls
from mlmd_client.waits import WAITS

Renew = Callable[[], v1.SignedRequest | None]
"""Signs a request anew; None when it need not be sent any more."""
Bytes = bytes | memoryview
_CUT = (http.client.HTTPException, OSError)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of a file from `start` to before `end`; `whole` is the size of the file."""

    start: int
    end: int
    whole: int


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a busy store is asked: waits double from the first to the longest, with jitter.

    One that says nothing for `silent_seconds` is taken to hang, and asked `silences` times in all.
    """

    attempts: int = 8
    first_seconds: float = 0.2
    longest_seconds: float = 20.0
    silent_seconds: float = PATIENCE_SECONDS
    silences: int = 3

    def is_over(self, attempt: int, silences: int) -> bool:
        """Whether so many attempts, so many of them met by silence, are enough."""
        return attempt >= self.attempts or silences >= self.silences

    def seconds(self, attempt: int, answer: Answer | None) -> float:
        """Return how long to wait before the next attempt; `attempt` counts from 1."""
        seconds: float = min(self.longest_seconds, self.first_seconds * 2 ** (attempt - 1)) * CHANCE.uniform(0.5, 1.0)
        told = (answer.headers.get("retry-after", "") if answer else "").strip()
        if told.isascii() and told.isdecimal():
            seconds = max(seconds, min(float(told), self.longest_seconds))
        return seconds


PATIENCE = Patience()
"""Two minutes or so, all waits together; three when nothing is answered at all."""


class SignedHttp:
    """Sends pieces of files by signed requests.

    `own` are headers for the server's own addresses, and `tls` how it is spoken with them, never with others.
    """

    def __init__(
        self,
        connections: Connections,
        stop: threading.Event,
        own_address: str = "",
        own: Mapping[str, str] | None = None,
        patience: Patience = PATIENCE,
        tls: Tls | None = None,
    ) -> None:
        """Take the server's HTTP address, "" where it takes no bytes, and what is set when the transfer stops."""
        self.connections = connections
        self.connections.speak(own_address, tls or Tls())
        self.patience = patience
        self._stop = stop
        self._own_address = own_address
        self._own = own or {}

    def headers(self, request: v1.SignedRequest) -> dict[str, str]:
        """Return the headers of a request; the caller's token goes to the server's own address alone."""
        headers = dict(request.headers)
        if self._own_address and request.url.startswith(f"{self._own_address}/"):
            headers |= self._own
        return headers

    def put(self, request: v1.SignedRequest, body: Body, path: str, renew: Renew) -> None:
        """Send a piece of a file until the store has it; raises TransferError, ChangedFile when the file changed."""
        asking = _Asking(request, path, renew, _MOST_DAMAGES)
        while asking.is_wanted:
            answer, error = self._once(asking.request, body)
            body.source.check()
            if answer is not None and _is_stored(asking.request, answer):
                if answer.status < 300 and is_page(answer.headers):
                    raise no_store(path, asking.request.url)
                return
            if self._waited(asking, answer, error) and _expired(asking.request):
                asking.sign()

    def _once(self, request: v1.SignedRequest, body: Body) -> tuple[Answer | None, BaseException | None]:
        try:
            return self.connections.send(request.method, request.url, self.headers(request), body), None
        except _CUT as error:
            return None, error

    def get(
        self,
        request: v1.SignedRequest,
        span: Span,
        path: str,
        renew: Renew,
        sink: Callable[[Bytes], None],
        etag: str = "",
    ) -> None:
        """Fetch a part of a file into `sink`, each byte once and in order, in a buffer that is used again.

        Raises TransferError, one of DATA_LOSS when what is there has another ETag than `etag`.

        A stream that breaks off is taken up where it did.
        """
        asking, left = _Asking(request, path, renew, etag=etag), span
        while left.start < left.end:
            size, answer, error = self._into(sink, asking, left)
            if size:
                left = Span(left.start + size, left.end, left.whole)
                asking.attempts = asking.silences = 0
            if left.start == left.end:
                return
            if answer is None and error is None:
                raise short(path, asking.request.url)
            self._waited(asking, answer, error)
            if not asking.is_wanted and answer is not None:
                raise refusal(answer, asking.request.url, path)

    def _into(
        self, sink: Callable[[Bytes], None], asking: "_Asking", span: Span
    ) -> tuple[int, Answer | None, BaseException | None]:
        """Make one attempt; return how many bytes came, the answer that is no success, and what broke off."""
        size, answer = 0, None
        try:
            for chunk in self._chunks(asking, span):
                if isinstance(chunk, Answer):
                    answer = chunk
                else:
                    sink(chunk)
                    size += len(chunk)
        except _CUT as error:
            return size, answer, error
        return size, answer, None

    def _waited(self, asking: "_Asking", answer: Answer | None, error: BaseException | None) -> bool:
        """Wait after an attempt that failed, or have an expired request signed anew at once; tell whether it waited.

        Raises TransferError when another attempt makes no sense.
        """
        asking.note(error)
        url = asking.request.url
        if answer is not None:
            meaning = meaning_of(answer)
            if asking.is_final(meaning):
                raise refusal(answer, url, asking.path)
            if meaning is Meaning.EXPIRED:
                asking.sign()
                return False
        asking.attempts += 1
        if isinstance(error, ssl.SSLCertVerificationError):  # no wait mends that
            raise busy(answer, error, url, asking.path, asking.attempts)
        if self.patience.is_over(asking.attempts, asking.silences) or self._stop.is_set():
            raise busy(answer, error, url, asking.path, asking.attempts)
        self._wait(asking.attempts, answer, error, url)
        return True

    def _wait(self, attempt: int, answer: Answer | None, error: BaseException | None, url: str) -> None:
        """Wait before the next attempt; ends at once when the transfer stops."""
        seconds = self.patience.seconds(attempt, answer)
        silent = self.patience.silent_seconds if isinstance(error, TimeoutError) else 0.0
        target, reason = trouble(answer, error, url)
        WAITS.tell(target, reason, seconds + silent)
        self._stop.wait(seconds)

    def _chunks(self, asking: "_Asking", span: Span) -> Iterator[memoryview | Answer]:
        """Yield the bytes of an answer as they come; or the whole answer, when it is no success.

        Asked again, a whole file is asked for as a range: our server breaks off a whole file whose bytes are wrong,
        which looks like a broken connection, and leaves it to the reader to judge a range.
        """
        request, path = asking.request, asking.path
        headers = self.headers(request)
        ranged = asking.attempts > 0 or span.start > 0 or span.end < span.whole
        if ranged:
            headers["Range"] = f"bytes={span.start}-{span.end - 1}"
        response = self.connections.fetch(request.url, headers)
        ended = False
        try:
            if response.status not in (200, 206):
                content = response.read(_LONGEST_ERROR_BYTES)
                ended = response.is_read
                yield Answer(response.status, response.headers, content)
                return
            if is_page(response.headers):
                raise no_store(path, request.url)
            if ranged and response.status != 206:
                raise whole_instead(path, request.url)
            if asking.etag and response.headers.get("etag", "").strip('"') not in ("", asking.etag):
                raise replaced(path, request.url)
            left = span.end - span.start
            buffer = memoryview(bytearray(min(_CHUNK_BYTES, left)))
            while left and (size := response.readinto(buffer[: min(len(buffer), left)])):
                left -= size
                yield buffer[:size]
            ended = response.is_read
        finally:
            if not ended:
                response.close()
                self.connections.drop(request.url)


_FRESH_SECONDS = 60.0
"""A request that was signed within this time is no expired one: what refuses it would refuse the next."""
_MOST_DAMAGES = 2
_CHUNK_BYTES = 256 * 1024
_LONGEST_ERROR_BYTES = 64 * 1024


class _Asking:
    """One piece of a file that is asked for until it has moved: with which request, and what became of it so far."""

    def __init__(
        self, request: v1.SignedRequest, path: str, renew: Renew, most_damages: int = 0, etag: str = ""
    ) -> None:
        self.request = request
        self.path = path
        self.etag = etag
        self.is_wanted = True
        """Whether it is to be moved still: whoever signs anew may know better."""
        self.attempts = 0
        """Attempts that failed since bytes last moved; one that came too late is none."""
        self.silences = 0
        """How many of them met silence."""
        self._renew = renew
        self._damages = most_damages
        self._expired = -math.inf  # by a clock that nobody sets: that of server, store or client may be wrong

    def note(self, error: BaseException | None) -> None:
        """Take note of how an attempt failed."""
        self.silences += isinstance(error, TimeoutError)

    def is_final(self, meaning: Meaning) -> bool:
        """Tell whether another attempt would be answered with the same."""
        if meaning is Meaning.OTHER_BYTES:
            self._damages -= 1
            return self._damages < 0
        if meaning is Meaning.EXPIRED:
            before, self._expired = self._expired, time.monotonic()
            return self._expired - before < _FRESH_SECONDS
        return meaning is not Meaning.BUSY

    def sign(self) -> None:
        """Have the request signed anew."""
        fresh = self._renew()
        if fresh is None:
            self.is_wanted = False
        else:
            self.request = fresh


def _expired(request: v1.SignedRequest) -> bool:
    return 0 < request.expires_ms < time.time() * 1000


def _is_stored(request: v1.SignedRequest, answer: Answer) -> bool:
    """Tell whether the store has a piece: by this attempt, or by one before whose answer was lost.

    The commit proves that what is there is what was declared.
    """
    is_there_already = answer.status == 412 and "If-None-Match" in request.headers
    return is_there_already or meaning_of(answer) is Meaning.DONE
