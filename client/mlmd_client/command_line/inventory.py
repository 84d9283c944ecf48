"""`mlmd ls`, `show`, `find`, `runs`: what there is."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import click
from mlmd_schemas.counting import counted
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import artifacts_pb2, collections_pb2

from mlmd_client.command_line.deletions import deletions_of
from mlmd_client.command_line.offers import STEPS, SUBJECTS
from mlmd_client.command_line.registrations import registrations_of
from mlmd_client.command_line.session import Count, Session, command
from mlmd_client.command_line.subjects import subject_of
from mlmd_client.failures import NotFound, not_found
from mlmd_client.finding import RunFacts, node_row
from mlmd_client.names import node_id
from mlmd_client.tables import Table, moment, table_of
from mlmd_client.versions import Version

KINDS = ("artifacts", "datasets", "models", "files", "executions", "runs", "contexts", "experiments")
_PAGE = 100
_SHOWN = 20
"""Of files, and of what a run used or made; `--json` has them all."""


@click.command()
@click.argument("kind", type=click.Choice(KINDS), metavar="[KIND]", required=False)
@click.option("-n", "--limit", default=20, show_default=True, type=Count(), help="At most so many; 0: all.")
@command
def ls(session: Session, kind: str | None, limit: int) -> None:
    """List what has a name with versions; with a KIND the newest nodes of it.

    KIND is artifacts, datasets, models, files, executions, runs, contexts or experiments.
    """
    if kind is not None:
        session.say(session.store.find(kind, order="-id", limit=limit))
        return
    session.say(_collections(session, limit))


def _collections(session: Session, limit: int) -> Table:
    rows: list[dict[str, Any]] = []
    request = collections_pb2.ListCollectionsRequest(page_size=_PAGE)
    while True:
        answer = session.store.service.read(request, collections_pb2.ListCollectionsResponse)
        rows += [{"type": c.type_name, "name": c.name, "versions": c.latest_number} for c in answer.collections]
        request.page_token = answer.next_page_token
        if not answer.next_page_token or (limit and len(rows) >= limit):
            return Table(["type", "name", "versions"], rows[: limit or None])


@click.command()
@click.argument("what", shell_complete=SUBJECTS)
@command
def show(session: Session, what: str) -> None:
    """Show all that is known of WHAT; context:7 is understood too."""
    by_id = node_id(what)
    if by_id is not None and by_id[0] == "context":
        context = _context(session, by_id[1])
        session.say(context, lambda: _print_context(session, context))
        return
    subject = subject_of(session.store, what)
    if not isinstance(subject, Version):
        told = run_facts(session, subject)
        session.say(told, lambda: _print(session, told))
        return
    files = Listed(files_of(session, subject.id), every=session.as_json)
    facts = version_facts(session, subject, files)
    session.say(facts, lambda: _print(session, facts, files))


def _context(session: Session, context_id: int) -> dict[str, Any]:
    request = mlmd.GetContextsByIDRequest(context_ids=[context_id])
    found = session.store.service.read(request, mlmd.GetContextsByIDResponse).contexts
    if not found:
        raise not_found(f"context: there is no context {context_id}.")
    return node_row(found[0]) | _deleted(session, "context", context_id)


def _print_context(session: Session, facts: dict[str, Any]) -> None:
    gone = facts.get("deleted") if isinstance(facts.get("deleted"), list) else None
    session.facts({name: value for name, value in facts.items() if gone is None or name != "deleted"})
    if gone is not None:
        session.table(table_of(gone), "\ndeleted")


def _deleted(session: Session, kind: str, node_id: int) -> dict[str, Any]:
    rows = deletions_of(session, kind, node_id)
    return {"deleted": rows} if rows else {}


class Listed:
    """Files of an artifact as rows: `every` one, or the first few; of a million the others are counted alone."""

    def __init__(self, rows: Iterable[dict[str, Any]], *, every: bool) -> None:
        self.rows: list[dict[str, Any]] = []
        self.count = self.size_bytes = 0
        for row in rows:
            self.count += 1
            self.size_bytes += row["bytes"]
            if every or self.count <= _SHOWN:
                self.rows.append(row)


def version_facts(session: Session, version: Version, files: Listed) -> dict[str, Any]:
    """Return what is known of a version: itself, its properties, its run, the models that it is of, its files."""
    made_by = version.run
    facts: dict[str, Any] = {
        "ref": version.ref,
        "id": version.id,
        "type": version.type,
        "state": version.state,
        "aliases": list(version.aliases),
        "uri": version.uri,
        "created": version.created,
        "made_by": made_by.name if made_by else None,
        "properties": dict(version.properties),
    }
    parts = {"models": registrations_of(session, version), "files": files.rows}
    found = {name: rows for name, rows in parts.items() if rows}
    return facts | _deleted(session, "artifact", version.id) | found


def files_of(session: Session, artifact_id: int) -> Iterator[dict[str, Any]]:
    """Yield an artifact's files as rows, none where it has no manifest."""
    request = artifacts_pb2.ListFilesRequest(artifact_id=artifact_id)
    with suppress(NotFound):
        while True:
            answer = session.store.service.read(request, artifacts_pb2.ListFilesResponse)
            for file in answer.files:
                state = _file_state(file)
                yield {"path": file.path, "bytes": file.size_bytes, "sha256": file.sha256.hex(), "state": state}
            request.page_token = answer.next_page_token
            if not answer.next_page_token:
                return


def _file_state(file: artifacts_pb2.File) -> str:
    return "damaged" if file.damaged else "verified" if file.verified else "declared"


def run_facts(session: Session, run: RunFacts) -> dict[str, Any]:
    """Return what is known of a run: itself, what it used and made, its parameters and properties."""
    facts = {name: getattr(run, name) for name in ("name", "id", "state", "started", "ended", "reason")}
    walks = {"used": session.store.provenance(run, 1), "made": session.store.impact(run, 1)}
    facts |= {name: graph.where(kind="artifact").names() for name, graph in walks.items()}
    facts |= _deleted(session, "execution", run.id)
    return facts | {"params": dict(run.params), "properties": dict(run.properties)}


def _brief(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties for the eye: of the packages of a run how many there are; `--json` has them all."""
    packages = properties.get("environment")
    told = f"{counted(len(packages), 'package')}; --json lists them" if isinstance(packages, Mapping) else packages
    return {**properties, **({"environment": told} if packages else {})}


def _cut(value: Any) -> Any:
    """Return a value for the eye: of a long list how many more there are."""
    long = isinstance(value, list) and len(value) > _SHOWN
    return [*value[:_SHOWN], f"… {len(value) - _SHOWN} more"] if long else value


def _print(session: Session, facts: dict[str, Any], files: Listed | None = None) -> None:
    parts = ("params", "properties", "models", "files", "deleted")
    session.facts({name: _cut(value) for name, value in facts.items() if name not in parts})
    if facts.get("deleted"):
        session.table(table_of(facts["deleted"]), "\ndeleted")
    for name in ("params", "properties"):
        if facts.get(name):
            session.facts(_brief(facts[name]), f"\n{name}")
    if facts.get("models"):
        session.table(table_of(facts["models"]), "\nmodels")
    if files and files.rows:
        title = f"\n{counted(files.count, 'file')}, {counted(files.size_bytes, 'byte')}"
        session.table(table_of(files.rows), title)


@click.command()
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@click.argument("where", default="")
@click.option("--order", default="", metavar="NAME", help="id, created, updated or a property; -NAME: highest first.")
@click.option("-n", "--limit", default=100, show_default=True, type=Count(), help="At most so many; 0: all.")
@command
def find(session: Session, kind: str, where: str, order: str, limit: int) -> None:
    """Find nodes of a KIND by a filter, for instance "custom_properties.auc.double_value > 0.9".

    KIND is artifacts, datasets, models, files, executions, runs, contexts or experiments.
    """
    session.say(session.store.find(kind, where, order=order, limit=limit))


class _State(click.Choice[str]):
    """A state, in capitals or not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the state in capitals; what is none is told as it was written."""
        known = isinstance(value, str) and value.upper() in self.choices
        return super().convert(value.upper() if known else value, param, ctx)


@click.command()
@click.argument("name", required=False, default="", shell_complete=STEPS)
@click.option("--state", type=_State(["RUNNING", "COMPLETE", "FAILED", "CANCELED"]), default=None)
@click.option("-n", "--limit", default=20, show_default=True, type=Count(), help="At most so many; 0: all.")
@command
def runs(session: Session, name: str, state: str | None, limit: int) -> None:
    """List the runs of an experiment, or of experiment/step, newest first; without a NAME all runs."""
    if name:
        session.say(session.store.runs(name, state=state or "", limit=limit))
        return
    session.say(_all_runs(session, state or "", limit))


def _all_runs(session: Session, state: str, limit: int) -> Table:
    from mlmd_schemas.pb.v1 import runs_pb2

    rows: list[dict[str, Any]] = []
    wanted: Any = f"RUN_STATE_{state}" if state else runs_pb2.RUN_STATE_UNSPECIFIED
    request = runs_pb2.ListRunsRequest(page_size=min(limit, _PAGE) if limit else _PAGE, state=wanted)
    while True:
        answer = session.store.service.read(request, runs_pb2.ListRunsResponse)
        rows += [
            {
                "id": run.execution_id,
                "name": f"{run.experiment}/{run.step}/{run.number}",
                "state": runs_pb2.RunState.Name(run.state).removeprefix("RUN_STATE_"),
                "started": moment(run.start_ms),
                "ended": moment(run.end_ms),
                "reason": run.reason,
            }
            for run in answer.runs
        ]
        request.page_token = answer.next_page_token
        if not answer.next_page_token or (limit and len(rows) >= limit):
            return Table(["id", "name", "state", "started", "ended", "reason"], rows[: limit or None])
