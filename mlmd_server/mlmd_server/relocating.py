"""`mlmd-server relocate`: says that bytes were copied to `--artifacts`, has it proven, and lets every uri follow."""

import argparse
from dataclasses import dataclass

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.claims import claims
from mlmd_artifact_store.relocated_uris import Relocation, relocation
from mlmd_artifact_store.relocation import (
    NOTHING,
    Rewritten,
    check_no_uploads,
    finish,
    newest_artifact,
    rewrite,
    to_rewrite,
)
from mlmd_artifact_store.relocation_proof import Found, prove_relocated
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.verification import Verdict
from mlmd_schemas.caller import Caller
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import InvalidArgument

from mlmd_server.findings import Output
from mlmd_server.statuses import FAILED


@dataclass(slots=True)
class _Proof:
    """What was found of the files so far."""

    files: int = 0
    by_size: int = 0
    lacking: int = 0
    damaged: int = 0


def relocate(requests: Requests, caller: Caller, arguments: argparse.Namespace, output: Output) -> int:
    """Prove what was copied, then rewrite uris; raises InvalidArgument for a root that cannot be one.

    Raises FailedPrecondition while uploads to the old root are under way, and when the new one is not this store's.
    """
    if not 1 <= arguments.parallel <= 256:
        raise InvalidArgument(f"parallel: {arguments.parallel} is not 1 to 256.")
    artifacts = requests.artifacts
    move = relocation(arguments.from_root, artifacts.place.root, artifacts.place.tenant)
    artifacts.ownership.look()
    check_no_uploads(artifacts, move, caller)
    newest = newest_artifact(artifacts, caller)
    proof, parallel, read = _Proof(), arguments.parallel, arguments.verify
    for found in prove_relocated(artifacts, move, newest, caller, parallel=parallel, read=read):
        _note(proof, found, output)
    _tell_proof(proof, move, output)
    if proof.lacking:
        return FAILED
    if arguments.dry_run:
        what = to_rewrite(artifacts, move, newest, caller)
        _tell(output, "would rewrite", what, move)
    else:
        artifacts.ownership.settle()
        what = sum(rewrite(artifacts, move, newest, caller), NOTHING)
        _tell(output, "rewrote", what, move)
        finish(artifacts, move, caller)
    if not proof.files and what == NOTHING:
        _tell_nothing(artifacts, move, caller, output)
    return 0 if arguments.dry_run else _left(artifacts, move, caller, output)


def _tell_proof(proof: _Proof, move: Relocation, output: Output) -> None:
    here = f"looked for {counted(proof.files, 'file')} at {move.new}"
    sized = f", {proof.by_size} by size alone (--verify reads them)" if proof.by_size else ""
    known = f"; {proof.damaged} were missing or changed before" if proof.damaged else ""
    output.summary(f"{here}{sized}; {proof.lacking} missing or changed{known}")
    if proof.lacking:
        output.summary(
            f"nothing was changed: copy what lacks from {move.old} under the same keys and run this again. What was "
            "lost before keeps nothing once `mlmd-server verify` has found it so"
        )


def _note(proof: _Proof, found: Found, output: Output) -> None:
    proof.files += 1
    proof.by_size += found.by_size
    if found.verdict is Verdict.SAME:
        return
    verdict = found.verdict.value
    if found.was_damaged:
        proof.damaged += 1
    else:
        proof.lacking += 1
    text = f"{verdict}{' before' if found.was_damaged else ''}: artifact {found.artifact_id}, {found.path}"
    told = {"artifact_id": found.artifact_id, "path": found.path, "verdict": verdict, "before": found.was_damaged}
    output.line(text, **told)


def _tell(output: Output, did: str, what: Rewritten, move: Relocation) -> None:
    manifests = counted(what.manifests, "manifest")
    text = (
        f"{did} the uris of {counted(what.artifacts, 'artifact')} and the places of {manifests} "
        f"from {move.old} to {move.new}"
    )
    told = {"from": move.old, "to": move.new, "artifacts": what.artifacts, "manifests": what.manifests}
    output.line(text, **told, rewritten=did == "rewrote")


def _tell_nothing(artifacts: Artifacts, move: Relocation, caller: Caller, output: Output) -> None:
    places = artifacts.store.database.read(caller, claims)
    where = f"; it has its bytes at {', '.join(places)}" if places else ""
    output.summary(f"nothing of this store is at {move.old}{where}")


def _left(artifacts: Artifacts, move: Relocation, caller: Caller, output: Output) -> int:
    """Tell what came below the old root since the proof; returns the exit status."""
    check_no_uploads(artifacts, move, caller)
    left = to_rewrite(artifacts, move, newest_artifact(artifacts, caller), caller)
    if left == NOTHING:
        return 0
    output.summary(
        f"of {counted(left.artifacts, 'artifact')} the uri is below {move.old} since: stop what still writes there, "
        "copy what came, and run this again"
    )
    return FAILED
