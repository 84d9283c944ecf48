"""The methods of `mlmd.v1.Admin`."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from google.protobuf.message import Message
from mlmd_metadata_store.pins import list_pins, pin_artifact, unpin_artifact
from mlmd_metadata_store.rpc import Rpc
from mlmd_metadata_store.tombstones import list_tombstones
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import Caller, Role
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import admin_pb2 as v1

from mlmd_artifact_store.calls import ArtifactCall
from mlmd_artifact_store.garbage import explain
from mlmd_artifact_store.garbage_collection import collect, described, plan
from mlmd_artifact_store.keep_rules import rules_of
from mlmd_artifact_store.purges import SERVICE, purge
from mlmd_artifact_store.removal import Held
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.sweeping import sweep
from mlmd_artifact_store.verification import Verdict, verify

DEFAULT_LIMIT, LARGEST_LIMIT = 1000, 10_000
MOST_VERIFIED = 1000
_VERDICTS = {
    Verdict.CHANGED: v1.FileFinding.VERDICT_CHANGED,
    Verdict.MISSING: v1.FileFinding.VERDICT_MISSING,
}


def _purge(requests: Requests, caller: Caller, request: v1.PurgeRequest) -> Message:
    return purge(requests.artifacts, request, caller)


def _explain(requests: Requests, caller: Caller, request: v1.ExplainKeptRequest) -> Message:
    rules = rules_of(request.rules)
    return requests.artifacts.store.database.read(caller, lambda tx: explain(tx, request.artifact_id, rules))


def _collect(requests: Requests, caller: Caller, request: v1.CollectGarbageRequest) -> Message:
    if not 0 <= request.limit <= LARGEST_LIMIT:
        raise InvalidArgument(f"limit: {request.limit} is not 1 to {LARGEST_LIMIT}; 0 means {DEFAULT_LIMIT}.")
    artifacts = requests.artifacts
    chosen = plan(artifacts, rules_of(request.rules), request.limit or DEFAULT_LIMIT, caller)
    if request.dry_run:
        garbage = described(artifacts, chosen.garbage, caller)
    else:
        garbage = [
            one for batch in collect(artifacts, chosen.garbage, request.reason, caller, chosen.keeping) for one in batch
        ]
    return v1.CollectGarbageResponse(garbage=_shown(garbage), more=chosen.more, kept_count=chosen.kept_count)


def _shown(garbage: Iterable[Held]) -> Iterable[v1.Garbage]:
    return (
        v1.Garbage(
            artifact_id=one.artifact_id, file_count=one.file_count, size_bytes=one.size_bytes, root_uri=one.told_uri
        )
        for one in garbage
    )


def _verify(requests: Requests, caller: Caller, request: v1.VerifyArtifactsRequest) -> Message:
    if not 0 < len(request.artifact_ids) <= MOST_VERIFIED:
        raise InvalidArgument(
            f"artifact_ids: {len(request.artifact_ids)} are not 1 to {MOST_VERIFIED}; `mlmd-server verify` reads all."
        )
    answer, unread = v1.VerifyArtifactsResponse(), list[int]()
    chosen = list(request.artifact_ids)
    for found in verify(requests.artifacts, artifact_ids=chosen, caller=caller, passed_over=unread):
        answer.file_count += 1
        answer.size_bytes += found.size_bytes
        if found.verdict is not Verdict.SAME:
            verdict = _VERDICTS[found.verdict]
            answer.findings.add(artifact_id=found.artifact_id, path=found.path, verdict=verdict)
    answer.unread_artifact_ids.extend(unread)
    return answer


def _sweep(requests: Requests, caller: Caller, request: v1.SweepRequest) -> Message:
    if request.grace_seconds < 0:
        raise InvalidArgument(f"grace_seconds: {request.grace_seconds} is below 0.")
    grace = request.grace_seconds if request.HasField("grace_seconds") else requests.grace_seconds
    swept = sweep(requests.artifacts, grace, caller)
    return v1.SweepResponse(
        abandoned_artifact_ids=swept.abandoned,
        deleted_artifact_ids=swept.deleted,
        failures=swept.failures,
        failure_count=swept.failure_count,
    )


def _in_store(
    name: str,
    role: Role,
    write: bool,
    body: Callable[[Transaction, Any], Any],
    requests: Requests,
    caller: Caller,
    request: Message,
) -> Message:
    shapes = getattr(v1, f"{name}Request"), getattr(v1, f"{name}Response")
    answer: Message = requests.artifacts.store.call(Rpc(SERVICE, name, *shapes, role, write, body), caller, request)
    return answer


def _facts(name: str, body: Callable[[Transaction, Any], Any], *, role: Role, write: bool) -> ArtifactCall:
    """Return a call that is a function of a transaction."""
    return ArtifactCall(name, role, partial(_in_store, name, role, write, body), SERVICE, v1, needs_bytes=False)


_care = partial(ArtifactCall, role=Role.ADMIN, service=SERVICE, shapes=v1)

CARE_CALLS: tuple[ArtifactCall, ...] = (
    _care("Purge", run=_purge),
    _facts("ListTombstones", list_tombstones, role=Role.READER, write=False),
    _facts("PinArtifact", pin_artifact, role=Role.WRITER, write=True),
    _facts("UnpinArtifact", unpin_artifact, role=Role.WRITER, write=True),
    _facts("ListPins", list_pins, role=Role.READER, write=False),
    _care("CollectGarbage", run=_collect),
    _care("ExplainKept", role=Role.READER, run=_explain, needs_bytes=False),
    _care("VerifyArtifacts", run=_verify),
    _care("Sweep", run=_sweep),
)
