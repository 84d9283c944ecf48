"""HTTP requests as text, and replies read from a socket: what transfers need of it, in a fifth of `http.client`'s time.

`http.client` reads headers with the parser of e-mails, which takes longer than a small file takes to be sent; urllib3
goes through it too. What is here is stricter than it: replies whose end could be mistaken (RFC 9112, section 6) are
refused, for what follows on a kept connection would be read as the answer to the next request.
"""

import functools
import http.client
import re
import socket
from collections.abc import Mapping

_LONGEST_LINE_BYTES = 65_536
_MOST_HEADERS = 100
_LONGEST_NAME_BYTES = 256
_MOST_BETWEEN = 20
"""Replies of 1xx before the one that counts."""
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_LENGTH = re.compile(r"[0-9]{1,19}")
_SWITCHING = 101
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


@functools.lru_cache(512)
def _name(raw: bytes) -> str:
    """Return a header's name in small letters, empty when it is none: servers say the same few again and again."""
    return raw.decode("ascii").lower() if _NAME.fullmatch(raw) else ""


class Reply:
    """A reply, to any method but HEAD, whose headers are read; its body is read by whoever wants it.

    Raises OSError when the connection breaks, and HTTPException for what is no reply, or has no clear end.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Read on until the headers are there, past what is said in between."""
        self._file = sock.makefile("rb")
        try:
            for _ in range(_MOST_BETWEEN + 1):
                first = self._status()
                self.headers = self._headers()
                if self.status >= 200:
                    break
            else:
                raise http.client.HTTPException(f"more than {_MOST_BETWEEN} replies of 1xx, and none that counts")
            self._chunked = self.status not in (204, 304) and self._is_chunked()
            self._left: int | None = 0
            if not self._chunked and self.status not in (204, 304):
                self._left = self._length()
        except BaseException:
            self._file.close()
            raise
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
        if self.status < 100 or self.status == _SWITCHING:  # nobody asked for another protocol
            raise http.client.BadStatusLine(line[:80].decode("latin-1"))
        return line

    def _headers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        last = ""
        for _ in range(_MOST_HEADERS + 1):
            line = self._line()
            if line in (b"\r\n", b"\n"):
                return found
            before, colon, after = line.partition(b":")
            name = _name(before) if colon and len(before) <= _LONGEST_NAME_BYTES else ""
            if not name:
                if last and line[:1] in (b" ", b"\t"):  # a long value in several lines, as it was once allowed
                    found[last] = f"{found[last]} {line.strip().decode('latin-1')}".strip()
                    continue
                shown = line[:80].decode("latin-1")
                raise http.client.HTTPException(f"the reply has {shown!r} where a header should be, or broke off")
            last, value = name, after.strip().decode("latin-1")
            if last in found and found[last] != value:
                if last in ("content-length", "transfer-encoding"):
                    raise http.client.HTTPException(f"the reply has {last} twice: {found[last][:40]!r}, {value[:40]!r}")
                value = f"{found[last]}, {value}"
            found[last] = value
        raise http.client.HTTPException(f"the reply has more than {_MOST_HEADERS} headers")

    def _line(self) -> bytes:
        line = self._file.readline(_LONGEST_LINE_BYTES + 1)
        if len(line) > _LONGEST_LINE_BYTES:
            raise http.client.LineTooLong("reply")
        return line

    def _is_chunked(self) -> bool:
        said = self.headers.get("transfer-encoding")
        if said is not None and said.lower() != "chunked":
            raise http.client.HTTPException(f"the reply comes in the transfer encoding {said[:80]!r}, not asked for")
        return said is not None

    def _length(self) -> int | None:
        said = self.headers.get("content-length")
        if said is None:
            return None
        if not _LENGTH.fullmatch(said):
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
            if self._line() not in (b"\r\n", b"\n"):  # the end of the chunk's own line
                raise http.client.IncompleteRead(b"")
        elif not self._left:
            self._end()
        return size

    def _next_chunk(self) -> bool:
        """Begin the next chunk; False after the last."""
        said = _SIZE.fullmatch(self._line())
        if said is None:
            raise http.client.IncompleteRead(b"")
        self._left = int(said[1], 16)
        if self._left:
            return True
        self._trailer()
        self._end()
        return False

    def _trailer(self) -> None:
        """Read past the headers that may follow the last chunk."""
        for _ in range(_MOST_HEADERS + 1):
            line = self._line()
            if line in (b"\r\n", b"\n"):
                return
            if not line:
                break
        raise http.client.IncompleteRead(b"")

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
