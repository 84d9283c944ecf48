"""`mlmd purge` and `gc`: taking facts and bytes away, for an administrator who has the server and not its database."""

import re
from typing import Any

import click
from google.protobuf.message import Message
from mlmd_schemas.counting import counted
from mlmd_schemas.pb.v1 import admin_pb2 as v1

from mlmd_client.calls import CallError
from mlmd_client.command_line.deletions import NODE_KINDS
from mlmd_client.command_line.keep_rules import keep_rules, rules_of
from mlmd_client.command_line.session import Failure, Session, command
from mlmd_client.command_line.statuses import REFUSED
from mlmd_client.command_line.wording import as_typed
from mlmd_client.failures import failure_of
from mlmd_client.service import A
from mlmd_client.tables import Table

AT_ONCE = 1_000
"""Artifacts of one call that collects garbage."""
LONGEST_SECONDS = 3600.0
"""That a call may take which reads or deletes files."""
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_NO_IDS = "say which nodes: either their ids or --filter QUERY."


def _digest(context: click.Context, parameter: click.Parameter, value: str | None) -> bytes:
    """Return the bytes of a digest, none where nothing was typed."""
    if value is None:
        return b""
    if _DIGEST.fullmatch(value) is None:
        mend = "take the one that the command tells without it."
        raise click.BadParameter(f"{value[:80]!r} is no digest; {mend}", context, parameter)
    return bytes.fromhex(value)


@click.command()
@click.argument("kind", type=click.Choice(list(NODE_KINDS)), metavar="KIND")
@click.argument("ids", type=int, nargs=-1, metavar="[ID]...")
@click.option("--filter", "filter_query", default="", metavar="QUERY", help="Those that match, instead of ids.")
@click.option("--include-bytes", is_flag=True, help="The files of artifacts too.")
@click.option("--confirm", "digest", callback=_digest, metavar="DIGEST", help="Do it; told without this.")
@click.option("--reason", default="", metavar="TEXT", help="Why; stays in the tombstones. Needed with --confirm.")
@command
def purge(session: Session, kind: str, ids: tuple[int, ...], reason: str, digest: bytes, **asked: Any) -> None:
    """Take properties, names and uris from nodes of a KIND for good: artifact, execution or context.

    Without --confirm it tells what would go, what forbids it, and the digest that confirms exactly that.
    """
    if bool(ids) == bool(asked["filter_query"]):
        raise click.UsageError(_NO_IDS)
    if digest and not reason.strip():
        raise click.UsageError("--confirm needs a --reason, which whoever finds the tombstone reads.")
    request = v1.PurgeRequest(kind=NODE_KINDS[kind], ids=ids, reason=reason, digest=digest, **asked)
    service = session.service
    answer = (service.write if digest else service.read)(request, v1.PurgeResponse, within_seconds=LONGEST_SECONDS)
    session.say(_purged(answer), lambda: _nodes(session, answer))
    _tell(session, answer)


def _purged(answer: v1.PurgeResponse) -> dict[str, Any]:
    """Return an answer for programs."""
    counts = {name: getattr(answer, name) for name in ("node_count", "property_count", "file_count", "size_bytes")}
    rows = [{"id": node.id, "name": node.name, "uri": node.uri} for node in answer.nodes]
    head = {"purged": answer.purged, "digest": answer.digest.hex()}
    return head | counts | {"nodes": rows, "obstacles": list(answer.obstacles)}


def _nodes(session: Session, answer: v1.PurgeResponse) -> None:
    session.table(Table(["id", "name", "uri"], _purged(answer)["nodes"]))


def _tell(session: Session, answer: v1.PurgeResponse) -> None:
    """Say beside the nodes what was done, or what does it; ends with REFUSED when something forbids it."""
    more = answer.node_count - len(answer.nodes)
    session.remark(
        f"{'purged' if answer.purged else 'would purge'} {counted(answer.node_count, 'node')}"
        f"{f' ({more} of them not listed)' if more else ''} with "
        f"{counted(answer.property_count, 'property', 'properties')}; {counted(answer.file_count, 'file')}, "
        f"{counted(answer.size_bytes, 'byte')}"
    )
    if answer.obstacles:
        for obstacle in answer.obstacles:
            session.remark(as_typed(obstacle, click.get_current_context()))
        raise Failure("nothing can be purged like this", REFUSED)
    if not answer.purged:
        confirm = f"--confirm {answer.digest.hex()}"
        session.remark(f"nothing was purged yet; the same command with {confirm} and --reason does it")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be deleted.")
@keep_rules
@click.option("--reason", default="", metavar="TEXT", help="Why; stays in the tombstones.")
@command
def gc(session: Session, dry_run: bool, reason: str, **rules: Any) -> None:
    """Delete the files of artifacts that nothing keeps, the oldest first; what they were stays known."""
    request = v1.CollectGarbageRequest(rules=rules_of(rules), dry_run=dry_run, limit=AT_ONCE, reason=reason)
    rows: list[dict[str, Any]] = []
    session.once_more = "; what was deleted until then is, and the same command goes on"
    while True:
        try:
            answer = once(session, request, v1.CollectGarbageResponse)
        except CallError:
            if rows:
                session.remark(f"deleted the files of {counted(len(rows), 'artifact')} until then")
            raise
        rows += [
            {"id": one.artifact_id, "files": one.file_count, "bytes": one.size_bytes, "uri": one.root_uri}
            for one in answer.garbage
        ]
        if dry_run or not answer.more or not answer.garbage:
            break
    table = Table(["id", "files", "bytes", "uri"], rows)
    facts = {"deleted": not dry_run, "garbage": table, "more": answer.more, "kept": answer.kept_count}
    session.say(facts, lambda: session.table(table) if rows else None)
    first = " (the first of more)" if answer.more else ""
    session.remark(
        f"{'would delete' if dry_run else 'deleted'} the files of {counted(len(rows), 'artifact')}{first}, "
        f"{counted(sum(row['bytes'] for row in rows), 'byte')}; {answer.kept_count} "
        f"{'keeps its' if answer.kept_count == 1 else 'keep theirs'}"
    )


def once(session: Session, request: Message, answer: type[A]) -> A:
    """Make one call, which is not made again by itself: what was deleted would be told by neither answer."""
    try:
        return session.service.once(request, answer, timeout_seconds=LONGEST_SECONDS)
    except CallError as error:
        raise failure_of(error) from None
