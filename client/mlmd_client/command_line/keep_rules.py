"""What is kept besides what is served, as options of commands."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import click
from mlmd_schemas.pb.v1 import admin_pb2 as v1

from mlmd_client.command_line.session import Count

_TIME = re.compile(r"([0-9]{1,9})([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Return the whole seconds of a length of time, None where none was typed; raises BadParameter."""
    if value is None:
        return None
    found = _TIME.fullmatch(value)
    if found is None:
        mend = "write 90s, 15m, 12h or 30d."
        raise click.BadParameter(f"{value[:40]!r} is no length of time; {mend}", context, parameter)
    return int(found[1]) * _UNITS[found[2]]


_OPTIONS = (
    click.option("--keep-newest", default=1, show_default=True, type=Count(), help="So many versions of each name."),
    click.option(
        "--keep-younger-than", "younger", callback=seconds, default="30d", show_default=True, metavar="TIME",
        help="What was committed within this time.",
    ),
    click.option("--without-origins", is_flag=True, help="Do not keep what kept ones were made from."),
)  # fmt: skip


def keep_rules(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of `rules_of`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def rules_of(options: Mapping[str, Any]) -> v1.KeepRules:
    """Return the rules that a command line says.

    >>> rules_of({"keep_newest": 3, "younger": 60, "without_origins": False}).newest
    3
    """
    return v1.KeepRules(
        newest=options["keep_newest"],
        younger_than_seconds=options["younger"],
        without_origins=options["without_origins"],
    )
