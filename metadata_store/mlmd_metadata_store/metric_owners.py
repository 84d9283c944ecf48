"""What metrics belong to: a node, and on it a name and a slice of the data."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from mlmd_schemas.errors import InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import metrics_pb2 as v1
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_metadata_store.transaction import Transaction

LONGEST_NAME = 255
"""Characters of a name or slice."""
MOST_OWNERS = 10_000
"""Nodes that one call may name."""

_KINDS = {"artifact_id": Kind.ARTIFACT, "execution_id": Kind.EXECUTION}
_FIELDS = {kind: field for field, kind in _KINDS.items()}
_THERE = {
    kind: sa.select(NODE_TABLES[kind].node.c.id).where(
        NODE_TABLES[kind].node.c.id.in_(sa.bindparam("ids", expanding=True))
    )
    for kind in _FIELDS
}


class Owner(NamedTuple):
    """A node."""

    kind: Kind
    id: int

    def message(self) -> v1.MetricOwner:
        """The owner as a message."""
        return v1.MetricOwner(**{_FIELDS[self.kind]: self.id})


class MetricName(NamedTuple):
    """The key of a series or an evaluation."""

    owner: Owner
    name: str
    slice: str

    def message(self) -> v1.MetricKey:
        """The key as a message."""
        return v1.MetricKey(owner=self.owner.message(), name=self.name, slice=self.slice)


def owner_of(message: v1.MetricOwner, field: str) -> Owner:
    """Return the owner that a field names; raises InvalidArgument when it names none."""
    chosen = message.WhichOneof("node")
    if chosen is None:
        raise InvalidArgument(f"{field}: names no node; set artifact_id or execution_id.")
    return Owner(_KINDS[chosen], getattr(message, chosen))


def owners_of(messages: Sequence[v1.MetricOwner], field: str = "owners") -> list[Owner]:
    """Return the owners that a repeated field names.

    Raises InvalidArgument when there are none or too many, or one comes twice.
    """
    if not 0 < len(messages) <= MOST_OWNERS:
        raise InvalidArgument(f"{field}: has {len(messages)} nodes; name 1 to {MOST_OWNERS:,}.")
    places: dict[Owner, int] = {}
    for place, message in enumerate(messages):
        owner = owner_of(message, f"{field}[{place}]")
        if places.setdefault(owner, place) != place:
            raise InvalidArgument(
                f"{field}[{place}]: {owner.kind.name.lower()} {owner.id} is named already; name each node once."
            )
    return list(places)


def key_of(message: v1.MetricKey, field: str, *, named: bool = False) -> MetricName:
    """Return the key that a field holds; raises InvalidArgument for no node, or a name or slice that cannot be kept.

    With `named` the name must not be empty.
    """
    owner = owner_of(message.owner, f"{field}.owner")
    if named and not message.name:
        raise InvalidArgument(f"{field}.name: is empty; name the metric, train/loss for example.")
    for part in ("name", "slice"):
        checked_name(getattr(message, part), f"{field}.{part}")
    return MetricName(owner, message.name, message.slice)


def checked_name(text: str, field: str) -> None:
    """Raise InvalidArgument for text that databases would not tell apart or not hold."""
    if len(text) > LONGEST_NAME:
        raise InvalidArgument(f"{field}: {text[:40]!r}… has {len(text)} characters; use at most {LONGEST_NAME}.")
    if text != text.strip() or "\0" in text:
        raise InvalidArgument(f"{field}: {text[:80]!r} begins or ends with a blank or holds a NUL; leave them out.")


def by_kind(owners: Iterable[Owner]) -> dict[Kind, list[int]]:
    """Return the ids of the nodes of each kind."""
    found: dict[Kind, list[int]] = {}
    for owner in owners:
        found.setdefault(owner.kind, []).append(owner.id)
    return found


def require_owners(tx: Transaction, owners: Iterable[Owner]) -> None:
    """Raise NotFound naming the first owner that is no node of the store. One statement for each kind of node."""
    wanted = list(dict.fromkeys(owners))
    there = {
        Owner(kind, node_id) for kind, ids in by_kind(wanted).items() for (node_id,) in tx.rows_in(_THERE[kind], ids)
    }
    for owner in wanted:
        if owner not in there:
            kind = owner.kind.name.lower()
            raise NotFound(f"owner: there is no {kind} with id {owner.id}; put the {kind} first.")
