"""HTTP requests as text, and replies read from a socket: what transfers need of it, in a tenth of `http.client`'s time.

`http.client` reads headers with the parser of e-mails, which takes longer than a small file takes to be sent.
"""

import http.client
import re
import socket
from collections.abc import Mapping

_LONGEST_LINE_BYTES = 65_536
_MOST_HEADERS = 100
_UNFIT = re.compile(r"[\x00-\x1f\x7f]")
_UNFIT_TARGET = re.compile(r"[\x00-\x20\x7f]")


def request_head(method: str, host: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request; raises InvalidURL and ValueError for what would end a line early."""
    if _UNFIT_TARGET.search(target):
        raise http.client.InvalidURL(f"the target {target[:80]!r} has blanks or control characters")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Accept-Encoding: identity"]
    for name, value in headers.items():
        if _UNFIT.search(name) or _UNFIT.search(value):
            raise ValueError(f"the header {name[:80]!r} has control characters")
        lines.append(f"{name}: {value}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("latin-1")


class Reply:
    """A reply whose headers are read; its body is read by whoever wants it. Raises OSError and HTTPException."""

    def __init__(self, sock: socket.socket) -> None:
        """Read on until the headers are there, past what is said in between."""
        self._file = sock.makefile("rb")
        try:
            self.status = 100
            while self.status < 200:
                first = self._status()
                self.headers = self._headers()
        except BaseException:
            self._file.close()
            raise
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        self._left: int | None = 0
        if not self._chunked and self.status not in (204, 304):
            self._left = self._length()
        self._over = self._left == 0 and not self._chunked
        closing = "close" in self.headers.get("connection", "").lower()
        self._keeps = first.startswith(b"HTTP/1.1") and not closing and self._left is not None
        if self._over:
            self._file.close()

    def _status(self) -> bytes:
        line = self._line()
        if not line:
            raise http.client.RemoteDisconnected("the server closed the connection without a reply")
        pieces = line.split(None, 2)
        if len(pieces) < 2 or not line.startswith(b"HTTP/") or not pieces[1].isdigit() or len(pieces[1]) != 3:
            raise http.client.BadStatusLine(line[:80].decode("latin-1"))
        self.status = int(pieces[1])
        return line

    def _headers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for _ in range(_MOST_HEADERS):
            line = self._line()
            if line in (b"\r\n", b"\n"):
                return found
            name, colon, value = line.partition(b":")
            if not colon:
                raise http.client.HTTPException("the reply has a header without a colon, or broke off")
            found[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
        raise http.client.HTTPException(f"the reply has more than {_MOST_HEADERS} headers")

    def _line(self) -> bytes:
        line = self._file.readline(_LONGEST_LINE_BYTES + 1)
        if len(line) > _LONGEST_LINE_BYTES:
            raise http.client.LineTooLong("reply")
        return line

    def _length(self) -> int | None:
        said = self.headers.get("content-length")
        if said is None:
            return None
        if not (said.isascii() and said.isdecimal()):
            raise http.client.HTTPException(f"the reply has the length {said[:80]!r}")
        return int(said)

    @property
    def is_read(self) -> bool:
        """Whether it was read to its end, on a connection that can be used again."""
        return self._over and self._keeps

    def readinto(self, buffer: memoryview) -> int:
        """Read some of the body; returns 0 at its end, raises IncompleteRead when it ends early."""
        if self._over or not buffer:
            return 0
        if self._chunked and not self._left and not self._next_chunk():
            return 0
        size = self._file.readinto(buffer if self._left is None else buffer[: min(len(buffer), self._left)])
        if self._left is None:
            if not size:
                self._end()
            return size
        if not size:
            raise http.client.IncompleteRead(b"", self._left)
        self._left -= size
        if not self._left and self._chunked:
            self._line()  # the end of the chunk's own line
        elif not self._left:
            self._end()
        return size

    def _next_chunk(self) -> bool:
        """Begin the next chunk; False after the last."""
        try:
            self._left = int(self._line().split(b";", 1)[0], 16)
        except ValueError:
            raise http.client.IncompleteRead(b"") from None
        if self._left < 0:
            raise http.client.IncompleteRead(b"")
        if not self._left:
            while self._line() not in (b"\r\n", b"\n", b""):
                pass
            self._end()
        return not self._over

    def read(self, most_bytes: int) -> bytes:
        """Return the body, its first bytes when there are more."""
        found = bytearray()
        buffer = memoryview(bytearray(min(most_bytes, 8192)))
        while len(found) < most_bytes and (size := self.readinto(buffer[: most_bytes - len(found)])):
            found += buffer[:size]
        return bytes(found)

    def _end(self) -> None:
        self._over = True
        self._file.close()

    def close(self) -> None:
        """Let go of the socket."""
        self._file.close()
