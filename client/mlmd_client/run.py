"""A run: what is done between two moments, with what it read, made and measured."""

import atexit
import contextvars
import logging
import os
import sys
import threading
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import runs_pb2 as v1

from mlmd_client.calls import CallError
from mlmd_client.delivery import FINISH_RUN, START_RUN, Addressee, journal_folder
from mlmd_client.failures import Unreachable, failure_of, refused
from mlmd_client.forks import in_turn
from mlmd_client.outbox import Outbox, say_what_remains
from mlmd_client.places import RUN_VARIABLE, tell_children
from mlmd_client.run_artifacts import RunArtifacts
from mlmd_client.run_metrics import RunMetrics
from mlmd_client.run_settings import RunSettings
from mlmd_client.session_errors import Spell, claim, told

if TYPE_CHECKING:
    from mlmd_client.store import Store

LOG = logging.getLogger("mlmd")
PARAMETER_PREFIX = "param."
STATES = {
    "RUNNING": v1.RUN_STATE_RUNNING,
    "COMPLETE": v1.RUN_STATE_COMPLETE,
    "FAILED": v1.RUN_STATE_FAILED,
    "CANCELED": v1.RUN_STATE_CANCELED,
}
_START_SECONDS = 10.0
"""How long the beginning of a run waits for a server that does not answer."""
_ID_SECONDS = 5.0
_SETTLE_SECONDS = 8.0
"""How long a question waits for what was logged before it, once the server was heard of."""
_AWAY_SECONDS = 2.0
"""How long it waits in any case, as where the server is away."""
_CURRENT: contextvars.ContextVar["Run | None"] = contextvars.ContextVar("mlmd_run", default=None)


def current_run() -> "Run | None":
    """Return the run that this thread or task is in, None outside of any.

    >>> with store.run("doc/current") as run:
    ...     current_run() is run
    True
    >>> current_run() is None
    True
    """
    return _CURRENT.get()


class Run(RunMetrics, RunArtifacts):
    """A run of a step of an experiment: a context manager, made by `Store.run`; safe to use from many threads.

    >>> with store.run("churn/train", params={"lr": 0.1}) as run:
    ...     run.metrics(auc=0.91)
    >>> run.name, run.state
    ('churn/train', 'COMPLETE')
    >>> other = store.run("churn/train").start()
    >>> other.number - run.number, other.id > run.id, other.is_writer, other.store is store
    (1, True, True, True)
    >>> other.finish()
    """

    def __init__(self, store: "Store", settings: RunSettings) -> None:
        self._store = store
        self._settings = settings
        self._addressee = Addressee(settings.token, is_joined=settings.is_joined)
        self._opened: Outbox | None = None
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._state = "NEW"
        self._reset: contextvars.Token[Run | None] | None = None
        self._told_environment = False
        self._told_before: str | None = None
        self._kept: dict[str, int] = {}
        self._spell = Spell.none()

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Experiment and step, as it was started."""
        experiment, step = self._settings.experiment, self._settings.step
        return experiment if experiment == step else f"{experiment}/{step}"

    @property
    def id(self) -> int:
        """The id of its execution; raises Unreachable while the server has not heard of the run yet."""
        if not self._addressee.execution_id and self._state == "RUNNING":
            self._learn_id()
        if not self._addressee.execution_id:
            raise Unreachable(
                Code.UNAVAILABLE,
                f"run {self.name}: has no id yet, because {self._store.target} does not answer; try later.",
            )
        return self._addressee.execution_id

    @property
    def number(self) -> int:
        """Which run of its step it is, from 1; 0 while the server has not heard of it."""
        return self._addressee.number

    @property
    def state(self) -> str:
        """NEW, RUNNING, COMPLETE, FAILED or CANCELED, as far as this process knows."""
        return self._state

    @property
    def is_writer(self) -> bool:
        """Whether this process writes: always, but for the ranks above 0 of a distributed training."""
        return self._settings.place.is_writer

    @property
    def store(self) -> "Store":
        """The store that it is in."""
        return self._store

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to join: `subprocess.run(..., env=os.environ | run.environment)`.

        >>> with store.run("doc/environment") as run:
        ...     sorted(run.environment)
        ['MLMD_RUN', 'MLMD_SERVER']
        """
        return {RUN_VARIABLE: f"{self.name}#{self._addressee.token}", "MLMD_SERVER": self._store.address}

    @property
    def url(self) -> str:
        """An address of the run that can be passed on.

        >>> with store.run("doc/url") as run:
        ...     run.url.endswith(f"/execution/{run.id}")
        True
        """
        return self._store.url_of("execution", self.id)

    # --- its course ---------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start it, for those who cannot use `with`; the end of the process ends it, unless `finish` does.

        When nobody answers, for some ten seconds, it starts all the same: what is logged goes to the journal, and to
        the server later. That is said by a warning.
        """
        with self._lock:
            if self._state != "NEW":
                raise refused(f"run {self.name}: was started already; store.run(...) makes another one.")
            first: Any = None
            try:
                self._begin()
            except CallError as error:
                if error.code not in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED):
                    raise failure_of(error) from None
                LOG.warning("%s does not answer (%s); the run goes into a journal", self._store.target, error.message)
                first = None if self._settings.is_joined else self._settings.start_request()
            self._opened = self._new_outbox()
            self._state = "RUNNING"
            if first is not None:
                self._opened.put(START_RUN, first, on_disk=True)
        self._spell = Spell.begin()
        self._store.runs_here.add(self)
        atexit.register(self._at_exit)
        return self

    def _begin(self) -> None:
        service = self._store.service
        if self._settings.is_joined:
            request = v1.JoinRunRequest(token=self._settings.token)
            run = service.read(request, v1.JoinRunResponse, within_seconds=_START_SECONDS).run
            if run.state != v1.RUN_STATE_RUNNING and not run.lost:
                raise refused(f"run {self.name}: has ended, and cannot be joined any more; start one of your own.")
            self._addressee.learn(run)
            return
        answer = service.write(self._settings.start_request(), v1.StartRunResponse, within_seconds=_START_SECONDS)
        self._addressee.learn(answer.run)
        self._addressee.token = answer.token

    def _learn_id(self) -> None:
        self._outbox().flush(_ID_SECONDS)
        if not self._addressee.execution_id:  # nothing was waiting: this process joined the run while nobody answered
            request = v1.JoinRunRequest(token=self._addressee.token)
            try:
                self._addressee.learn(
                    self._store.service.once(request, v1.JoinRunResponse, timeout_seconds=_ID_SECONDS).run
                )
            except CallError as error:
                LOG.debug("the run %s has no id yet: %s", self.name, error.message)

    def _lives(self) -> bool:
        run = self._store.service.read(v1.JoinRunRequest(token=self._addressee.token), v1.JoinRunResponse).run
        return run.state == v1.RUN_STATE_RUNNING

    def _new_outbox(self) -> Outbox:
        beats = self.is_writer and not self._settings.is_joined
        return Outbox(
            self._store.service,
            journal_folder(self._store.address),
            self._addressee,
            heartbeat_seconds=self._settings.timeout_seconds / 4 if beats else 0.0,
            facts={"name": self.name},
        )

    def _outbox(self) -> Outbox:
        """Return where calls go; a forked child gets its own."""
        if self._pid != os.getpid() and self._state == "RUNNING":
            with in_turn():
                if self._pid != os.getpid():
                    self._forked()
        opened = self._opened
        if opened is None or self._state != "RUNNING":
            mend = "start() it, or use `with`" if self._state == "NEW" else "log inside `with store.run(...)`"
            raise refused(f"run {self.name}: is {self._state} and takes nothing; {mend}.")
        return opened

    def _forked(self) -> None:
        # Threads, locks and what the parent had not sent yet are the parent's; the child has nothing of it but names.
        self._lock = threading.RLock()
        self._addressee = replace(self._addressee, is_joined=True)
        self._settings = self._settings.as_joined(self._addressee.token)
        self._opened = self._new_outbox()
        processes = sys.modules.get("multiprocessing.util")
        if processes is not None:  # such a child ends without the functions of atexit
            processes.Finalize(None, self._close, args=(self._opened,), exitpriority=10)
        self._pid = os.getpid()  # last: whoever sees it takes what was opened for the child's

    def flush(self, seconds: float = 20.0) -> int:
        """Send what was logged, for at most so long; return how many calls are left, which go on being sent.

        >>> with store.run("doc/flush") as run:
        ...     run.metrics(auc=0.91)
        ...     run.flush()
        0
        """
        return self._outbox().flush(seconds) if self._state == "RUNNING" else 0

    def settle(self) -> None:
        """Send what was logged, so that an answer knows of it: soon given up where the server is away.

        >>> with store.run("doc/settle") as run:
        ...     run.settle()
        """
        left = self.flush(_AWAY_SECONDS)
        if left and self._opened is not None and not self._opened.trouble:
            self.flush(_SETTLE_SECONDS)

    @property
    def refused(self) -> list[str]:
        """Why calls of this process were refused for good, each with its method; `mlmd journals` has them.

        >>> with store.run("doc/refused") as run:
        ...     run.metrics(auc=0.91)
        >>> run.refused
        []
        """
        return list(self._opened.refusals) if self._opened is not None and self._pid == os.getpid() else []

    def finish(self, state: str = "COMPLETE", reason: str = "") -> None:
        """End it: COMPLETE, FAILED or CANCELED. What cannot be sent stays in the journal, and that is said loudly.

        >>> run = store.run("doc/finish").start()
        >>> run.finish("CANCELED", "the data was stale")
        """
        if state not in STATES or state == "RUNNING":
            raise refused(f"state: {state!r} is no end of a run; say COMPLETE, FAILED or CANCELED.")
        with self._lock:
            if self._state != "RUNNING":
                return
            outbox = self._outbox()
            request = v1.FinishRunRequest(token=self._addressee.token, state=STATES[state], reason=reason[:10_000])
            try:
                if self.is_writer and not self._settings.is_joined:
                    outbox.put(FINISH_RUN, request)
                self._close(outbox)
            finally:
                self._state = state
                self._store.runs_here.discard(self)
                atexit.unregister(self._at_exit)
                self._spell.end()

    def _close(self, outbox: Outbox) -> None:
        """Send what is still to be sent, for as long as was said or until Ctrl-C, and say what is left."""
        try:
            left = outbox.close(self._settings.finish_seconds)
        except BaseException:
            say_what_remains(outbox, outbox.close(0.0), self.name, self._store.target)
            raise
        say_what_remains(outbox, left, self.name, self._store.target)

    def _at_exit(self) -> None:
        if self._pid != os.getpid() or self._state != "RUNNING":
            return
        reason = self._spell.met()
        if reason:
            self.finish("FAILED", reason)
        else:
            self.finish()

    # --- with ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Start it, and make it the run that this code, and processes started here, are in; raises as `start` does."""
        try:
            self.start()
        except KeyboardInterrupt as error:
            self.finish("CANCELED", told(error))
            raise
        outer = _CURRENT.get()
        self._reset = _CURRENT.set(self)
        before = os.environ.get(RUN_VARIABLE)
        if before is None or (outer is not None and before == outer.environment[RUN_VARIABLE]):
            self._told_before = before
            os.environ[RUN_VARIABLE] = self.environment[RUN_VARIABLE]
            self._told_environment = True
            tell_children(self._addressee.token)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: COMPLETE, CANCELED by an interrupt or a cancelled task, or FAILED with what left the block."""
        if self._reset is not None:
            _CURRENT.reset(self._reset)
        if self._told_environment and os.environ.get(RUN_VARIABLE) == self.environment[RUN_VARIABLE]:
            if self._told_before is None:
                del os.environ[RUN_VARIABLE]
            else:
                os.environ[RUN_VARIABLE] = self._told_before
        self.end_by(error)

    def end_by(self, error: BaseException | None) -> None:
        """End it by what left a block, as `with` does: COMPLETE by nothing, CANCELED by an interrupt, else FAILED.

        >>> run = store.run("doc/ended").start()
        >>> run.end_by(ValueError("no such column"))
        >>> run.state
        'FAILED'
        """
        if error is not None:
            claim(error)
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.finish()
        elif isinstance(error, KeyboardInterrupt) or _is_cancelled(error):
            self.finish("CANCELED", told(error))
        else:
            self.finish("FAILED", told(error))

    async def __aenter__(self) -> Self:
        """Start it as `with` does, in a thread, so that other tasks go on; only this task is in the run."""
        import asyncio  # slow to import, and whoever is here has it

        gone = threading.Event()
        try:
            await asyncio.to_thread(self._start_unless, gone)
        except asyncio.CancelledError as error:
            gone.set()  # the thread goes on, and ends the run if that was not begun yet
            asyncio.get_running_loop().run_in_executor(None, self.finish, "CANCELED", told(error))
            raise
        self._reset = _CURRENT.set(self)
        return self

    def _start_unless(self, gone: threading.Event) -> None:
        self.start()
        if gone.is_set():
            self.finish("CANCELED", "CancelledError")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it as `with` does, in a thread."""
        if self._reset is not None:
            _CURRENT.reset(self._reset)
            self._reset = None
        import asyncio

        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def __repr__(self) -> str:
        """Return name, number (`?` until the store has given one) and state; asks nobody."""
        return f"<Run {self.name}/{self.number or '?'} {self._state}>"

    def _repr_html_(self) -> str:
        from mlmd_client.display import run_html

        return run_html(self)


def _is_cancelled(error: BaseException) -> bool:
    """Tell whether a task of asyncio was cancelled; where asyncio was not loaded, none was."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
