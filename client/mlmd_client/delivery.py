"""Calls out of a journal to the server: in order, each once, whoever sends them."""

import enum
import logging
import math
import os
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import metrics_pb2, runs_pb2, server_pb2

from mlmd_client.calls import CallError
from mlmd_client.journal import Journal, Record, discard_begun, left_behind
from mlmd_client.points import owners_of
from mlmd_client.service import Service, path_of

LOG = logging.getLogger("mlmd")
START_RUN = "/mlmd.v1.Runs/StartRun"
FINISH_RUN = "/mlmd.v1.Runs/FinishRun"
PUT_EVENTS = "/ml_metadata.MetadataStoreService/PutEvents"
_CALLS: dict[str, tuple[type[Message], type[Message]]] = {
    path_of(request, answer): (request, answer)
    for request, answer in (
        (runs_pb2.StartRunRequest, runs_pb2.StartRunResponse),
        (runs_pb2.FinishRunRequest, runs_pb2.FinishRunResponse),
        (mlmd.PutEventsRequest, mlmd.PutEventsResponse),
        (metrics_pb2.LogSeriesRequest, metrics_pb2.LogSeriesResponse),
        (metrics_pb2.LogScalarsRequest, metrics_pb2.LogScalarsResponse),
        (metrics_pb2.LogEvaluationRequest, metrics_pb2.LogEvaluationResponse),
        (metrics_pb2.LogConfusionMatrixRequest, metrics_pb2.LogConfusionMatrixResponse),
        (metrics_pb2.LogCurveRequest, metrics_pb2.LogCurveResponse),
    )
}
"""What a journal may hold, by path: what is sent and what answers."""
_NEVER = frozenset(
    {
        Code.INVALID_ARGUMENT,
        Code.NOT_FOUND,
        Code.ALREADY_EXISTS,
        Code.FAILED_PRECONDITION,
        Code.OUT_OF_RANGE,
        Code.UNIMPLEMENTED,
    }
)
"""Codes that sending again does not change. RESOURCE_EXHAUSTED it may change, unless the call is too large."""
SEND_SECONDS = 20.0


class Outcome(enum.Enum):
    """What became of a call.

    >>> Outcome.SENT.name
    'SENT'
    """

    SENT = 1
    LATER = 2
    NEVER = 3


@dataclass(slots=True)
class Addressee:
    """The run that calls belong to; its execution is 0 until the server has told.

    >>> Addressee("4f0c9d2b7a6e4c18").execution_id
    0
    """

    token: str
    execution_id: int = 0
    context_id: int = 0
    number: int = 0
    is_joined: bool = False
    """Whether another process starts the run, so that the server may yet hear of it."""

    def learn(self, run: runs_pb2.Run) -> None:
        """Take over what the server says of the run."""
        self.context_id, self.number, self.execution_id = (
            run.context_id,
            run.number,
            run.execution_id,
        )  # known by its id


def send(service: Service, addressee: Addressee, record: Record, until: float = math.inf) -> tuple[Outcome, str]:
    """Make the call of a record; return what became of it and, unless it was sent, why.

    When `until` comes, on this process's clock, nobody is asked, or waited for, any more.
    """
    if time.monotonic() >= until:
        return Outcome.LATER, "there was too little time"
    if record.path not in _CALLS:
        return Outcome.NEVER, f"{record.path} is no call that this version of the client knows"
    try:
        if record.path != START_RUN and record.path != FINISH_RUN and not addressee.execution_id:
            _join(service, addressee, until)
        request, kind = _addressed(record, addressee), _CALLS[record.path][1]
        answer = service.once(request, kind, key=record.key, timeout_seconds=_patience(until))
    except CallError as error:
        if error.code == Code.RESOURCE_EXHAUSTED and (said := _too_large(service, record, until)):
            return Outcome.NEVER, said
        if record.path == PUT_EVENTS and error.code == Code.ALREADY_EXISTS:
            return Outcome.SENT, ""
        return Outcome.NEVER if error.code in _NEVER else Outcome.LATER, error.message
    if isinstance(answer, runs_pb2.StartRunResponse):
        addressee.learn(answer.run)
        addressee.token = answer.token
    return Outcome.SENT, ""


def _patience(until: float) -> float:
    return max(0.001, min(SEND_SECONDS, until - time.monotonic()))


def _too_large(service: Service, record: Record, until: float) -> str:
    """Say that a call is larger than the server ever takes; "" when it is not, or nobody knows."""
    try:
        info = service.once(server_pb2.GetInfoRequest(), server_pb2.GetInfoResponse, timeout_seconds=_patience(until))
    except CallError:
        return ""
    size, most = len(record.request), info.limits.max_message_bytes
    return f"it has {size} bytes, more than the {most} that the server takes" if 0 < most < size else ""


def _join(service: Service, addressee: Addressee, until: float) -> None:
    try:
        request = runs_pb2.JoinRunRequest(token=addressee.token)
        addressee.learn(service.once(request, runs_pb2.JoinRunResponse, timeout_seconds=_patience(until)).run)
    except CallError as error:
        if addressee.is_joined and error.code == Code.NOT_FOUND:
            raise CallError(Code.UNAVAILABLE, f"{error.message} Whoever starts it has not been heard yet.") from None
        raise


def _addressed(record: Record, addressee: Addressee) -> Message:
    """Return the request with the ids that were not known when it was written."""
    request: Message = _CALLS[record.path][0]()
    request.ParseFromString(record.request)
    if isinstance(request, runs_pb2.FinishRunRequest):
        request.token = addressee.token  # not the one it was written with when the run was joined by key
    for owner in owners_of(record.path, request):
        if owner.WhichOneof("node") is None:
            owner.execution_id = addressee.execution_id
    if isinstance(request, mlmd.PutEventsRequest):
        for event in request.events:
            if not event.HasField("execution_id"):
                event.execution_id = addressee.execution_id
    return request


def journal_folder(target: str) -> Path:
    """Return where the journals of a store are: below `MLMD_JOURNAL`, or in the user's folder for such things.

    >>> journal_folder("a:8080") == journal_folder("b:8080")
    False
    """
    chosen = os.environ.get("MLMD_JOURNAL") or os.environ.get("XDG_STATE_HOME")
    try:
        root = Path(chosen) if chosen else Path.home() / ".local" / "state"
    except RuntimeError:  # nobody's home
        import tempfile  # seldom needed, and slow to import

        root = Path(tempfile.gettempdir())
    if not os.environ.get("MLMD_JOURNAL"):
        root = root / "mlmd" / "journal"
    return root / sha256(target.encode()).hexdigest()[:16]


def deliver_left_behind(service: Service, folder: Path, until: float = math.inf) -> tuple[int, int]:
    """Send what processes that are gone left in a folder; return how many calls were sent and how many remain.

    A file is deleted when all of it is sent. What was sent before its process went is sent again, and the server
    knows it by its key. What is refused is kept as undeliverable. What is not sent when `until` comes, on this
    process's clock, remains.
    """
    sent = remaining = 0
    discard_begun(folder)
    for path in left_behind(folder):
        journal = Journal.take_over(path)
        if journal is None:
            continue
        done, left, _ = deliver(service, journal, until)
        sent, remaining = sent + done, remaining + left
    return sent, remaining


def deliver(service: Service, journal: Journal, until: float = math.inf) -> tuple[int, int, str]:
    """Send what is in a journal that was taken over, and let it go.

    Returns how many calls were sent, how many are left for later, and why the first of those is. What was refused, or
    is no whole call, stays beside it as undeliverable, with the reasons in its facts, and the log says so. Where the
    disk does not take that, the journal stays as it is, and what was refused is left for later.

    >>> import tempfile
    >>> deliver(store.service, Journal.create(Path(tempfile.mkdtemp()), {"token": "t"}))
    (0, 0, '')
    """
    token, execution_id = str(journal.facts.get("token", "")), int(journal.facts.get("execution_id", 0))
    addressee = Addressee(token, execution_id, is_joined=bool(journal.facts.get("joined")))
    places = [place for place, _ in journal.records()]
    refused: list[Record] = []
    reasons: list[str] = []
    for count, place in enumerate(places):
        record = journal.read(place)
        outcome, reason = send(service, addressee, record, until)
        if outcome is Outcome.LATER:
            journal.close()
            return count - len(refused), len(places) - count, reason
        if outcome is Outcome.NEVER:
            refused.append(record)
            reasons.append(f"{record.path.rpartition('/')[2]}: {reason}")
    sent = len(places) - len(refused)
    try:
        _let_go(service, journal, refused, {"refused": reasons, **_known(addressee)})
    except OSError as error:
        journal.close()
        reason = f"{journal.path} cannot be let go: {error.strerror}"
        LOG.warning("%s; mend that, or delete the file", reason)
        return sent, len(refused), reason
    return sent, 0, ""


def _known(addressee: Addressee) -> dict[str, Any]:
    """Return what the calls that are left have to know of the run, once its start was sent."""
    return {"token": addressee.token} | ({"execution_id": addressee.execution_id} if addressee.execution_id else {})


def _let_go(service: Service, journal: Journal, refused: list[Record], facts: dict[str, Any]) -> None:
    broken = journal.broken_bytes
    if not refused and not broken:
        journal.discard()
        return
    kept = journal.set_aside(refused, journal.facts | facts)
    for reason in facts["refused"]:
        LOG.warning("a call of an earlier process was refused by %s: %s", service.target, reason)
    if broken:
        LOG.warning("%s ends with %s of no whole call, which cannot be sent", journal.path, counted(broken, "byte"))
    LOG.warning("%s has what was not sent: `mlmd journals ls` shows it, retry and discard are there too", kept)
