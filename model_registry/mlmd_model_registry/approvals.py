"""Who approves of a version."""

import sqlalchemy as sa
from mlmd_metadata_store.reasons import check_reason
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import FailedPrecondition, NotFound
from mlmd_schemas.tables.registry import APPROVAL

from mlmd_model_registry.changes import touch

_LONGEST_SUBJECT = 255
_COLUMNS = ("version_id", "subject", "reason", "create_ms")
_WITHDRAW = sa.delete(APPROVAL).where(
    APPROVAL.c.version_id == sa.bindparam("version"), APPROVAL.c.subject == sa.bindparam("who")
)


def approve(tx: Transaction, version_id: int, reason: str, now: int) -> None:
    """Note that the caller approves; said again, the reason and the time are those of the last time."""
    check_reason(reason)
    tx.upsert(APPROVAL, _COLUMNS, [(version_id, _subject(tx), reason, now)], ("version_id", "subject"))
    touch(tx)


def withdraw(tx: Transaction, version_id: int) -> None:
    """Take the caller's approval back; raises NotFound when there is none."""
    if not tx.execute(_WITHDRAW, {"version": version_id, "who": _subject(tx)}):
        raise NotFound(f"withdraw: {tx.caller.subject!r} has not approved of this version.")
    touch(tx)


def _subject(tx: Transaction) -> str:
    subject = tx.caller.subject[:_LONGEST_SUBJECT]
    if not subject:
        raise FailedPrecondition("An approval needs somebody who gives it; call with a token that has a subject.")
    return subject
