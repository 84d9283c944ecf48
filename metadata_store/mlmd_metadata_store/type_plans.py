"""What putting types would write, worked out in memory in the contract's order (mlmd-write contract, 2.3 to 2.6).

A `TypeLedger` holds what the database says about the types of one request. `plan_type` takes the types one by one,
raises what the contract demands, and notes in `TypeWrites` what has to be written.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlmd_schemas.errors import AlreadyExists, Internal, InvalidArgument, NotFound, StoreError, Unimplemented
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store.type_rows import BASE_TYPES


class TypeKey(NamedTuple):
    """What makes a type the same type; version "" is no version."""

    kind: Kind
    name: str
    version: str


def key_of(kind: Kind, message: Any) -> TypeKey:
    """Return the identity of a type message."""
    return TypeKey(kind, message.name, message.version)


@dataclass(frozen=True, slots=True)
class Evolution:
    """How a stored type may differ from the one that is put."""

    can_add_fields: bool = False
    can_omit_fields: bool = False


@dataclass(eq=False, slots=True)
class TypeRecord:
    """A stored type, or one that this request makes."""

    key: TypeKey
    id: int | None
    defined: dict[str, int] = field(default_factory=dict)
    """The properties that later entries of the request are checked against: updates in the request do not show."""
    stored: dict[str, int] = field(default_factory=dict)
    """The properties as they are after what the request wrote so far."""
    external_id: str | None = None
    parent: str | None = None
    """Name of the parent type."""

    @property
    def title(self) -> str:
        """Return what messages call the type."""
        version = f" version {self.key.version!r}" if self.key.version else ""
        return f"the {self.key.kind.name.lower()} type {self.key.name!r}{version}"


@dataclass(slots=True)
class TypeWrites:
    """Rows to write, in order."""

    created: list[tuple[TypeRecord, Any]] = field(default_factory=list)
    properties: list[tuple[TypeRecord, str, int]] = field(default_factory=list)
    external_ids: list[tuple[TypeRecord, str]] = field(default_factory=list)
    parents: list[tuple[TypeRecord, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Return whether there is anything to write."""
        return bool(self.created or self.properties or self.external_ids or self.parents)


@dataclass(slots=True)
class TypeLedger:
    """What the database says about the types of one request, and what the request adds to it."""

    records: dict[TypeKey, TypeRecord] = field(default_factory=dict)
    owners: dict[str, tuple[Kind, Hashable]] = field(default_factory=dict)
    """Who has an external id: the kind, and the id of a stored type or the record of one being made."""
    simple_ids: dict[tuple[Kind, str], int] = field(default_factory=dict)
    ancestors: dict[int, set[int]] = field(default_factory=dict)
    """Parents of the simple types, by id."""
    check_fit: Callable[[TypeRecord, Any], object] = lambda record, message: None
    """Raises Internal when a type that is to be made does not fit into the columns of the database."""
    check_text: Callable[[str, str], object] = lambda field, text: None
    """Raises Internal when a property's name or an external id does not fit."""


def plan_type(ledger: TypeLedger, kind: Kind, message: Any, evolution: Evolution, writes: TypeWrites) -> TypeRecord:
    """Work out one type and note it in `writes`; raises what the contract's 4.1 lists."""
    key = key_of(kind, message)
    record = ledger.records.get(key)
    if record is None:
        record = _plan_creation(ledger, key, message, writes)
    else:
        _check_evolution(record, message, evolution)
        _plan_properties(ledger, record, message, writes)
        _plan_external_id(ledger, record, message, writes)
    if message.HasField("base_type"):
        _plan_parent(ledger, record, message.base_type, writes)
    return record


def _plan_creation(ledger: TypeLedger, key: TypeKey, message: Any, writes: TypeWrites) -> TypeRecord:
    if not key.name:
        raise InvalidArgument(f"{key.kind.name.lower()}_type.name: missing or empty; a type needs a name.")
    properties = dict(message.properties.items())
    record = TypeRecord(key, None, properties, dict(properties))
    if message.HasField("external_id"):
        owner = ledger.owners.get(message.external_id)
        if owner is not None:
            raise external_id_taken(record, message.external_id, same_kind=owner[0] is key.kind)
        record.external_id = message.external_id
        ledger.owners[message.external_id] = (key.kind, record)
    ledger.check_fit(record, message)
    for name, number in properties.items():
        _check_known(record, name, number)
        ledger.check_text("properties", name)
    ledger.records[key] = record
    writes.created.append((record, message))
    writes.properties += [(record, name, number) for name, number in properties.items()]
    return record


def external_id_taken(record: TypeRecord, external_id: str, *, same_kind: bool) -> StoreError:
    """Return the error for a new type whose external id another type has; the contract's code depends on its kind."""
    text = f"external_id: {external_id!r} belongs to another type already; {record.title} needs one of its own."
    return AlreadyExists(text) if same_kind else Internal(text)


def _check_known(record: TypeRecord, name: str, number: int) -> None:
    if number == pb.UNKNOWN:
        raise InvalidArgument(
            f"properties[{name!r}]: {record.title} declares it as UNKNOWN; say INT, DOUBLE, STRING, STRUCT, PROTO or "
            "BOOLEAN."
        )


def _check_evolution(record: TypeRecord, message: Any, evolution: Evolution) -> None:
    given = message.properties
    for name, number in record.defined.items():
        if name in given and given[name] != number:
            raise _changed(record, name, number, given[name])
    if not evolution.can_omit_fields:
        omitted = sorted(name for name in record.defined if name not in given)
        if omitted:
            raise AlreadyExists(
                f"properties: {record.title} has {omitted[0]!r}, which the request leaves out; name it, or set "
                "can_omit_fields."
            )
    if not evolution.can_add_fields:
        added = sorted(name for name in given if name not in record.defined)
        if added:
            raise AlreadyExists(
                f"properties: {record.title} is there without {added[0]!r}; set can_add_fields to add it."
            )


def _changed(record: TypeRecord, name: str, stored: int, given: int) -> AlreadyExists:
    old, new = pb.PropertyType.Name(stored), pb.PropertyType.Name(given)
    return AlreadyExists(
        f"properties[{name!r}]: {record.title} has it as {old}, and the request says {new}; a property keeps its type."
    )


def _plan_properties(ledger: TypeLedger, record: TypeRecord, message: Any, writes: TypeWrites) -> None:
    for name, number in message.properties.items():
        if name in record.defined:
            continue
        _check_known(record, name, number)
        ledger.check_text("properties", name)
        if name not in record.stored:
            record.stored[name] = number
            writes.properties.append((record, name, number))
        elif record.stored[name] != number:
            raise _changed(record, name, record.stored[name], number)


def _plan_external_id(ledger: TypeLedger, record: TypeRecord, message: Any, writes: TypeWrites) -> None:
    wanted = message.external_id
    if not wanted or wanted == record.external_id:
        return
    if wanted in ledger.owners:
        raise Internal(f"external_id: {wanted!r} belongs to another type already, so {record.title} cannot take it.")
    ledger.check_text("external_id", wanted)
    if record.external_id is not None:
        ledger.owners.pop(record.external_id, None)
    record.external_id = wanted
    ledger.owners[wanted] = (record.key.kind, record)
    writes.external_ids.append((record, wanted))


def _plan_parent(ledger: TypeLedger, record: TypeRecord, base_type: int, writes: TypeWrites) -> None:
    kind = record.key.kind
    wanted = BASE_TYPES[kind].get(base_type)
    if wanted is None:
        raise Unimplemented(f"base_type: UNSET would take the parent of {record.title} away; leave base_type out.")
    if record.parent == wanted:
        return
    if record.parent is not None:
        raise Unimplemented(f"base_type: {record.title} has the parent {record.parent!r} and keeps it.")
    parent_id = ledger.simple_ids.get((kind, wanted))
    if parent_id is None:
        raise NotFound(f"base_type: the type {wanted!r} is not in the store; open the store again to have it made.")
    if record.id is not None and _is_above(ledger, record.id, parent_id):
        raise InvalidArgument(f"base_type: {record.title} is {wanted!r} itself or above it, so it cannot be below it.")
    record.parent = wanted
    if record.id is not None:
        ledger.ancestors.setdefault(record.id, set()).add(parent_id)
    writes.parents.append((record, parent_id))


def _is_above(ledger: TypeLedger, type_id: int, below: int) -> bool:
    waiting, seen = [below], {below}
    while waiting:
        current = waiting.pop()
        if current == type_id:
            return True
        fresh = ledger.ancestors.get(current, set()) - seen
        seen |= fresh
        waiting += fresh
    return False
