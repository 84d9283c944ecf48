"""The types of a store, remembered: they only ever gain properties.

A miss, or a property that is not known, asks the database again, so two servers on one database never disagree for
longer than one call. Types that a transaction itself made are read in it and not remembered, since it may fail.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import TYPE, TYPE_PROPERTY, Kind

from mlmd_metadata_store.text import TextCodec

LIMIT = 20_000
"""How many types are remembered; a store with more forgets all and starts again."""

PROPERTY_TYPES = frozenset(pb.PropertyType.values())

_BY_ID = sa.select(TYPE.c.id, TYPE.c.type_kind, TYPE.c.name, TYPE.c.version).where(
    TYPE.c.id.in_(sa.bindparam("ids", expanding=True))
)
_PROPERTIES = sa.select(TYPE_PROPERTY.c.type_id, TYPE_PROPERTY.c.name, TYPE_PROPERTY.c.data_type).where(
    TYPE_PROPERTY.c.type_id.in_(sa.bindparam("ids", expanding=True))
)


@dataclass(slots=True)
class TypeFacts:
    """What nodes need of their type."""

    id: int
    kind: Kind
    name: str
    version: str | None
    properties: dict[str, int] = field(default_factory=dict)
    """Declared property to number of `ml_metadata.PropertyType`."""


def known_property_type(number: int | None) -> int:
    """Return a number of `ml_metadata.PropertyType`: UNKNOWN for none, and for what only a later version knows."""
    return number if number in PROPERTY_TYPES else pb.UNKNOWN


class Reads(Protocol):
    """What it needs of a transaction."""

    made_types: bool

    text: TextCodec

    def rows_in(self, statement: sa.Executable, ids: Iterable[int]) -> Sequence[Any]:
        """Return the rows of a SELECT for these ids."""


class TypeCache:
    """The remembered types of one store; shared by all its transactions."""

    def __init__(self) -> None:
        self._by_id: dict[int, TypeFacts] = {}

    def get(self, tx: Reads, kind: Kind, type_id: int) -> TypeFacts | None:
        """Return the type of this id and kind; None when there is none."""
        return self.get_many(tx, kind, (type_id,)).get(type_id)

    def get_many(self, tx: Reads, kind: Kind, type_ids: Iterable[int]) -> dict[int, TypeFacts]:
        """Return the types of these ids that are of `kind`, by id."""
        wanted = set(type_ids)
        known = self._by_id  # another thread may forget any of them between two looks
        found = {type_id: facts for type_id in wanted if (facts := known.get(type_id)) is not None}
        if len(found) < len(wanted):
            found |= self.reload(tx, wanted - found.keys())
        return {type_id: facts for type_id, facts in found.items() if facts.kind is kind}

    def reload(self, tx: Reads, type_ids: Iterable[int]) -> dict[int, TypeFacts]:
        """Read these types from the database, remember them, and return those that are there, of any kind."""
        ids = sorted(set(type_ids))
        found: dict[int, TypeFacts] = {}
        for type_id, kind, name, version in tx.rows_in(_BY_ID, ids):
            decoded = tx.text.decode(version) if version is not None else None
            found[type_id] = TypeFacts(type_id, Kind(kind), tx.text.decode(name), decoded)
        if found:
            for type_id, name, data_type in tx.rows_in(_PROPERTIES, found):
                found[type_id].properties[tx.text.decode(name)] = known_property_type(data_type)
        if not tx.made_types:
            if len(self._by_id) > LIMIT:
                self._by_id.clear()
            self._by_id.update(found)
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._by_id.clear()
