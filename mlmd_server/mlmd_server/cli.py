"""The command `mlmd-server`."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from mlmd_server.broken_off import run_unbroken, tell
from mlmd_server.statuses import WRONG_USE
from mlmd_server.surroundings import be_first_process, give_sqlite_a_place

EXTRAS = {
    "sqlalchemy": "server",
    "alembic": "server",
    "grpc_health": "server",
    "grpc_reflection": "server",
    "prometheus_client": "server",
    "starlette": "server",
    "uvicorn": "server",
    "uvloop": "server",
    "MySQLdb": "mysql",
}
"""The extra that brings each module."""


LONGEST_ERROR = 400
"""Characters of an error of a command line, which repeats what it does not know."""


class Parser(argparse.ArgumentParser):
    """Reads a command line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, cut where it is too long to be read, and exit with 2."""
        super().error(message if len(message) <= LONGEST_ERROR else f"{message[:LONGEST_ERROR]}…")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    be_first_process()
    try:
        return run_unbroken(lambda: _run(sys.argv[1:] if arguments is None else arguments))
    except ModuleNotFoundError as error:
        return missing_extra(error)


def missing_extra(error: ModuleNotFoundError) -> int:
    """Print the one line that mends a missing extra, and return the exit status; re-raises for any other module."""
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        raise error
    extras = "server" if EXTRAS[module] == "server" else f"server,{EXTRAS[module]}"
    print(f"mlmd-server: {module} is not installed; run: pip install 'mlmd-server[{extras}]'", file=sys.stderr)
    return WRONG_USE


def _run(arguments: Sequence[str]) -> int:
    from mlmd_schemas.errors import InvalidArgument

    parser = make_parser()
    chosen = parser.parse_args(arguments)
    if chosen.version:
        from mlmd_server import version

        tell(f"mlmd-server {version()}")
        return 0
    if chosen.command is None:
        parser.print_help(sys.stderr)
        return WRONG_USE
    from mlmd_server.care_arguments import CARE, OWN_ARGUMENTS
    from mlmd_server.settings import load_config

    own = _NOT_OPTIONS | OWN_ARGUMENTS if chosen.command in CARE else _NOT_OPTIONS
    flags = {name: value for name, value in vars(chosen).items() if name not in own and value is not None}
    try:
        config = load_config(flags, os.environ, chosen.config)
    except InvalidArgument as error:
        print(f"mlmd-server: {error.message}", file=sys.stderr)
        return WRONG_USE
    if chosen.command == "serve":
        from mlmd_server.serve import serve

        return serve(config)
    from mlmd_server.memory import bound_memory

    bound_memory()
    give_sqlite_a_place(config.database_urls)
    if chosen.command in CARE:
        from mlmd_server.care import care

        return care(config, chosen.command, chosen)
    from mlmd_server.migrate import migrate

    return migrate(config, plan_only=chosen.plan)


_NOT_OPTIONS = frozenset({"command", "config", "version", "plan"})
_MIGRATE_OPTIONS = ("database", "google-text", "tenants", "log-format", "log-level")
_CARE_OPTIONS = ("database", "tenants", "artifacts", "sweep-grace-seconds", "log-format", "log-level")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; options that are not given stay None, so that environment and file can speak."""
    from mlmd_server.care_arguments import add_care_commands
    from mlmd_server.options import OPTIONS

    parser: argparse.ArgumentParser = Parser("mlmd-server", description="The store ML teams leave their facts in.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve the store over gRPC and HTTP", allow_abbrev=False)
    migrate = commands.add_parser("migrate", help="bring a database to today's shape", allow_abbrev=False)
    migrate.add_argument("--plan", action="store_true", help="print what would be done, and do nothing")
    every = tuple(option.name for option in OPTIONS)
    taken = {serve: every, migrate: _named(every, _MIGRATE_OPTIONS, "database-")}
    taken |= dict.fromkeys(add_care_commands(commands), _named(every, _CARE_OPTIONS, "database-", "artifacts-"))
    for command, names in taken.items():
        command.add_argument("--config", metavar="FILE", help="TOML file with any of these options")
        for option in OPTIONS:
            if option.name in names:
                _add(command, option.name, option.default, option.metavar, option.text)
    return parser


def _named(every: Sequence[str], names: Sequence[str], *beginnings: str) -> tuple[str, ...]:
    return tuple(name for name in every if name in names or name.startswith(beginnings))


def _add(command: argparse.ArgumentParser, name: str, default: object, metavar: str, text: str) -> None:
    if isinstance(default, bool):
        command.add_argument(f"--{name}", dest=name, nargs="?", const="true", metavar="true|false", help=text)
        return
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    suffix = f" (default: {shown})" if shown else ""
    command.add_argument(f"--{name}", dest=name, metavar=metavar, help=(text + suffix).replace("%", "%%"))


if __name__ == "__main__":
    sys.exit(main())
