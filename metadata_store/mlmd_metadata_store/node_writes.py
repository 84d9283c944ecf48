"""Nodes on their way into the database: create, replace, change in part (mlmd-write contract, section 3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import AlreadyExists, FailedPrecondition, Internal, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.kept_facts import check_kept
from mlmd_metadata_store.node_order import check_exchanges, check_updated_once
from mlmd_metadata_store.node_rows import READERS, nodes_read, set_raw_text
from mlmd_metadata_store.one_by_one import one_by_one
from mlmd_metadata_store.property_writes import (
    Property,
    PropertyRows,
    delete_properties,
    insert_properties,
    needs_reload,
    upsert_properties,
    validate_properties,
)
from mlmd_metadata_store.text import text_of
from mlmd_metadata_store.text_limits import fitting_name, fitting_text
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_cache import TypeFacts
from mlmd_metadata_store.unknown_fields import has_unknown_fields
from mlmd_metadata_store.update_mask import EVERYTHING, MapMask, UpdateMask
from mlmd_metadata_store.values import same_value

_STATE = {Kind.ARTIFACT: "state", Kind.EXECUTION: "last_known_state"}
_COLUMNS = {
    Kind.ARTIFACT: ("type_id", "name", "external_id", "uri", "state"),
    Kind.EXECUTION: ("type_id", "name", "external_id", "last_known_state"),
    Kind.CONTEXT: ("type_id", "name", "external_id"),
}
_NOUN = {Kind.ARTIFACT: "an artifact", Kind.EXECUTION: "an execution", Kind.CONTEXT: "a context"}
_TIMES = ("create_time_since_epoch", "last_update_time_since_epoch")
_COMPARED = {
    Kind.ARTIFACT: ("name", "type", "uri", "state", "external_id", "system_metadata"),
    Kind.EXECUTION: ("name", "type", "last_known_state", "external_id", "system_metadata"),
    Kind.CONTEXT: ("name", "type", "external_id", "system_metadata"),
}
_LOCKED = {kind: reader.by_id.with_for_update() for kind, reader in READERS.items()}
_NEVER_CHANGED = frozenset({"type_id", "create_time_since_epoch"})
_INDEXED = frozenset({"name", "external_id", "uri"})
_DELETE = {
    kind: sa.delete(tables.node).where(tables.node.c.id.in_(sa.bindparam("ids", expanding=True)))
    for kind, tables in NODE_TABLES.items()
}


@dataclass(frozen=True, slots=True)
class Update:
    """What an update of one stored node does."""

    stored: Any
    row: tuple[Any, ...]
    """The node's new columns, `_COLUMNS` and both times."""
    changed: list[Property] = field(default_factory=list)
    """Properties to insert or replace."""
    kept: list[Property] = field(default_factory=list)
    """All properties after the update, filled only when one goes."""
    removes: bool = False
    rewrites: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """How the nodes of one call are put."""

    mask: UpdateMask = EVERYTHING
    check_times: bool = False
    """Refuse an update whose last_update_time is not the stored one (optimistic concurrency, 4.5)."""
    force_time: bool = False
    """Rewrite the row and its time even when nothing differs."""


DEFAULT_RULES = Rules()


def put_nodes(
    tx: Transaction,
    kind: Kind,
    nodes: Sequence[Any],
    rules: Rules = DEFAULT_RULES,
    ids: Sequence[int | None] | None = None,
) -> list[int]:
    """Create the nodes without id and update those with one; return their ids in order.

    `ids` overrides the nodes' own ids, so that a node found by external id is updated without touching the request.
    Raises InvalidArgument, NotFound, AlreadyExists, FailedPrecondition and Internal as the contract's 3.1, 3.2 and 4.5.
    """
    targets = [node.id if node.HasField("id") else None for node in nodes] if ids is None else list(ids)
    if len(nodes) > 1:
        if tx.careful:
            pairs = list(zip(nodes, targets, strict=True))
            noun = kind.name.lower()
            return one_by_one(noun, pairs, lambda pair: put_nodes(tx, kind, [pair[0]], rules, [pair[1]])[0])
        tx.setwise = True
    updated = [target for target in targets if target is not None]
    check_updated_once(tx, updated)
    plans = [plan for plan in _plan_updates(tx, kind, nodes, targets, rules) if plan.rewrites] if updated else []
    check_kept(tx, kind, [(plan.stored, plan.row, plan.changed) for plan in plans])
    fresh = [node for node, target in zip(nodes, targets, strict=True) if target is None]
    if len(plans) + len(fresh) > 1:
        check_exchanges(tx, [(plan.stored, plan.row) for plan in plans], fresh)
    created = iter(create_nodes(tx, kind, fresh) if fresh else ())
    _apply_updates(tx, kind, plans)
    return [next(created) if target is None else target for target in targets]


def create_nodes(tx: Transaction, kind: Kind, nodes: Sequence[Any]) -> list[int]:
    """Create nodes whatever their `id` says; return the new ids in order (contract 3.1)."""
    types = known_types(tx, kind, [(node.type_id, node) for node in nodes if node.HasField("type_id")])
    now = now_ms()
    rows = [_new_row(tx, kind, node, types, now) for node in nodes]
    properties = PropertyRows(tx, kind)
    try:
        ids = tx.insert_ids(NODE_TABLES[kind].node, (*_COLUMNS[kind], *_TIMES), rows)
        for node_id, node in zip(ids, nodes, strict=True):  # a name that is taken is told before a Value without member
            properties.add_map(node_id, 0, node.properties)
            properties.add_map(node_id, 1, node.custom_properties)
        insert_properties(tx, properties, kind, to_new_nodes=True)
    except UniqueViolation as error:
        raise AlreadyExists(_taken(kind, nodes, types)) from error
    return ids


def known_types(tx: Transaction, kind: Kind, uses: Iterable[tuple[int, Any]]) -> dict[int, TypeFacts]:
    """Return the types with these ids, read again where one lacks a property that a node with it uses."""
    wanted: dict[int, set[str]] = {}
    for type_id, node in uses:
        wanted.setdefault(type_id, set()).update(node.properties)
    types = tx.types.get_many(tx, kind, wanted)
    stale = [type_id for type_id, facts in types.items() if needs_reload(facts, wanted[type_id])]
    if stale:
        types |= tx.types.reload(tx, stale)
    return types


def _new_row(tx: Transaction, kind: Kind, node: Any, types: dict[int, TypeFacts], now: int) -> tuple[Any, ...]:
    if not node.HasField("type_id"):
        raise InvalidArgument(f"type_id: missing; a new {kind.name.lower()} needs the id of its type.")
    facts = types.get(node.type_id)
    if facts is None:
        raise NotFound(f"type_id: there is no {kind.name.lower()} type with id {node.type_id}; put the type first.")
    validate_properties(kind, facts, node.properties)
    if kind is Kind.CONTEXT and not node.name:
        raise InvalidArgument("name: a context needs a name that is not empty.")
    return _row(tx, kind, node, node, now, now)


def _row(tx: Transaction, kind: Kind, node: Any, named: Any, created: int, updated: int) -> tuple[Any, ...]:
    """Return the columns of a node; `named` is where its name comes from."""
    name = fitting_name(tx, "name", named.name) if named.HasField("name") else None
    external_id = fitting_name(tx, "external_id", node.external_id) if node.HasField("external_id") else None
    row: tuple[Any, ...] = (node.type_id, name, external_id)
    if kind is Kind.ARTIFACT:
        row += (fitting_text(tx, "uri", node.uri),)
    if kind in _STATE:
        state = _STATE[kind]
        row += (getattr(node, state) if node.HasField(state) else None,)
    return (*row, created, updated)


def _taken(kind: Kind, nodes: Sequence[Any], types: dict[int, TypeFacts]) -> str:
    node = nodes[0]
    told = {}
    if node.HasField("name"):
        told["name"] = f"of type {types[node.type_id].name!r} named {node.name!r}"
    if node.HasField("external_id"):
        told["external_id"] = f"with external_id {node.external_id!r}"
    if not told:
        return _not_told_apart(kind)
    mend = "others" if len(told) > 1 else "another"
    return f"{', '.join(told)}: {_NOUN[kind]} {' or '.join(told.values())} is there already; read it, or choose {mend}."


def _claimed(tx: Transaction, kind: Kind, update: Update) -> str:
    """Say what of an update another node has already; the database does not tell which of the two."""
    stored, (_, name, external_id, *_rest) = update.stored, update.row
    cells = {"name": name} if kind is Kind.CONTEXT else {}
    cells["external_id"] = external_id
    told = {field: tx.text.decode(cell) for field, cell in cells.items() if cell is not None}
    told = {field: text for field, text in told.items() if not stored.HasField(field) or text != getattr(stored, field)}
    values = " or ".join(f"{text!r} as its {field}" for field, text in told.items())
    noun = f"{kind.name.lower()} {stored.id}"
    return f"{', '.join(told)}: another {kind.name.lower()} has {values} already, so {noun} cannot take it."


def _not_told_apart(kind: Kind) -> str:
    return f"Two properties of the {kind.name.lower()} have names that this database does not tell apart."


def _plan_updates(
    tx: Transaction, kind: Kind, nodes: Sequence[Any], targets: Sequence[int | None], rules: Rules
) -> list[Update]:
    pairs = [(node, target) for node, target in zip(nodes, targets, strict=True) if target is not None]
    # Contexts are sent along unchanged with almost every execution of a run: they are locked only when one changes.
    optimistic = kind is Kind.CONTEXT
    plans = _plan_once(tx, kind, pairs, rules, locked=not optimistic)
    if optimistic and any(plan.rewrites for plan in plans):
        plans = _plan_once(tx, kind, pairs, rules, locked=True)
    return plans


def _plan_once(
    tx: Transaction, kind: Kind, pairs: Sequence[tuple[Any, int]], rules: Rules, *, locked: bool
) -> list[Update]:
    statement = _LOCKED[kind] if locked else READERS[kind].by_id
    stored = {node.id: node for node in nodes_read(tx, kind, statement, [target for _, target in pairs])}
    uses = [(stored[target].type_id, node) for node, target in pairs if target in stored]
    types = known_types(tx, kind, uses)
    return [_plan(tx, kind, node, stored.get(target), target, types, rules) for node, target in pairs]


def _plan(
    tx: Transaction, kind: Kind, node: Any, stored: Any, target: int, types: dict[int, TypeFacts], rules: Rules
) -> Update:
    noun = kind.name.lower()
    if (
        rules.check_times
        and stored is not None
        and stored.last_update_time_since_epoch != node.last_update_time_since_epoch
    ):
        raise FailedPrecondition(
            f"last_update_time_since_epoch: {noun} {target} was changed at {stored.last_update_time_since_epoch}, and "
            f"the request was made from what it was at {node.last_update_time_since_epoch}; read it again and redo "
            "the change."
        )
    if stored is None:
        raise InvalidArgument(f"id: there is no {noun} with id {target}; leave id out to create one.")
    if node.HasField("type_id") and node.type_id != stored.type_id:
        raise InvalidArgument(
            f"type_id: {noun} {target} is of type {stored.type_id} and cannot become one of type {node.type_id}."
        )
    facts = types.get(stored.type_id)
    if facts is None:
        raise NotFound(f"type_id: the type {stored.type_id} of {noun} {target} is no longer in the store.")
    chosen = rules.mask.properties
    validate_properties(
        kind, facts, node.properties, None if chosen.whole else chosen.keys.intersection(node.properties)
    )
    merged = _merged_maps(node, stored, rules.mask)
    changed, removes = _differences(target, stored, merged)
    rewrites = bool(rules.force_time or changed or removes or _differs(kind, node, stored))
    if not rewrites:
        return Update(stored, ())
    kept = (
        [(target, custom, name, value) for custom, values in merged for name, value in values.items()]
        if removes
        else []
    )
    return Update(stored, _merged_row(tx, kind, node, stored, rules.mask), changed, kept, removes, rewrites=True)


def _merged_maps(node: Any, stored: Any, mask: UpdateMask) -> list[tuple[int, dict[str, pb.Value]]]:
    """Return both maps as they are after the update, 0 for declared and 1 for custom properties."""
    return [
        (0, _merged_map(node.properties, stored.properties, mask.properties)),
        (1, _merged_map(node.custom_properties, stored.custom_properties, mask.custom_properties)),
    ]


def _merged_map(given: Any, stored: Any, mask: MapMask) -> dict[str, pb.Value]:
    if mask.whole:
        return {name: given[name] for name in given}
    merged = {name: stored[name] for name in stored}
    for key in mask.keys:
        if key in given:
            merged[key] = given[key]
        else:
            merged.pop(key, None)
    return merged


def _differences(
    node_id: int, stored: Any, merged: list[tuple[int, dict[str, pb.Value]]]
) -> tuple[list[Property], bool]:
    """Return the properties that are new or other than stored, and whether a stored one goes."""
    changed: list[Property] = []
    removes = False
    for custom, values in merged:
        before = stored.custom_properties if custom else stored.properties
        removes = removes or any(name not in values for name in before)
        for name, value in values.items():
            if name not in before or not same_value(before[name], value):
                changed.append((node_id, custom, name, value))
    return changed, removes


def _differs(kind: Kind, node: Any, stored: Any) -> bool:
    """Return whether the request differs from the stored node beyond properties and times (contract 3.6)."""
    for name in _COMPARED[kind]:
        present = node.HasField(name)
        if present != stored.HasField(name) or (present and getattr(node, name) != getattr(stored, name)):
            return True
    return has_unknown_fields(node)


def _merged_row(tx: Transaction, kind: Kind, node: Any, stored: Any, mask: UpdateMask) -> tuple[Any, ...]:
    merged = type(stored)(type_id=stored.type_id)
    for name in ("external_id", "uri", "state", "last_known_state"):
        if name in merged.DESCRIPTOR.fields_by_name:
            source = node if mask.touches(name) else stored
            value = getattr(source, name)
            if isinstance(value, bytes):
                set_raw_text(merged, name, text_of(value))
            elif source.HasField(name):
                setattr(merged, name, value)
    named = node if kind is Kind.CONTEXT and mask.touches("name") else stored
    if kind is Kind.CONTEXT and not named.name:
        raise InvalidArgument(f"name: context {stored.id} needs a name that is not empty; send its name along.")
    updated = max(now_ms(), stored.last_update_time_since_epoch + 1)
    return _row(tx, kind, merged, named, stored.create_time_since_epoch, updated)


def _apply_updates(tx: Transaction, kind: Kind, plans: Sequence[Update]) -> None:
    if not plans:
        return
    shrunk = [plan.stored.id for plan in plans if plan.removes]
    if shrunk:
        delete_properties(tx, kind, shrunk)
    _put_properties(tx, kind, plans)
    try:
        _rewrite_rows(tx, kind, plans)
    except UniqueViolation:
        raise Internal(_claimed(tx, kind, plans[0])) from None


def _put_properties(tx: Transaction, kind: Kind, plans: Sequence[Update]) -> None:
    """Replace the properties that are there and insert the others, so that none takes the place of one like it.

    The database decides which names are equal, and a replacement would only keep the last of those.
    """
    fresh, replaced = PropertyRows(tx, kind), PropertyRows(tx, kind)
    for plan in plans:
        there = (plan.stored.properties, plan.stored.custom_properties)
        for node_id, custom, name, value in plan.kept if plan.removes else plan.changed:
            rows = fresh if plan.removes or name not in there[custom] else replaced
            rows.add(node_id, custom, name, value)
    try:
        insert_properties(tx, fresh, kind)
    except UniqueViolation:
        raise Internal(_not_told_apart(kind)) from None
    upsert_properties(tx, replaced, kind)


def _rewrite_rows(tx: Transaction, kind: Kind, plans: Sequence[Update]) -> None:
    columns = (*_COLUMNS[kind], *_TIMES)
    if len(plans) == 1 or any(map(_is_foreign, plans)):
        for plan in plans:
            values = _new_values(tx, plan.stored, dict(zip(columns, plan.row, strict=True)))
            tx.execute(_rewrite(kind, tuple(values)), {"node_id": plan.stored.id, **values})
        return
    tx.execute_in(_DELETE[kind], [plan.stored.id for plan in plans])
    tx.insert(NODE_TABLES[kind].node, ("id", *columns), [(plan.stored.id, *plan.row) for plan in plans])


def _is_foreign(plan: Update) -> bool:
    """Tell whether a node has a text that is not UTF-8: SQLite's driver cannot write it, so it stays where it is."""
    return any(isinstance(getattr(plan.stored, name, ""), bytes) for name in _INDEXED)


def _new_values(tx: Transaction, stored: Any, row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that an update has to write: setting an indexed one to what it holds still costs its index."""
    values = {name: value for name, value in row.items() if name not in _NEVER_CHANGED}
    for name in _INDEXED & values.keys():
        text = values[name]
        if stored.HasField(name) == (text is not None) and (
            text is None or tx.text.decode(text) == text_of(getattr(stored, name))
        ):
            del values[name]
    return values


@cache
def _rewrite(kind: Kind, columns: tuple[str, ...]) -> sa.Update:
    """Return the UPDATE of these columns of one node, to parameters of their names."""
    node = NODE_TABLES[kind].node
    return sa.update(node).where(node.c.id == sa.bindparam("node_id")).values({c: sa.bindparam(c) for c in columns})
