"""A reverse proxy that breaks HTTP where a test wants it broken: between a server of ours and an object store.

    with FaultyHttp(s3.port) as proxy:
        proxy.plan(3, Fault.UNAVAILABLE)      # the third request from here on gets a 503
        ...                                   # a client on `proxy.url`

Signatures stay valid, because the Host header goes on as it came.
"""

import http.client
import http.server
import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self


class Fault(Enum):
    """What becomes of one request."""

    REFUSED = "the connection ends before the store sees the request"
    LOST = "the store answers, and the answer does not arrive"
    SHORT = "half of the answer's body arrives, then the connection ends"
    INTERNAL = "500, and the store sees nothing of it"
    SLOW_DOWN = "503 SlowDown, and the store sees nothing of it"
    UNKNOWN = "501 NotImplemented, and the store sees nothing of it"
    HELD = "the request waits until `release`"


_ERRORS = {
    Fault.INTERNAL: (500, "InternalError"),
    Fault.SLOW_DOWN: (503, "SlowDown"),
    Fault.UNKNOWN: (501, "NotImplemented"),
}


class FaultyHttp:
    """Forwards requests to a port of 127.0.0.1; one fault at a time."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.requests: list[str] = []
        self.held = threading.Event()
        self._release = threading.Event()
        self._lock = threading.Lock()
        self._plan: tuple[int, Fault, int] | None = None
        self._where: Callable[[str], bool] = lambda request: True
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def plan(self, at: int, fault: Fault, times: int = 1, where: Callable[[str], bool] = lambda request: True) -> None:
        """Let the `at`-th request from here on (1: the next) for which `where` holds, and `times` in all, go wrong."""
        with self._lock:
            self._plan, self._where = (at, fault, times), where
        self.held.clear()
        self._release.clear()

    def calm(self) -> None:
        """Forget the plan and the requests."""
        with self._lock:
            self._plan, self.requests = None, []
        self._release.set()

    def release(self) -> None:
        """Let the request that is held go on."""
        self._release.set()

    def due(self, request: str) -> Fault | None:
        """Note a request, `METHOD /path`, and return what is to become of it."""
        with self._lock:
            self.requests.append(request)
            if self._plan is None or not self._where(request):
                return None
            at, fault, times = self._plan
            if at > 1:
                self._plan = (at - 1, fault, times)
                return None
            self._plan = (1, fault, times - 1) if times > 1 else None
            return fault

    def hold(self) -> None:
        """Wait until the request may go on."""
        self.held.set()
        self._release.wait(60)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.calm()
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: FaultyHttp
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _forward(self) -> None:
        fault = self.owner.due(f"{self.command} {self.path}")
        size = int(self.headers.get("content-length") or 0)
        if fault is Fault.REFUSED:
            self._cut()
            return
        body = self._body(size)
        if fault in _ERRORS:
            self._refuse(*_ERRORS[fault])
            return
        if fault is Fault.HELD:
            self.owner.hold()
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.target, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect", "transfer-encoding"):
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if fault is Fault.LOST:
            self._cut()
            return
        self._answer(answer, content, len(content) // 2 if fault is Fault.SHORT else len(content))

    def _body(self, size: int) -> bytes:
        if self.headers.get("expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(size)
        pieces = []
        while length := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _refuse(self, status: int, code: str) -> None:
        content = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.send_header("content-type", "application/xml")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _answer(self, answer: http.client.HTTPResponse, content: bytes, sent: int) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        whole = answer.getheader("content-length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("content-length", whole)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:sent])
        if sent < len(content):
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward
