"""Answers of `ResolveModel`, kept while they are surely or nearly true.

An alias moved through this server, by any of its workers, is never answered with what was there before. What another
server on the same database changed, and what was recorded beside the registry (metrics, verified files), is seen after
at most `FRESH_SECONDS`.

An answer is made by one thread at a time, however many ask for it. Who asks when it is soon too old makes it anew,
while the others are answered from what is kept: so nobody waits in a crowd for what was asked all the time.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from google.protobuf import json_format
from mlmd_schemas.errors import Aborted, DeadlineExceeded, ResourceExhausted, Unavailable
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry.generations import current_generation

FRESH_SECONDS = 2.0
RENEWED_AFTER = 0.75
"""The part of that time after which somebody makes the answer anew."""
MOST_ANSWERS = 10_000
_PATIENCE_SECONDS = 1.0
"""How long somebody waits for another thread that makes the same answer."""
_PASSING = (Aborted, DeadlineExceeded, ResourceExhausted, Unavailable)
Key = tuple[str, str, bool]
"""The fields of the request."""


@dataclass(slots=True)
class Kept:
    """An answer with its JSON, which is made when somebody wants it."""

    response: v1.ResolveModelResponse
    generation: bytes
    until: float
    renewed_from: float
    renewing: bool = False
    _json: bytes = field(default=b"")

    def json(self) -> bytes:
        """Return the answer as protobuf's JSON."""
        if not self._json:
            self._json = json_format.MessageToJson(self.response, indent=None, ensure_ascii=False).encode()
        return self._json


class ResolveCache:
    """The kept answers of one store; safe to use from many threads."""

    def __init__(self, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._fresh_seconds = fresh_seconds
        self._kept: dict[Key, Kept] = {}
        self._making: dict[Key, threading.Event] = {}
        self._lock = threading.Lock()

    def peek(self, key: Key) -> Kept | None:
        """Return the answer when it is kept, still counts and need not be made anew."""
        kept = self._counting(key)
        if kept is None or (not kept.renewing and time.monotonic() > kept.renewed_from):
            return None
        return kept

    def get(self, key: Key, make: Callable[[], v1.ResolveModelResponse]) -> Kept:
        """Return the answer, made now when none is kept; raises what `make` raises, which is not kept."""
        kept = self._counting(key)
        if kept is None:
            return self._made_alone(key, make)
        if not self._is_to_renew(kept):
            return kept
        try:
            return self._made(key, make)
        except _PASSING:
            return kept  # which counts for some time yet

    def _counting(self, key: Key) -> Kept | None:
        kept = self._kept.get(key)
        if kept is None or kept.generation != current_generation() or time.monotonic() > kept.until:
            return None
        return kept

    def _is_to_renew(self, kept: Kept) -> bool:
        """Tell whether the caller is the one that makes the answer anew."""
        if kept.renewing or time.monotonic() <= kept.renewed_from:
            return False
        with self._lock:
            mine, kept.renewing = not kept.renewing, True
        return mine

    def _made_alone(self, key: Key, make: Callable[[], v1.ResolveModelResponse]) -> Kept:
        """Make the answer, or wait for the thread that does; one that was begun before a change counts no longer."""
        with self._lock:
            others = self._making.get(key)
            ours = threading.Event()
            if others is None:
                self._making[key] = ours
        if others is not None:
            others.wait(_PATIENCE_SECONDS)
            return self._counting(key) or self._made(key, make)
        try:
            return self._made(key, make)
        finally:
            with self._lock:
                self._making.pop(key, None)
            ours.set()

    def _made(self, key: Key, make: Callable[[], v1.ResolveModelResponse]) -> Kept:
        generation, now = current_generation(), time.monotonic()
        kept = Kept(make(), generation, now + self._fresh_seconds, now + self._fresh_seconds * RENEWED_AFTER)
        with self._lock:
            self._kept.pop(key, None)  # so that the oldest come first
            self._forget_old(now)
            self._kept[key] = kept
        return kept

    def _forget_old(self, now: float) -> None:
        """Forget what counts no longer: who asks for every moment (`as_of`) asks for each of them once."""
        while self._kept:
            oldest = next(iter(self._kept))
            if self._kept[oldest].until >= now and len(self._kept) < MOST_ANSWERS:
                return
            del self._kept[oldest]
