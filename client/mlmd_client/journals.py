"""The journals on this machine, as whoever looks after them sees them: what is in them, and why it was not sent."""

import datetime
import fcntl
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlmd_client.delivery import deliver
from mlmd_client.failures import not_found, refused
from mlmd_client.journal import SUFFIX, UNDELIVERABLE, Journal, discard_begun, journal_files
from mlmd_client.service import Service

IN_USE, WAITING, REFUSED, BROKEN, UNREADABLE = "in use", "waiting", "refused", "broken", "unreadable"


@dataclass(frozen=True, slots=True)
class KeptJournal:
    """A journal's file: whose calls are in it, and why they are there still."""

    path: Path
    state: str
    """`in use` by a process that lives, `waiting` to be sent, `refused`, `broken`, `unreadable`."""
    calls: int
    written: datetime.datetime
    run: str = ""
    store: str = ""
    reasons: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """Return it as a row of a table."""
        return {
            "journal": self.path.name,
            "state": self.state,
            "run": self.run,
            "calls": self.calls,
            "written": self.written,
            "store": self.store,
            "reasons": list(self.reasons),
        }


def kept_journals(folder: Path) -> list[KeptJournal]:
    """Return the journals in a folder, oldest first; raises Refused for one that cannot be looked through.

    >>> kept_journals(Path("/nowhere"))
    []
    """
    discard_begun(folder)
    found = (_looked_at(path) for path in journal_files(folder, SUFFIX, SUFFIX + UNDELIVERABLE))
    return [one for one in found if one is not None]


def _looked_at(path: Path) -> KeptJournal | None:
    try:
        written = datetime.datetime.fromtimestamp(path.lstat().st_mtime, datetime.UTC)
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return KeptJournal(path, IN_USE, 0, written)
        journal = Journal.take_over(path, quietly=True)
    except FileNotFoundError:  # sent meanwhile
        return None
    except OSError as error:
        return KeptJournal(path, UNREADABLE, 0, written, reasons=(error.strerror or str(error),))
    if journal is None:
        return KeptJournal(path, UNREADABLE, 0, written, reasons=("it is no journal",))
    calls = sum(1 for _ in journal.records())
    reasons = [str(one) for one in journal.facts.get("refused", ())]
    if journal.broken_bytes:
        reasons.append(f"{journal.broken_bytes} bytes at its end are no whole call")
    journal.close()
    state = WAITING if path.suffix == SUFFIX else REFUSED if calls else BROKEN
    facts = journal.facts
    return KeptJournal(
        path, state, calls, written, str(facts.get("name", "")), str(facts.get("target", "")), tuple(reasons)
    )


def chosen_journals(folder: Path, names: Collection[str]) -> list[KeptJournal]:
    """Return the journals of these names, or beginnings of names that only one has; raises NotFound, Refused.

    >>> chosen_journals(Path("/nowhere"), [])
    []
    """
    every, chosen = kept_journals(folder), []
    for name in names:
        found = [one for one in every if one.path.name == name] or [
            one for one in every if name and one.path.name.startswith(name)
        ]
        if not found:
            raise not_found(f"journal: there is no journal {name!r} of this store; kept_journals lists them.")
        if len(found) > 1:
            raise refused(f"journal: {len(found)} journals begin with {name!r}; write more of the name.")
        chosen += found
    return chosen


def retry_journals(service: Service, journals: Collection[KeptJournal]) -> tuple[int, int, str]:
    """Send what is in journals again, that of living processes excepted; each call happens once all the same.

    Returns how many calls were sent, how many are left, and why the first of those is.
    """
    sent, left, why = 0, 0, ""
    for one in journals:
        journal = Journal.take_over(one.path, quietly=True) if one.state in (WAITING, REFUSED) else None
        if journal is None:
            continue
        done, later, reason = deliver(service, journal)
        sent, left, why = sent + done, left + later, why or reason
    return sent, left, why


def discard_journals(journals: Collection[KeptJournal]) -> None:
    """Delete journals, and with them the calls that nobody sent; raises Refused for one of a living process."""
    for one in journals:
        if one.state == IN_USE:
            raise refused(f"journal: {one.path.name!r} is of a process that lives; end that first.")
    for one in journals:
        one.path.unlink(missing_ok=True)
