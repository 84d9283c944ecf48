"""From the ids of an archive to those of this store."""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.tables.own import EVALUATION, SERIES
from mlmd_schemas.tables.v10 import EVENT, Kind

from mlmd_metadata_store.archive_tables import OWNER_KIND, TYPES, Reference

Row = dict[str, Any]
"""A row of an archive by column."""

OWNED = re.compile(r"([0-9]{1,19}):(.*)", re.DOTALL)
"""The name of a node that has an owner, as Kubeflow's registry writes it: the id of a context, and its own name."""


class Bond(IntEnum):
    """Whose a node is that an import found here; the numbers are those of `mlmd_imported.is_shared`."""

    BROUGHT = 0
    SHARED = 1
    HOME = 2


@dataclass(slots=True)
class Ids:
    """From the ids of an archive to those of this store."""

    origin: str
    """The UUID of the store that the archive comes from."""
    is_own: bool
    """Whether that is this store."""
    types: dict[int, int] = field(default_factory=dict)
    nodes: dict[Kind, dict[int, int]] = field(default_factory=lambda: {kind: {} for kind in Kind})
    shared: dict[Kind, set[int]] = field(default_factory=lambda: {kind: set() for kind in Kind})
    """Nodes, by the archive's ids, whose rows are this store's own matter."""
    home: dict[Kind, set[int]] = field(default_factory=lambda: {kind: set() for kind in Kind})
    """Nodes, by the archive's ids, that are this store's and came back; what they said is this store's own matter."""
    new: dict[Kind, set[int]] = field(default_factory=lambda: {kind: set() for kind in Kind})
    """Nodes, by the archive's ids, that this import adds."""
    without_bytes: set[int] = field(default_factory=set)
    """Artifacts, by the archive's ids, whose bytes were deleted here."""
    rows: dict[str, dict[int, int]] = field(
        default_factory=lambda: {EVENT.name: {}, SERIES.name: {}, EVALUATION.name: {}}
    )
    """Rows of other tables that this import adds."""

    def of(self, reference: Reference, value: int, row: Row) -> int | None:
        """Return what an id is here; None when it is a row that this import does not add.

        0 is no id and stays. Raises InvalidArgument for an id that the archive does not have.
        """
        if value == 0:
            return 0
        if isinstance(reference, str) and reference in self.rows:
            return self.rows[reference].get(value)
        known = self.types if reference == TYPES else self.nodes[self.kind(reference, row)]
        found = known.get(value)
        if found is None:
            raise InvalidArgument(f"The archive refers to {_noun(reference)} {value} and does not hold it.")
        return found

    def kind(self, reference: Reference, row: Row) -> Kind:
        """Return the kind of node that a reference of a row is to."""
        if isinstance(reference, Kind):
            return reference
        return Kind(row["type_kind"])

    def is_ours(self, reference: Reference, value: int, row: Row) -> bool:
        """Tell whether the rows of a node come from the archive, rather than being this store's own matter."""
        kind = self.kind(reference, row)
        return value not in self.shared[kind] and value not in self.home[kind]

    def is_home(self, reference: Reference, value: int, row: Row) -> bool:
        """Tell whether a node is this store's and came back."""
        return value in self.home[self.kind(reference, row)]

    def note(self, kind: Kind, origin_id: int, node_id: int, bond: int) -> None:
        """Note what a node of the archive is here."""
        self.nodes[kind][origin_id] = node_id
        if bond == Bond.SHARED:
            self.shared[kind].add(origin_id)
        elif bond == Bond.HOME:
            self.home[kind].add(origin_id)

    def bond(self, kind: Kind, value: int) -> Bond:
        """Return whose a node of the archive is."""
        if value in self.shared[kind]:
            return Bond.SHARED
        return Bond.HOME if value in self.home[kind] else Bond.BROUGHT

    def moved(self, kind: Kind, value: int) -> int:
        """Return what the id of a node is here; itself when the archive does not have it."""
        return self.nodes[kind].get(value, value)


def _noun(reference: Reference) -> str:
    if reference in (TYPES, OWNER_KIND):
        return "type" if reference == TYPES else "node"
    return str(getattr(reference, "name", reference)).lower()


def name_here(ids: Ids, name: str) -> str:
    """Return the name of a node that is named after the id of a context, with the id that the context has here."""
    match = OWNED.fullmatch(name)
    return f"{ids.moved(Kind.CONTEXT, int(match[1]))}:{match[2]}" if match else name
