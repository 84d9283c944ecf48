"""The store of the recorded cases, as rows: eight artifacts, four executions, four contexts and their edges."""

from typing import Any

import sqlalchemy as sa
from mlmd_schemas.tables import v10

DATASET, MODEL, MODEL_V2, EMPTY, TRAINER, EVALUATOR, PIPELINE, RUN = range(10, 18)
STRUCT = "mlmd-struct::CgsKAWsSBhEAAAAAAADwPw=="
INDEXES = ("int_value", "double_value", "string_value")


def _types() -> list[dict[str, Any]]:
    names = [
        (DATASET, "Dataset", None, v10.Kind.ARTIFACT, "ext-t-ds"),
        (MODEL, "Model", None, v10.Kind.ARTIFACT, None),
        (MODEL_V2, "Model", "v2", v10.Kind.ARTIFACT, None),
        (EMPTY, "Empty", None, v10.Kind.ARTIFACT, None),
        (TRAINER, "Trainer", None, v10.Kind.EXECUTION, "ext-t-tr"),
        (EVALUATOR, "Evaluator", None, v10.Kind.EXECUTION, None),
        (PIPELINE, "Pipeline", None, v10.Kind.CONTEXT, "ext-t-pi"),
        (RUN, "Run", "1", v10.Kind.CONTEXT, None),
    ]
    return [
        {"id": id_, "name": name, "version": version, "type_kind": int(kind), "external_id": external}
        for id_, name, version, kind, external in names
    ]


def _artifacts() -> list[dict[str, Any]]:
    rows = [
        (DATASET, "d1", "gs://b/1", 2, "ext-a1"),
        (DATASET, "d2", "gs://b/2", 1, None),
        (DATASET, None, "gs://b/3", None, None),
        (MODEL, "m1", "/m/1", 4, None),
        (MODEL_V2, "m1", "gs://b/1", 3, None),
        (DATASET, "", "", 0, None),
        (DATASET, "D1", "GS://B/1", 5, None),
        (DATASET, "uri", "uri", 6, "name"),
    ]
    return [
        {
            "id": id_,
            "type_id": type_id,
            "name": name,
            "uri": uri,
            "state": state,
            "external_id": external,
            "create_time_since_epoch": 1000 + 10 * id_,
            "last_update_time_since_epoch": 2000 - 10 * (id_ // 2),
        }
        for id_, (type_id, name, uri, state, external) in enumerate(rows, 1)
    ]


def _executions() -> list[dict[str, Any]]:
    rows = [
        (TRAINER, "run1", 3, "ext-e1"),
        (TRAINER, "run2", 2, None),
        (EVALUATOR, None, None, None),
        (TRAINER, "run4", 4, None),
    ]
    return [
        {
            "id": id_,
            "type_id": type_id,
            "name": name,
            "last_known_state": state,
            "external_id": external,
            "create_time_since_epoch": 1000 + 10 * id_,
            "last_update_time_since_epoch": 2000 + 10 * id_,
        }
        for id_, (type_id, name, state, external) in enumerate(rows, 1)
    ]


def _contexts() -> list[dict[str, Any]]:
    rows = [(PIPELINE, "p1", "ext-c1"), (RUN, "r1", None), (RUN, "r2", None), (PIPELINE, "p2", None)]
    return [
        {
            "id": id_,
            "type_id": type_id,
            "name": name,
            "external_id": external,
            "create_time_since_epoch": 1000,
            "last_update_time_since_epoch": 2000 + id_,
        }
        for id_, (type_id, name, external) in enumerate(rows, 1)
    ]


def _property(owner: str, node: int, name: str, value: Any, custom: bool) -> dict[str, Any]:
    columns: dict[type, str] = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    row: dict[str, Any] = dict.fromkeys(("int_value", "double_value", "string_value", "proto_value", "bool_value"))
    row[columns.get(type(value), "proto_value")] = value
    return {owner: node, "name": name, "is_custom_property": int(custom), **row}


def _properties(owner: str, *nodes: tuple[dict[str, Any], dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        _property(owner, node, name, value, custom)
        for node, both in enumerate(nodes, 1)
        for custom, named in enumerate(both)
        for name, value in named.items()
    ]


def _artifact_properties() -> list[dict[str, Any]]:
    return _properties(
        "artifact_id",
        ({"span": 1, "acc": 0.5, "note": "hello", "flag": True}, {"owner": "amy", "n": 5}),
        ({"span": 2, "acc": 0.95, "note": "it's", "flag": False}, {"owner": "bob"}),
        ({"span": 3, "st": STRUCT, "pr": b"Chx0"}, {"my param": "x y", "a.b": 1, "a+b": 1, "UPPER": 7}),
        ({}, {"owner": "amy", "n": 5}),
        ({}, {"n": 5.5, "s": "5"}),
        ({"CamelProp": "Cc", "span": 0}, {"n": "five"}),
        ({"name": "zzz"}, {}),
        ({"note": "note"}, {"owner": "100%_x"}),
    )


def _execution_properties() -> list[dict[str, Any]]:
    return _properties("execution_id", ({"lr": 0.1, "span": 1}, {"k": "v"}), ({"lr": 0.2}, {}), ({}, {"k": "w"}))


def _context_properties() -> list[dict[str, Any]]:
    return _properties(
        "context_id", ({"owner": "amy"}, {"team": "x"}), ({}, {"team": "y"}), ({}, {}), ({"owner": "bob"}, {})
    )


def _rows(columns: tuple[str, ...], *rows: tuple[int, ...]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _edges(columns: tuple[str, ...], *rows: tuple[int, ...]) -> list[dict[str, Any]]:
    return _rows(("id", *columns), *((id_, *row) for id_, row in enumerate(rows, 1)))


EVENTS = (
    (2, 2, 3, 203), (1, 1, 3, 101), (1, 4, 4, 102), (2, 1, 3, 201), (2, 5, 4, 202),
    (3, 4, 2, 301), (3, 6, 1, 302), (4, 7, 7, 401), (3, 2, 5, 303), (3, 8, 6, 304),
)  # fmt: skip
ATTRIBUTIONS = ((3, 2), (3, 5), (1, 4), (1, 2), (1, 1), (2, 4), (2, 1))
ASSOCIATIONS = ((3, 3), (3, 2), (1, 2), (1, 1), (2, 1))
PARENTS = ((3, 1), (2, 1), (3, 4))

ROWS: tuple[tuple[sa.Table, list[dict[str, Any]]], ...] = (
    (v10.TYPE, _types()),
    (v10.ARTIFACT, _artifacts()),
    (v10.EXECUTION, _executions()),
    (v10.CONTEXT, _contexts()),
    (v10.ARTIFACT_PROPERTY, _artifact_properties()),
    (v10.EXECUTION_PROPERTY, _execution_properties()),
    (v10.CONTEXT_PROPERTY, _context_properties()),
    (v10.EVENT, _edges(("execution_id", "artifact_id", "type", "milliseconds_since_epoch"), *EVENTS)),
    (v10.ATTRIBUTION, _edges(("context_id", "artifact_id"), *ATTRIBUTIONS)),
    (v10.ASSOCIATION, _edges(("context_id", "execution_id"), *ASSOCIATIONS)),
    (v10.PARENT_CONTEXT, _rows(("context_id", "parent_context_id"), *PARENTS)),
)


def _bounded(table: sa.Table, metadata: sa.MetaData) -> None:
    """Copy a table with lengths that MySQL wants; the long texts are those that no key holds."""
    copy = table.to_metadata(metadata)
    for column in copy.columns:
        if column.name in ("uri", "string_value", "description", "input_type", "output_type", "step_key"):
            column.type = sa.Text()
        elif isinstance(column.type, sa.String):
            column.type = sa.String(255)
    if table.name.endswith("Property") and table.name != "TypeProperty":
        for value in INDEXES:
            length = {value: 255} if value == "string_value" else None
            columns = (copy.c.name, copy.c.is_custom_property, copy.c[value])
            sa.Index(
                f"idx_{table.name}_{value}", *columns, mysql_length=length, sqlite_where=copy.c[value].is_not(None)
            )


def lay(engine: sa.Engine) -> None:
    """Create MLMD's tables in an empty database and fill them."""
    metadata = sa.MetaData()
    for table in v10.METADATA.sorted_tables:
        _bounded(table, metadata)
    metadata.create_all(engine)
    with engine.begin() as connection:
        for table, rows in ROWS:
            connection.execute(table.insert(), rows)
