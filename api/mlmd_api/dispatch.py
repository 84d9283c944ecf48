"""One call from any wire to its answer: who asks, what for, how long they wait, what is said and noted.

A wire turns what it received into a `Call` and renders the `Answer`; there are no rules anywhere else.
"""

import re
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from google.protobuf.message import Message
from mlmd_schemas.caller import Caller, Role, new_request_id
from mlmd_schemas.errors import (
    Cancelled,
    Code,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    StoreError,
    Unauthenticated,
    Unimplemented,
)

from mlmd_api.admission import Admission
from mlmd_api.call import IDEMPOTENCY_KEY, REQUEST_ID_KEY, Call, check_said_once
from mlmd_api.callers import LOCAL_READER, NOBODY, Authenticator, Everybody, Identity
from mlmd_api.codec import Codec
from mlmd_api.journal import Journal
from mlmd_api.long_lists import Turns
from mlmd_api.measurements import Measurements
from mlmd_api.message_sizes import DEFAULT_LIMITS, Limits, answer_too_large, request_too_large
from mlmd_api.methods import Method, StreamMethod
from mlmd_api.revocation import Revocation
from mlmd_api.status import describe, facts_of
from mlmd_api.streaming import Answer, Ending, Stream
from mlmd_api.untaken import Place, Untaken

LARGE_BYTES = 8 << 20
"""A call whose request and answer have more together may leave behind what the process should let go."""
_ANSWERS = 4
"""How many of the largest answers are held for callers who have not taken them."""
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_SANE_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class Work:
    """What a wire with a form of its own made of a call: what the log says of it, and the response's bytes."""

    body: bytes
    code: Code = Code.OK
    message: str = ""
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is refused whatever its message says, and who called as far as that was found out."""

    error: StoreError
    identity: Identity


@dataclass(slots=True)
class _Course:
    """What became known about a call on its way, for the log."""

    request_id: str
    identity: Identity = NOBODY
    started: float = field(default_factory=time.perf_counter)
    known: bool = False
    """Whether the path may name the call in the measurements."""


class Dispatcher:
    """Answers calls. One for the process; any thread may use it."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        authenticator: Authenticator,
        measurements: Measurements,
        journal: Journal,
        limits: Limits = DEFAULT_LIMITS,
        streams: Mapping[str, StreamMethod] | None = None,
        untaken: Untaken | None = None,
    ) -> None:
        """Take the unary methods and the streaming ones by path (`/package.Service/Method`), and who knows callers.

        A call that is larger than `limits`, or answered with more, is refused; so is one whose large answer has no room
        beside those that are `untaken`, unless it wrote something.
        """
        self.methods = methods
        self.streams = streams or {}
        self.limits = limits
        self.untaken = untaken or Untaken(_ANSWERS * limits.max_message_bytes)
        self.turns = Turns()
        self._authenticator = authenticator
        self.admits_all = isinstance(authenticator, Everybody) and not authenticator.read_only
        """Nobody is refused who asks for a method that there is."""
        self._measurements = measurements
        self._journal = journal
        self._revocation = Revocation()
        self._open: weakref.WeakSet[Stream] = weakref.WeakSet()
        self._ending = False
        self._had_large = False

    @property
    def services(self) -> list[str]:
        """The names of all services, sorted."""
        unary = {method.service for method in self.methods.values()}
        return sorted(unary | {method.service for method in self.streams.values()})

    def answer(self, call: Call) -> Answer:
        """Answer one call; never raises."""
        course = _Course(_request_id(call.metadata))
        self._measurements.begin()
        try:
            body, place = self._serve(call, course)
        except Exception as error:  # noqa: BLE001 - the boundary: what is no answer is logged and told as INTERNAL
            return self._finish(call, course, error)
        answer = Answer(Code.OK, "", body, course.request_id, place=place)
        self._note(call, course, answer, None)
        return answer

    def stream(self, call: Call) -> Stream:
        """Answer one call with a stream; its iteration never raises."""
        course = _Course(_request_id(call.metadata))
        stream = Stream(course.request_id)
        stream.begin(self._bodies(call, course, stream))
        self._open.add(stream)
        if self._ending:
            stream.leave()
        return stream

    def admit(self, call: Call, role: Role) -> Admission | Answer:
        """Let in a call whose bytes the wire moves itself, or answer why not; never raises.

        Its path counts as a method's in the measurements, so it must be one of few.
        """
        course = _Course(_request_id(call.metadata), known=True)
        self._measurements.begin()
        try:
            course.identity = self._known(call.metadata)
            _check_role(call.path.rpartition("/")[2], role, course.identity)
            caller = _caller(call, course)
            caller.check_deadline()
        except Exception as error:  # noqa: BLE001 - the boundary, as in `answer`
            return self._finish(call, course, error)
        return Admission(caller, partial(self._ended, call, course))

    def _ended(self, call: Call, course: _Course, admission: Admission, error: Exception | None) -> Answer:
        moved = (admission.received_bytes, admission.sent_bytes)
        answer = Answer(Code.OK, "", b"", course.request_id) if error is None else _told(error, course)
        self._note(call, course, answer, error, moved)
        return answer

    def take_large(self) -> bool:
        """Tell whether a large call ended since this was asked last."""
        had, self._had_large = self._had_large, False
        return had

    def end_streams(self) -> None:
        """Let every open stream end, and those that come end at once: the process is about to stop."""
        self._ending = True
        for stream in list(self._open):
            stream.leave()

    def _bodies(self, call: Call, course: _Course, stream: Stream) -> Iterator[bytes]:
        self._measurements.begin()
        try:
            yield from self._messages(call, course, stream)
        except GeneratorExit:
            self._finish(call, course, Cancelled("The caller left the stream."))
            raise
        except Exception as error:  # noqa: BLE001 - the boundary, as in `answer`
            stream.end = self._finish(call, course, error)
            return
        finally:
            self._revocation.forget(stream)
        stream.end = Answer(Code.OK, "", b"", course.request_id)
        self._note(call, course, stream.end, None)

    def _messages(self, call: Call, course: _Course, stream: Stream) -> Iterator[bytes]:
        method = self.streams.get(call.path)
        if method is None:
            raise Unimplemented(f"{call.path} is no streaming method of this server.")
        course.identity = self._identify(method, call.metadata)
        _check_role(method.name, method.role, course.identity)
        self._check_size(call)
        caller = replace(_caller(call, course), gone=stream.gone)
        caller.check_deadline()
        if method.role is not None:
            self._revocation.watch(stream, partial(self._check_again, method, call, course.identity))
        for response in method.run(caller, call.codec.read(method.request, call.body)):
            if stream.refusal is not None:
                break
            yield self._written(call.codec, response)
        if stream.refusal is not None:
            raise stream.refusal
        if self._ending and stream.gone.is_set():
            raise Ending

    def _check_again(self, method: StreamMethod, call: Call, before: Identity) -> None:
        """Raise what refuses a stream that was let in: its token was taken back, or is somebody else's now."""
        now = self._identify(method, call.metadata)
        _check_role(method.name, method.role, now)
        if (now.subject, now.tenant) != (before.subject, before.tenant):
            raise Unauthenticated("authorization: the token is somebody else's since the stream began; open it again.")

    def conduct(self, call: Call, role: Role, work: Callable[[Caller], Work]) -> Answer:
        """Answer a call that is no method, by `work`, for callers who have the role; never raises.

        Its path counts as a method's in the measurements, so it must be one of few.
        """
        course = _Course(_request_id(call.metadata), known=True)
        self._measurements.begin()
        try:
            course.identity = self._known(call.metadata)
            _check_role(call.path, role, course.identity)
            self._check_size(call)
            caller = _caller(call, course)
            caller.check_deadline()
            self.untaken.check()  # before the work, which may write
            done = work(caller)
            if len(done.body) > self.limits.max_message_bytes:
                raise answer_too_large(len(done.body), self.limits)
        except Exception as error:  # noqa: BLE001 - the boundary: what is no answer is logged and told as INTERNAL
            return self._finish(call, course, error)
        place = self.untaken.take(len(done.body), by_force=True)
        answer = Answer(done.code, done.message, done.body, course.request_id, place=place)
        self._note(call, course, answer, done.error)
        return answer

    def refusal(self, path: str, metadata: Mapping[str, str]) -> Refusal | None:
        """Return what refuses a call whatever its message says, before that is read, or None.

        There is no such method, the caller is nobody who is known, or may not call it. So only who may call can have
        the server hold a large message.
        """
        method = self.methods.get(path) or self.streams.get(path)
        identity = NOBODY
        try:
            if method is None:
                raise self._unknown(path)
            identity = self._identify(method, metadata)
            _check_role(method.name, method.role, identity)
        except StoreError as error:
            return Refusal(error, identity)
        return None

    def check_caller(self, metadata: Mapping[str, str]) -> None:
        """Raise Unauthenticated for nobody who is known, before the body of what is no method is read."""
        self._known(metadata)

    def refuse(self, call: Call, error: StoreError, *, known: bool = False, identity: Identity = NOBODY) -> Answer:
        """Answer a call that the wire itself found wrong, so that it is logged and counted like every other.

        `known` says that the path may count as a method's, `identity` who called as far as that was found out.
        """
        self._measurements.begin()
        return self._finish(call, _Course(_request_id(call.metadata), identity, known=known), error)

    def _finish(self, call: Call, course: _Course, error: Exception) -> Answer:
        answer = _told(error, course)
        self._note(call, course, answer, error)
        return answer

    def _serve(self, call: Call, course: _Course) -> tuple[bytes, Place | None]:
        method = self.methods.get(call.path)
        if method is None:
            raise self._unknown(call.path)
        course.identity = self._identify(method, call.metadata)
        _check_role(method.name, method.role, course.identity)
        self._check_size(call)
        if 0 < method.largest_bytes < len(call.body):
            raise ResourceExhausted(
                f"request: it has {len(call.body)} bytes, more than the {method.largest_bytes} of one {method.name}; "
                f"{method.instead}."
            )
        turn = self.turns.turn()
        caller = _caller(call, course, turn.take)
        caller.check_deadline()
        try:
            response = method.run(caller, call.codec.read(method.request, call.body))
            body = self._written(call.codec, response)
        finally:
            turn.leave()
        return body, self.untaken.take(len(body), by_force=method.writes)

    def _unknown(self, path: str) -> Unimplemented:
        if path in self.streams:
            return Unimplemented(f"{path} answers with a stream; over HTTP ask with application/connect+json.")
        path = path if len(path) <= 200 else f"{path[:200]}…"
        return Unimplemented(f"{path} is no method of this server; ask mlmd.v1.Server/GetInfo what it can do.")

    def _check_size(self, call: Call) -> None:
        if len(call.body) > self.limits.max_message_bytes:
            raise request_too_large(len(call.body), self.limits)

    def _known(self, metadata: Mapping[str, str]) -> Identity:
        check_said_once(metadata)
        return self._authenticator.identify(metadata)

    def _identify(self, method: Method | StreamMethod, metadata: Mapping[str, str]) -> Identity:
        try:
            return self._known(metadata)
        except Unauthenticated:
            if method.role is not None:
                raise
            return NOBODY

    def _written(self, codec: Codec, response: Message) -> bytes:
        body = codec.write(response)
        if len(body) > self.limits.max_message_bytes:
            raise answer_too_large(len(body), self.limits)
        return body

    def _note(
        self,
        call: Call,
        course: _Course,
        answer: Answer,
        error: Exception | None,
        moved: tuple[int, int] | None = None,
    ) -> None:
        seconds = time.perf_counter() - course.started
        if len(call.body) + len(answer.body) > LARGE_BYTES:
            self._had_large = True
        known = course.known or call.path in self.methods or call.path in self.streams
        path = call.path if known else "unknown"
        self._measurements.end(path, call.wire, answer.code, seconds)
        self._journal.note(call, course.identity, answer, seconds, error, moved)


def _request_id(metadata: Mapping[str, str]) -> str:
    given = metadata.get(REQUEST_ID_KEY)
    return given if given is not None and _SANE_REQUEST_ID.fullmatch(given) else new_request_id()


def _told(error: Exception, course: _Course) -> Answer:
    code, message = describe(error, course.request_id)
    return Answer(code, message, b"", course.request_id, facts_of(error), type(error))


def check_role(method: Method, caller: Caller) -> None:
    """Raise PermissionDenied unless the caller may call the method."""
    _check_role(method.name, method.role, Identity(caller.subject, caller.tenant, caller.roles))


def _check_role(name: str, wanted: Role | None, identity: Identity) -> None:
    if wanted is None or wanted in identity.roles:
        return
    if identity == LOCAL_READER:
        raise PermissionDenied(
            f"{name} needs the role {wanted.value}, which nobody has while the database is open READONLY; "
            "open it READWRITE."
        )
    held = next((role for role in reversed(Role) if role in identity.roles), None)
    raise PermissionDenied(
        f"{name} needs the role {wanted.value}, and {identity.subject!r} has "
        f"{f'the role {held.value}' if held else 'no role'}; ask the operator for a token with that role."
    )


def _caller(call: Call, course: _Course, turn: Callable[[float | None], None] | None = None) -> Caller:
    key = call.metadata.get(IDEMPOTENCY_KEY)
    if key is not None and not _SANE_IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidArgument(
            f"{IDEMPOTENCY_KEY}: {key[:40]!r} cannot be a key; use 1 to 255 printable ASCII characters without spaces."
        )
    identity = course.identity
    asked = (course.request_id, call.deadline, key)
    return Caller(identity.subject, identity.tenant, identity.roles, *asked, turn=turn)
