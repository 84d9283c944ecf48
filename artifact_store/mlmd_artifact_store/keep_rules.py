"""What keeps the bytes of artifacts by itself: aliases, the registry, pins, age, unfinished work.

Each rule is one statement over the whole store and yields artifacts with the reason, for people.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.alias_targets import alias_targets, aliased_ids
from mlmd_metadata_store.pins import all_pins, pinned_ids
from mlmd_metadata_store.registered_artifacts import registered_artifacts, registered_ids
from mlmd_metadata_store.served_versions import all_served
from mlmd_metadata_store.tombstones import What
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.own import TOMBSTONE, UPLOAD, VERSION
from mlmd_schemas.tables.v10 import CONTEXT, EVENT, EXECUTION, Kind

from mlmd_artifact_store.upload_rows import copied_by

UNFINISHED = (int(pb.Execution.NEW), int(pb.Execution.RUNNING))
"""States of executions that use what their events name: pods to come, deployments, training."""
DEFAULT_NEWEST = 1
DEFAULT_YOUNGER_SECONDS = 30 * 86400
_LONGEST_SECONDS = 1000 * 366 * 86400

_VERSIONS = (
    sa.select(VERSION.c.artifact_id, CONTEXT.c.name, VERSION.c.context_id, VERSION.c.number)
    .join(CONTEXT, CONTEXT.c.id == VERSION.c.context_id)
    .outerjoin(
        TOMBSTONE,
        sa.and_(
            TOMBSTONE.c.type_kind == Kind.ARTIFACT.value,
            TOMBSTONE.c.node_id == VERSION.c.artifact_id,
            TOMBSTONE.c.what == What.BYTES.value,
        ),
    )
    .where(TOMBSTONE.c.node_id.is_(None))
    .order_by(VERSION.c.context_id, VERSION.c.number.desc())
)
_RUNNING = (
    sa.select(EVENT.c.artifact_id, EVENT.c.execution_id)
    .join(EXECUTION, EXECUTION.c.id == EVENT.c.execution_id)
    .where(EXECUTION.c.last_known_state.in_(UNFINISHED))
)
_CLOCKS_MS = 86_400_000
_RESUMED = sa.select(EVENT.c.artifact_id).join(EXECUTION, EXECUTION.c.id == EVENT.c.execution_id)
_RESUMED = _RESUMED.where(
    EXECUTION.c.last_update_time_since_epoch >= sa.bindparam("since"),
    EXECUTION.c.last_known_state.in_(UNFINISHED),
)
_PENDING = sa.select(UPLOAD.c.artifact_id)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is kept besides what is always kept."""

    newest: int = DEFAULT_NEWEST
    younger_than_seconds: int = DEFAULT_YOUNGER_SECONDS
    origins: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an artifact is kept."""

    artifact_id: int
    rule: v1.KeptReason.Rule
    """Of `KeptReason.Rule`."""
    text: str


def rules_of(message: v1.KeepRules) -> Rules:
    """Return the rules of a request, with the defaults; raises InvalidArgument."""
    newest = message.newest if message.HasField("newest") else DEFAULT_NEWEST
    younger = message.younger_than_seconds if message.HasField("younger_than_seconds") else DEFAULT_YOUNGER_SECONDS
    if newest < 0:
        raise InvalidArgument(f"rules.newest: {newest} is below 0; 0 keeps no version for being new.")
    if not 0 <= younger <= _LONGEST_SECONDS:
        raise InvalidArgument(f"rules.younger_than_seconds: {younger} is not 0 to {_LONGEST_SECONDS}.")
    return Rules(newest, younger, not message.without_origins)


def reasons(tx: Transaction, rules: Rules) -> Iterator[Reason]:
    """Yield every artifact that is kept by something other than its age or its descendants."""
    for rule in _ALWAYS:
        yield from rule(tx)
    yield from _newest(tx, rules.newest)


def decided(tx: Transaction) -> set[int]:
    """Return the artifacts that people keep: by an alias, in the registry, by a pin, or because a service serves them.

    A long collection asks for them again and again, so only ids are read.
    """
    served = {one.artifact_id for one in all_served(tx)}
    return aliased_ids(tx) | registered_ids(tx) | pinned_ids(tx) | served


def resumed(tx: Transaction, since_ms: int) -> set[int]:
    """Return the artifacts of executions that have not ended and were changed since then, set to RUNNING for example.

    Executions are dated by the clocks of whoever wrote them, so a day before is looked at, too.
    """
    return {row[0] for row in tx.rows(_RESUMED, {"since": since_ms - _CLOCKS_MS})}


def _aliased(tx: Transaction) -> Iterator[Reason]:
    for artifact_id, collection, alias in alias_targets(tx):
        yield Reason(artifact_id, v1.KeptReason.RULE_ALIAS, f"the alias {alias!r} of {collection} points at it")


def _registered(tx: Transaction) -> Iterator[Reason]:
    for artifact_id, model, number in registered_artifacts(tx):
        text = f"it is version {number} of the registered model {model}, which is not archived"
        yield Reason(artifact_id, v1.KeptReason.RULE_REGISTERED, text)


def _pinned(tx: Transaction) -> Iterator[Reason]:
    for pin in all_pins(tx):
        why = f": {pin.reason}" if pin.reason else ""
        yield Reason(pin.artifact_id, v1.KeptReason.RULE_PINNED, f"{pin.subject or 'somebody'} pinned it{why}")


def _running(tx: Transaction) -> Iterator[Reason]:
    for artifact_id, execution_id in tx.rows(_RUNNING):
        yield Reason(
            artifact_id, v1.KeptReason.RULE_RUNNING, f"the execution {execution_id}, which has not ended, uses it"
        )


def _served(tx: Transaction) -> Iterator[Reason]:
    for one in all_served(tx):
        text = f"the service {one.service} serves it as version {one.number} of the model {one.model!r}"
        yield Reason(one.artifact_id, v1.KeptReason.RULE_RUNNING, text)


def _pending(tx: Transaction) -> Iterator[Reason]:
    for (artifact_id,) in tx.rows(_PENDING):
        yield Reason(artifact_id, v1.KeptReason.RULE_PENDING, "its upload has not ended")


def _copied(tx: Transaction) -> Iterator[Reason]:
    for source, copiers in copied_by(tx).items():
        for copier in sorted(copiers):
            yield Reason(source, v1.KeptReason.RULE_COPIED, f"the upload of artifact {copier} copies files from it")


def _newest(tx: Transaction, count: int) -> Iterator[Reason]:
    if not count:
        return
    context, rank = 0, 0
    for artifact_id, name, context_id, number in tx.rows(_VERSIONS):
        context, rank = context_id, rank + 1 if context_id == context else 1
        if rank <= count:
            shown = f"version {number} of {tx.text.decode(name)}"
            yield Reason(artifact_id, v1.KeptReason.RULE_NEWEST, f"it is {shown}, one of the {count} newest")


_ALWAYS: tuple[Callable[[Transaction], Iterator[Any]], ...] = (
    _aliased,
    _registered,
    _pinned,
    _running,
    _served,
    _pending,
    _copied,
)
