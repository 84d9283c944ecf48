"""A reverse proxy that breaks HTTP where a test wants it broken: between an object store and whoever talks to it.

    with FaultyHttp(s3.port) as proxy:
        proxy.plan(3, Fault.INTERNAL)      # the third request from here on gets a 500
        proxy.fault = lambda request: error(503, "SlowDown") if request.number % 2 else None
        ...                                # a client on `proxy.url`

Signatures stay valid, because the headers go on as they came, the Host among them.
"""

import contextlib
import hashlib
import http.client
import http.server
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

_ETAG = re.compile(rb"(<ETag>(?:\"|&quot;)?)([0-9a-f]{32})")
_HOP_BY_HOP = ("connection", "expect", "transfer-encoding")
_HELD_SECONDS = 200


class Fault(Enum):
    """What becomes of one request."""

    REFUSED = "the connection ends before the store sees the request"
    LOST = "the store answers, and the answer does not arrive"
    SHORT = "half of the answer's body arrives, then the connection ends"
    INTERNAL = "500, and the store sees nothing of it"
    SLOW_DOWN = "503 SlowDown, and the store sees nothing of it"
    UNKNOWN = "501 NotImplemented, and the store sees nothing of it"
    HELD = "the request waits until `release`"
    FLIPPED = "the first byte of the request's body reaches the store changed"
    DAMAGED = "the first byte of the answer's body arrives changed"


@dataclass(frozen=True)
class Answer:
    """What is answered in the store's place."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """A request as the proxy sees it, numbered from 1 among those of its method."""

    method: str
    target: str
    number: int
    headers: Mapping[str, str]


Choice = Callable[[Request], Fault | Answer | None]
"""What becomes of a request; None: it goes on as it came."""


def error(status: int, code: str, **headers: str) -> Answer:
    """Return an error as S3 says it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as the test wants</Message></Error>".encode()
    said = {"content-type": "application/xml"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, said)


_ERRORS = {
    Fault.INTERNAL: error(500, "InternalError"),
    Fault.SLOW_DOWN: error(503, "SlowDown"),
    Fault.UNKNOWN: error(501, "NotImplemented"),
}


class FaultyHttp:
    """Forwards requests to a port of 127.0.0.1 but for those for which `fault` says something else."""

    def __init__(self, target: int) -> None:
        """Take the port; `with` starts it."""
        self.target = target
        self.fault: Choice = _none
        self.requests: list[Request] = []
        self.veils = False
        """Whether ETags look like MD5s and are none, as those of objects that a store encrypts by a key service."""
        self.plain: dict[str, str] = {}
        """The ETags behind those that were told."""
        self.held = threading.Event()
        """Set when a request waits."""
        self._release = threading.Event()
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = _Listener(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def plan(
        self, at: int, fault: Fault, times: int = 1, where: Callable[[Request], bool] = lambda request: True
    ) -> None:
        """Let the `at`-th request from here on (1: the next) for which `where` holds, and `times` in all, go wrong."""
        self.held.clear()
        count, lock = iter(range(1, 1 << 31)), threading.Lock()

        def choose(request: Request) -> Fault | None:
            with lock:
                return fault if where(request) and at <= next(count) < at + times else None

        self.fault = choose

    def calm(self) -> None:
        """Forward everything from here on, and forget what was asked."""
        self.fault = _none
        with self._lock:
            self.requests = []
        self.held.clear()
        self.release()

    def release(self) -> None:
        """Let the requests that are held go on."""
        released, self._release = self._release, threading.Event()
        released.set()

    def veil(self, etag: str) -> str:
        """Return what is told for an ETag, or for an MD5 that begins one."""
        if not self.veils:
            return etag
        md5, hyphen, count = etag.strip('"').partition("-")
        told = hashlib.md5(f"veiled {md5}".encode()).hexdigest()
        self.plain[told] = md5
        return etag.replace(md5 + hyphen + count, told + hyphen + count)

    def unveil(self, text: str) -> str:
        """Return a text with the ETags that were told for those in it."""
        return re.sub("[0-9a-f]{32}", lambda found: self.plain.get(found[0], found[0]), text)

    def count(self, method: str) -> int:
        """Return how many requests of a method came."""
        with self._lock:
            return sum(request.method == method for request in self.requests)

    def seen(self, method: str, target: str, headers: Mapping[str, str]) -> Fault | Answer | None:
        """Note a request and return what is to become of it."""
        with self._lock:
            number = 1 + sum(request.method == method for request in self.requests)
            request = Request(method, target, number, headers)
            self.requests.append(request)
        return self.fault(request)

    def hold(self) -> None:
        """Wait until the request may go on."""
        released = self._release
        self.held.set()
        released.wait(_HELD_SECONDS)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.calm()
        self._server.shutdown()
        self._server.server_close()


def _none(_request: Request) -> None:
    """Forward everything."""


class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # where five wait, a sixth connection is lost, and asked for again a second later


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: FaultyHttp
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Serve a connection; clients that are cut off or killed are what is wanted here."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        fault = self.owner.seen(self.command, self.path, headers)
        with self._cut_when_it_fails():
            if fault is Fault.REFUSED:
                self._cut()
                return
            body = self._body()
            if isinstance(fault, Fault) and fault in _ERRORS:
                fault = _ERRORS[fault]
            if isinstance(fault, Answer):
                self._say(fault.status, fault.headers, fault.body, str(len(fault.body)))
                return
            if fault is Fault.HELD:
                self.owner.hold()
            self._forward(fault, _flip(body) if fault is Fault.FLIPPED else body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    @contextlib.contextmanager
    def _cut_when_it_fails(self) -> Iterator[None]:
        """End the connection when the server behind is away or the client left: nobody is to wait for an answer."""
        try:
            yield
        except (OSError, http.client.HTTPException):
            self.close_connection = True

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            size = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(size)
            if len(body) < size:
                raise OSError("the client ended early")
            return body
        pieces = []
        while length := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _forward(self, fault: Fault | None, body: bytes) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.owner.target, timeout=60)
        with contextlib.closing(upstream):
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    upstream.putheader(name, self.owner.unveil(value) if name.lower() == "if-match" else value)
            upstream.endheaders(self.owner.unveil(body.decode()).encode() if body.startswith(b"<Complete") else body)
            answer = upstream.getresponse()
            content = answer.read()
        if content.startswith(b"<?xml"):
            content = _ETAG.sub(lambda found: found[1] + self.owner.veil(found[2].decode()).encode(), content)
        said = {name: self.owner.veil(it) if name.lower() == "etag" else it for name, it in answer.getheaders()}
        if fault is Fault.LOST:
            self._cut()
            return
        if fault is Fault.DAMAGED:
            content = _flip(content)
        size = answer.getheader("content-length", "0") if self.command == "HEAD" else str(len(content))
        sent = len(content) // 2 if fault is Fault.SHORT else len(content)
        self._say(answer.status, said, content[:sent], size)
        if sent < len(content):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _say(self, status: int, headers: Mapping[str, str], content: bytes, size: str) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in (*_HOP_BY_HOP, "content-length"):
                self.send_header(name, value)
        self.send_header("content-length", size)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
            self.wfile.flush()


def _flip(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:] if content else content
