"""Type rows, and the messages they are (mlmd-read contract, 0.2)."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from google.protobuf import json_format
from google.protobuf.message import Message
from mlmd_schemas.errors import Internal, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import PARENT_TYPE, TYPE, TYPE_PROPERTY, Kind

from mlmd_metadata_store.node_rows import set_raw_text, shown_key
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_cache import PROPERTY_TYPES, known_property_type

MESSAGES: dict[Kind, type[Any]] = {
    Kind.ARTIFACT: pb.ArtifactType,
    Kind.EXECUTION: pb.ExecutionType,
    Kind.CONTEXT: pb.ContextType,
}
BASE_TYPES: dict[Kind, dict[int, str]] = {
    Kind.ARTIFACT: {
        pb.ArtifactType.DATASET: "mlmd.Dataset",
        pb.ArtifactType.MODEL: "mlmd.Model",
        pb.ArtifactType.METRICS: "mlmd.Metrics",
        pb.ArtifactType.STATISTICS: "mlmd.Statistics",
    },
    Kind.EXECUTION: {
        pb.ExecutionType.TRAIN: "mlmd.Train",
        pb.ExecutionType.TRANSFORM: "mlmd.Transform",
        pb.ExecutionType.PROCESS: "mlmd.Process",
        pb.ExecutionType.EVALUATE: "mlmd.Evaluate",
        pb.ExecutionType.DEPLOY: "mlmd.Deploy",
    },
    Kind.CONTEXT: {},
}
"""The simple types of each kind by the number of `base_type` that stands for them."""
SIMPLE_NAMES = frozenset(name for names in BASE_TYPES.values() for name in names.values())
_BASE_NUMBERS = {kind: {name: number for number, name in names.items()} for kind, names in BASE_TYPES.items()}
_NESTED_BASE_TYPES = frozenset(pb.ArtifactType.SystemDefinedBaseType.values())

TYPE_COLUMNS = (
    TYPE.c.id,
    TYPE.c.name,
    TYPE.c.version,
    TYPE.c.description,
    TYPE.c.external_id,
    TYPE.c.input_type,
    TYPE.c.output_type,
)
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_PROPERTIES = sa.select(TYPE_PROPERTY.c.type_id, TYPE_PROPERTY.c.name, TYPE_PROPERTY.c.data_type).where(
    TYPE_PROPERTY.c.type_id.in_(_IDS)
)
_PARENTS = (
    sa.select(PARENT_TYPE.c.type_id, PARENT_TYPE.c.parent_type_id, TYPE.c.name)
    .join(TYPE, TYPE.c.id == PARENT_TYPE.c.parent_type_id)
    .where(PARENT_TYPE.c.type_id.in_(_IDS))
    .order_by(PARENT_TYPE.c.type_id, PARENT_TYPE.c.parent_type_id)
)


def property_rows(tx: Transaction, type_ids: Sequence[int]) -> list[tuple[int, str, int]]:
    """Return (type id, property name, PropertyType number) of these types."""
    decode = tx.text.decode
    rows = tx.rows_in(_PROPERTIES, type_ids)
    return [(type_id, decode(name), known_property_type(number)) for type_id, name, number in rows]


def parent_rows(tx: Transaction, type_ids: Sequence[int]) -> list[tuple[int, int, str]]:
    """Return (type id, parent's id, parent's name) of these types' links to parents."""
    decode = tx.text.decode
    return [(type_id, parent_id, decode(name)) for type_id, parent_id, name in tx.rows_in(_PARENTS, type_ids)]


def types_of_rows(
    tx: Transaction,
    kind: Kind,
    rows: Sequence[Any],
    *,
    add: Callable[[], Any] | None = None,
    base_types: bool = True,
    structs: bool = True,
) -> list[Any]:
    """Return the messages of rows of TYPE_COLUMNS, in their order; `add` makes each, for instance in a response.

    `base_types` fills base_type, `structs` an execution type's input_type and output_type. Raises InvalidArgument for
    a parent that no base_type stands for, Internal for a damaged input_type or output_type.
    """
    make = add or MESSAGES[kind]
    types: dict[int, Any] = {}
    for row in rows:
        types[row[0]] = _message(tx, kind, row, make(), structs)
    for type_id, name, number in property_rows(tx, list(types)):
        _set_property(types[type_id], name, number)
    if base_types and BASE_TYPES[kind]:
        _read_base_types(tx, kind, types)
    return list(types.values())


def _message(tx: Transaction, kind: Kind, row: Any, message: Any, structs: bool) -> Any:
    type_id, name, version, description, external_id, input_type, output_type = row
    message.id = type_id
    texts = {"name": name, "version": version, "description": description, "external_id": external_id}
    for field, text in texts.items():
        if text is not None:
            _set_text(message, field, tx.text.decode(text))
    if structs and kind is Kind.EXECUTION:
        for field, text in (("input_type", input_type), ("output_type", output_type)):
            if text:
                _read_struct(message, field, tx.text.decode(text))
    return message


def _set_text(message: Message, field: str, text: str) -> None:
    try:
        setattr(message, field, text)
    except UnicodeEncodeError:
        set_raw_text(message, field, text)


def _set_property(message: Any, name: str, number: int) -> None:
    try:
        message.properties[name] = number
    except UnicodeEncodeError:  # no Python map takes such a key, and a type without one property is better than none
        message.properties[shown_key(name)] = number


def _read_struct(message: Any, field: str, text: str) -> None:
    target = getattr(message, field)
    target.SetInParent()
    try:
        read = json.loads(text, object_pairs_hook=_known)
        if not isinstance(read, dict):
            raise ValueError("proto JSON of a message is an object")
        json_format.ParseDict(read, target)
    except (json_format.ParseError, RecursionError, TypeError, ValueError) as error:
        raise Internal(f"{field}: the execution type {message.name!r} has a damaged one in the database.") from error


def _known(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of proto JSON without enum values of a later version, which stand there as bare numbers.

    Google's server writes such values of a map into another map of the same name. Values of this version it writes by
    name; their numbers are read all the same.
    """
    known: dict[str, Any] = {}
    for name, value in pairs:
        if isinstance(value, dict):
            known[name] = known.get(name, {}) | value
        elif isinstance(value, bool) or not isinstance(value, int) or value in _numbers_of(name):
            known[name] = value
    return known


def _numbers_of(name: str) -> frozenset[int]:
    return _NESTED_BASE_TYPES if name in ("baseType", "base_type") else PROPERTY_TYPES


def struct_text(struct: pb.ArtifactStructType) -> str:
    """Return the compact proto JSON that the database keeps for an input_type or output_type."""
    return json.dumps(json_format.MessageToDict(struct), separators=(",", ":"), ensure_ascii=False)


def _read_base_types(tx: Transaction, kind: Kind, types: dict[int, Any]) -> None:
    for type_id, _, parent in parent_rows(tx, list(types)):
        message = types[type_id]
        if message.HasField("base_type"):
            continue
        number = _BASE_NUMBERS[kind].get(parent)
        if number is None:
            raise InvalidArgument(
                f"base_type: the type {message.name!r} has the parent {parent!r}, which no base_type stands for."
            )
        message.base_type = number
