"""What the commands of care take on the command line (`mlmd-server verify`, …); light, because every start reads it."""

import argparse

CARE = ("verify", "gc", "why", "sweep", "purge", "claim", "relocate")
"""The commands."""


def add_care_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> list[argparse.ArgumentParser]:
    """Add the commands with their own arguments; returns their parsers."""
    check = commands.add_parser("verify", help="read every stored file again and say what changed", allow_abbrev=False)
    check.add_argument("--not-since", metavar="TIME", default="0s", help="pass over what was verified within this time")
    check.add_argument("--parallel", metavar="N", type=int, default=8, help="files read at a time (default: 8)")
    gc = commands.add_parser("gc", help="delete the bytes of artifacts that nothing keeps", allow_abbrev=False)
    gc.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    gc.add_argument("--reason", metavar="TEXT", default="", help="why; stays in the tombstones")
    why = commands.add_parser("why", help="say what keeps an artifact", allow_abbrev=False)
    why.add_argument("artifact", metavar="ARTIFACT", type=int, help="its id")
    for command in (gc, why):
        _add_rules(command)
    clean = commands.add_parser("sweep", help="give up unfinished uploads, finish deletions", allow_abbrev=False)
    purge = commands.add_parser("purge", help="take the facts of nodes away, and the bytes too", allow_abbrev=False)
    _add_purge(purge)
    claim = commands.add_parser("claim", help="say whose the bytes are, or take them over", allow_abbrev=False)
    claim.add_argument("--take-over", action="store_true", help="make the place this database's, whosever it was")
    claim.add_argument(
        "--new-identity", action="store_true", help="this database is a copy and becomes a store of its own"
    )
    relocate = commands.add_parser("relocate", help="let uris follow bytes that were copied", allow_abbrev=False)
    _add_relocate(relocate)
    every = [check, gc, why, clean, purge, claim, relocate]
    for command in every:
        command.add_argument("--tenant", metavar="NAME", help="only this tenant; empty: the default database")
        command.add_argument("--json", action="store_true", help="one JSON object a line")
    return every


def _add_relocate(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--from",
        metavar="PLACE",
        dest="from_root",
        required=True,
        help="the --artifacts of before, all of which was copied to the --artifacts of now",
    )
    command.add_argument("--dry-run", action="store_true", help="only say what is missing and what would be rewritten")
    command.add_argument("--verify", action="store_true", help="read every file at the new place")
    command.add_argument(
        "--parallel", metavar="N", type=int, default=16, help="files looked at at a time (default: 16)"
    )


def _add_purge(command: argparse.ArgumentParser) -> None:
    command.add_argument("kind", choices=("artifact", "execution", "context"), help="the kind of the nodes")
    command.add_argument("ids", metavar="ID", type=int, nargs="*", help="their ids")
    command.add_argument("--filter", metavar="QUERY", default="", help="those that match, instead of ids")
    command.add_argument("--include-bytes", action="store_true", help="delete the files of artifacts too")
    command.add_argument("--confirm", metavar="DIGEST", help="do it; the digest is told without this")
    command.add_argument("--reason", metavar="TEXT", default="", help="why; stays in the tombstones")


def _add_rules(command: argparse.ArgumentParser) -> None:
    newest, younger = 1, "30d"
    command.add_argument(
        "--keep-newest", metavar="N", type=int, default=newest, help=f"versions of a collection (default: {newest})"
    )
    command.add_argument(
        "--keep-younger-than", metavar="TIME", default=younger, help=f"as 30d, 12h or 90s (default: {younger})"
    )
    command.add_argument("--without-origins", action="store_true", help="do not keep what kept ones were made from")


OWN_ARGUMENTS = frozenset(
    {
        "not_since", "parallel", "dry_run", "reason", "artifact", "tenant", "json", "keep_newest", "keep_younger_than",
        "without_origins", "kind", "ids", "filter", "include_bytes", "confirm",
        "take_over", "new_identity", "from_root", "verify",
    }
)  # fmt: skip
"""What the commands take that is no option of the server."""
