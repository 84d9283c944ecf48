"""`mlmd-server purge`: tells what would go and the digest that confirms it, then does exactly that."""

import argparse

from mlmd_artifact_store.purges import purge
from mlmd_artifact_store.requests import Requests
from mlmd_schemas.caller import Caller
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import admin_pb2 as v1

from mlmd_server.findings import Output
from mlmd_server.statuses import FAILED

_KINDS = {
    "artifact": v1.NODE_KIND_ARTIFACT,
    "execution": v1.NODE_KIND_EXECUTION,
    "context": v1.NODE_KIND_CONTEXT,
}
_DIGEST_BYTES = 32


def purge_nodes(requests: Requests, caller: Caller, arguments: argparse.Namespace, output: Output) -> int:
    """Tell what a purge would take, or with `--confirm` take it; raises what `purges.purge` raises."""
    request = v1.PurgeRequest(
        kind=_KINDS[arguments.kind],
        ids=arguments.ids,
        filter_query=arguments.filter,
        include_bytes=arguments.include_bytes,
        reason=arguments.reason,
        digest=_digest(arguments.confirm),
    )
    answer = purge(requests.artifacts, request, caller)
    _tell(arguments.kind, answer, output)
    if answer.purged:
        return 0
    digest = answer.digest.hex()
    output.line(f"digest {digest}", digest=digest, obstacles=list(answer.obstacles))
    for obstacle in answer.obstacles:
        output.summary(obstacle)
    if answer.obstacles:
        output.summary("nothing can be purged like this")
        return FAILED
    output.summary(f"nothing was purged yet; the same command with --confirm {digest} and --reason does it")
    return 0


def _tell(kind: str, answer: v1.PurgeResponse, output: Output) -> None:
    did = "purged" if answer.purged else "would purge"
    for node in answer.nodes:
        said = " ".join(repr(text) for text in (node.name, node.uri) if text)
        text = f"{did} {kind} {node.id}{f': {said}' if said else ''}"
        output.line(text, kind=kind, id=node.id, name=node.name, uri=node.uri, purged=answer.purged)
    more = answer.node_count - len(answer.nodes)
    output.summary(
        f"{did} {counted(answer.node_count, 'node')}{f' ({more} of them not listed)' if more else ''} with "
        f"{counted(answer.property_count, 'property', 'properties')}; {counted(answer.file_count, 'file')}, "
        f"{counted(answer.size_bytes, 'byte')}"
    )


def _digest(text: str | None) -> bytes:
    """Return the digest of `--confirm`, empty without one; raises InvalidArgument for what cannot be one."""
    if text is None:
        return b""
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != _DIGEST_BYTES:
        raise InvalidArgument(f"confirm: {text[:80]!r} is no digest; take the one that the command tells without it.")
    return digest
