"""`mlmd verify` and `sweep`: whether files are still the same, and ending what nobody finished."""

from typing import Any

import click
from mlmd_schemas.counting import counted
from mlmd_schemas.pb.v1 import admin_pb2 as v1

from mlmd_client.command_line.care import LONGEST_SECONDS, once
from mlmd_client.command_line.keep_rules import seconds
from mlmd_client.command_line.offers import SUBJECTS
from mlmd_client.command_line.session import Session, command
from mlmd_client.command_line.statuses import FAILED, FOUND_WRONG
from mlmd_client.command_line.subjects import artifact_of
from mlmd_client.tables import Table

_VERDICTS = {v1.FileFinding.VERDICT_CHANGED: "changed", v1.FileFinding.VERDICT_MISSING: "missing"}


@click.command()
@click.argument("whats", metavar="WHAT...", nargs=-1, required=True, shell_complete=SUBJECTS)
@command
def verify(session: Session, whats: tuple[str, ...]) -> None:
    """Have the server read the files of each WHAT again, and tell which are missing or changed."""
    chosen = list(dict.fromkeys(artifact_of(session.store, what).id for what in whats))
    session.once_more = "; what was found until then is noted"
    answers = [_verified(session, artifact_id) for artifact_id in chosen]
    rows = [
        {"artifact": one.artifact_id, "path": one.path, "verdict": _VERDICTS.get(one.verdict, "wrong")}
        for answer in answers
        for one in answer.findings
    ]
    table = Table(["artifact", "path", "verdict"], rows)
    facts: dict[str, Any] = {
        "files": sum(answer.file_count for answer in answers),
        "bytes": sum(answer.size_bytes for answer in answers),
        "findings": table,
        "unread": [one for answer in answers for one in answer.unread_artifact_ids],
    }
    session.say(facts, lambda: session.table(table) if rows else None)
    for artifact_id in facts["unread"]:
        session.remark(f"artifact {artifact_id}: nothing was read; it has no files, or none that the server may read")
    session.remark(
        f"read {counted(facts['files'], 'file')}, {counted(facts['bytes'], 'byte')}; {len(rows)} missing or changed"
    )
    if rows or facts["unread"]:
        click.get_current_context().exit(FOUND_WRONG if rows else FAILED)


def _verified(session: Session, artifact_id: int) -> v1.VerifyArtifactsResponse:
    """Return what one artifact's files are, by a call of its own, which takes as long as they want."""
    request = v1.VerifyArtifactsRequest(artifact_ids=[artifact_id])
    return session.store.service.read(request, v1.VerifyArtifactsResponse, within_seconds=LONGEST_SECONDS)


@click.command()
@click.option(
    "--grace",
    callback=seconds,
    metavar="TIME",
    help="Give up uploads that began longer ago; without it, as the server was told: a week, if nothing.",
)
@command
def sweep(session: Session, grace: int | None) -> None:
    """Give up uploads that nobody finished, finish deletions that were interrupted; servers do so every hour."""
    answer = once(session, v1.SweepRequest(grace_seconds=grace), v1.SweepResponse)
    facts: dict[str, Any] = {
        "abandoned": list(answer.abandoned_artifact_ids),
        "deleted": list(answer.deleted_artifact_ids),
        "failures": list(answer.failures),
        "failed": answer.failure_count,
    }
    session.say(facts, lambda: _print_swept(session, facts))
    gave_up, finished = counted(len(facts["abandoned"]), "upload"), counted(len(facts["deleted"]), "deletion")
    failed = f"; {answer.failure_count} failed" if answer.failure_count else ""
    session.remark(f"gave up {gave_up}, finished {finished}{failed}")
    if answer.failure_count:
        click.get_current_context().exit(FAILED)


def _print_swept(session: Session, facts: dict[str, Any]) -> None:
    for artifact_id in facts["abandoned"]:
        session.sentence(f"gave up the upload of artifact {artifact_id}")
    for artifact_id in facts["deleted"]:
        session.sentence(f"finished the deletion of artifact {artifact_id}")
    for failure in facts["failures"]:
        session.sentence(f"failed: {failure}")
