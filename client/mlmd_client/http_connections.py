"""HTTP connections that are kept: each thread has one to each server, and says one request at a time on it."""

import contextlib
import http.client
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from mlmd_schemas.errors import Code

from mlmd_client.calls import CallError
from mlmd_client.hashing import OpenFile
from mlmd_client.http_replies import Reply, request_head
from mlmd_client.tls import Tls

PATIENCE_SECONDS = 60.0
"""How long a server may be silent."""
_SMALL_BYTES = 256 * 1024
_SLICE_BYTES = 4 << 20
_LONGEST_ERROR_BYTES = 64 * 1024
_CUT = (http.client.HTTPException, OSError)


@dataclass(frozen=True, slots=True)
class Body:
    """A part of a file on its way; `moved` hears how many bytes went, and that they have to go again."""

    source: OpenFile
    start: int
    size_bytes: int
    moved: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to a request that sends something."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Connections:
    """Connections of all threads; `close` ends them.

    `silent_seconds` is how long a server may say and take nothing until TimeoutError is raised, `tls` what is trusted,
    by default what the system trusts.
    """

    def __init__(self, silent_seconds: float = PATIENCE_SECONDS, tls: ssl.SSLContext | None = None) -> None:
        self._silent_seconds = silent_seconds
        self._tls = tls
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._own = threading.local()
        self._lock = threading.Lock()
        self._all: set[http.client.HTTPConnection] = set()

    def speak(self, address: str, tls: Tls) -> None:
        """Speak TLS with one address as its calls do, and with all others as before; raises CallError."""
        if address.startswith("https://") and tls != Tls():
            self._contexts[urlsplit(address).netloc] = context_of(tls)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Answer:
        """Send a request with its body once; raises OSError or HTTPException when the connection breaks off.

        On a kept connection that the server gave up meanwhile it is said a second time, on a new one.
        """
        connection, target, kept = self._to(url)
        try:
            return self._sent(connection, method, target, headers, body)
        except _CUT as error:
            self._drop(connection)
            if not kept or isinstance(error, TimeoutError):
                raise
        connection, target, _ = self._to(url)
        try:
            return self._sent(connection, method, target, headers, body)
        except _CUT:
            self._drop(connection)
            raise

    def _sent(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Body,
    ) -> Answer:
        went = 0
        head = request_head(method, _host_of(connection), target, {**headers, "Content-Length": str(body.size_bytes)})
        sock = _socket_of(connection)
        broken: OSError | None = None
        try:
            if body.size_bytes <= _SMALL_BYTES:
                content = b"".join(body.source.chunks(body.start, body.size_bytes))
                sock.sendall(head + content)
                went = body.size_bytes
                body.moved(went)
            else:
                sock.sendall(head)
                for size in _stream(connection, body):
                    went += size
                    body.moved(size)
        except OSError as error:  # the server may have refused what it had not yet read
            broken = error
        try:
            reply = Reply(sock)
            content = reply.read(_LONGEST_ERROR_BYTES)
        except _CUT as error:
            body.moved(-went)
            raise (broken or error) from None
        if reply.status >= 300:
            body.moved(-went)
        if broken is not None or not reply.is_read:
            reply.close()
            self._drop(connection)
        return Answer(reply.status, reply.headers, content)

    def fetch(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Ask for something once and return the answer, to be read to its end before the thread asks again."""
        connection, target, kept = self._to(url)
        try:
            return _asked(connection, target, headers)
        except _CUT as error:
            self._drop(connection)
            if not kept or isinstance(error, TimeoutError):
                raise
        connection, target, _ = self._to(url)
        try:
            return _asked(connection, target, headers)
        except _CUT:
            self._drop(connection)
            raise

    def drop(self, url: str) -> None:
        """Close this thread's connection to the server of a URL, because an answer on it was not read to its end."""
        connection, _, _ = self._to(url)
        self._drop(connection)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            connections, self._all = self._all, set()
        for connection in connections:
            connection.close()

    def _to(self, url: str) -> tuple[http.client.HTTPConnection, str, bool]:
        """Return this thread's connection for a URL, what is asked for on it, and whether it was open already."""
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        mine: dict[tuple[str, str], http.client.HTTPConnection] = self._own.__dict__.setdefault("connections", {})
        connection = mine.get(key)
        kept = connection is not None and connection.sock is not None
        if connection is None:
            connection = mine[key] = self._made(parts)
            with self._lock:
                self._all.add(connection)
        return connection, url.split(parts.netloc, 1)[1] or "/", kept

    def _made(self, parts: SplitResult) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            context = self._contexts.get(parts.netloc) or self._common_context()
            return http.client.HTTPSConnection(host, port, timeout=self._silent_seconds, context=context)
        return http.client.HTTPConnection(host, port, timeout=self._silent_seconds, blocksize=_SLICE_BYTES)

    def _common_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = context_of(Tls())
        return self._tls

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        with contextlib.suppress(OSError):  # it is given up; TLS may find that its end cannot be told
            connection.close()


def context_of(tls: Tls) -> ssl.SSLContext:
    """Return what trusts the authorities of `tls`, by default those of AWS_CA_BUNDLE, SSL_CERT_FILE or the system.

    Raises CallError when they, or the key and the certificate to be shown, are none.
    """
    try:
        if tls.ca is None:
            context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
        else:
            context = ssl.create_default_context(cadata=tls.ca.decode("ascii", "ignore"))  # the rest are comments
        if tls.certificate is not None:
            _show(context, tls.certificate, tls.key or b"")
    except (OSError, ValueError) as error:
        raise CallError(
            Code.INVALID_ARGUMENT,
            "tls: the authorities (`ca`, or the file of AWS_CA_BUNDLE), the certificate or its key are no PEM that can "
            f"be used ({error}); see that they are, and that the key is the certificate's.",
        ) from error
    return context


def _show(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Have a certificate shown; OpenSSL takes it from a file alone, which nobody else can read and which goes again."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)


def _host_of(connection: http.client.HTTPConnection) -> str:
    """Return the Host header's value: without the port where it is the usual one, since signatures cover it."""
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    return host if connection.port == connection.default_port else f"{host}:{connection.port}"


def _socket_of(connection: http.client.HTTPConnection) -> socket.socket:
    if connection.sock is None:
        connection.connect()
    sock: socket.socket = connection.sock
    return sock


def _asked(connection: http.client.HTTPConnection, target: str, headers: Mapping[str, str]) -> Reply:
    sock = _socket_of(connection)
    sock.sendall(request_head("GET", _host_of(connection), target, headers))
    return Reply(sock)


def _stream(connection: http.client.HTTPConnection, body: Body) -> Iterator[int]:
    """Send a body and yield how many bytes went, a slice at a time; without TLS they never enter this process."""
    sock = connection.sock
    if isinstance(sock, ssl.SSLSocket):
        for chunk in body.source.chunks(body.start, body.size_bytes):
            sock.sendall(chunk)
            yield len(chunk)
        return
    with open(os.dup(body.source.descriptor), "rb", buffering=0) as file:
        position = body.source.file.offset + body.start
        end = position + body.size_bytes
        while position < end:
            size = sock.sendfile(file, position, min(_SLICE_BYTES, end - position))
            if not size:
                body.source.check()
                raise OSError("the file ended early")
            position += size
            yield size
