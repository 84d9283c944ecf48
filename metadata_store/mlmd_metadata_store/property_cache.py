"""Properties that one connection read in the database's present version, as bytes that need no reading again.

Only a database that says on which version a snapshot stands can have it (SQLite's `PRAGMA data_version`, which every
commit of anybody else changes); so what is kept here is never stale, and the first commit throws it away. A page that
is asked for again and again, as those do who watch a run, costs a quarter of what it cost first.
"""

from collections.abc import Mapping
from typing import Any

from mlmd_schemas.tables.v10 import Kind

_MOST_BYTES = 4 << 20
"""What one connection keeps."""
_OVERHEAD_BYTES = 200
"""What an entry costs beside its bytes."""


class PropertyCache:
    """Properties by kind and id. One transaction at a time uses it."""

    __slots__ = ("_kept", "_size", "_version")

    def __init__(self) -> None:
        self._kept: dict[tuple[Kind, int], bytes] = {}
        self._size = 0
        self._version: int | None = None

    def at(self, version: int) -> "PropertyCache":
        """Stand on a version of the database; what was read in another one is forgotten."""
        if version != self._version:
            self._kept.clear()
            self._size, self._version = 0, version
        return self

    def fill(self, kind: Kind, nodes: Mapping[int, Any]) -> Mapping[int, Any]:
        """Fill the properties of those messages that are known here; return the others, by id."""
        if not self._kept:
            return nodes
        unknown: dict[int, Any] = {}
        for node_id, node in nodes.items():
            properties = self._kept.get((kind, node_id))
            if properties is None:
                unknown[node_id] = node
            else:
                node.MergeFromString(properties)
        return unknown

    def keep(self, kind: Kind, nodes: Mapping[int, Any]) -> None:
        """Keep what messages hold, which is their properties and nothing else."""
        for node_id, node in nodes.items():
            properties = node.SerializeToString()
            size = len(properties) + _OVERHEAD_BYTES
            if size > _MOST_BYTES // 4:
                continue
            if self._size + size > _MOST_BYTES:
                self._kept.clear()
                self._size = 0
            self._kept[kind, node_id] = properties
            self._size += size


class _NoCache(PropertyCache):
    """Keeps nothing: for what writes, and for databases that do not tell their version."""

    def keep(self, kind: Kind, nodes: Mapping[int, Any]) -> None:
        """Do nothing."""


NO_CACHE: PropertyCache = _NoCache()
