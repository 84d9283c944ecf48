"""Telling watchers of every move, in order, from a cursor on.

A watcher reads the moves after its cursor, sends them, and waits for the bell. The bell rings when a transaction of
this process that touched the registry is committed, when another worker changed the generation, and when a look at the
database finds that a watched model has moved elsewhere. It says no more than "look again": the moves themselves are
read by their sequence, which is given under the lock of the move, so that none is missed or told twice.
"""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import InvalidArgument, StoreError
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.tables.own import COLLECTION
from mlmd_schemas.troubles import Troubles

from mlmd_model_registry.aliases import moves_after
from mlmd_model_registry.generations import current_generation
from mlmd_model_registry.models import Model, find_model, models_by_id

_LOG = logging.getLogger("mlmd.server")
MOST_MODELS = 100
MOST_MOVES = 500
"""Moves of one model in one response."""
ALIVE_SECONDS = 15.0
"""How often a watcher hears at least something."""
_LOOK_SECONDS = 1.0
"""How often the database is asked whether another server moved something."""
_TICK_SECONDS = 0.05
_SEQUENCES = sa.select(COLLECTION.c.context_id, COLLECTION.c.move_sequence).where(
    COLLECTION.c.context_id.in_(sa.bindparam("ids", expanding=True))
)


class Bell:
    """Wakes the watchers of one store. The thread that looks around runs while there are any."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._rings = 0
        self._watched: Counter[int] = Counter()
        self._looking = False
        self._troubles = Troubles(_LOG, "finding out whether watched models moved elsewhere")

    def ring(self) -> None:
        """Let every watcher look."""
        with self._changed:
            self._rings += 1
            self._changed.notify_all()

    @property
    def rings(self) -> int:
        """How often it rang; remember it before looking, so that no ring is missed."""
        return self._rings

    def wait(self, heard: int, seconds: float) -> None:
        """Return when it rang since `heard`, or after some time."""
        with self._changed:
            self._changed.wait_for(lambda: self._rings != heard, seconds)

    def join(self, model_ids: Sequence[int]) -> None:
        """Watch these models too."""
        with self._changed:
            if not self._looking:
                threading.Thread(target=self._look_around, name="registry-bell", daemon=True).start()
                self._looking = True
            self._watched.update(model_ids)

    def leave(self, model_ids: Sequence[int]) -> None:
        """Watch these models no longer."""
        with self._changed:
            self._watched.subtract(model_ids)
            self._watched = +self._watched

    def _look_around(self) -> None:
        generation, looked = current_generation(), 0.0
        seen: dict[int, int] = {}
        while True:
            with self._changed:
                watched = list(self._watched)
                if not watched:
                    self._looking = False
                    return
            if (now := current_generation()) != generation:
                generation = now
                self.ring()
            if time.monotonic() - looked >= _LOOK_SECONDS:
                looked = time.monotonic()
                if (found := self._sequences(watched)) != seen:
                    seen = found
                    self.ring()
            time.sleep(_TICK_SECONDS)

    def _sequences(self, watched: Sequence[int]) -> dict[int, int]:
        def look() -> dict[int, int]:
            return self._store.database.read(Caller(), lambda tx: dict(tx.rows_in(_SEQUENCES, watched)))

        try:  # without this thread nobody would hear of other servers' moves
            return self._troubles.kept_off(f"store {self._store.store_uuid}", look, {}, but=(StoreError,))
        except StoreError:  # the watchers meet the same and tell their callers
            return {}


def watch(store: Store, bell: Bell, caller: Caller, request: v1.WatchModelsRequest) -> Iterator[v1.WatchModelsResponse]:
    """Yield every move of the aliases of models, until the caller leaves.

    Raises InvalidArgument for a cursor that is none or no models, NotFound for a model that is not there.
    """
    if not 0 < len(request.models) <= MOST_MODELS or len(set(request.models)) < len(request.models):
        raise InvalidArgument(f"models: name 1 to {MOST_MODELS} models, each once.")
    cursor = parse_cursor(request.cursor)
    models = {model.id: model.name for model in store.database.read(caller, lambda tx: _models(tx, request.models))}
    bell.join(list(models))
    try:
        yield from _watch(store, bell, caller, models, cursor)
    finally:
        bell.leave(list(models))


def _watch(
    store: Store, bell: Bell, caller: Caller, models: dict[int, str], cursor: dict[int, int]
) -> Iterator[v1.WatchModelsResponse]:
    heard = bell.rings
    fresh = [model_id for model_id in models if model_id not in cursor]
    if fresh:
        found = store.database.read(caller, lambda tx: models_by_id(tx, fresh))
        cursor = cursor | {model.id: model.move_sequence for model in found}
        yield v1.WatchModelsResponse(models=map(_watched, found), cursor=written(models, cursor))
    # Who goes on from a cursor hears at once that the watch is on: until then it may be refused.
    spoke = time.monotonic() if fresh else -ALIVE_SECONDS
    while caller.gone is None or not caller.gone.is_set():
        moves = store.database.read(_patient(caller), lambda tx: _moves(tx, models, cursor))
        if moves:
            for model_id, move in moves:
                cursor[model_id] = move.sequence
            told = [v1.WatchedMove(model=models[model_id], move=move) for model_id, move in moves]
            yield v1.WatchModelsResponse(moves=told, cursor=written(models, cursor))
            spoke = time.monotonic()
            continue  # perhaps there are more than one response holds
        if not _await_ring(bell, caller, heard, spoke + ALIVE_SECONDS):
            yield v1.WatchModelsResponse(cursor=written(models, cursor))
            spoke = time.monotonic()
        heard = bell.rings


def _await_ring(bell: Bell, caller: Caller, heard: int, until: float) -> bool:
    """Wait for the bell; return False when it is time to say something instead."""
    while bell.rings == heard and not (caller.gone is not None and caller.gone.is_set()):
        caller.check_deadline()
        left = until - time.monotonic()
        if left <= 0:
            return False
        bell.wait(heard, min(_LOOK_SECONDS, left))
    return True


def _patient(caller: Caller) -> Caller:
    """Return who reads on behalf of the stream; its deadline ends the stream and not the reading."""
    return Caller(caller.subject, caller.tenant, caller.roles, caller.request_id)


def _models(tx: Transaction, names: Sequence[str]) -> list[Model]:
    return [find_model(tx, name) for name in names]


def _moves(tx: Transaction, models: dict[int, str], cursor: dict[int, int]) -> list[tuple[int, v1.ModelAliasMove]]:
    there: dict[int, int] = dict(tx.rows_in(_SEQUENCES, models))
    return [
        (model_id, move)
        for model_id in models
        if there.get(model_id, 0) > cursor[model_id]
        for move in moves_after(tx, model_id, cursor[model_id], MOST_MOVES)
    ]


def _watched(model: Model) -> v1.WatchedModel:
    return v1.WatchedModel(model=model.name, aliases=model.aliases, move_sequence=model.move_sequence)


def written(models: dict[int, str], cursor: dict[int, int]) -> str:
    """Return a cursor as callers keep it: `<model id>=<sequence>`, separated by commas."""
    return ",".join(f"{model_id}={cursor[model_id]}" for model_id in models if model_id in cursor)


def parse_cursor(text: str) -> dict[int, int]:
    """Return the sequences in a cursor; raises InvalidArgument for what no response gave."""
    cursor: dict[int, int] = {}
    for item in filter(None, text.split(",")):
        model, _, sequence = item.partition("=")
        if not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in (model, sequence)):
            raise InvalidArgument(f"cursor: {json.dumps(text[:80])} is none that a response gave; leave it out.")
        cursor[int(model)] = int(sequence)
    return cursor
