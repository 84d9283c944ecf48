"""Every option in one table: its name, its kind, its default, its meaning.

The command line, the environment (`MLMD_GRPC_PORT` for `--grpc-port`), the TOML file (`grpc_port`) and
docs/configuration.md are all made from it. It is light, because `--help` and `--version` read it: what tries a place of
bytes is loaded by the option that names one.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.shown import shown

from mlmd_server.config import AUTO, BUCKET_ADDRESSING, DEFAULT_ARTIFACTS, DEFAULT_DATABASE, GRPC_ENGINES
from mlmd_server.web_names import read_address, read_hosts, read_list, read_origins

_NUMBER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `read` turns text into a value and raises ValueError with the reason when it cannot."""

    name: str
    read: Callable[[str], Any]
    default: Any
    metavar: str
    text: str

    @property
    def key(self) -> str:
        """The option's name in the TOML file."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """The option's name in the environment."""
        return f"MLMD_{self.key.upper()}"

    def parse(self, value: Any, source: str) -> Any:
        """Return the option's value; raises InvalidArgument naming option, value and reason."""
        try:
            text = _as_text(value)
            if "\0" in text:  # the value is not shown: an address may hold a password
                raise InvalidArgument(f"{self.name}: what is said ({source}) has a NUL character; leave it out.")
            return self.read(text)
        except ValueError as error:
            said = f"{shown(value)} ({source})" if _is_plain(value) else f"what is said ({source})"
            raise InvalidArgument(f"{self.name}: {said} {error}.") from None


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(_as_text(item) for item in value)
    if not _is_plain(value):
        raise ValueError("is neither text nor a number, true, false or a list of such")
    return str(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, str | int | float)


def _text(value: str) -> str:
    return value


def _host(value: str) -> str:
    host = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if not host:
        raise ValueError("is empty; write 127.0.0.1 for this machine alone, or 0.0.0.0 for every interface")
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError("is no name or address; the ports have options of their own") from None
    return host


def _flag(value: str) -> bool:
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("is neither true nor false")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError("is no whole number") from None
        if not least <= number <= most:
            raise ValueError(f"is not between {least} and {most}")
        return number

    return read


def _seconds(least: int, most: int) -> Callable[[str], float]:
    def read(value: str) -> float:
        try:
            seconds = float(value)
        except ValueError:
            raise ValueError("is no number of seconds") from None
        if not least <= seconds <= most:
            raise ValueError(f"is not between {least} and {most} seconds")
        return seconds

    return read


def _choice(*names: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in names:
            raise ValueError(f"is not one of {', '.join(name or 'empty' for name in names)}")
        return value

    return read


def _auth(value: str) -> str:
    if value == "none" or (value.startswith("tokens=") and len(value) > len("tokens=")):
        return value
    raise ValueError("is neither none nor tokens=FILE")


def _artifacts(value: str) -> str:
    from mlmd_artifact_store.opening import open_place

    try:
        open_place(value)
    except InvalidArgument as error:
        raise ValueError(f"cannot be used: {_reason(error)}") from None
    return value


def _roots(value: str) -> tuple[str, ...]:
    from mlmd_artifact_store.externals import ExternalRoots

    uris = read_list(value)
    try:
        ExternalRoots(uris)
    except InvalidArgument as error:
        raise ValueError(f"cannot be used: {_reason(error)}") from None
    return uris


def _reason(error: InvalidArgument) -> str:
    return error.message.removeprefix("artifacts: ").removesuffix(".")


def channel_arguments(value: str) -> tuple[tuple[str, int | str], ...]:
    """Return gRPC channel arguments written `key=value,key=value`.

    Raises ValueError for an item without `=`, and for a number that is none of 32 bits, which gRPC cannot take.
    """
    pairs: list[tuple[str, int | str]] = []
    for item in filter(None, value.split(",")):
        key, separator, argument = item.partition("=")
        if not separator or not key:
            raise ValueError(f"has the item {shown(item)}, which is not key=value")
        if not _NUMBER.fullmatch(argument):
            pairs.append((key, argument))
            continue
        if len(argument) > 11 or not -(2**31) <= int(argument) < 2**31:
            raise ValueError(f"has the item {item[:60]!r}, whose number has more than 32 bits")
        pairs.append((key, int(argument)))
    return tuple(pairs)


_PORT = _whole(0, 65535)
_COUNT = _whole(1, 4096)
_SSL_MODES = ("", "DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")

OPTIONS: tuple[Option, ...] = (
    Option(
        "database",
        _text,
        DEFAULT_DATABASE,
        "URL",
        "Database of the default tenant: `sqlite:///path` or `mysql://user:password@host:port/database`.",
    ),
    Option(
        "artifacts",
        _artifacts,
        DEFAULT_ARTIFACTS,
        "URI",
        "Where the bytes of artifacts are kept: `s3://bucket/prefix`, `file:///path` or a folder.",
    ),
    Option("artifacts-endpoint", _text, "", "URL", "Address of the object store; AWS's when nothing says otherwise."),
    Option("artifacts-region", _text, "", "REGION", "Region of the bucket."),
    Option("artifacts-ca", _text, "", "FILE", "Certificate authorities that the object store is trusted by, PEM."),
    Option(
        "artifacts-public-endpoint",
        _text,
        "",
        "URL",
        "Address of the object store as clients see it; signed requests are made out to it.",
    ),
    Option(
        "artifacts-addressing",
        _choice(*BUCKET_ADDRESSING),
        AUTO,
        "|".join(BUCKET_ADDRESSING),
        "Where the bucket is named: in the path, in the host, or as the address has it (AWS in the host, others in the "
        "path). A URI that says it itself wins.",
    ),
    Option(
        "artifacts-external-roots",
        _roots,
        (),
        "LIST",
        "Where bytes of artifacts that others wrote may be read, of the default database: `s3://bucket/prefix`, "
        "`minio://…`, `file:///folder`, separated by commas.",
    ),
    Option(
        "artifacts-delete-versions",
        _flag,
        False,
        "",
        "Delete every version of what is deleted, in a bucket that keeps versions; `Purge` always does.",
    ),
    Option("artifacts-create-bucket", _flag, False, "", "Make the bucket of `--artifacts` when it is not there."),
    Option(
        "sweep-every-seconds",
        _seconds(0, 86400),
        3600.0,
        "SECONDS",
        "How often unfinished uploads and interrupted deletions are swept, by one server at a time; 0: never.",
    ),
    Option(
        "sweep-grace-seconds",
        _seconds(0, 3650 * 86400),
        7 * 86400.0,
        "SECONDS",
        "How long an upload may take before it is given up and what was sent is deleted.",
    ),
    Option("host", _host, "127.0.0.1", "ADDRESS", "Address to listen on; `0.0.0.0` for every interface."),
    Option("grpc-port", _PORT, 8080, "PORT", "Port of the gRPC listener; 0 turns it off."),
    Option("http-port", _PORT, 8081, "PORT", "Port of the HTTP listener (Connect, gRPC-Web, probes); 0 turns it off."),
    Option("workers", _whole(1, 256), 1, "N", "Processes that share both ports."),
    Option(
        "threads",
        _COUNT,
        8,
        "N",
        "Writes, and as many other calls, that one process answers at a time, and as many of each for bytes of "
        "artifacts; raise it for a database far away.",
    ),
    Option("streams", _COUNT, 64, "N", "Streaming calls that one process has open at a time, beside the threads."),
    Option(
        "max-message-bytes",
        _whole(1024, 2**31 - 1),
        100 * 1024 * 1024,
        "BYTES",
        "Largest request and largest response.",
    ),
    Option("drain-seconds", _seconds(0, 86400), 25.0, "SECONDS", "How long calls in flight may take after SIGTERM."),
    Option("auth", _auth, "none", "none|tokens=FILE", "Who may call: everybody, or bearers of a token of the file."),
    Option("tenants", _text, "", "FILE", "TOML file that maps each tenant to its database URL and bucket prefix."),
    Option("log-format", _choice("human", "json"), "human", "human|json", "One line a call, for people or machines."),
    Option(
        "log-level",
        _choice("debug", "info", "warning", "error"),
        "info",
        "LEVEL",
        "Least level logged; `warning` leaves out the line of each ordinary call.",
    ),
    Option("enable-upgrade", _flag, False, "", "Bring a database of schema version 0 to 9 to version 10 when opening."),
    Option(
        "google-text",
        _flag,
        False,
        "",
        "Create MySQL databases with text as Google's server keeps it, so that going back stays possible.",
    ),
    Option(
        "pool-size", _COUNT, 16, "N", "Database connections of one process to read with, and as many to write with."
    ),
    Option("database-socket", _text, "", "FILE", "Unix socket of MySQL, instead of host and port."),
    Option(
        "database-ssl-mode",
        _choice(*_SSL_MODES),
        "",
        "MODE",
        "MySQL TLS: DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY.",
    ),
    Option("database-ssl-ca", _text, "", "FILE", "Certificate authority that MySQL's certificate must come from."),
    Option("database-ssl-capath", _text, "", "FOLDER", "Folder of such certificate authorities."),
    Option("database-ssl-cert", _text, "", "FILE", "Client certificate shown to MySQL."),
    Option("database-ssl-key", _text, "", "FILE", "Key of that certificate."),
    Option("database-ssl-cipher", _text, "", "LIST", "Ciphers allowed towards MySQL."),
    Option("tls-cert", _text, "", "FILE", "Certificate chain of both listeners, PEM."),
    Option("tls-key", _text, "", "FILE", "Key of that certificate, PEM."),
    Option("tls-client-ca", _text, "", "FILE", "Demand client certificates signed by this authority, PEM."),
    Option(
        "http-address",
        read_address,
        "",
        "URL",
        "Base address of the HTTP listener as clients see it; made from host and port when empty.",
    ),
    Option(
        "cors-origins",
        read_origins,
        (AUTO,),
        "LIST",
        "Web origins whose pages may call over HTTP, separated by commas; `*` for all, `loopback` for those of this "
        "machine, empty for none. `auto`: `loopback` with `--auth none` on the loopback interface or with "
        "`--tls-client-ca`, else `*`.",
    ),
    Option(
        "allowed-hosts",
        read_hosts,
        (AUTO,),
        "LIST",
        "Host names by which the HTTP listener may be called, separated by commas; `*` for all, `loopback` for those "
        "of this machine. That of `--http-address` always is one. `auto`: `loopback` with `--auth none` on the "
        "loopback interface, else `*`.",
    ),
    Option(
        "graphql-introspection",
        _flag,
        True,
        "true|false",
        "Whether `/graphql` tells its schema to whoever may read; without, no suggestions in errors either.",
    ),
    Option("graphql-max-depth", _whole(2, 100), 20, "N", "Fields inside each other in one GraphQL operation."),
    Option(
        "graphql-max-cost",
        _whole(100, 1_000_000_000),
        200_000,
        "N",
        "Values that one GraphQL operation may fill, counted before it runs.",
    ),
    Option(
        "webhook-private-addresses",
        _flag,
        False,
        "",
        "Post webhooks to addresses that are not of the public internet too, such as those of a cluster.",
    ),
    Option(
        "grpc-engine",
        _choice(*GRPC_ENGINES),
        GRPC_ENGINES[0],
        "|".join(GRPC_ENGINES),
        "Who takes calls from gRPC core: threads of our own, or grpcio's Python server, which spends twice as much.",
    ),
    Option(
        "grpc-channel-arguments",
        channel_arguments,
        (),
        "LIST",
        "gRPC core's own settings, `key=value` separated by commas.",
    ),
)
"""All options of `mlmd-server serve`, in the order of the documentation."""

BY_KEY: dict[str, Option] = {option.key: option for option in OPTIONS}
