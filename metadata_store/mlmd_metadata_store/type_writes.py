"""Types on their way into the database (mlmd-write contract, section 2)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import AlreadyExists, Internal, Unimplemented
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.own import STORE
from mlmd_schemas.tables.v10 import PARENT_TYPE, TYPE, TYPE_PROPERTY, Kind

from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.rpc import mlmd_write
from mlmd_metadata_store.text_limits import fitting_name, fitting_text
from mlmd_metadata_store.transaction import Transaction, chunks
from mlmd_metadata_store.type_plans import (
    Evolution,
    TypeKey,
    TypeLedger,
    TypeRecord,
    TypeWrites,
    external_id_taken,
    key_of,
    plan_type,
)
from mlmd_metadata_store.type_rows import SIMPLE_NAMES, parent_rows, property_rows, struct_text

GivenType = tuple[Kind, Any]
"""A type that is put: its kind and its message."""

_COLUMNS = ("type_kind", "name", "version", "description", "external_id", "input_type", "output_type")
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_BY_NAME = (
    sa.select(TYPE.c.id, TYPE.c.type_kind, TYPE.c.name, TYPE.c.version, TYPE.c.external_id)
    .where(TYPE.c.name.in_(_IDS))
    .order_by(TYPE.c.id)
)
_BY_EXTERNAL_ID = sa.select(TYPE.c.id, TYPE.c.type_kind, TYPE.c.external_id).where(TYPE.c.external_id.in_(_IDS))
_SET_EXTERNAL_ID = (
    sa.update(TYPE)
    .where(TYPE.c.id == sa.bindparam("type_id"))
    .values(external_id=sa.bindparam("new_external_id", type_=sa.String))
)
_STORE_ROW = sa.select(STORE.c.id).with_for_update()


def put_types(tx: Transaction, given: Sequence[GivenType], evolution: Evolution) -> list[int]:
    """Create the types that are not there and widen those that are; return their ids in order.

    Types that are there and need no change cost a few reads and take no lock. Raises what the contract's 4.1 lists.
    """
    if len(given) > 1:
        tx.setwise = not tx.careful
    if not tx.careful:
        writes = TypeWrites()
        ledger = _read_ledger(tx, given)
        records = [plan_type(ledger, kind, message, evolution, writes) for kind, message in given]
        if not writes:
            return _ids(records)
    # No key of the tables keeps two writers from making the same type, so they take turns, and each looks again.
    tx.rows(_STORE_ROW)
    return _ids(_put_locked(tx, given, evolution))


def _put_locked(tx: Transaction, given: Sequence[GivenType], evolution: Evolution) -> list[TypeRecord]:
    ledger = _read_ledger(tx, given)
    writes = TypeWrites()
    records: list[TypeRecord] = []
    for kind, message in given:
        records.append(plan_type(ledger, kind, message, evolution, writes))
        if tx.careful:
            _write(tx, writes)
            writes = TypeWrites()
    _write(tx, writes)
    return records


def _ids(records: Sequence[TypeRecord]) -> list[int]:
    return [record.id for record in records if record.id is not None]


def _read_ledger(tx: Transaction, given: Sequence[GivenType]) -> TypeLedger:
    records = _read_records(tx, {key_of(kind, message) for kind, message in given})
    ledger = TypeLedger(records, check_fit=partial(_row, tx), check_text=partial(fitting_name, tx))
    by_id = {record.id: record for record in ledger.records.values() if record.id is not None}
    for type_id, name, number in property_rows(tx, list(by_id)):
        by_id[type_id].defined[name] = by_id[type_id].stored[name] = number
    _read_owners(tx, given, ledger)
    based = [(kind, message) for kind, message in given if message.HasField("base_type") and message.base_type]
    if based:
        _read_parents(tx, based, ledger, by_id)
    return ledger


def _read_records(tx: Transaction, keys: set[TypeKey]) -> dict[TypeKey, TypeRecord]:
    encode, decode = tx.text.encode, tx.text.decode
    records: dict[TypeKey, TypeRecord] = {}
    for type_id, kind, name, version, external_id in tx.rows_in(_BY_NAME, {encode(key.name) for key in keys}):
        key = TypeKey(Kind(kind), decode(name), decode(version) if version else "")
        # The database may find more than was asked for, when it compares without case; the first of equals counts.
        if key in keys and key not in records:
            known = None if external_id is None else decode(external_id)
            records[key] = TypeRecord(key, type_id, external_id=known)
    return records


def _read_owners(tx: Transaction, given: Sequence[GivenType], ledger: TypeLedger) -> None:
    wanted = set()
    for kind, message in given:
        record = ledger.records.get(key_of(kind, message))
        if message.HasField("external_id") and (record is None or record.external_id != message.external_id):
            wanted.add(tx.text.encode(message.external_id))
    for type_id, kind, external_id in tx.rows_in(_BY_EXTERNAL_ID, wanted):
        ledger.owners[tx.text.decode(external_id)] = (Kind(kind), type_id)


def _read_parents(
    tx: Transaction, based: Sequence[GivenType], ledger: TypeLedger, by_id: dict[int, TypeRecord]
) -> None:
    for type_id, _, parent in parent_rows(tx, list(by_id)):
        by_id[type_id].parent = by_id[type_id].parent or parent
    records = [ledger.records.get(key_of(kind, message)) for kind, message in based]
    if all(record is not None and record.parent for record in records):
        return
    for type_id, kind, name, version, _ in tx.rows_in(_BY_NAME, {tx.text.encode(name) for name in SIMPLE_NAMES}):
        if not version:
            ledger.simple_ids.setdefault((Kind(kind), tx.text.decode(name)), type_id)
    for type_id, parent_id, _ in parent_rows(tx, list(ledger.simple_ids.values())):
        ledger.ancestors.setdefault(type_id, set()).add(parent_id)


def _write(tx: Transaction, writes: TypeWrites) -> None:
    if not writes:
        return
    tx.made_types = True
    if writes.created:
        _insert_types(tx, writes.created)
    try:
        if writes.properties:
            rows = [
                (record.id, fitting_name(tx, "properties", name), number) for record, name, number in writes.properties
            ]
            tx.insert(TYPE_PROPERTY, ("type_id", "name", "data_type"), rows)
    except UniqueViolation:
        title = writes.properties[0][0].title
        raise Internal(f"properties: two names of {title} are one and the same to this database.") from None
    _update_external_ids(tx, writes.external_ids)
    try:
        if writes.parents:
            links = [(record.id, parent_id) for record, parent_id in writes.parents]
            tx.insert(PARENT_TYPE, ("type_id", "parent_type_id"), links)
    except UniqueViolation as error:
        raise AlreadyExists(f"base_type: {writes.parents[0][0].title} has that parent already.") from error


def _insert_types(tx: Transaction, created: Sequence[tuple[TypeRecord, Any]]) -> None:
    rows = [_row(tx, record, message) for record, message in created]
    try:
        ids = tx.insert_ids(TYPE, _COLUMNS, rows)
    except UniqueViolation as error:
        # Only a database that compares without case gets here, or one that another server writes to as well.
        record, message = created[0]
        owners = tx.rows_in(_BY_EXTERNAL_ID, [tx.text.encode(message.external_id)])
        same_kind = any(kind == record.key.kind for _, kind, _ in owners)
        raise external_id_taken(record, message.external_id, same_kind=same_kind) from error
    for (record, _), type_id in zip(created, ids, strict=True):
        record.id = type_id


def _row(tx: Transaction, record: TypeRecord, message: Any) -> tuple[Any, ...]:
    structs: list[str | None] = [None, None]
    if record.key.kind is Kind.EXECUTION:
        structs = [
            fitting_text(tx, name, struct_text(getattr(message, name))) if message.HasField(name) else None
            for name in ("input_type", "output_type")
        ]
    described = message.HasField("description")
    return (
        record.key.kind.value,
        fitting_name(tx, "name", record.key.name),
        fitting_name(tx, "version", record.key.version) if record.key.version else None,
        fitting_text(tx, "description", message.description) if described else None,
        fitting_name(tx, "external_id", message.external_id) if message.HasField("external_id") else None,
        *structs,
    )


def _update_external_ids(tx: Transaction, changes: Sequence[tuple[TypeRecord, str]]) -> None:
    latest = {record.id: fitting_name(tx, "external_id", external_id) for record, external_id in changes}
    try:
        if len(latest) == 1:
            ((type_id, external_id),) = latest.items()
            tx.execute(_SET_EXTERNAL_ID, {"type_id": type_id, "new_external_id": external_id})
            return
        for chunk in chunks(list(latest.items())):
            chosen = sa.update(TYPE).where(
                TYPE.c.id.in_(sa.bindparam("ids", [key for key, _ in chunk], expanding=True))
            )
            tx.execute(chosen.values(external_id=sa.case(dict(chunk), value=TYPE.c.id)))
    except UniqueViolation:
        record, external_id = changes[0]
        raise Internal(
            f"external_id: {external_id!r} belongs to another type already, so {record.title} cannot take it."
        ) from None


def _evolution(request: Any) -> Evolution:
    if not request.all_fields_match:
        raise Unimplemented("all_fields_match: false is not known to any version of the store; leave it out.")
    return Evolution(request.can_add_fields, request.can_omit_fields)


def _put_artifact_type(tx: Transaction, request: service.PutArtifactTypeRequest) -> service.PutArtifactTypeResponse:
    (type_id,) = put_types(tx, [(Kind.ARTIFACT, request.artifact_type)], _evolution(request))
    return service.PutArtifactTypeResponse(type_id=type_id)


def _put_execution_type(tx: Transaction, request: service.PutExecutionTypeRequest) -> service.PutExecutionTypeResponse:
    (type_id,) = put_types(tx, [(Kind.EXECUTION, request.execution_type)], _evolution(request))
    return service.PutExecutionTypeResponse(type_id=type_id)


def _put_context_type(tx: Transaction, request: service.PutContextTypeRequest) -> service.PutContextTypeResponse:
    (type_id,) = put_types(tx, [(Kind.CONTEXT, request.context_type)], _evolution(request))
    return service.PutContextTypeResponse(type_id=type_id)


def _put_types(tx: Transaction, request: service.PutTypesRequest) -> service.PutTypesResponse:
    groups = (
        (Kind.ARTIFACT, request.artifact_types),
        (Kind.EXECUTION, request.execution_types),
        (Kind.CONTEXT, request.context_types),
    )
    ids = iter(put_types(tx, [(kind, message) for kind, group in groups for message in group], _evolution(request)))
    artifacts, executions, contexts = ([next(ids) for _ in group] for _, group in groups)
    return service.PutTypesResponse(
        artifact_type_ids=artifacts, execution_type_ids=executions, context_type_ids=contexts
    )


TYPE_WRITE_METHODS = (
    mlmd_write("PutArtifactType", _put_artifact_type),
    mlmd_write("PutExecutionType", _put_execution_type),
    mlmd_write("PutContextType", _put_context_type),
    mlmd_write("PutTypes", _put_types),
)
