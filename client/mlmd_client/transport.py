"""From an address as people write it to a transport.

| target | leads to |
|---|---|
| `grpc://host:port`, `host:port` | a server, without TLS |
| `grpcs://host:port` | a server, with TLS |
| `sqlite:///path/to/file.db`, `mysql://user:password@host:port/database` | a database, in this process |
| a folder's path; None is `./mlmd-data` | SQLite and the bytes of artifacts in that folder, in this process |

What runs in this process belongs to the server and is found by the entry points of the group `mlmd.transports`, so that
the client stays light: `embedded` is called with the target, `connection_config` with MLMD's ConnectionConfig, `names`
with the SQLite file whose names the Tab key offers. grpcio, half of the time that an import would take, is loaded when
a server is asked for.
"""

import re
from typing import TYPE_CHECKING, Any

from mlmd_schemas.shown import shown

from mlmd_client.calls import CallError, Metadata, Transport
from mlmd_client.failures import refused
from mlmd_client.tls import Tls
from mlmd_client.tokens import Token

if TYPE_CHECKING:
    from mlmd_client.grpc_transport import GrpcTransport

__all__ = [
    "CallError",
    "GrpcTransport",
    "Metadata",
    "MissingExtra",
    "Tls",
    "Transport",
    "call_entry_point",
    "open_transport",
]

GROUP = "mlmd.transports"
DEFAULT_PORT = 8080
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:/\[\]\s@]+)(:(?P<port>\d{1,5}))?")
_EXTRAS = {"MySQLdb": "server,mysql", "minio": "server,s3"}


def __getattr__(name: str) -> Any:
    if name != "GrpcTransport":
        raise AttributeError(f"module 'mlmd_client.transport' has no attribute {name!r}")
    from mlmd_client.grpc_transport import GrpcTransport

    return GrpcTransport


class MissingExtra(ImportError):
    """Something that this target needs is not installed; the message is the line that mends it.

    >>> try:
    ...     raise MissingExtra("a store in this process needs the server; run: pip install 'mlmd-server[server]'")
    ... except ImportError as error:
    ...     print(str(error).partition("run: ")[2])
    pip install 'mlmd-server[server]'
    """


def open_transport(target: str | None = None, *, token: "str | Token" = "", tls: Tls | None = None) -> Transport:
    """Return a transport to a server or to a database in this process; see the table above.

    `token` is sent with every call to a server; `tls` belongs to `grpcs://`. Raises CallError for a target that
    is none and for a database that cannot be opened, MissingExtra when a package that it needs is not installed.

    >>> open_transport("grpc://127.0.0.1:8080").target
    '127.0.0.1:8080'
    """
    address = _server_address(target) if target else None
    if address is not None:
        secure = target is not None and target.startswith("grpcs://")
        if tls is not None and not secure:
            raise refused(f"target: TLS was asked for and {target!r} is without; write grpcs://{address}.")
        from mlmd_client.grpc_transport import GrpcTransport

        return GrpcTransport(address, token=token, tls=(tls or Tls()) if secure else None)
    embedded: Transport = call_entry_point("embedded", target)
    return embedded


def call_entry_point(name: str, *arguments: Any) -> Any:
    """Return what the server's entry point makes of the arguments; raises MissingExtra and what it raises."""
    from importlib.metadata import entry_points  # slow to import, and servers need none

    found = entry_points(group=GROUP, name=name)
    if not found:
        raise MissingExtra("a store in this process needs the server's package; run: pip install 'mlmd-server[server]'")
    try:
        return next(iter(found)).load()(*arguments)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        extra = _EXTRAS.get(module, "server")
        raise MissingExtra(
            f"a store in this process needs {module}, which is not installed; run: pip install 'mlmd-server[{extra}]'",
            name=error.name,
        ) from error


def _server_address(target: str) -> str | None:
    """Return `host:port` when the target is a server, None when it is something else; raises CallError."""
    scheme, separator, rest = target.partition("://")
    if not separator:
        found = _ADDRESS.fullmatch(target)
        return target if found and found["port"] else None
    if scheme in ("http", "https"):
        fit = "grpcs" if scheme == "https" else "grpc"
        raise refused(
            f"target: {_shown(target)} is an HTTP address, and this client speaks gRPC; write {fit}://host:port."
        )
    if scheme not in ("grpc", "grpcs"):
        return None
    found = _ADDRESS.fullmatch(rest.removesuffix("/"))
    if found is None or int(found["port"] or DEFAULT_PORT) not in range(1, 65536):
        login = ", and a login is a token (token=, MLMD_TOKEN)" if "@" in rest else ""
        raise refused(f"target: {_shown(target)} is no address of a server; write {scheme}://host:port{login}.")
    return f"{found['host']}:{found['port'] or DEFAULT_PORT}"


def _shown(target: str) -> str:
    """Return a target, quoted, without the login that somebody wrote into it."""
    scheme, separator, rest = target.partition("://")
    _, at, place = rest.rpartition("@")
    return shown(f"{scheme}{separator}{'***@' if at else ''}{place}")
