"""`mlmd why`, `pin`, `unpin` and `pins`: what keeps the files of an artifact, and what is kept by hand."""

from typing import Any

import click
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import admin_pb2 as v1

from mlmd_client.command_line.care import LONGEST_SECONDS
from mlmd_client.command_line.keep_rules import keep_rules, rules_of
from mlmd_client.command_line.offers import SUBJECTS
from mlmd_client.command_line.session import Session, command
from mlmd_client.command_line.subjects import artifact_of
from mlmd_client.tables import Table, moment

_AT_ONCE = 1_000
"""Pins of a page, and artifacts whose names are asked for at once."""


@click.command()
@click.argument("what", shell_complete=SUBJECTS)
@keep_rules
@command
def why(session: Session, what: str, **rules: Any) -> None:
    """Tell what keeps the files of WHAT from being collected, or who deleted them, when and why."""
    artifact_id = artifact_of(session.store, what).id
    request = v1.ExplainKeptRequest(artifact_id=artifact_id, rules=rules_of(rules))
    answer = session.store.service.read(request, v1.ExplainKeptResponse, within_seconds=LONGEST_SECONDS)
    reasons = [{"rule": _rule(one), "text": one.text, "path": list(one.path)} for one in answer.reasons]
    facts = {"artifact": artifact_id, "kept": answer.kept, "reasons": reasons, "summary": answer.summary}
    session.say(facts, lambda: session.sentence(answer.summary))


def _rule(reason: v1.KeptReason) -> str:
    return v1.KeptReason.Rule.Name(reason.rule).removeprefix("RULE_").lower()


@click.command()
@click.argument("what", shell_complete=SUBJECTS)
@click.option("-m", "--reason", default="", metavar="TEXT", help="Why; `mlmd pins` tells.")
@command
def pin(session: Session, what: str, reason: str) -> None:
    """Keep the files of WHAT whatever the rules of `gc` say."""
    artifact_id = artifact_of(session.store, what).id
    session.store.service.write(v1.PinArtifactRequest(artifact_id=artifact_id, reason=reason), v1.PinArtifactResponse)
    session.say({"pinned": artifact_id})


@click.command()
@click.argument("what", shell_complete=SUBJECTS)
@command
def unpin(session: Session, what: str) -> None:
    """Keep the files of WHAT no longer than the rules of `gc` say."""
    artifact_id = artifact_of(session.store, what).id
    session.store.service.write(v1.UnpinArtifactRequest(artifact_id=artifact_id), v1.UnpinArtifactResponse)
    session.say({"unpinned": artifact_id})


@click.command()
@command
def pins(session: Session) -> None:
    """List what is pinned, by whom and why."""
    rows: list[dict[str, Any]] = []
    request = v1.ListPinsRequest(page_size=_AT_ONCE)
    while True:
        answer = session.service.read(request, v1.ListPinsResponse)
        names = _names(session, [one.artifact_id for one in answer.pins])
        rows += [
            {
                "artifact": one.artifact_id,
                "name": names.get(one.artifact_id),
                "by": one.subject,
                "when": moment(one.create_ms),
                "reason": one.reason,
            }
            for one in answer.pins
        ]
        request.page_token = answer.next_page_token
        if not answer.next_page_token:
            break
    session.say(Table(["artifact", "name", "by", "when", "reason"], rows))


def _names(session: Session, ids: list[int]) -> dict[int, str]:
    found = session.service.read(mlmd.GetArtifactsByIDRequest(artifact_ids=ids), mlmd.GetArtifactsByIDResponse)
    return {one.id: one.name for one in found.artifacts}
