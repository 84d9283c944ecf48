"""New databases for Google's core, one after the other."""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mlmd_schemas.pb import metadata_store_pb2 as mlmd

from tests.services.sql_server import Address

MEMORY = Path("/dev/shm")


class SqliteDatabases:
    """New SQLite files for a `Reference`, in memory where there is a /dev/shm, as the core waits for the disk."""

    def __init__(self) -> None:
        """Make the folder."""
        self.folder = Path(tempfile.mkdtemp(prefix="mlmd-reference-", dir=MEMORY if MEMORY.is_dir() else None))
        self._number = 0

    def __call__(self) -> mlmd.ConnectionConfig:
        """Return the configuration of a database with nothing in it, and delete the one before."""
        for old in self.folder.iterdir():
            old.unlink()
        self._number += 1
        return sqlite_config(self.folder / f"metadata_{self._number}.db")

    def discard(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def sqlite_config(path: Path) -> mlmd.ConnectionConfig:
    """Return the core's configuration of a SQLite file that it may create."""
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return config


class MariaDatabases:
    """New databases on a MariaDB for a `Reference`; the one before is dropped at each call."""

    def __init__(self, server: Address, prefix: str) -> None:
        """Every database's name begins with `prefix`, which nobody else may use."""
        self.server, self.prefix = server, prefix
        self._number = 0

    @property
    def name(self) -> str:
        """The present database."""
        return f"{self.prefix}_{self._number}"

    def __call__(self) -> mlmd.ConnectionConfig:
        """Return the configuration of a database that the core will create."""
        self.discard()
        self._number += 1
        return mysql_config(self.server, self.name)

    def discard(self) -> None:
        """Drop the present database."""
        self.server.drop(self.name)


def mysql_config(server: Address, database: str) -> mlmd.ConnectionConfig:
    """Return the core's configuration of a database on a server of MySQL's protocol."""
    config = mlmd.ConnectionConfig()
    config.mysql.host, config.mysql.port, config.mysql.database = server.host, server.port, database
    config.mysql.user, config.mysql.password = server.user, server.password
    return config


def run_statements(config: mlmd.ConnectionConfig, statements: Iterable[str]) -> None:
    """Run SQL of our own against the database of a configuration, behind the core's back."""
    if config.HasField("sqlite"):
        with contextlib.closing(sqlite3.connect(config.sqlite.filename_uri, timeout=10)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        return
    mysql = config.mysql
    server = Address(port=mysql.port, host=mysql.host, user=mysql.user, password=mysql.password)
    for statement in statements:
        server.execute(statement, mysql.database)
