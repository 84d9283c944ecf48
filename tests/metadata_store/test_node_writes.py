"""Creating and changing nodes: the write contract's edge cases 20 to 36 and 47, by name."""

import base64
import math
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.any_pb2 import Any as AnyMessage
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import METADATA

from tests.metadata_store.calls import Calls, counted, node, value
from tests.metadata_store.node_puts import ALL_KINDS, KINDS, absent, code, full_artifact, get, put, put_type


@pytest.mark.parametrize("kind", KINDS)
def test_write_20_a_type_id_that_is_missing_or_of_another_kind(call: Calls, kind: str) -> None:
    other = put_type(call, "Context" if kind != "Context" else "Artifact", "Other")
    message = KINDS[kind][0]
    assert code(call, kind, message(name="x")) is Code.INVALID_ARGUMENT
    assert code(call, kind, message(name="x", type_id=other)) is Code.NOT_FOUND
    assert code(call, kind, message(name="x", type_id=4711)) is Code.NOT_FOUND
    assert absent(call, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_write_21_a_property_that_is_undeclared_or_of_another_kind(call: Calls, kind: str) -> None:
    type_id, message = put_type(call, kind, d=pb.DOUBLE), KINDS[kind][0]
    assert code(call, kind, node(message, {"zz": 1}, type_id=type_id, name="x")) is Code.INVALID_ARGUMENT
    assert code(call, kind, node(message, {"d": 1}, type_id=type_id, name="x")) is Code.INVALID_ARGUMENT
    unset = message(type_id=type_id, name="x", properties={"d": pb.Value()})
    assert code(call, kind, unset) is Code.INVALID_ARGUMENT
    assert absent(call, kind)
    assert "declares it as DOUBLE" in call.message(
        f"Put{kind}s", **{f"{KINDS[kind][2]}s": [node(message, {"d": 1}, type_id=type_id, name="x")]}
    )


@pytest.mark.parametrize("kind", ["Artifact", "Execution"])
def test_write_22_names_are_unique_within_a_type(call: Calls, kind: str) -> None:
    one, two, message = put_type(call, kind, "A"), put_type(call, kind, "B"), KINDS[kind][0]
    put(call, kind, message(type_id=one, name="n"))
    assert code(call, kind, message(type_id=one, name="n")) is Code.ALREADY_EXISTS
    assert code(call, kind, message(type_id=two, name="n")) is Code.OK
    assert code(call, kind, message(type_id=one), message(type_id=one)) is Code.OK
    assert code(call, kind, message(type_id=one, name="")) is Code.OK
    assert code(call, kind, message(type_id=one, name="")) is Code.ALREADY_EXISTS


def test_a_name_that_is_taken_is_told_before_a_value_without_a_member(call: Calls, dataset: int) -> None:
    put(call, "Artifact", pb.Artifact(type_id=dataset, name="n"))
    empty = {"x": pb.Value()}
    assert (
        code(call, "Artifact", pb.Artifact(type_id=dataset, name="n", custom_properties=empty)) is Code.ALREADY_EXISTS
    )
    assert (
        code(call, "Artifact", pb.Artifact(type_id=dataset, name="m", custom_properties=empty)) is Code.INVALID_ARGUMENT
    )
    assert [stored.name for stored in call("GetArtifacts").artifacts] == ["n"]


def test_names_differ_by_case_and_accent(call: Calls, dataset: int) -> None:
    ids = put(call, "Artifact", *(pb.Artifact(type_id=dataset, name=name) for name in ("n", "N", "ñ", " n")))
    assert [get(call, "Artifact", i).name for i in ids] == ["n", "N", "ñ", " n"]


def test_write_23_external_ids_are_unique_within_a_kind(call: Calls, dataset: int) -> None:
    run, model = put_type(call, "Execution", "Run"), put_type(call, "Artifact", "Model")
    put(call, "Artifact", pb.Artifact(type_id=dataset, external_id="e"))
    assert code(call, "Artifact", pb.Artifact(type_id=model, external_id="e")) is Code.ALREADY_EXISTS
    assert code(call, "Execution", pb.Execution(type_id=run, external_id="e")) is Code.OK


@pytest.mark.parametrize("kind", KINDS)
def test_write_24_what_the_store_sets_is_not_taken_from_the_request(call: Calls, kind: str) -> None:
    times = {"create_time_since_epoch": 1, "last_update_time_since_epoch": 2}
    given = KINDS[kind][0](type_id=put_type(call, kind, "Right"), name="n", type="nope", **times)
    given.system_metadata.type_url = "x"
    stored = get(call, kind, put(call, kind, given)[0])
    assert stored.type == "Right"
    assert stored.create_time_since_epoch == stored.last_update_time_since_epoch > 1_000_000_000_000
    assert not stored.HasField("system_metadata")


def test_write_25_all_kinds_of_value_come_back(call: Calls, dataset: int) -> None:
    values = {"i": -(2**63), "d": 0.1 + 0.2, "s": 'it\'s 50% \\ "é\U0001f600"', "st": {"k": [1, None, "x"]}, "b": False}
    values["p"] = AnyMessage(type_url="type.googleapis.com/x", value=b"\x00\x01\xff")
    given = node(pb.Artifact, values, {**values, "": 2**63 - 1, "empty": {}}, type_id=dataset)
    stored = get(call, "Artifact", put(call, "Artifact", given)[0])
    assert stored.properties == given.properties
    assert stored.custom_properties == given.custom_properties


COLUMNS = ("int_value", "double_value", "string_value", "byte_value", "proto_value", "bool_value")


@pytest.mark.parametrize("kind", KINDS)
def test_write_25_each_kind_of_value_is_kept_in_its_column(call: Calls, kind: str) -> None:
    message = KINDS[kind][0]
    packed = AnyMessage(type_url="type.googleapis.com/x", value=b"\x00\xff")
    values = {"i": -7, "d": 0.25, "s": "it's 50%", "st": {"k": 1}, "p": packed, "b": True}
    type_id = put_type(call, kind, "T", **ALL_KINDS)
    put(call, kind, node(message, values, {**values, "empty": {}}, type_id=type_id, name="n"))
    struct = "mlmd-struct::" + base64.b64encode(value({"k": 1}).struct_value.SerializeToString()).decode()
    kept = {
        "i": ("int_value", -7),
        "d": ("double_value", 0.25),
        "s": ("string_value", "it's 50%"),
        "st": ("string_value", struct),
        "p": ("proto_value", base64.b64encode(packed.SerializeToString())),
        "b": ("bool_value", 1),
        "empty": ("string_value", "mlmd-struct::"),
    }
    table = METADATA.tables[f"{kind}Property"]
    asked = sa.select(*(table.c[column] for column in ("name", "is_custom_property", *COLUMNS)))
    found = call.store.database.read(call.caller, lambda tx: list(tx.rows(asked)))
    rows = {(name, bool(custom)): dict(zip(COLUMNS, cells, strict=True)) for name, custom, *cells in found}
    assert rows.keys() == {(name, custom) for name in values for custom in (False, True)} | {("empty", True)}
    for (name, _), row in rows.items():
        column, cell = kept[name]
        there = {key: given for key, given in row.items() if given is not None}
        assert there.keys() == {column}
        assert there[column] == cell or str(there[column]).encode() == cell


@pytest.mark.parametrize("kind", KINDS)
def test_a_negative_zero_comes_back_as_zero(call: Calls, kind: str) -> None:
    type_id, message = put_type(call, kind, "Zeros", d=pb.DOUBLE), KINDS[kind][0]
    (made,) = put(call, kind, node(message, {"d": -0.0}, {"c": -0.0}, type_id=type_id, name="n"))
    for d, c in ((-0.0, -0.0), (1.0, 1.0), (-0.0, -0.0)):
        put(call, kind, node(message, {"d": d}, {"c": c}, id=made, name="n"))
        stored = get(call, kind, made)
        found = stored.properties["d"].double_value, stored.custom_properties["c"].double_value
        assert [str(number) for number in found] == [str(d + 0.0), str(c + 0.0)]


@pytest.mark.parametrize(
    "given",
    [
        math.nan,
        math.inf,
        -math.inf,
        5e-324,
        1.7976931348623157e308,
        "__MLMD_NULL__",
        "mlmd-struct::",
        "mlmd-struct::not base64",
        "mlmd-exact::NaN",
        "a\0b",
        "x" * 70_000,
        AnyMessage(),
        AnyMessage(value=b"\x01"),
    ],
    ids=lambda given: repr(given)[:30],
)
def test_what_version_10_cannot_hold_comes_back_exactly(call: Calls, dataset: int, given: Any) -> None:
    ids = put(call, "Artifact", node(pb.Artifact, {}, {"v": given, "other": 1}, type_id=dataset))
    stored = get(call, "Artifact", ids[0])
    assert stored.custom_properties["v"].SerializeToString() == value(given).SerializeToString()
    assert code(call, "Artifact", stored) is Code.OK
    assert get(call, "Artifact", ids[0]).last_update_time_since_epoch == stored.last_update_time_since_epoch
    stored.custom_properties["v"].int_value = 3
    put(call, "Artifact", stored)
    assert get(call, "Artifact", ids[0]).custom_properties["v"].int_value == 3


def test_write_26_an_update_with_only_the_id_clears_all_but_the_name(call: Calls, dataset: int) -> None:
    (artifact_id,) = put(call, "Artifact", full_artifact(dataset))
    before = get(call, "Artifact", artifact_id)
    put(call, "Artifact", pb.Artifact(id=artifact_id))
    stored = get(call, "Artifact", artifact_id)
    assert (stored.name, stored.uri, stored.HasField("uri")) == ("n", "", True)
    assert not stored.HasField("state")
    assert not stored.HasField("external_id")
    assert not stored.properties
    assert not stored.custom_properties
    assert stored.create_time_since_epoch == before.create_time_since_epoch
    assert stored.last_update_time_since_epoch > before.last_update_time_since_epoch


def test_write_27_an_echo_changes_nothing_unless_the_type_is_left_out(call: Calls, dataset: int) -> None:
    (artifact_id,) = put(call, "Artifact", full_artifact(dataset))
    stored = get(call, "Artifact", artifact_id)
    put(call, "Artifact", stored)
    assert get(call, "Artifact", artifact_id) == stored
    echo = pb.Artifact()
    echo.CopyFrom(stored)
    echo.ClearField("type")
    put(call, "Artifact", echo)
    assert get(call, "Artifact", artifact_id).last_update_time_since_epoch > stored.last_update_time_since_epoch


@pytest.mark.parametrize("kind", KINDS)
def test_write_27_an_echo_of_each_kind_changes_nothing(call: Calls, kind: str) -> None:
    type_id, message = put_type(call, kind, "T", **ALL_KINDS), KINDS[kind][0]
    (node_id,) = put(call, kind, node(message, {"i": 1, "st": {"k": 1}}, {"c": 0.1}, type_id=type_id, name="n"))
    stored = get(call, kind, node_id)
    put(call, kind, stored)
    assert get(call, kind, node_id) == stored


@pytest.mark.parametrize("kind", KINDS)
def test_write_28_only_contexts_can_be_renamed(call: Calls, kind: str) -> None:
    type_id, message = put_type(call, kind), KINDS[kind][0]
    (node_id,) = put(call, kind, message(type_id=type_id, name="old"))
    put(call, kind, message(id=node_id, name="new"))
    assert get(call, kind, node_id).name == ("new" if kind == "Context" else "old")


def test_write_29_a_context_renamed_to_a_taken_name(call: Calls) -> None:
    type_id = put_type(call, "Context")
    one, _ = put(call, "Context", pb.Context(type_id=type_id, name="a"), pb.Context(type_id=type_id, name="b"))
    assert code(call, "Context", pb.Context(id=one, name="b")) is Code.INTERNAL
    assert get(call, "Context", one).name == "a"


def test_names_can_be_passed_on_in_order_but_not_exchanged(call: Calls) -> None:
    type_id = put_type(call, "Context")
    one, two = put(call, "Context", pb.Context(type_id=type_id, name="a"), pb.Context(type_id=type_id, name="b"))
    exchange = [pb.Context(id=one, name="b"), pb.Context(id=two, name="a")]
    assert code(call, "Context", *exchange) is Code.INTERNAL
    passed_on = [pb.Context(id=two, name="c"), pb.Context(id=one, name="b"), pb.Context(type_id=type_id, name="a")]
    three = put(call, "Context", *passed_on)[2]
    assert [get(call, "Context", i).name for i in (one, two, three)] == ["b", "c", "a"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unknown", [777, 0, -1])
def test_write_30_an_unknown_id_is_invalid(call: Calls, kind: str, unknown: int) -> None:
    type_id, message = put_type(call, kind), KINDS[kind][0]
    for given in (message(id=unknown, type_id=type_id, name="n"), message(id=unknown, name="n")):
        assert code(call, kind, given) is Code.INVALID_ARGUMENT
    assert absent(call, kind)


def test_write_31_the_type_cannot_change_even_when_masked_out(call: Calls, dataset: int) -> None:
    other = put_type(call, "Artifact", "Other")
    (artifact_id,) = put(call, "Artifact", full_artifact(dataset))
    changed = pb.Artifact(id=artifact_id, type_id=other)
    assert code(call, "Artifact", changed) is Code.INVALID_ARGUMENT
    assert code(call, "Artifact", changed, update_mask={"paths": ["uri"]}) is Code.INVALID_ARGUMENT


def test_write_32_nothing_is_stored_when_one_item_fails(call: Calls, dataset: int) -> None:
    assert code(call, "Artifact", full_artifact(dataset), pb.Artifact()) is Code.INVALID_ARGUMENT
    assert absent(call, "Artifact")


def test_the_first_error_in_the_request_wins(call: Calls, dataset: int) -> None:
    put(call, "Artifact", pb.Artifact(type_id=dataset, name="n"))
    duplicate, untyped = pb.Artifact(type_id=dataset, name="n"), pb.Artifact(type_id=4711)
    assert code(call, "Artifact", duplicate, untyped) is Code.ALREADY_EXISTS
    assert code(call, "Artifact", untyped, duplicate) is Code.NOT_FOUND


def test_write_33_a_context_needs_a_name(call: Calls) -> None:
    type_id = put_type(call, "Context")
    assert code(call, "Context", pb.Context(type_id=type_id)) is Code.INVALID_ARGUMENT
    assert code(call, "Context", pb.Context(type_id=type_id, name="")) is Code.INVALID_ARGUMENT
    (context_id,) = put(call, "Context", pb.Context(type_id=type_id, name="c"))
    assert code(call, "Context", pb.Context(id=context_id)) is Code.INVALID_ARGUMENT


def test_write_34_properties_of_one_name_in_both_maps_are_independent(call: Calls, dataset: int) -> None:
    (artifact_id,) = put(call, "Artifact", node(pb.Artifact, {"i": 1}, {"i": "one"}, type_id=dataset))
    for properties, custom in (({"i": 2}, {"i": "one"}), ({"i": 2}, {"i": "two"}), ({}, {"i": "two"}), ({"i": 3}, {})):
        put(call, "Artifact", node(pb.Artifact, properties, custom, id=artifact_id))
        stored = get(call, "Artifact", artifact_id)
        assert stored == node(
            pb.Artifact,
            properties,
            custom,
            id=artifact_id,
            type_id=dataset,
            type="Dataset",
            uri="",
            create_time_since_epoch=stored.create_time_since_epoch,
            last_update_time_since_epoch=stored.last_update_time_since_epoch,
        )


def test_write_35_a_custom_property_may_change_its_kind(call: Calls, dataset: int) -> None:
    (artifact_id,) = put(call, "Artifact", node(pb.Artifact, {}, {"c": 1}, type_id=dataset))
    put(call, "Artifact", node(pb.Artifact, {}, {"c": "text"}, id=artifact_id))
    assert get(call, "Artifact", artifact_id).custom_properties["c"].WhichOneof("value") == "string_value"


def test_write_36_a_custom_property_without_a_value_is_refused(call: Calls, dataset: int) -> None:
    unset = pb.Artifact(type_id=dataset, custom_properties={"c": pb.Value()})
    assert "custom_properties['c']" in call.message("PutArtifacts", artifacts=[unset])
    (artifact_id,) = put(call, "Artifact", pb.Artifact(type_id=dataset))
    unset.id = artifact_id
    assert code(call, "Artifact", unset) is Code.INVALID_ARGUMENT


def test_write_47_a_stale_time_is_refused_when_times_are_checked(call: Calls, dataset: int) -> None:
    (artifact_id,) = put(call, "Artifact", full_artifact(dataset))
    stored = get(call, "Artifact", artifact_id)
    options = {"abort_if_latest_updated_time_changed": True}
    assert code(call, "Artifact", pb.Artifact(id=artifact_id), options=options) is Code.FAILED_PRECONDITION
    changed = pb.Artifact(id=artifact_id, last_update_time_since_epoch=stored.last_update_time_since_epoch)
    assert code(call, "Artifact", changed, changed, options=options) is Code.FAILED_PRECONDITION
    assert code(call, "Artifact", changed, options=options) is Code.OK
    assert get(call, "Artifact", artifact_id).last_update_time_since_epoch > stored.last_update_time_since_epoch
    assert code(call, "Artifact", changed, options=options) is Code.FAILED_PRECONDITION


@pytest.mark.parametrize("kind", KINDS)
def test_statements_do_not_grow_with_the_nodes(call: Calls, kind: str) -> None:
    type_id, message = put_type(call, kind), KINDS[kind][0]

    def statements(count: int, write: str) -> int:
        nodes = [
            node(message, {}, {"a": n, "b": "x"}, type_id=type_id, name=f"{write}{count}-{n}") for n in range(count)
        ]
        ids = put(call, kind, *nodes)
        if write == "create":
            nodes = [
                node(message, {}, {"a": n, "b": "x"}, type_id=type_id, name=f"again{count}-{n}") for n in range(count)
            ]
        else:
            nodes = [node(message, {}, {"a": n + 1}, id=i, name=f"{write}-new{count}-{n}") for n, i in enumerate(ids)]
        with counted(call.store) as seen:
            put(call, kind, *nodes)
        return len(seen)

    for write in ("create", "update"):
        few = statements(1, write)
        assert statements(100, write) <= few + 4
        # one more for each started 1,000 rows and table: nodes and properties
        assert statements(5000, write) <= few + 5 + 10
