"""The command `metadata_store_server`: Google's flags and config file, our server.

What Google's server cannot be told (HTTP port, authentication, log format, …) comes from the `MLMD_*` environment, so
that a manifest needs nothing but another image. `GRPC_PORT` and `METADATA_STORE_SERVER_CONFIG_FILE` are honoured as the
image's entry point does.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlmd_schemas.errors import InvalidArgument, StoreError, Unavailable

from mlmd_server.config import Config
from mlmd_server.gflags import Flag, Flags
from mlmd_server.statuses import FAILED

_NO_LIMIT_BYTES = 2**31 - 1
_DEFAULTS: dict[str, Any] = {"host": "0.0.0.0", "http-port": 0, "database": ""}
"""Where our options stand when nobody gives them: as Google's server has them, which has no HTTP port."""


FLAGS: tuple[Flag, ...] = (
    Flag("grpc_port", 8080),
    Flag("grpc_channel_arguments", ""),
    Flag("metadata_source_config_type", "default"),
    Flag("metadata_store_server_config_file", ""),
    Flag("metadata_store_connection_retries", 5),
    Flag("mysql_config_host", ""),
    Flag("mysql_config_port", 0),
    Flag("mysql_config_database", ""),
    Flag("mysql_config_user", ""),
    Flag("mysql_config_password", ""),
    Flag("postgres_config_host", ""),
    Flag("postgres_config_hostaddr", ""),
    Flag("postgres_config_port", ""),
    Flag("postgres_config_user", ""),
    Flag("postgres_config_password", ""),
    Flag("postgres_config_passfile", ""),
    Flag("postgres_config_dbname", ""),
    Flag("postgres_config_skip_db_creation", False),
    Flag("postgres_config_sslmode", ""),
    Flag("postgres_config_sslcert", ""),
    Flag("postgres_config_sslkey", ""),
    Flag("postgres_config_sslpassword", ""),
    Flag("postgres_config_sslrootcert", ""),
    Flag("enable_database_upgrade", False),
    Flag("downgrade_db_schema_version", -1, bits=64),
    Flag("help", False),
    Flag("helpfull", False),
    Flag("version", False),
)
"""Every flag of Google's server."""

IGNORED = frozenset(
    {
        "logtostderr",
        "alsologtostderr",
        "colorlogtostderr",
        "stderrthreshold",
        "minloglevel",
        "log_dir",
        "log_prefix",
        "max_log_size",
        "v",
        "vmodule",
    }
)
"""Flags of its logging library, accepted and without effect."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    from mlmd_server.broken_off import run_unbroken
    from mlmd_server.cli import missing_extra
    from mlmd_server.surroundings import be_first_process

    be_first_process()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return run_unbroken(lambda: _run(given, os.environ), "metadata_store_server")
    except StoreError as error:
        print(f"metadata_store_server: {error.message}", file=sys.stderr)
        return FAILED
    except ModuleNotFoundError as error:
        return missing_extra(error)


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    values = read_flags(arguments, environment)
    if values["help"] or values["helpfull"] or values["version"]:
        _print_help()
        return 0
    from mlmd_server.serve import serve

    with contextlib.ExitStack() as stack:
        config, warnings = to_config(values, environment, lambda: stack.enter_context(_scratch()))
        for warning in warnings:
            print(f"metadata_store_server: warning: {warning}", file=sys.stderr)
        return serve(config)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="mlmd-memory-")
    except OSError as error:
        raise Unavailable(
            f"without a database what is kept goes to a folder that lasts as long as the process, and none can be "
            f"written ({error.strerror}); mount a volume on /tmp, set TMPDIR, or name a database."
        ) from error
    with folder as path:
        yield Path(path)


def read_flags(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, str | int | bool]:
    """Return every flag's value; raises InvalidArgument."""
    flags = Flags(FLAGS, IGNORED, environment)
    flags.parse(
        [
            f"--{name}={environment[variable]}"
            for name, variable in (
                ("grpc_port", "GRPC_PORT"),
                ("metadata_store_server_config_file", "METADATA_STORE_SERVER_CONFIG_FILE"),
            )
            if environment.get(variable)
        ]
    )
    flags.parse(arguments)
    return flags.values


def to_config(
    values: Mapping[str, str | int | bool], environment: Mapping[str, str], make_folder: Callable[[], Path]
) -> tuple[Config, tuple[str, ...]]:
    """Return our configuration and what the operator should be warned of.

    `make_folder` is asked for a folder when the database lives only as long as the process.
    Raises InvalidArgument, Unimplemented and what `make_folder` raises.
    """
    from mlmd_server.google_config import choose
    from mlmd_server.options import BY_KEY
    from mlmd_server.settings import load_config

    port = int(values["grpc_port"])
    if not 0 < port < 65536:
        raise InvalidArgument(f"--grpc_port: {port} is not between 1 and 65535.")
    source = choose(values)
    flags = {"grpc-port": str(port)}
    if values["grpc_channel_arguments"]:
        flags["grpc-channel-arguments"] = str(values["grpc_channel_arguments"])
        # Told by the name that was written, which is not the option's.
        BY_KEY["grpc_channel_arguments"].parse(flags["grpc-channel-arguments"], "from --grpc_channel_arguments")
    if source.url:
        flags["database"] = source.url
    config, warnings = load_config(flags, environment, None, _DEFAULTS), source.warnings
    if not source.named and any(config.database_urls):
        warnings = ()
    elif not source.url:  # and what files there are, no other database will know
        folder = make_folder()
        flags["database"] = f"sqlite:///{quote(str(folder / 'metadata.db'))}"
        config = load_config(flags, environment, None, _DEFAULTS | {"artifacts": str(folder / "artifacts")})
    database = replace(
        config.database,
        enable_upgrade=source.enable_upgrade or config.database.enable_upgrade,
        downgrade_to=source.downgrade_to,
        create=source.create,
        read_only=source.read_only,
        opening_retries=int(values["metadata_store_connection_retries"]),
        mysql=source.mysql or config.database.mysql,
    )
    listen = replace(config.listen, tls=source.tls or config.listen.tls)
    limit = dict(listen.channel_arguments).get("grpc.max_receive_message_length")
    if isinstance(limit, int):
        listen = replace(listen, max_message_bytes=limit if limit > 0 else _NO_LIMIT_BYTES)
    return replace(config, database=database, listen=listen), warnings


def _print_help() -> None:
    from mlmd_server import version

    print(f"metadata_store_server of mlmd-server {version()}; flags as --name=value:")
    for flag in FLAGS:
        print(f"  --{flag.name} (default: {flag.default!r})")


if __name__ == "__main__":
    sys.exit(main())
