"""Answers of `ResolveModel`, kept while they are surely or nearly true.

An alias moved through this server, by any of its workers, is never answered with what was there before. What another
server on the same database changed, and what was recorded beside the registry (metrics, verified files), is seen after
at most `FRESH_SECONDS`.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from google.protobuf import json_format
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry.generations import current_generation

FRESH_SECONDS = 2.0
MOST_ANSWERS = 10_000
Key = tuple[str, str, bool]
"""The fields of the request."""


@dataclass(slots=True)
class Kept:
    """An answer with its JSON, which is made when somebody wants it."""

    response: v1.ResolveModelResponse
    generation: bytes
    until: float
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
        self._lock = threading.Lock()

    def peek(self, key: Key) -> Kept | None:
        """Return the answer when it is kept and still counts."""
        kept = self._kept.get(key)
        if kept is None or kept.generation != current_generation() or time.monotonic() > kept.until:
            return None
        return kept

    def get(self, key: Key, make: Callable[[], v1.ResolveModelResponse]) -> Kept:
        """Return the answer, made now when none is kept; raises what `make` raises, which is not kept."""
        kept = self.peek(key)
        if kept is not None:
            return kept
        generation, until = current_generation(), time.monotonic() + self._fresh_seconds
        kept = Kept(make(), generation, until)
        with self._lock:
            if len(self._kept) >= MOST_ANSWERS:
                self._kept.clear()
            self._kept[key] = kept
        return kept
