"""Who is asking, and how long they will wait."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from mlmd_schemas.errors import DeadlineExceeded


class Role(StrEnum):
    """What a caller may do; each role includes the ones before it."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"


def new_request_id() -> str:
    """Return a fresh request id of 16 hexadecimal digits."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity and the terms of one call.

    `deadline` is on the clock of `time.monotonic()`, in seconds; None means that the caller waits for ever.
    `idempotency_key` makes a write safe to repeat: the same key gets the stored answer.
    `gone` is there for streaming calls: it is set when the caller left or the server is about to stop.
    `turn` is there where long lists wait for each other: it waits so many seconds at most, without end for None.
    """

    subject: str = ""
    tenant: str = ""
    roles: frozenset[Role] = frozenset(Role)
    request_id: str = field(default_factory=new_request_id)
    deadline: float | None = None
    idempotency_key: str | None = None
    gone: threading.Event | None = field(default=None, compare=False)
    turn: Callable[[float | None], None] | None = field(default=None, compare=False)

    @property
    def is_gone(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.gone is not None and self.gone.is_set()

    def check_deadline(self) -> None:
        """Raise DeadlineExceeded when the deadline has passed."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise DeadlineExceeded("The deadline of the call passed before the answer was ready; nothing was written.")

    def wait_for_turn(self) -> None:
        """Wait until the call may make a long list; again does no harm. Raises DeadlineExceeded."""
        if self.turn is not None:
            self.turn(self.remaining_seconds())
            self.check_deadline()

    def remaining_seconds(self) -> float | None:
        """Return how long the caller still waits, never below zero; None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


LOCAL = Caller(subject="local", request_id="local")
"""The caller of the embedded store: may do everything, has no deadline."""
