"""A TCP proxy that breaks connections where a test wants them broken.

    with Proxy(mariadb.port, packets) as proxy:
        cut = proxy.cut(3, Moment.ANSWERED)          # the third statement from here on is carried out, its answer lost
        ...                                          # a client on `proxy.port`
        assert cut.happened

It sits between a client and a server, in threads of the test's own process. With `packets` it sees the statements of
MySQL's protocol, with `chunks` only bytes.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

from tests.services.mysql_packets import chunks

Pieces = Callable[[socket.socket], Iterator[tuple[bytes, str | None]]]


class Moment(Enum):
    """When a connection is cut, relative to the statement that a `Cut` waits for."""

    BEFORE = "the statement does not reach the server"
    SENT = "it was handed to the server's socket; whether the server carries it out is open"
    ANSWERED = "the server carried it out and answered; the answer does not reach the client"


@dataclass
class Cut:
    """One cut to come: at the `at`-th statement (from 1) for which `where` holds."""

    at: int
    moment: Moment
    where: Callable[[str], bool]
    silent: bool = False
    """Nothing is closed: from here on the connection swallows what either side sends."""
    seen: int = 0
    statement: str = ""
    _happened: threading.Event = field(default_factory=threading.Event)

    @property
    def happened(self) -> bool:
        """Whether the connection was cut."""
        return self._happened.is_set()

    def wait(self, seconds: float = 30) -> bool:
        """Wait until the connection was cut."""
        return self._happened.wait(seconds)


class Connection:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.swallow: Cut | None = None  # once set, nothing more reaches the client
        self.mute = False  # once set, nothing reaches anybody, and nobody is told
        self._closing = threading.Lock()

    def close(self, *, reset: bool) -> None:
        """Close both sides: the server's with an end of stream, the client's with a RST when `reset`."""
        with self._closing, contextlib.suppress(OSError):  # the other thread closed it
            if reset:
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for end in (self.server, self.client):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RD if reset and end is self.client else socket.SHUT_RDWR)
                end.close()


class Proxy:
    """Forwards connections to a port of 127.0.0.1; see the module. Safe to command from any thread."""

    def __init__(self, target: int, pieces: Pieces = chunks, *, reset: bool = True) -> None:
        """Prepare; `with` starts it. `reset` chooses RST or an orderly end for the client when it is cut."""
        self.target, self.pieces, self.reset = target, pieces, reset
        self.statements: list[str] = []
        self.accepted = self.bytes_to_server = self.bytes_to_client = 0
        self.delay_seconds = 0.0
        self.bytes_per_second = 0.0  # 0: as fast as it goes
        self.refusing = False
        self.frozen = False  # connections are accepted and stay, and whatever they carry is swallowed
        self.resets = 0  # so many connections are accepted and reset at once
        self._cuts: list[Cut] = []
        self._limits: dict[str, int] = {}
        self._open: set[Connection] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    def cut(
        self, at: int, moment: Moment, where: Callable[[str], bool] = lambda statement: True, *, silent: bool = False
    ) -> Cut:
        """Cut the connection at the `at`-th statement from here on (1: the next) for which `where` holds, once.

        A `silent` cut closes nothing; the connection is mute from there on.
        """
        planned = Cut(at, moment, where, silent)
        with self._lock:
            self._cuts.append(planned)
        return planned

    def cut_after_bytes(self, to_server: int | None = None, to_client: int | None = None) -> None:
        """Cut the next connection that would carry more than so many bytes in a direction; what is below still goes."""
        limits = {"server": to_server, "client": to_client}
        with self._lock:
            self._limits = {side: limit for side, limit in limits.items() if limit is not None}

    def cut_all(self) -> int:
        """Cut every open connection at once and return how many there were."""
        with self._lock:
            doomed = list(self._open)
        for connection in doomed:
            connection.close(reset=self.reset)
        return len(doomed)

    def calm(self) -> None:
        """Forget cuts, limits, delays and recorded statements; connections stay."""
        with self._lock:
            self._cuts, self._limits, self.statements = [], {}, []
        self.delay_seconds = self.bytes_per_second = 0.0
        self.refusing = self.frozen = False
        self.resets = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.resets:
                self.resets -= 1
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                continue
            try:
                server = None if self.refusing else socket.create_connection(("127.0.0.1", self.target), timeout=10)
            except OSError:
                server = None
            if server is None:
                client.close()
                continue
            self._pump(Connection(client, server))

    def _pump(self, connection: Connection) -> None:
        for end in (connection.client, connection.server):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(connection)
        for direction in (self._to_server, self._to_client):
            threading.Thread(target=self._run, args=(direction, connection), daemon=True).start()

    def _run(self, direction: Callable[[Connection], bool], connection: Connection) -> None:
        cut = False
        with contextlib.suppress(OSError):  # one end went, or the other thread cut the connection
            cut = direction(connection)
        connection.close(reset=cut and self.reset)
        with self._lock:
            self._open.discard(connection)

    def _to_server(self, connection: Connection) -> bool:
        """Forward until the client ends; returns whether a cut ended it."""
        sent = 0
        for piece, statement in self.pieces(connection.client):
            due = None if statement is None else self._due(statement)
            if due is not None and due.moment is Moment.BEFORE and self._ends(connection, due):
                return True
            if connection.mute or self.frozen:
                continue
            connection.swallow = due or connection.swallow  # before the server can answer; what follows changes nothing
            allowed, limited = self._allowed("server", sent, piece)
            self.bytes_to_server += len(allowed)
            self._send(connection.server, allowed)
            sent += len(allowed)
            if due is not None and due.moment is Moment.SENT and self._ends(connection, due):
                return True
            if limited:
                return True
        return False

    def _to_client(self, connection: Connection) -> bool:
        """Forward until the server ends; returns whether a cut ended it."""
        sent = 0
        while chunk := connection.server.recv(65536):
            if connection.swallow is not None and self._ends(connection, connection.swallow):
                return True
            if connection.mute or self.frozen:
                continue
            allowed, limited = self._allowed("client", sent, chunk)
            self.bytes_to_client += len(allowed)
            self._send(connection.client, allowed)
            sent += len(allowed)
            if limited:
                return True
        return False

    def _due(self, statement: str) -> Cut | None:
        """Record the statement and return the cut whose turn it is."""
        with self._lock:
            self.statements.append(statement)
            due = None
            for planned in list(self._cuts):
                if planned.where(statement):
                    planned.seen += 1
                    if planned.seen == planned.at and due is None:
                        due, planned.statement = planned, statement
                        self._cuts.remove(planned)
            return due

    def _ends(self, connection: Connection, cut: Cut) -> bool:
        """Let the cut happen; returns whether the connection ends with it."""
        connection.mute = cut.silent
        cut._happened.set()
        return not cut.silent

    def _allowed(self, side: str, sent: int, piece: bytes) -> tuple[bytes, bool]:
        with self._lock:
            limit = self._limits.get(side)
            if limit is None or sent + len(piece) <= limit:
                return piece, False
            del self._limits[side]
            return piece[: max(0, limit - sent)], True

    def _send(self, end: socket.socket, piece: bytes) -> None:
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        if not self.bytes_per_second:
            end.sendall(piece)
            return
        step = max(1, int(self.bytes_per_second / 20))
        for start in range(0, len(piece), step):
            part = piece[start : start + step]
            time.sleep(len(part) / self.bytes_per_second)
            end.sendall(part)
