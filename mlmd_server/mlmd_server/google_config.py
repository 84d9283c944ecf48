"""Which database Google's flags and config file mean, and with what TLS (mlmd-write contract, section 6)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from google.protobuf import text_format
from mlmd_api.settings_files import read_text
from mlmd_schemas.errors import InvalidArgument, Unimplemented
from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_server.config import MysqlConfig, TlsConfig

NO_POSTGRESQL = (
    "PostgreSQL is not supported yet; use MySQL (--mysql_config_host, --mysql_config_port, --mysql_config_database, "
    "--mysql_config_user, --mysql_config_password) or a config file with mysql or sqlite."
)


@dataclass(frozen=True, slots=True)
class Source:
    """What was chosen. An empty URL stands for a database that lives as long as the process.

    `named` tells whether anything was said about a database.
    """

    url: str = ""
    named: bool = True
    enable_upgrade: bool = False
    downgrade_to: int = -1
    create: bool = True
    read_only: bool = False
    mysql: MysqlConfig | None = None
    tls: TlsConfig | None = None
    warnings: tuple[str, ...] = ()


_FILE = "connection_config.sqlite.filename_uri"


def choose(values: Mapping[str, str | int | bool]) -> Source:
    """Return the database that the flags mean; raises InvalidArgument or Unimplemented with the reason."""
    kind = values["metadata_source_config_type"]
    if kind == "postgresql":
        raise Unimplemented(f"--metadata_source_config_type: {NO_POSTGRESQL}")
    if kind == "config_file":
        return from_file(str(values["metadata_store_server_config_file"]))
    if kind == "mysql":
        return _needed(from_mysql_flags(values))
    if kind == "default":
        return _by_default(values)
    raise InvalidArgument(
        f"--metadata_source_config_type: {kind!r} is none of default, config_file, mysql and postgresql."
    )


def _needed(source: Source | None) -> Source:
    if source is None:
        raise InvalidArgument(
            "--metadata_source_config_type: it is mysql, so --mysql_config_host, --mysql_config_port and "
            "--mysql_config_database are needed."
        )
    return source


def _by_default(values: Mapping[str, str | int | bool]) -> Source:
    path = str(values["metadata_store_server_config_file"])
    mysql = from_mysql_flags(values)
    if path:
        try:
            return from_file(path)
        except InvalidArgument as error:
            if mysql is None:
                raise
            return replace(mysql, warnings=(f"{error.message} The MySQL flags are used instead.",))
    if mysql is not None:
        return mysql
    lost = "no database was given: everything is kept in memory and lost when this process ends."
    return Source(named=False, warnings=(lost,))


def from_mysql_flags(values: Mapping[str, str | int | bool]) -> Source | None:
    """Return the database of the MySQL flags, None when none is given; raises InvalidArgument when some are missing."""
    host, port, database = (values[f"mysql_config_{name}"] for name in ("host", "port", "database"))
    if not (host or port or database):
        return None
    missing = [name for name, value in (("host", host), ("port", port), ("database", database)) if not value]
    if missing:
        raise InvalidArgument(f"--mysql_config_{missing[0]}: missing; host, port and database are needed together.")
    if not 0 < int(port) < 65536:
        raise InvalidArgument(f"--mysql_config_port: {port} is not between 1 and 65535.")
    _check_host(str(host), "--mysql_config_host")
    upgrade, downgrade = bool(values["enable_database_upgrade"]), int(values["downgrade_db_schema_version"])
    if upgrade and downgrade >= 0:
        raise InvalidArgument("--downgrade_db_schema_version: give it or --enable_database_upgrade, not both.")
    url = mysql_url(
        str(values["mysql_config_user"]), str(values["mysql_config_password"]), str(host), int(port), str(database)
    )
    return Source(url, enable_upgrade=upgrade, downgrade_to=downgrade)


def _check_host(host: str, field: str) -> None:
    if strange := next((mark for mark in host if mark in "@/?#" or mark.isspace() or not mark.isprintable()), ""):
        raise InvalidArgument(f"{field}: {host!r} has {strange!r}, which no host's name has.")


def mysql_url(user: str, password: str, host: str, port: int, database: str) -> str:
    """Return the URL of a MySQL database, whatever characters its parts have."""
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    shown = f"[{host}]" if ":" in host else host
    return f"mysql://{login}@{shown}:{port or 3306}/{quote(database, safe='')}"


def from_file(path: str) -> Source:
    """Return what a text-format MetadataStoreServerConfig says; raises InvalidArgument when it cannot be followed."""
    flag = "--metadata_store_server_config_file"
    if not path:
        raise InvalidArgument(f"{flag}: missing; name the file.")
    config = _parsed(read_text(Path(path), flag), f"{flag}: the file {path!r} cannot be read")
    migration = config.migration_options
    downgrade = migration.downgrade_to_schema_version
    return replace(
        from_connection(config.connection_config),
        enable_upgrade=migration.enable_upgrade_migration and downgrade < 0,
        downgrade_to=downgrade,
        tls=_tls(config.ssl_config) if config.HasField("ssl_config") else None,
    )


_OF_NAMES = re.compile(r'Message type .*|Field "\w+" is specified .*|Expected "."')
"""What the parser says of names alone; its other sentences quote values, and a value may be a password."""


def _parsed(text: str, start: str) -> pb.MetadataStoreServerConfig:
    try:
        return text_format.Parse(text, pb.MetadataStoreServerConfig())
    except text_format.ParseError as error:
        place = f"line {error.GetLine()}, column {error.GetColumn()}"
        reason = str(error).rpartition(" : ")[2].rstrip(".")
        told = reason if _OF_NAMES.fullmatch(reason) else "what stands there is no value of its field"
        raise InvalidArgument(f"{start}: {place}: {told}.") from None
    except UnicodeEncodeError:
        raise InvalidArgument(f"{start}: a text in it has half a character, a lone surrogate.") from None
    except RecursionError:
        raise InvalidArgument(f"{start}: it is nested too deeply.") from None


def from_connection(config: pb.ConnectionConfig) -> Source:
    """Return the database that a ConnectionConfig names; raises InvalidArgument or Unimplemented with the reason."""
    kind = config.WhichOneof("config")
    if kind == "mysql":
        return _mysql(config.mysql)
    if kind == "sqlite":
        return _sqlite(config.sqlite)
    if kind == "fake_database":
        return Source(warnings=("fake_database: everything is kept in memory and lost when this process ends.",))
    if kind == "postgresql":
        raise Unimplemented(f"connection_config.postgresql: {NO_POSTGRESQL}")
    raise InvalidArgument("connection_config: unset; give mysql, sqlite or fake_database.")


def _mysql(config: pb.MySQLDatabaseConfig) -> Source:
    if not config.database:
        raise InvalidArgument("connection_config.mysql.database: missing.")
    if bool(config.host) == bool(config.socket):
        raise InvalidArgument("connection_config.mysql.host: give it or socket, exactly one of them.")
    _check_host(config.host, "connection_config.mysql.host")
    if config.port > 65535:
        raise InvalidArgument(f"connection_config.mysql.port: {config.port} is not between 1 and 65535.")
    ssl = config.ssl_options
    mysql = MysqlConfig(
        socket=config.socket,
        ssl_mode="VERIFY_IDENTITY" if ssl.verify_server_cert else "",
        ssl_ca=ssl.ca,
        ssl_capath=ssl.capath,
        ssl_cert=ssl.cert,
        ssl_key=ssl.key,
        ssl_cipher=ssl.cipher,
    )
    url = mysql_url(config.user, config.password, config.host or "localhost", config.port, config.database)
    return Source(url, create=not config.skip_db_creation, mysql=mysql)


def _sqlite(config: pb.SqliteMetadataSourceConfig) -> Source:
    path, access = _file_and_access(config.filename_uri)
    if "\0" in path:
        raise InvalidArgument(f"{_FILE}: {config.filename_uri!r} has a NUL character, which no file's name has.")
    if not path or path == ":memory:" or access == "memory":
        return Source(warnings=("sqlite without a file: everything is lost when this process ends.",))
    modes = pb.SqliteMetadataSourceConfig
    said = [f"mode={access}"] if access in ("ro", "rw") else []
    if config.connection_mode in (modes.READONLY, modes.READWRITE):
        said.append(f"connection_mode {modes.ConnectionMode.Name(config.connection_mode)}")
    if said and not _is_there(path):
        raise InvalidArgument(
            f"{_FILE}: {path!r} does not exist, and {said[0]} makes no file: unable to open database file."
        )
    return Source(f"sqlite:///{quote(path)}", read_only=config.connection_mode == modes.READONLY or access == "ro")


def _is_there(path: str) -> bool:
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise InvalidArgument(f"{_FILE}: {path!r} cannot be looked at: {error.strerror}.") from None
    return True


def _file_and_access(uri: str) -> tuple[str, str]:
    """Return the path in SQLite's `file:` URI, or in what is none, and its `mode`; raises InvalidArgument.

    The other parameters of such a URI say how SQLite locks and caches, which is ours to say.
    """
    if not uri.startswith("file:"):
        return uri, ""
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise InvalidArgument(f"{_FILE}: {uri!r} is no URI; write file:/path/to/file.db, or the path alone.") from None
    if parts.netloc not in ("", "localhost"):
        raise InvalidArgument(
            f"{_FILE}: {uri!r} names the host {parts.netloc!r}; SQLite opens files of this machine alone: write "
            "file:///path, or file:path for one below the working directory."
        )
    access = parse_qs(parts.query).get("mode", [""])[-1]
    if access not in ("", "ro", "rw", "rwc", "memory"):
        raise InvalidArgument(f"{_FILE}: {uri!r} has the mode {access!r}; SQLite has ro, rw, rwc and memory.")
    return unquote(parts.path), access


def _tls(config: pb.MetadataStoreServerConfig.SSLConfig) -> TlsConfig:
    if not config.server_key or not config.server_cert:
        raise InvalidArgument("ssl_config: server_key and server_cert are both needed, as PEM.")
    if config.client_verify and not config.custom_ca:
        raise InvalidArgument("ssl_config.custom_ca: missing; client_verify needs the authority of the certificates.")
    client_ca = config.custom_ca.encode() if config.client_verify else None
    return TlsConfig(config.server_key.encode(), config.server_cert.encode(), client_ca)
