"""An HTTP proxy that answers as an ill server would, where a test wants it, and forwards everything else.

    with HttpFaults(s3.port) as proxy:
        proxy.fault = lambda request: error(503, "SlowDown") if request.number % 2 else None

It forwards to a port of 127.0.0.1 with the headers as they came, so that signatures made for its own address hold.
"""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class Request:
    """A request as the proxy sees it, numbered from 1 among those of its method."""

    method: str
    target: str
    number: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Fault:
    """What happens to a request in place of being forwarded; `flipped` forwards it with its first byte changed.

    `damaged` forwards it and changes the first byte of the answer.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    flipped: bool = False
    damaged: bool = False


def error(status: int, code: str, **headers: str) -> Fault:
    """Return an error as S3 says it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as the test wants</Message></Error>".encode()
    return Fault(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class HttpFaults:
    """The proxy; set `fault` to a function of a request that returns a Fault, or None to forward it."""

    def __init__(self, target: int) -> None:
        """Prepare; `with` starts it."""
        self.target = target
        self.fault: Callable[[Request], Fault | None] = lambda request: None
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def calm(self) -> None:
        """Forward everything from here on, and forget what was asked."""
        self.fault = lambda request: None
        with self._lock:
            self.requests = []

    def count(self, method: str) -> int:
        """Return how many requests of a method came."""
        with self._lock:
            return sum(request.method == method for request in self.requests)

    def seen(self, method: str, target: str, headers: Mapping[str, str]) -> Request:
        """Note a request."""
        with self._lock:
            number = 1 + sum(request.method == method for request in self.requests)
            request = Request(method, target, number, headers)
            self.requests.append(request)
        return request

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: HttpFaults
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        request = self.owner.seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
        fault = self.owner.fault(request)
        with self._cut_when_it_fails():
            if fault is None or fault.flipped or fault.damaged:
                self._forward(fault or Fault())
            else:
                self._body(lambda chunk: None)
                self._answer(fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve

    @contextlib.contextmanager
    def _cut_when_it_fails(self) -> Iterator[None]:
        """End the connection when the server behind is away or the client left: nobody is to wait for an answer."""
        try:
            yield
        except (OSError, http.client.HTTPException):
            self.close_connection = True

    def _body(self, take: Callable[[bytes], None], *, flipped: bool = False) -> None:
        left = int(self.headers.get("content-length") or 0)
        while left:
            chunk = self.rfile.read(min(_CHUNK_BYTES, left))
            if not chunk:
                raise OSError("the client ended early")
            left -= len(chunk)
            take(_flip(chunk) if flipped else chunk)
            flipped = False

    def _answer(self, fault: Fault) -> None:
        self.send_response_only(fault.status)
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(fault.body)))
        self.end_headers()
        self.wfile.write(fault.body)

    def _forward(self, fault: Fault) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.owner.target, timeout=60)
        with contextlib.closing(upstream):
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders()
            self._body(upstream.send, flipped=fault.flipped)
            answer = upstream.getresponse()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            damaged = fault.damaged
            if self.command == "HEAD" or answer.length is not None:
                self.send_header("content-length", answer.getheader("content-length") or "0")
                self.end_headers()
                while chunk := answer.read(_CHUNK_BYTES):
                    self.wfile.write(_flip(chunk) if damaged else chunk)
                    damaged = False
            else:
                content = answer.read()
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _flip(chunk: bytes) -> bytes:
    return bytes([chunk[0] ^ 1]) + chunk[1:]
