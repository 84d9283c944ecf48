"""The log beside the file of a SQLite database (`-wal`), and whether it still is the one that connections write to."""

import sqlite3
import threading
import weakref
from pathlib import Path

from mlmd_schemas.errors import Unavailable


class SqliteLog:
    """The log of one file, as the connections of this process have it.

    A connection goes on writing to a log that was deleted, and a new one makes another: what the first commits is read
    by nobody and gone with the process, and both together spoil the file. SQLite itself deletes the log only with the
    last connection, of all processes. So while there are connections the path has to lead to what the first one found.
    """

    def __init__(self, file: Path) -> None:
        """Take the path of the database's file."""
        self.path = Path(f"{file}-wal")
        self._identity: tuple[int, int] | None = None
        self._connections: weakref.WeakSet[LoggedConnection] = weakref.WeakSet()
        self._lock = threading.Lock()

    def opened(self, connection: "LoggedConnection") -> None:
        """Count a connection that has opened the log; raises Unavailable when others of this process have another."""
        with self._lock:
            if not self._connections:
                self._identity = self._found()
            self._connections.add(connection)
        connection.log = self
        self.check()

    def closing(self, connection: "LoggedConnection") -> None:
        """Count a connection no more: it may be the last one, with which the log goes."""
        with self._lock:
            self._connections.discard(connection)

    def check(self) -> None:
        """Raise Unavailable when the log was deleted or replaced under a connection."""
        if self._identity is None or self._found() == self._identity:
            return
        with self._lock:
            if not self._connections or self._found() == self._identity:
                return
        raise Unavailable(
            f"The log of the database file ({self.path.name}) was deleted or replaced. Nothing was written. End the "
            "server in order, by SIGTERM, so that it brings what it has of the log into the file, and start it again."
        )

    def _found(self) -> tuple[int, int] | None:
        try:
            now = self.path.stat()
        except OSError:
            return None
        return now.st_dev, now.st_ino


class LoggedConnection(sqlite3.Connection):
    """A connection of the driver that says when it is closed."""

    log: SqliteLog | None = None

    def close(self) -> None:
        """Close it."""
        if self.log is not None:
            self.log.closing(self)
        super().close()
