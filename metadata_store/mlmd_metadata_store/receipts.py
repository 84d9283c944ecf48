"""Answers of writes that carried an idempotency key: a repeat gets the stored one."""

import hashlib
from functools import cache
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message
from mlmd_schemas.chance import CHANCE
from mlmd_schemas.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
)
from mlmd_schemas.tables.own import RECEIPT

from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.rpc import Rpc
from mlmd_metadata_store.transaction import Transaction

KEPT_MS = 7 * 24 * 3600 * 1000
LONGEST_KEY = 255
SWEEP_EVERY = 50
"""How many receipted writes there are, on average, to one that forgets old receipts."""
_SWEPT_AT_ONCE = 200

_BY_KEY = sa.select(RECEIPT.c.method, RECEIPT.c.request_sha256, RECEIPT.c.response).where(
    RECEIPT.c.idempotency_key == sa.bindparam("key")
)
_EXPIRED = (
    sa.select(RECEIPT.c.idempotency_key).where(RECEIPT.c.create_ms < sa.bindparam("before")).limit(_SWEPT_AT_ONCE)
)
_SWEEP = sa.delete(RECEIPT).where(RECEIPT.c.idempotency_key.in_(sa.bindparam("keys", expanding=True)))


class Receipt:
    """One request of a write, answered at most once under its key.

    Raises InvalidArgument for a key that cannot be kept.
    """

    __slots__ = ("_digest", "_key", "_request", "_rpc")

    def __init__(self, rpc: Rpc, request: Message, key: str) -> None:
        if not key or len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable():
            raise InvalidArgument(
                f"mlmd-idempotency-key: {key[:50]!r} is not 1 to {LONGEST_KEY} printable ASCII characters."
            )
        self._rpc = rpc
        self._request = request
        self._key = key
        self._digest = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()

    def answer(self, tx: Transaction) -> Any:
        """Return the stored response, None when there is none.

        Raises AlreadyExists when the key was used for another request.
        """
        for method, digest, response in tx.rows(_BY_KEY, {"key": self._key}):
            if method != self._rpc.path or bytes(digest) != self._digest:
                raise AlreadyExists(
                    f"mlmd-idempotency-key: {self._key!r} was used for another request; use a fresh key."
                )
            return self._rpc.response.FromString(bytes(response))
        return None

    def body(self, tx: Transaction) -> Any:
        """Return the stored response, or answer the request and store key, digest and response beside what it wrote."""
        answer = self.answer(tx)
        if answer is not None:
            return answer
        try:
            answer = self._rpc.body(tx, self._request)
        except (AlreadyExists, FailedPrecondition, Internal, InvalidArgument, NotFound):
            # An earlier sending of this very call, whose answer was lost, may have been committed since the first look;
            # what this transaction wrote has to go before its answer can be given.
            if self.answer(tx) is None:
                raise
            raise Aborted("The same call was answered at this moment; try again.") from None
        try:
            kept = answer if self._rpc.kept is None else self._rpc.kept(answer)
            self._keep(tx, kept.SerializeToString())
        except UniqueViolation as error:
            raise Aborted("The same call is being answered at this moment; try again.") from error
        if CHANCE.randrange(SWEEP_EVERY) == 0:
            sweep(tx)
        return answer

    def _keep(self, tx: Transaction, response: bytes) -> None:
        parameters: dict[str, Any] = {
            "key": self._key,
            "path": self._rpc.path,
            "digest": self._digest,
            "answer": response,
        }
        if tx.dialect.clock is None:
            parameters["now"] = now_ms()
        tx.execute(_insertion(tx.dialect.clock), parameters)


@cache
def _insertion(clock: sa.Select[Any] | None) -> sa.Insert:
    """Return the INSERT, which reads the database's clock itself: a statement for it would be one more a write."""
    now = sa.bindparam("now", type_=sa.BigInteger()) if clock is None else clock.scalar_subquery()
    return sa.insert(RECEIPT).values(
        idempotency_key=sa.bindparam("key"),
        method=sa.bindparam("path"),
        request_sha256=sa.bindparam("digest"),
        response=sa.bindparam("answer"),
        create_ms=now,
    )


def sweep(tx: Transaction) -> int:
    """Forget some receipts that are older than seven days; return how many."""
    keys = [key for (key,) in tx.rows(_EXPIRED, {"before": tx.agreed_ms() - KEPT_MS})]
    if keys:
        tx.execute(_SWEEP, {"keys": keys})
    return len(keys)
