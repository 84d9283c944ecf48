"""Being told of moves of aliases as they happen."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from mlmd_schemas.chance import CHANCE
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.calls import Answers, CallError
from mlmd_client.failures import failure_of, refused
from mlmd_client.models import move_row
from mlmd_client.service import Service, path_of
from mlmd_client.waits import WAITS

LOG = logging.getLogger("mlmd")
_PATH = path_of(v1.WatchModelsRequest, v1.WatchModelsResponse)
_TICK_SECONDS = 1.0
_AGAIN_SECONDS, _LONGEST_SECONDS = 1.0, 30.0
"""How long it waits after the first attempt in vain, and at most; twice as long each time, give or take a half, because
all watchers of a server lose it at once."""
_LASTING = frozenset(
    {
        Code.INVALID_ARGUMENT,
        Code.NOT_FOUND,
        Code.PERMISSION_DENIED,
        Code.UNAUTHENTICATED,
        Code.FAILED_PRECONDITION,
        Code.UNIMPLEMENTED,
        Code.CANCELLED,
    }
)
"""What ends a watch when nothing was told before it: the same request would meet it again, and CANCELLED is a store
that was closed here. All else ends a stream only: proxies give up those that live long, by any code, a token that was
revoked may have a successor in its file, and a server whose places are taken has one later."""


class Watch:
    """Tells the moves of models' aliases as they happen, in a thread of its own, until `stop`; see `Store.watch`.

    A stream that is lost is asked for again from the last move on, so that each move is told once, however long the
    server is away; only a request that would be refused again ends the watch.

    >>> watch = store.watch("models/doc-watched", call=print)
    >>> watch.stop()
    """

    def __init__(self, service: Service, models: list[str], call: Callable[[dict[str, Any]], None], alias: str) -> None:
        """Begin to watch at once; an empty `alias` stands for all aliases.

        `call` gets each move as a dict, in the watch's thread; what it raises is logged.
        """
        self._service = service
        self._request = v1.WatchModelsRequest(models=models)
        self._call = call
        self._alias = alias
        self._models = ", ".join(models)
        self._stopped = threading.Event()
        self._answers: Answers[v1.WatchModelsResponse] | None = None
        self.ready = threading.Event()
        """Set once the server has said where the aliases point; moves from then on are told."""
        self.failure: CallError | None = None
        """Why it ended by itself; None while it runs."""
        self._thread = threading.Thread(target=self._watch, name="mlmd-watch", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        longest = _AGAIN_SECONDS
        while not self._stopped.is_set():
            pause, told = longest * CHANCE.uniform(0.5, 1.5), False
            try:
                self._answers = self._service.transport.stream(_PATH, self._request, v1.WatchModelsResponse)
                if self._stopped.is_set():  # by somebody who did not see these yet
                    self._answers.close()
                for answer in self._answers:
                    self._tell(answer)
                    told, longest = True, _AGAIN_SECONDS
            except CallError as error:
                if error.code in _LASTING and not told:
                    self._end(error)
                    return
                WAITS.tell(self._service.transport.target, error.message, pause)
            self._stopped.wait(pause)
            longest = min(2 * longest, _LONGEST_SECONDS)

    def _end(self, error: CallError) -> None:
        LOG.error("the watch of %s ended: %s", self._models, error.message)
        self.failure = failure_of(error)
        self.ready.set()

    def _tell(self, answer: v1.WatchModelsResponse) -> None:
        for watched in answer.moves:
            if self._alias in ("", watched.move.alias):
                try:
                    self._call({"model": watched.model, **move_row(watched.move)})
                except Exception:  # a deployment that fails once is no reason to hear of no other move
                    LOG.exception("what the watch calls failed at move %d; it goes on", watched.move.sequence)
        self._request.cursor = answer.cursor  # from here on after the connection was lost
        self.ready.set()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until it ends, for a program that does nothing else; raises what it ended by.

        >>> watch = store.watch("models/nobody", call=print)
        >>> watch.wait()
        Traceback (most recent call last):
          ...
        mlmd_client.failures.NotFound: model: there is no registered model 'nobody'; ListModels lists them.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while self._thread.is_alive() and not self._stopped.is_set():
            left = _TICK_SECONDS if until is None else min(_TICK_SECONDS, until - time.monotonic())
            if left <= 0:
                return
            self._thread.join(left)
        if self.failure is not None:
            raise self.failure

    def __repr__(self) -> str:
        """Return the watched models and whether it goes on: `on`, `stopped` by `stop()`, or `ended` by a failure."""
        state = "stopped" if self._stopped.is_set() else "ended" if self.failure is not None else "on"
        return f"<Watch of {self._models}, {state}>"

    def stop(self) -> None:
        """End it, and its stream; nothing is told after a call that is under way.

        >>> store.watch("models/churn", call=print).stop()
        """
        self._stopped.set()
        if self._answers is not None:
            self._answers.close()


def watched_models(what: str) -> list[str]:
    """Return the models that `models/churn`, or several with commas between, means; raises Refused.

    >>> watched_models("models/churn,models/fraud")
    ['churn', 'fraud']
    """
    names = [name.strip() for name in what.split(",")]
    if not all(name.startswith("models/") and name != "models/" for name in names):
        raise refused(f"watch: {what!r} names no models; write models/churn, or several with commas between.")
    return [name.removeprefix("models/") for name in names]
