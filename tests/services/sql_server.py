"""A throwaway server of MySQL's protocol: started, asked, restarted, killed and forgotten by tests.

`Address` is all that a test of a running server needs; `SqlServer` also owns the process.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services.ports import free_port

SQL_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION"
)
USER, PASSWORD = "mlmd", "mlmd"
ACCOUNTS = "".join(
    f"CREATE USER IF NOT EXISTS '{user}'@'127.0.0.1' IDENTIFIED BY '{password}';\n"
    f"GRANT ALL PRIVILEGES ON *.* TO '{user}'@'127.0.0.1' WITH GRANT OPTION;\n"
    for user, password in (("root", ""), (USER, PASSWORD))
)
READY_SECONDS = 120.0
DROP_SECONDS = 120
"""How long dropping waits for connections that were just ended, and may have much to undo."""


@dataclass
class Address:
    """Where a server listens, and statements sent there as a user who may do everything."""

    port: int
    host: str = "127.0.0.1"
    user: str = USER
    password: str = PASSWORD

    def url(self, database: str) -> str:
        """Return the URL of a database, in the form that `mlmd-server --database` takes."""
        return f"mysql://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    def connect(self, database: str = "", **options: Any) -> Any:
        """Open a MySQLdb connection (utf8mb4, autocommit unless `options` say otherwise); the caller closes it."""
        import MySQLdb

        settings: dict[str, Any] = {"charset": "utf8mb4", "autocommit": True, "connect_timeout": 10} | options
        return MySQLdb.connect(
            host=self.host, port=self.port, user=self.user, passwd=self.password, db=database, **settings
        )

    def execute(self, statement: str, database: str = "") -> list[tuple[Any, ...]]:
        """Run one statement on a connection of its own and return its rows."""
        with (
            contextlib.closing(self.connect(database)) as connection,
            contextlib.closing(connection.cursor()) as cursor,
        ):
            cursor.execute(statement)
            return list(cursor.fetchall())

    def create(self, database: str) -> str:
        """Create an empty database with the server's defaults and return its URL."""
        self.execute(f"CREATE DATABASE `{database}`")
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drop the database; connections that still hold its locks are ended first."""
        for (connection,) in self.execute(
            f"SELECT id FROM information_schema.processlist WHERE db = '{database}' AND id <> CONNECTION_ID()"
        ):
            with contextlib.suppress(Exception):  # it went by itself
                self.execute(f"KILL {connection}")
        with contextlib.closing(self.connect()) as connection, contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(f"SET lock_wait_timeout = {DROP_SECONDS}")
            cursor.execute(f"DROP DATABASE IF EXISTS `{database}`")

    def waiting(self, database: str) -> list[int]:
        """Return the connections whose statement waits for a lock, as InnoDB tells after a pause of 0.1 s."""
        time.sleep(0.11)  # it does not look anew before, however often it is asked
        waiting = (
            "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx JOIN information_schema.processlist"
            f" ON id = trx_mysql_thread_id WHERE trx_state = 'LOCK WAIT' AND db = '{database}'"
        )
        return [int(connection) for (connection,) in self.execute(waiting)]

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Create a database, yield its URL, drop it."""
        yield self.create(name)
        self.drop(name)


class SqlServer(Address):
    """One server process with its data in `folder`; the port stays the same over restarts."""

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        """Prepare nothing: `start` does. `options` are added to the server's command line."""
        super().__init__(port=free_port())
        self.folder = folder
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    def told(self) -> dict[str, object]:
        """Return what another process needs to make an `Address`."""
        return {"port": self.port}

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.folder / "server.log"

    def command(self) -> list[str]:
        """Return the command line of the server."""
        raise NotImplementedError

    def initialise(self) -> None:
        """Lay the data directory."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server and wait until it answers; lays the data directory the first time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "accounts.sql").write_text(ACCOUNTS)
        if not self.data.exists():
            self.initialise()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command(), *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self.process is None or self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the server did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        """Whether a greeting comes; the accounts are laid before the port is opened."""
        try:
            with socket.create_connection((self.host, self.port), timeout=5) as connection:
                connection.settimeout(5)
                return len(connection.recv(5)) == 5
        except OSError:
            return False

    def stop(self, seconds: float = 60) -> None:
        """Shut down in order (SIGTERM), by force after `seconds`."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """End the process at once (SIGKILL), as a crash would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Shut down and start again on the same port with the same data."""
        self.stop()
        self.start()

    def discard(self) -> None:
        """End the server and delete its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
