"""What rank 0 of a distributed training keeps, as the other ranks have it: there as soon as somebody looks."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import collections_pb2

from mlmd_client.failures import not_found
from mlmd_client.versions import Version

if TYPE_CHECKING:
    from mlmd_client.store import Store

LOG = logging.getLogger("mlmd")
_FIRST_SECONDS, _LONGEST_SECONDS, _SAID_AFTER_SECONDS = 0.1, 2.0, 30.0


class AwaitedVersion(Version):
    """A version that another rank keeps; made by `Run.log_*` on the ranks that do not write.

    It costs nothing until something is asked of it. Then it waits until rank 0 has kept it, for as long as the run
    lives, and is that version; NotFound when the run ended without. What is asked for under barriers, after rank 0
    passed its `log_*`, does not wait.

    >>> with store.run("doc/ranks", join="job 7", rank=0) as writer:
    ...     kept = writer.log_model("doc-ranks", {"w": 1})
    ...     other = store.run("doc/ranks", join="job 7", rank=1).start()
    ...     model = other.log_model("doc-ranks", {"w": 1})
    ...     other.finish()
    >>> model.ref == kept.ref
    True
    """

    def __init__(self, store: "Store", label: str, find: Callable[[], Version]) -> None:
        self._store = store
        self._label = label
        self._find = find
        self._lock = threading.Lock()
        self._found: Version | None = None

    @property
    def _known(self) -> Version:
        with self._lock:
            if self._found is None:
                self._found = self._find()
            return self._found

    @property
    def _artifact(self) -> pb.Artifact:
        return self._known._artifact

    @property
    def _version(self) -> collections_pb2.Version | None:
        return self._known._version

    def __repr__(self) -> str:
        """Return the version once it is known, and before that its name; waits for nothing and raises nothing."""
        return f"<Version of {self._label}, kept by rank 0>" if self._found is None else repr(self._found)


def await_output(
    store: "Store", execution_id: int, name: str, number: int, *, any_will_do: bool, lives: Callable[[], bool]
) -> Version:
    """Wait for the `number`th version, from 1, that a run keeps under a name, while it lives; raises NotFound.

    With `any_will_do` the same content kept again is no version of its own, and the last one there is will do.
    """
    began, wait, said = time.monotonic(), _FIRST_SECONDS, False
    while True:
        alive = lives()  # before looking, so that what was kept last is seen
        found = _outputs(store, execution_id, name)
        if len(found) >= number:
            return store.version(found[number - 1])
        if found and (any_will_do or not alive):
            return store.version(found[-1])
        if not alive:
            raise not_found(f"name: the run ended, and rank 0 kept nothing under the name {name!r} in it.")
        if not said and time.monotonic() - began > _SAID_AFTER_SECONDS:
            LOG.warning("waiting for rank 0 to keep %r, which this rank asks about", name)
            said = True
        time.sleep(wait)
        wait = min(_LONGEST_SECONDS, 2 * wait)


def _outputs(store: "Store", execution_id: int, name: str) -> list[int]:
    """Return the artifacts that a run kept under a name, in the order of that."""
    answer = store.service.read(
        mlmd.GetEventsByExecutionIDsRequest(execution_ids=[execution_id]), mlmd.GetEventsByExecutionIDsResponse
    )
    events = sorted(
        (event for event in answer.events if event.type == pb.Event.OUTPUT),
        key=lambda event: (event.milliseconds_since_epoch, event.artifact_id),
    )
    named = [event.artifact_id for event in events if [step.key for step in event.path.steps] == [name]]
    return list(dict.fromkeys(named))
