"""How mysqlclient is told to connect; imported only when a MySQL database is used."""

from typing import Any

import MySQLdb.cursors
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from mlmd_metadata_store.options import StoreOptions

DRIVER_ERRORS: tuple[type[Exception], ...] = (MySQLdb.Error,)


class WideCursor(MySQLdb.cursors.Cursor):  # type: ignore[misc]
    """A cursor whose executemany sends one statement for up to 8 MiB of rows."""

    max_stmt_length = 8 << 20


def connect_arguments(options: StoreOptions, isolation: str) -> dict[str, Any]:
    """Return the arguments of `MySQLdb.connect`; `isolation` is the level of every transaction of the session."""
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "cursorclass": WideCursor,
        "connect_timeout": 10,
        "init_command": f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}",
    }
    ssl = {
        key: value
        for key, value in {
            "key": options.ssl_key,
            "cert": options.ssl_cert,
            "ca": options.ssl_ca,
            "capath": options.ssl_capath,
            "cipher": options.ssl_cipher,
        }.items()
        if value
    }
    if ssl:
        arguments["ssl"] = ssl
    if options.ssl_mode:
        arguments["ssl_mode"] = options.ssl_mode
    if options.socket:
        arguments["unix_socket"] = options.socket
    return arguments


UNKNOWN_DATABASE = 1049


def create_database(url: URL, options: StoreOptions) -> None:
    """Create the database of `url` when it is not there: utf8mb4, compared byte by byte, or as the server has it."""
    target = url.set(drivername="mysql+mysqldb", query={})
    arguments = connect_arguments(options, "READ COMMITTED")
    engine = sa.create_engine(target, poolclass=NullPool, connect_args=arguments)
    try:
        engine.connect().close()
        return
    except OperationalError as error:
        if getattr(error.orig, "args", (0,))[0] != UNKNOWN_DATABASE:
            raise
    finally:
        engine.dispose()
    engine = sa.create_engine(target.set(database=""), poolclass=NullPool, connect_args=arguments)
    charset = "" if options.google_text else " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    name = engine.dialect.identifier_preparer.quote_identifier(url.database or "")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE IF NOT EXISTS {name.replace('%', '%%')}{charset}")
    engine.dispose()
