"""Posting what is queued for webhooks: signed, tried again with growing waits, noted.

Each webhook is posted to one delivery at a time, oldest first, and by a thread of its own: one whose receiver hangs
keeps no other waiting. A delivery is claimed by moving the time it is due ahead, in a transaction of its own; so of
several servers one posts it, and when that one dies another does. It may therefore be posted twice, never not at all;
`Mlmd-Delivery` is the same each time.
"""

import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.chance import CHANCE
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.tables.registry import DELIVERY, WEBHOOK

from mlmd_model_registry.public_addresses import Destination, judged_address, parse_destination

MOST_ATTEMPTS = 12
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 2.0, 3600.0
ANSWER_SECONDS = 10.0
"""How long connecting, and each silence of the other side, may take."""
WHOLE_SECONDS = 30.0
"""How long one attempt may take altogether."""
_LEASE_MS = 120_000
_AT_ONCE = 8
_LOOK_SECONDS = 0.5
"""How soon what has become due is seen while something is being posted."""
_DUE = (
    sa.select(sa.func.min(DELIVERY.c.id), DELIVERY.c.webhook_id, WEBHOOK.c.id)
    .outerjoin(WEBHOOK, WEBHOOK.c.id == DELIVERY.c.webhook_id)
    .where(DELIVERY.c.state == v1.DELIVERY_STATE_PENDING, DELIVERY.c.due_ms <= sa.bindparam("now"))
    .group_by(DELIVERY.c.webhook_id, WEBHOOK.c.id)
    .order_by(sa.func.min(DELIVERY.c.due_ms), sa.func.min(DELIVERY.c.id))
)
"""The oldest of each webhook, and whether that is there; a move may have been queued while its webhook was deleted."""
_FORGET = sa.delete(DELIVERY).where(
    DELIVERY.c.webhook_id.in_(sa.bindparam("ids", expanding=True)),
    ~sa.exists().where(WEBHOOK.c.id == DELIVERY.c.webhook_id),
)
_CLAIMED = (
    sa.select(
        DELIVERY.c.id,
        DELIVERY.c.webhook_id,
        DELIVERY.c.attempts,
        DELIVERY.c.body,
        WEBHOOK.c.url,
        WEBHOOK.c.secret,
        DELIVERY.c.due_ms,
    )
    .join(WEBHOOK, WEBHOOK.c.id == DELIVERY.c.webhook_id)
    .where(DELIVERY.c.id.in_(sa.bindparam("ids", expanding=True)), DELIVERY.c.state == v1.DELIVERY_STATE_PENDING)
    .with_for_update()
)
_CLAIM = (
    sa.update(DELIVERY)
    .where(DELIVERY.c.id.in_(sa.bindparam("ids", expanding=True)))
    .values(due_ms=sa.bindparam("until"))
)
_NOTE = (
    sa.update(DELIVERY)
    .where(DELIVERY.c.id == sa.bindparam("delivery"), DELIVERY.c.state == v1.DELIVERY_STATE_PENDING)
    .values(
        state=sa.bindparam("new_state"),
        attempts=sa.bindparam("new_attempts"),
        due_ms=sa.bindparam("new_due_ms"),
        last_status=sa.bindparam("new_status"),
        problem=sa.bindparam("new_problem"),
    )
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be posted."""

    id: int
    webhook_id: int
    attempts: int
    body: bytes
    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt; `status` is 0 when there was no answer."""

    status: int
    problem: str

    @property
    def delivered(self) -> bool:
        """Whether the other side took it."""
        return 200 <= self.status < 300


def signature(secret: str, seconds: int, body: bytes) -> str:
    """Return the value of `Mlmd-Signature`: HMAC-SHA256 over `<seconds>.<body>` under the webhook's secret."""
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


class Courier:
    """Posts the deliveries of one store that are due."""

    def __init__(self, store: Store, *, private_too: bool = False) -> None:
        self._store = store
        self._private_too = private_too

    def deliver_due(self, is_over: Callable[[], bool] = lambda: False) -> int:
        """Post what is due, until nothing is or `is_over` says so; return how many were posted. Raises StoreError.

        A webhook that does not take something is left to the next call.
        """
        posted, under_way, troubled = 0, dict[Future[Outcome], Delivery](), set[int]()
        if not self._due(()):
            return 0
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="courier") as pool:
            while True:
                busy = [one.webhook_id for one in under_way.values()]
                for delivery in () if is_over() else self._claimed(troubled.union(busy), _AT_ONCE - len(busy)):
                    under_way[pool.submit(self._post, delivery)] = delivery
                    posted += 1
                if not under_way:
                    return posted
                for done in wait(under_way, _LOOK_SECONDS, FIRST_COMPLETED).done:
                    delivery, outcome = under_way.pop(done), done.result()
                    self._note(delivery, outcome)
                    if not outcome.delivered:
                        troubled.add(delivery.webhook_id)

    def _claimed(self, without: Collection[int], most: int) -> list[Delivery]:
        """Claim the oldest delivery of each webhook, but of some, and of at most so many."""
        ids = self._due(without)[:most]
        return self._store.database.write(LOCAL, lambda tx: _claim(tx, ids)) if ids else []

    def _due(self, without: Collection[int]) -> list[int]:
        rows = self._store.database.read(LOCAL, lambda tx: tx.rows(_DUE, {"now": tx.agreed_ms()}), in_passing=True)
        gone = [webhook_id for _, webhook_id, there in rows if there is None]
        if gone:
            self._store.database.write(LOCAL, lambda tx: tx.execute_in(_FORGET, gone), repeatable=True)
        return [row[0] for row in rows if row[2] is not None and row[1] not in without]

    def _note(self, delivery: Delivery, outcome: Outcome) -> None:
        pause = wait_seconds(delivery.attempts + 1)
        body = partial(_put_note, delivery=delivery, outcome=outcome, pause=pause)
        self._store.database.write(LOCAL, body, repeatable=True)

    def _post(self, delivery: Delivery) -> Outcome:
        try:
            destination = parse_destination(delivery.url)
            address = judged_address(destination, private_too=self._private_too)
        except InvalidArgument as error:
            return Outcome(0, error.message)
        try:
            status = post(destination, address, delivery)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Outcome(0, f"no answer from {destination.host}: {type(error).__name__}")
        return Outcome(status, "" if 200 <= status < 300 else f"{destination.host} answered {status}")


def _claim(tx: Transaction, ids: Sequence[int]) -> list[Delivery]:
    now = tx.agreed_ms()
    rows = [row for row in tx.rows_in(_CLAIMED, ids) if row[6] <= now]
    if rows:
        tx.execute(_CLAIM, {"ids": [row[0] for row in rows], "until": now + _LEASE_MS})
    return [Delivery(row[0], row[1], row[2], bytes(row[3]), row[4], row[5]) for row in rows]


def _put_note(tx: Transaction, delivery: Delivery, outcome: Outcome, pause: float) -> None:
    tx.execute(_NOTE, _noted(delivery, outcome, tx.agreed_ms(), pause))


def _noted(delivery: Delivery, outcome: Outcome, due: int, pause: float) -> dict[str, Any]:
    attempts = delivery.attempts + 1
    state = v1.DELIVERY_STATE_PENDING
    if outcome.delivered:
        state = v1.DELIVERY_STATE_DELIVERED
    elif attempts >= MOST_ATTEMPTS:
        state = v1.DELIVERY_STATE_FAILED
    else:
        due += int(1000 * pause)
    return {
        "delivery": delivery.id,
        "new_state": state,
        "new_attempts": attempts,
        "new_due_ms": due,
        "new_status": outcome.status,
        "new_problem": outcome.problem,
    }


def wait_seconds(attempts: int) -> float:
    """Return how long to wait after so many attempts: twice as long each time, up to an hour, with some jitter."""
    return min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (attempts - 1)) * CHANCE.uniform(0.75, 1.25)


def post(destination: Destination, address: str, delivery: Delivery) -> int:
    """Post a delivery to an address and return the status of the answer; redirects are not followed."""
    seconds = int(time.time())
    headers = {
        "content-type": "application/json",
        "user-agent": "mlmd-server",
        "mlmd-delivery": str(delivery.id),
        "mlmd-signature": signature(delivery.secret, seconds, delivery.body),
    }
    connection = _Pinned(destination, address)
    watchdog = threading.Timer(WHOLE_SECONDS, connection.cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        connection.request("POST", destination.target, delivery.body, headers)
        return connection.getresponse().status
    finally:
        watchdog.cancel()
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to the address that was judged, under the name of the URL."""

    def __init__(self, destination: Destination, address: str) -> None:
        super().__init__(destination.host, destination.port, timeout=ANSWER_SECONDS)
        self._address = address
        self._tls = destination.scheme == "https"

    def connect(self) -> None:
        """Connect, with TLS when the URL says so."""
        plain = socket.create_connection((self._address, self.port), ANSWER_SECONDS)
        self.sock = plain
        if self._tls:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)

    def cut(self) -> None:
        """End an attempt that goes on for too long."""
        sock = self.sock
        if sock is not None:
            with contextlib.suppress(OSError):  # it ended by itself at this moment
                sock.shutdown(socket.SHUT_RDWR)
