"""Which artifacts' bytes are kept, why, and which are garbage: one look at one snapshot."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.node_ids import existing_ids
from mlmd_metadata_store.tombstones import tombstones_of
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import NotFound
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.own import MANIFEST
from mlmd_schemas.tables.v10 import ARTIFACT, EVENT, Kind

from mlmd_artifact_store.keep_rules import Reason, Rules, reasons
from mlmd_artifact_store.named_places import holders
from mlmd_artifact_store.origins import origins

_HELD = (
    sa.select(MANIFEST.c.artifact_id, MANIFEST.c.create_ms)
    .where(MANIFEST.c.is_external == 0)
    .order_by(MANIFEST.c.artifact_id)
)
_LAST_EVENT = sa.select(sa.func.coalesce(sa.func.max(EVENT.c.id), 0))
_LAST_ARTIFACT = sa.select(sa.func.coalesce(sa.func.max(ARTIFACT.c.id), 0))
_EXTERNAL = sa.select(MANIFEST.c.is_external, MANIFEST.c.root_uri).where(
    MANIFEST.c.artifact_id == sa.bindparam("artifact")
)


@dataclass(slots=True)
class Keeping:
    """What is kept in a store, and why."""

    held: dict[int, int]
    """Artifacts with bytes in this store, the oldest first, and since when (ms)."""
    reasons: dict[int, list[Reason]] = field(default_factory=dict)
    made_from: dict[int, int] = field(default_factory=dict)
    """Kept for what was made from them, or for a uri where their files are: the next one on the way to it."""
    named: set[int] = field(default_factory=set)
    """Those of them that are kept for a uri."""
    last_event: int = 0
    """The newest event that was there; with a later one, something may be made of garbage."""
    look_ms: int = 0
    """When it was looked, by the clock that all servers go by."""
    last_artifact: int = 0
    """The newest artifact that was there; a later one may say by its uri that garbage has its files."""
    with_origins: bool = True
    """Whether what is kept keeps what it was made from."""
    late: set[int] = field(default_factory=set)
    """What was not kept yet when it was looked, and is by now for a reason of its own."""
    late_event: int = 0
    """The newest event of what is late."""

    def keeps(self, artifact_id: int) -> bool:
        """Whether anything keeps an artifact."""
        return artifact_id in self.reasons or artifact_id in self.made_from or artifact_id in self.late

    def garbage(self) -> Iterator[int]:
        """Yield the artifacts whose bytes nothing keeps, the oldest first."""
        return (artifact_id for artifact_id in self.held if not self.keeps(artifact_id))

    def path(self, artifact_id: int) -> list[int]:
        """Return the way from an artifact to the one that is kept for a reason of its own."""
        path = [artifact_id]
        while path[-1] in self.made_from:
            path.append(self.made_from[path[-1]])
        return path


def look(tx: Transaction, rules: Rules) -> Keeping:
    """Find out what is kept and why."""
    look_ms = tx.agreed_ms()
    young_ms = look_ms - rules.younger_than_seconds * 1000
    last_event, last_artifact = (tx.rows(statement)[0][0] for statement in (_LAST_EVENT, _LAST_ARTIFACT))
    keeping = Keeping(
        {}, last_event=last_event, look_ms=look_ms, last_artifact=last_artifact, with_origins=rules.origins
    )
    for artifact_id, create_ms in tx.rows(_HELD):
        keeping.held[artifact_id] = create_ms
        if create_ms > young_ms:
            text = f"it was committed less than {_span(rules.younger_than_seconds)} ago"
            keeping.reasons[artifact_id] = [Reason(artifact_id, v1.KeptReason.RULE_YOUNG, text)]
    for reason in reasons(tx, rules):
        keeping.reasons.setdefault(reason.artifact_id, []).append(reason)
    close(tx, keeping, set(keeping.reasons), set())
    return keeping


def close(tx: Transaction, keeping: Keeping, fresh: set[int], kept: set[int]) -> None:
    """Add what `fresh` ones were made from and what has the files that their uris say, until nothing more comes.

    Of those that are `kept` already all that is known.
    """
    kept = kept | fresh
    while fresh:
        found = origins(tx, fresh, kept) if keeping.with_origins else {}
        kept |= found.keys()
        without_files = (fresh | found.keys()) - keeping.held.keys()
        named = {at: namer for at, namer in holders(tx, without_files, keeping.held).items() if at not in kept}
        keeping.made_from |= found | named
        keeping.named |= named.keys()
        kept |= named.keys()
        fresh = set(named)


def explain(tx: Transaction, artifact_id: int, rules: Rules) -> v1.ExplainKeptResponse:
    """Say what keeps an artifact, or who deleted its bytes; raises NotFound."""
    external: list[Any] = list(tx.rows(_EXTERNAL, {"artifact": artifact_id}))
    if not external and (gone := _gone(tx, artifact_id)):
        return v1.ExplainKeptResponse(summary=gone)
    keeping = look(tx, rules)
    if keeping.keeps(artifact_id):
        found = [v1.KeptReason(rule=one.rule, text=one.text) for one in keeping.reasons.get(artifact_id, ())]
        if artifact_id in keeping.made_from:
            found.append(_origin(keeping, artifact_id))
        summary = f"Artifact {artifact_id} is kept: {'; '.join(reason.text for reason in found)}."
        return v1.ExplainKeptResponse(kept=True, reasons=found, summary=summary)
    if external and external[0][0]:
        text = f"its bytes are not in this store but at {external[0][1]}, where this store deletes nothing"
        reason = v1.KeptReason(rule=v1.KeptReason.RULE_EXTERNAL, text=text)
        return v1.ExplainKeptResponse(kept=True, reasons=[reason], summary=f"Artifact {artifact_id} is kept: {text}.")
    if external:
        text = f"Nothing keeps artifact {artifact_id}; the next gc with these rules deletes its bytes."
        return v1.ExplainKeptResponse(summary=text)
    if not existing_ids(tx, Kind.ARTIFACT, [artifact_id]):
        raise NotFound(f"artifact_id: there is no artifact {artifact_id}.")
    return v1.ExplainKeptResponse(summary=f"Artifact {artifact_id} has no bytes in this store.")


def _origin(keeping: Keeping, artifact_id: int) -> v1.KeptReason:
    path = keeping.path(artifact_id)
    why = "; ".join(reason.text for reason in keeping.reasons[path[-1]])
    way = " → ".join(map(str, path[1:]))
    says = f"the uri of artifact {way} is where its files are" if artifact_id in keeping.named else ""
    text = f"{says or f'artifact {way} was made from it'}, which is kept: {why}"
    return v1.KeptReason(rule=v1.KeptReason.RULE_ORIGIN, text=text, path=path)


def _gone(tx: Transaction, artifact_id: int) -> str:
    """Say who deleted the bytes of an artifact, or purged it, and why; empty when nobody did."""
    told: dict[str, str] = {}
    for stone in sorted(tombstones_of(tx, Kind.ARTIFACT, [artifact_id]), key=lambda stone: -stone.what):
        day = datetime.datetime.fromtimestamp(stone.delete_ms / 1000, datetime.UTC).date()
        is_bytes = stone.what == v1.Tombstone.WHAT_BYTES
        what = f"The bytes of artifact {artifact_id} were deleted" if is_bytes else f"Artifact {artifact_id} was purged"
        told.setdefault(f" by {stone.subject or 'somebody'} on {day}: {stone.reason}.", what)  # of one purge once
    return " ".join(f"{what}{how}" for how, what in told.items())


def _span(seconds: int) -> str:
    """Return a time in the largest unit that divides it."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds and seconds % size == 0:
            return counted(seconds // size, unit)
    return counted(seconds, "second")
