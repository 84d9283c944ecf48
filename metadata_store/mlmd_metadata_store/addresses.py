"""Database addresses as people write them."""

from urllib.parse import unquote

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.shown import shown
from sqlalchemy.engine import URL

_FORMS = "`sqlite:///path/to/file.db` or `mysql://user:password@host:port/database`"


def parse_url(url: str) -> URL:
    """Return the parts of a database URL; raises InvalidArgument naming what is wrong.

    In a MySQL URL everything up to the last `@` is user and password, so that a password may contain `@` and `/` as
    they are; percent-encoded characters are decoded.
    """
    if "\0" in unquote(url):
        raise InvalidArgument(f"database: {_shown(url)} has a NUL character, which no name has; leave it out.")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("sqlite", "mysql"):
        raise InvalidArgument(f"database: {_shown(url)} is no database URL; write {_FORMS}.")
    return _sqlite(url, rest) if scheme == "sqlite" else _mysql(url, rest)


def place_of(url: str, socket: str = "") -> str:
    """Return the sentence that says where a database is, without its password; raises what `parse_url` raises.

    With a Unix socket MySQL is not sought where the URL says.
    """
    place = parse_url(url)
    if not socket or place.drivername != "mysql":
        return f"It was sought at {place.render_as_string(hide_password=True)}."
    whose = URL.create("mysql", place.username, place.password, database=place.database)
    return f"It was sought at the socket {shown(socket)}, as {whose.render_as_string(hide_password=True)}."


def _shown(url: str) -> str:
    """Return the URL, quoted, without its login, whatever else is wrong with it."""
    login, at, place = url.rpartition("@")
    scheme, separator, _ = login.partition("://")
    return shown(f"{scheme if separator else ''}{separator}***@{place}" if at else url)


def _sqlite(url: str, rest: str) -> URL:
    path = rest[1:] if rest.startswith("/") else ""
    if "?" in path:
        raise InvalidArgument(
            f"database: {shown(url)} goes on with a query, which no database URL has; leave it out, or write %3F where "
            "the `?` belongs to the file's name."
        )
    if not path or path == ":memory:":
        raise InvalidArgument(
            f"database: {shown(url)} names no file; write `sqlite:///relative.db` or `sqlite:////absolute.db`."
        )
    return URL.create("sqlite", database=unquote(path))


def _mysql(url: str, rest: str) -> URL:
    login, _, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    address, _, database = place.partition("/")
    host, port = _host_and_port(url, address)
    if not host or not database:
        raise InvalidArgument(f"database: {_shown(url)} lacks a host or a database; write {_FORMS}.")
    if unknown := next((mark for mark in "?/" if mark in database), ""):
        raise InvalidArgument(
            f"database: {_shown(url)} goes on with {unknown!r} after the database; leave it out (TLS and sockets "
            f"have options of their own), or write %{ord(unknown):02X} where it belongs to the name."
        )
    return URL.create(
        "mysql",
        username=unquote(user) or None,
        password=unquote(password) if password else None,
        host=host,
        port=port,
        database=unquote(database),
    )


def _host_and_port(url: str, address: str) -> tuple[str, int]:
    if address.startswith("["):
        host, _, tail = address[1:].partition("]")
        port = tail.removeprefix(":")
    else:
        host, _, port = address.partition(":")
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise InvalidArgument(f"database: the port {shown(port)} in {_shown(url)} is no number from 1 to 65535.")
    return host, int(port or 3306)
