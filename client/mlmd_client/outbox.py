"""What a run has to say and has not said yet: written to a journal, sent in the background, in order and once.

Two threads: one writes what was logged to the journal, every second or sooner; the other sends what is in the journal
and says that the run lives. So nothing that is logged waits for the network, and a process that is killed loses the
numbers of its last second, not more: what the run reads is on the disk before the call returns.

Ctrl-C breaks off the main thread anywhere. It finds no call between memory and journal, because a thread of ours takes
it there; and no lock that nobody will let go, because those who log and wait hold none of Python's own making
(`Condition`, `Event`), which may be broken off between being taken and being held.
"""

import contextlib
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from google.protobuf.message import Message
from mlmd_schemas.chance import CHANCE
from mlmd_schemas.counting import counted
from mlmd_schemas.pb.v1 import runs_pb2

from mlmd_client.calls import CallError
from mlmd_client.delivery import LOG, Addressee, Outcome, send
from mlmd_client.journal import Journal, Record
from mlmd_client.points import MANY, Call, Points, over
from mlmd_client.service import Service

FLUSH_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 15.0
_HEARTBEAT_SECONDS = 10.0
_MOST_REFUSALS = 5
"""So many are said at the end of a run."""
_DISK_SECONDS = 10.0
"""How long a caller waits at most for the disk, or instead of it for the server."""


class Outbox:
    """The calls of one run in one process; safe to use from many threads."""

    def __init__(
        self, service: Service, folder: Path, addressee: Addressee, *, heartbeat_seconds: float, facts: dict[str, str]
    ) -> None:
        """Open a journal in `folder` and start the threads; `heartbeat_seconds` of 0 sends none."""
        self.addressee = addressee
        self.points = Points()
        self.refusals: list[str] = []
        """Why calls were refused for good, each with its method."""
        self.refused_path: Path | None = None
        """Where those calls are kept; None when there are none, or that could not be done."""
        self.trouble = ""
        """Why the last call was not answered; empty while all is well."""
        self._service = service
        self._folder = folder
        self._facts: dict[str, Any] = {"target": service.target, "joined": addressee.is_joined, **facts}
        self._journal: Journal | None = None
        self._journal_failed = False
        self._refused: Journal | None = None
        self._path: Path | None = None
        self._name = secrets.token_hex(8)
        self._sequence = 0
        self._fresh: deque[Call] = deque()
        self._queue: deque[int | Record] = deque()
        self._noting = threading.Lock()
        self._filing = threading.Lock()  # around the journal and what of the queue is in it
        self._to_write: SimpleQueue[threading.Lock | None] = SimpleQueue()
        self._to_send: SimpleQueue[threading.Lock | None] = SimpleQueue()
        self._waiting: deque[threading.Lock] = deque()  # for everything to be sent
        self._closed = False  # to those who log
        self._closing = False  # for the threads
        self._heartbeat_seconds = heartbeat_seconds
        self._next_heartbeat = time.monotonic() + heartbeat_seconds
        self._threads = [
            threading.Thread(target=work, name=f"mlmd-{name}", daemon=True)
            for name, work in (("journal", self._write), ("sender", self._send))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def journal_path(self) -> Path | None:
        """The journal's file, that which was closed last too; None when there never was one."""
        return self._path

    def add_point(self, name: str, slice_name: str, value: float, step: int | None) -> None:
        """Note a point of a series."""
        if self.points.add(name, slice_name, value, step) == MANY:
            self._to_write.put(None)

    def put(self, path: str, request: Message, *, on_disk: bool = False) -> None:
        """Note a call; metrics that were noted before it are sent before it. Raises Refused when this was closed.

        With `on_disk` it is in the journal when this returns; where there is no journal, it was sent, or tried to.
        """
        with self._noting:
            if self._closed:
                raise over()
            self._fresh.append((path, request))
        if on_disk:
            self._have_written()
            if self._journal_failed:
                self.flush(_DISK_SECONDS)

    def flush(self, seconds: float) -> int:
        """Send everything that was noted, for at most so long; return how many calls are left."""
        self._have_written()
        until = time.monotonic() + seconds
        while self._queue and (left := until - time.monotonic()) > 0:
            ticket = _ticket()
            self._waiting.append(ticket)
            self._to_send.put(None)
            if self._queue:
                ticket.acquire(timeout=min(0.25, left))
        return self._left()

    def close(self, seconds: float) -> int:
        """Take nothing more, flush and end the threads; return how many calls are left, which stay in the journal.

        Closing again, when the first time was broken off, goes on with it.
        """
        self.points.close()
        with self._noting:
            self._closed = True
        self.flush(seconds)
        self._closing = True
        self._to_write.put(None)
        self._to_send.put(None)
        for thread in self._threads:
            thread.join(max(0.0, min(seconds, 5.0)))
        with self._filing:
            left = self._left()
            if self._journal is not None:
                if left:
                    self._journal.close()
                else:
                    self._journal.discard()
                self._journal = None
            self._let_refused_go()
        return left

    def _left(self) -> int:
        return len(self._fresh) + len(self._queue)

    @property
    def in_memory(self) -> int:
        """How many of the calls that are left are not on the disk."""
        return len(self._fresh) + sum(isinstance(one, Record) for one in self._queue)

    # --- to the journal -----------------------------------------------------------------------------------------------

    def _write(self) -> None:
        while not self._closing:
            tickets = _taken(self._to_write, FLUSH_SECONDS)
            self._collect()
            for ticket in tickets:
                ticket.release()

    def _have_written(self) -> None:
        """Wait until what was noted so far is in the journal."""
        if not self._closing:
            ticket = _ticket()
            self._to_write.put(ticket)
            ticket.acquire(timeout=_DISK_SECONDS)

    def _collect(self) -> None:
        """Move what was noted into the journal and the queue."""
        calls = list(self._fresh)  # before the points, so that those which were noted before a call are before it
        records = [self._record(path, request) for path, request in (*self.points.drain(), *calls)]
        if not records:
            return
        with self._filing:
            self._queue.extend(self._filed(records))
        for _ in calls:
            self._fresh.popleft()
        self._to_send.put(None)

    def _record(self, path: str, request: Message) -> Record:
        self._sequence += 1
        return Record(path, f"{self._name}-{self._sequence}", request.SerializeToString())

    def _filed(self, records: list[Record]) -> Sequence[int | Record]:
        """Write records to the journal and return their places; the records themselves when that cannot be done."""
        if not self._journal_failed:
            try:
                if self._journal is None:
                    self._journal = Journal.create(self._folder, self._facts | {"token": self.addressee.token})
                    self._path = self._journal.path
                return self._journal.append(records)
            except OSError as error:
                self._journal_failed = True
                LOG.warning("no journal in %s (%s): what is not sent yet is in memory alone", self._folder, error)
        return records

    # --- to the server ------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        pause = 0.0
        while True:
            if not self._queue or pause:
                _taken(self._to_send, self._pause(pause))
            if self._closing:
                return
            self._live()
            pause = self._send_next(pause)

    def _pause(self, after_failure: float) -> float:
        if after_failure:
            return after_failure * CHANCE.uniform(0.5, 1.5)
        return max(0.01, self._next_heartbeat - time.monotonic()) if self._heartbeat_seconds else LONGEST_PAUSE_SECONDS

    def _send_next(self, pause: float) -> float:
        """Send the oldest call; return how long to wait after a failure, 0 when there was none."""
        try:
            record = self._oldest()
        except (OSError, ValueError) as error:  # the disk
            outcome, reason = Outcome.LATER, f"the journal {self._path} cannot be read: {error}"
        else:
            if record is None:
                return 0.0
            outcome, reason = send(self._service, self.addressee, record)
        if outcome is Outcome.LATER:
            if not self.trouble:
                target = self._service.target
                LOG.warning("%s does not take what is logged (%s); going on, and sending later", target, reason)
            self.trouble = reason
            return min(LONGEST_PAUSE_SECONDS, max(0.2, pause * 2))
        self.trouble = ""
        if outcome is Outcome.NEVER and record is not None:
            LOG.warning("%s was refused for good: %s", record.path, reason)
        with self._filing:
            if outcome is Outcome.NEVER and record is not None:
                self._keep_refused(record, reason)
            self._queue.popleft()
            if not self._queue and self._journal is not None:
                self._journal.empty()
        while not self._queue and self._waiting:
            self._waiting.popleft().release()
        return 0.0

    def _keep_refused(self, record: Record, reason: str) -> None:
        """Keep a refused call in a journal of its own, which is one left behind when the process is killed."""
        self.refusals.append(f"{record.path.rpartition('/')[2]}: {reason}")
        try:
            if self._refused is None:
                self._refused = Journal.create(self._folder, self._facts | {"token": self.addressee.token})
            self._refused.append([record])
            self.refused_path = self._refused.path
        except OSError as error:
            LOG.warning("no journal in %s (%s): what was refused is lost", self._folder, error)

    def _let_refused_go(self) -> None:
        """Leave what was refused as undeliverable, with the reasons."""
        journal, self._refused = self._refused, None
        if journal is None:
            return
        facts: dict[str, Any] = {"token": self.addressee.token, "refused": self.refusals}
        if self.addressee.execution_id:
            facts["execution_id"] = self.addressee.execution_id
        try:
            self.refused_path = journal.set_aside([record for _, record in journal.records()], journal.facts | facts)
        except OSError as error:  # it stays as it is, for whoever opens the store next
            LOG.warning("%s cannot be set aside: %s", journal.path, error)
            journal.close()

    def _oldest(self) -> Record | None:
        with self._filing:
            if not self._queue:
                return None
            oldest = self._queue[0]
            if isinstance(oldest, Record):
                return oldest
            return None if self._journal is None else self._journal.read(oldest)  # None: closed meanwhile

    def _live(self) -> None:
        """Say that the run lives, when it is time."""
        if not self._heartbeat_seconds or not self.addressee.execution_id or time.monotonic() < self._next_heartbeat:
            return
        self._next_heartbeat = time.monotonic() + self._heartbeat_seconds
        try:
            request = runs_pb2.HeartbeatRequest(token=self.addressee.token)
            self._service.once(request, runs_pb2.HeartbeatResponse, timeout_seconds=_HEARTBEAT_SECONDS)
        except CallError as error:
            self.trouble = error.message


def _ticket() -> threading.Lock:
    """Return a lock that is taken: whoever waits takes it again, whoever is waited for lets it go."""
    ticket = threading.Lock()
    ticket.acquire()
    return ticket


def _taken(queue: "SimpleQueue[threading.Lock | None]", seconds: float) -> list[threading.Lock]:
    """Wait until somebody asks for something, for so long; return the tickets of those who wait for it."""
    found: list[threading.Lock] = []
    with contextlib.suppress(Empty):
        asked = queue.get(timeout=seconds)
        while True:
            if asked is not None:
                found.append(asked)
            asked = queue.get_nowait()
    return found


def say_what_remains(outbox: Outbox, left: int, run_name: str, target: str) -> None:
    """Say on standard error, as loudly as can be, what was refused and what of a run was not sent."""
    lines = [f"refused for good: {refusal}" for refusal in outbox.refusals[:_MOST_REFUSALS]]
    if len(outbox.refusals) > _MOST_REFUSALS:
        lines.append(f"and {counted(len(outbox.refusals) - _MOST_REFUSALS, 'more call')} of the run {run_name} refused")
    if outbox.refused_path is not None:
        lines.append(f"{outbox.refused_path} has what was refused: `mlmd journals ls` shows it, retry and discard too.")
    elif outbox.refusals:
        lines.append("what was refused IS LOST: no journal could be written.")
    if left:
        lost = outbox.in_memory
        said = [
            f"{counted(left, 'call')} of the run {run_name} could not be sent to {target} "
            f"({outbox.trouble or 'too little time'})"
        ]
        if left > lost:
            said.append(
                f"{left - lost} {'is' if left - lost == 1 else 'are'} in {outbox.journal_path}, "
                "and whoever opens this store next sends what is there, or store.sync(), or `mlmd journals retry`"
            )
        if lost:
            said.append(f"{lost} {'IS' if lost == 1 else 'ARE'} LOST: no journal could be written")
        lines.append("; ".join(said) + ".")
    for line in lines:
        sys.stderr.write(f"mlmd: {line}\n")
