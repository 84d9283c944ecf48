"""A connection of the HTTP listener: its head is bounded, and has to come in time.

uvicorn's protocol on httptools bounds neither: what is no body is gathered in memory for as long as it comes, and
whoever connects and says nothing keeps a file descriptor for good. What is refused here has not become a request, so
that no endpoint or log line knows of it; it is told in the form of every other error, and to a page of another origin
where the head said so before it was refused.
"""

import asyncio
import json
import sys
from collections.abc import Sequence

from mlmd_schemas.errors import Code
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mlmd_api.rest.cors import Origins
from mlmd_api.rest.upgrades import parser_for, plain_head
from mlmd_api.status import CONNECT_CODE

LARGEST_HEAD_BYTES = 128 * 1024
"""What a request may have beside its body, give or take one reading of the socket."""
HEAD_SECONDS = 60.0
"""How long the head of a request may take, from the connection or from its first byte on."""
LARGEST_ADDRESS_BYTES = 65_535
"""What the parser of addresses takes, path and query together."""
_FRAMING = 8
"""Bytes of framing that each byte of a body in chunks may have beside it."""
_TOO_LARGE = (
    "431 Request Header Fields Too Large",
    Code.RESOURCE_EXHAUSTED,
    f"headers: the request has more than {LARGEST_HEAD_BYTES} bytes beside its body; send less.",
)
_TOO_LONG = (
    "414 URI Too Long",
    Code.INVALID_ARGUMENT,
    f"path: it has, with its query, more than {LARGEST_ADDRESS_BYTES} bytes; send less, a GraphQL query by POST.",
)
_TOO_LATE = (
    "408 Request Timeout",
    Code.DEADLINE_EXCEEDED,
    f"headers: they did not come within {HEAD_SECONDS:g} seconds; send them at once.",
)
_NO_HOST = (
    "400 Bad Request",
    Code.INVALID_ARGUMENT,
    "host: a request of HTTP/1.1 names one host; send the header `Host` once.",
)
_OTHER_CODING = (
    "501 Not Implemented",
    Code.UNIMPLEMENTED,
    "transfer-encoding: it is not `chunked` alone; compress the body as its `content-encoding` says.",
)
_OTHER_VERSION = (
    "505 HTTP Version Not Supported",
    Code.UNIMPLEMENTED,
    "version: this port speaks HTTP/1.1.",
)
_NO_HTTP = (
    "400 Bad Request",
    Code.INVALID_ARGUMENT,
    "request: it is no HTTP/1.1; HTTPS and gRPC are not spoken at this port, or something on the way damages requests.",
)


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    origins = Origins(())
    """The pages that may read why they were refused."""
    always: Sequence[tuple[bytes, bytes]] = ()
    """Headers of every answer."""
    _origin: str | None = None
    """Of which page the present request is, as far as its head was read."""
    _is_over = False
    """Whether no more requests are taken: one was refused."""
    _reading_head = True
    _beside_bytes = 0
    """Bytes of the present request that are no body."""
    _head_again = b""
    """The present request's head without its offer of another protocol, at which the parser stopped."""
    _stopped_at = 0
    """How much of what it was given the parser had read by then."""
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless that is too much."""
        if self._is_over or self.transport.is_closing():
            return
        if self._beside_bytes > LARGEST_HEAD_BYTES:
            self._refuse(*_TOO_LARGE)
            return
        self._beside_bytes += len(data)
        super().data_received(data)
        while self._head_again:
            data = self._head_again + data[self._stopped_at :]
            self._head_again, self.parser = b"", parser_for(self)
            super().data_received(data)
        # One reading may have been the whole of it, and nothing follows.
        if self._reading_head and self._beside_bytes > LARGEST_HEAD_BYTES and not self._is_over:
            self._refuse(*_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of the head."""
        super().on_message_begin()
        self._origin = None
        if self._late is None and not self._is_over:
            self._wait_for_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes behind a body is none."""
        if self._reading_head:
            super().on_header(name, value)
            if name.lower() == b"origin":
                self._origin = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Begin to answer, unless that is refused or follows what was."""
        method = self.parser.get_method()
        if self.parser.should_upgrade() and method != b"CONNECT":
            self._head_again = plain_head(method, self.url, self.parser.get_http_version(), self.headers)
            return
        if not self._is_over and len(self.url) > LARGEST_ADDRESS_BYTES:
            self._refuse_address()
        if not self._is_over and (fault := _fault(self.parser.get_http_version(), self.headers)):
            self._refuse(*fault)
        if not self._is_over:
            super().on_headers_complete()
            self._have_head()
            self._reading_head = False

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._beside_bytes -= (1 + _FRAMING) * len(body)
        if not (self._is_over or self.transport.is_closing()):
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the next head, unless this one is read again."""
        if self._head_again:
            return
        self._reading_head, self._beside_bytes, self._origin = True, 0, None
        if not (self._is_over or self.transport.is_closing()):
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Note where the parser stopped, which uvicorn asks for while it handles what the parser raised."""
        stopped = sys.exc_info()[1]
        self._stopped_at = stopped.args[0] if stopped is not None else 0

    def _wait_for_head(self) -> None:
        self._late = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_for_head()  # somebody sends the next request before the answer to this one
        else:
            self._refuse(*_TOO_LATE)

    def _have_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse_address(self) -> None:
        """Refuse an address that is too long, but let a browser ask first: a page hears the refusal only then."""
        if self.parser.get_method() == b"OPTIONS":
            self.url = b"/"  # every path answers that question alike
        else:
            self._refuse(*_TOO_LONG)

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong in our form, and hang up."""
        self._refuse(*_NO_HTTP)

    def _refuse(self, status: str, code: Code, sentence: str) -> None:
        """Say what is wrong and hang up, where it cannot be taken for the answer to another request."""
        self._is_over = True
        self._have_head()
        if self._reading_head and self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False  # hangs up when what came before is answered
            return
        if not self._reading_head and (self.pipeline or self.cycle.response_started):
            self.transport.close()
            return
        body = json.dumps({"code": CONNECT_CODE[code], "message": sentence}).encode()
        said = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *self.always]
        readable = self.origins.headers(self._origin)
        said += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in readable.items()]
        head = b"".join(b"%b: %b\r\n" % header for header in said)
        self.transport.write(b"HTTP/1.1 %b\r\n%bconnection: close\r\n\r\n%b" % (status.encode(), head, body))
        self.transport.close()


def _fault(version: str, headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, Code, str] | None:
    """Return what is wrong with a head that the parser takes (RFC 9112, sections 2.3, 3.2 and 6.1), or None.

    What stands before the server might read such a request as another one than the server does.
    """
    if version not in ("1.1", "1.0"):
        return _OTHER_VERSION
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts > 1 or (not hosts and version == "1.1"):
        return _NO_HOST
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    return _OTHER_CODING if codings and codings != [b"chunked"] else None


def bounded(origins: Origins, always: Sequence[tuple[bytes, bytes]]) -> type[BoundedProtocol]:
    """Return the protocol of a listener that lets pages of these origins read it, and always says these headers."""
    return type("Bounded", (BoundedProtocol,), {"origins": origins, "always": always})
