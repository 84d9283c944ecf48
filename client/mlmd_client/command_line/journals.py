"""`mlmd journals`: what runs on this machine noted and could not send."""

from pathlib import Path
from typing import Any

import click
from mlmd_schemas.counting import counted
from mlmd_schemas.pb.v1 import server_pb2

from mlmd_client.command_line.session import Failure, Session, command
from mlmd_client.command_line.statuses import REFUSED as WAS_REFUSED
from mlmd_client.command_line.statuses import UNREACHABLE
from mlmd_client.delivery import journal_folder
from mlmd_client.failures import refused
from mlmd_client.journal import UNDELIVERABLE
from mlmd_client.journals import (
    IN_USE,
    WAITING,
    KeptJournal,
    chosen_journals,
    discard_journals,
    kept_journals,
    retry_journals,
)
from mlmd_client.tables import Table

_COLUMNS = ["journal", "state", "run", "calls", "written", "store", "reasons"]


def _names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    session = Session(context.find_root().params.get("server") or None, "", as_json=False)
    return [one.path.name for one in kept_journals(_folder(session)) if one.path.name.startswith(incomplete)]


def _folder(session: Session) -> Path:
    return journal_folder(session.address)


def _table(found: list[KeptJournal]) -> Table:
    return Table(_COLUMNS, [one.row() for one in found])


@click.group()
def journals() -> None:
    """See, send again or discard what runs on this machine could not send to the store.

    What is `waiting` is sent by whoever opens the store next; what was `refused`, or is `broken`, stays until it is
    sent again or discarded.
    """


@journals.command("ls")
@click.option("--all", "every", is_flag=True, help="Of every store, not of this one alone.")
@command
def list_journals(session: Session, every: bool) -> None:
    """List the journals of this store, oldest first, with what was said against their calls."""
    folder = _folder(session)
    folders = sorted(folder.parent.iterdir()) if every and folder.parent.is_dir() else [folder]
    session.say(_table([one for each in folders for one in kept_journals(each)]))


@journals.command()
@click.argument("journal", nargs=-1, metavar="[JOURNAL]...", shell_complete=_names)
@command
def retry(session: Session, journal: tuple[str, ...]) -> None:
    """Send each JOURNAL again, all of them unless named; a call that was made before is not made twice.

    The exit status is 4 when nobody answers, and 6 when something is refused again.
    """
    folder = _folder(session)
    chosen = chosen_journals(folder, journal) if journal else kept_journals(folder)
    session.service.read(server_pb2.GetInfoRequest(), server_pb2.GetInfoResponse)  # or nobody answers, which is told
    sent, later, why = retry_journals(session.service, chosen)
    names = {_stem(one) for one in chosen}
    remaining = [one for one in kept_journals(folder) if one.state != IN_USE and _stem(one) in names]
    answer: dict[str, Any] = {"sent": sent, "remaining": [one.row() for one in remaining]}
    session.say(answer, lambda: _print(session, sent, remaining))
    if later:
        raise Failure(f"{counted(later, 'call')} could not be sent: {why}", UNREACHABLE)
    if remaining:
        raise Failure(
            f"{counted(len(remaining), 'journal')} cannot be sent; `mlmd journals discard` deletes what is given up",
            WAS_REFUSED,
        )


def _stem(journal: KeptJournal) -> str:
    """Return the name that a journal keeps when what is left of it is undeliverable."""
    return journal.path.name.removesuffix(UNDELIVERABLE)


def _print(session: Session, sent: int, remaining: list[KeptJournal]) -> None:
    session.console.print(f"{counted(sent, 'call')} sent")
    if remaining:
        session.table(_table(remaining))


@journals.command()
@click.argument("journal", nargs=-1, metavar="[JOURNAL]...", shell_complete=_names)
@click.option("--all", "every", is_flag=True, help="All that were refused, are broken or cannot be read.")
@command
def discard(session: Session, journal: tuple[str, ...], every: bool) -> None:
    """Delete each JOURNAL, and the calls in it that nobody sent."""
    if bool(journal) == every:
        raise refused("journal: name journals, or say --all for all that will not be sent; not both.")
    folder = _folder(session)
    given_up = [one for one in kept_journals(folder) if one.state not in (IN_USE, WAITING)]
    chosen = chosen_journals(folder, journal) if journal else given_up
    discard_journals(chosen)
    session.say(
        {"discarded": [one.row() for one in chosen]},
        lambda: session.console.print(
            f"{counted(len(chosen), 'journal')} with {counted(sum(one.calls for one in chosen), 'call')} discarded"
        ),
    )
