"""What WHAT means on the command line: a version, a run, or a node by id."""

from collections.abc import Callable
from typing import Any

import click

from mlmd_client.failures import NotFound, refused
from mlmd_client.finding import RunFacts, names_run
from mlmd_client.names import node_id
from mlmd_client.store import Store
from mlmd_client.versions import Version

Subject = Version | RunFacts


def subject_of(store: Store, what: str) -> Subject:
    """Return the version or run that a text names; raises NotFound, Refused."""
    by_id = node_id(what)
    if by_id is not None:
        kind, number = by_id
        if kind == "context":
            raise click.UsageError(f"{what}: a context has no lineage and no metrics; name an artifact or execution.")
        return store.version(number) if kind == "artifact" else store.run_facts(number)
    if what.isdecimal():
        raise refused(f"what: {what!r} is a number; write artifact:{what} or execution:{what}, or a name.")
    if names_run(what):
        selects = "@" in what or ":" in what  # as a version does, and an experiment's name may
        return _first(store.version, store.run_facts, what) if selects else _first(store.run_facts, store.version, what)
    return store.version(what)


def artifact_of(store: Store, what: str) -> Version:
    """Return the version that a text names, of whose files a command is; ends the command for runs and contexts."""
    by_id = node_id(what)
    subject = None if by_id is not None and by_id[0] != "artifact" else subject_of(store, what)
    if not isinstance(subject, Version):
        kind = "context" if by_id is not None and by_id[0] == "context" else "run"
        raise click.UsageError(f"WHAT: {what!r} is a {kind}, and only artifacts have files; name a version.")
    return subject


def _first(one: Callable[[str], Subject], other: Callable[[str], Subject], what: str) -> Subject:
    """Return what a name means the one way, else the other: experiments and collections may have slashes in theirs."""
    try:
        return one(what)
    except NotFound as error:
        try:
            return other(what)
        except NotFound:
            raise error from None


def subjects_of(store: Store, names: tuple[str, ...], least: int) -> list[Any]:
    """Return the versions and runs that texts name; ends the command when there are too few."""
    if len(names) < least:
        raise click.UsageError(f"WHAT: {len(names)} given; name at least {least} versions or runs.")
    return [subject_of(store, name) for name in names]
