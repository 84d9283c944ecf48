"""Changing nodes under a mask: the write contract's edge cases 37 to 46, by name."""

from typing import Any

from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls, node
from tests.metadata_store.node_puts import code, full_artifact, get, put, put_type


def check_mask(call: Calls, dataset: int, paths: list[str], change: dict[str, Any], expected: dict[str, Any]) -> None:
    """Update a full artifact under a mask; of what is stored, `expected` alone differs from what was there."""
    (artifact_id,) = put(call, "Artifact", full_artifact(dataset, f"{paths} {change}"))
    before = get(call, "Artifact", artifact_id)
    fields = {name: given for name, given in change.items() if name not in ("properties", "custom")}
    changed = node(pb.Artifact, change.get("properties"), change.get("custom"), id=artifact_id, **fields)
    put(call, "Artifact", changed, update_mask={"paths": paths})
    stored = get(call, "Artifact", artifact_id)
    wanted = node(
        pb.Artifact,
        expected.get("properties", {"i": 1, "s": "x"}),
        expected.get("custom", {"c": 1}),
        uri=expected.get("uri", "u"),
        external_id=expected.get("external_id", before.external_id),
        state=expected.get("state", pb.Artifact.LIVE),
        last_update_time_since_epoch=stored.last_update_time_since_epoch,
    )
    for name in ("id", "type_id", "type", "name", "create_time_since_epoch"):
        setattr(wanted, name, getattr(before, name))
    assert stored == wanted


def test_write_37_a_masked_uri_that_is_absent_becomes_empty(call: Calls, dataset: int) -> None:
    check_mask(call, dataset, ["uri"], {}, {"uri": ""})


def test_write_38_a_masked_field_that_is_absent_is_cleared(call: Calls, dataset: int) -> None:
    check_mask(call, dataset, ["state"], {}, {"state": None})
    check_mask(call, dataset, ["external_id"], {}, {"external_id": None})


def test_write_39_masked_properties_are_set_deleted_or_replaced(call: Calls, dataset: int) -> None:
    check_mask(call, dataset, ["properties.i"], {"properties": {"i": 9}}, {"properties": {"i": 9, "s": "x"}})
    check_mask(call, dataset, ["properties.i"], {}, {"properties": {"s": "x"}})
    whole = {"properties": {"d": 1.5}}
    check_mask(call, dataset, ["properties"], whole, whole)
    check_mask(call, dataset, ["properties", "properties.s"], whole, whole)


def test_write_40_a_masked_custom_property_is_added(call: Calls, dataset: int) -> None:
    check_mask(call, dataset, ["custom_properties.k"], {"custom": {"k": 2}}, {"custom": {"c": 1, "k": 2}})


def test_write_41_a_masked_property_that_is_undeclared_and_absent(call: Calls, dataset: int) -> None:
    check_mask(call, dataset, ["properties.zz"], {}, {})


def test_write_42_properties_that_are_masked_out_are_not_looked_at(call: Calls, dataset: int) -> None:
    check_mask(call, dataset, ["uri"], {"properties": {"zz": 1}}, {"uri": ""})


def test_write_43_paths_that_are_none_change_nothing(call: Calls, dataset: int) -> None:
    check_mask(call, dataset, ["bogus"], {"uri": "other"}, {})
    check_mask(call, dataset, ["id", "type_id", "name", "create_time_since_epoch"], {"name": "other"}, {})


def test_write_41_a_mask_that_selects_an_undeclared_property_of_the_request(call: Calls, dataset: int) -> None:
    (artifact_id,) = put(call, "Artifact", full_artifact(dataset))
    wrong = node(pb.Artifact, {"zz": 1}, id=artifact_id)
    assert code(call, "Artifact", wrong, update_mask={"paths": ["properties.zz"]}) is Code.INVALID_ARGUMENT


def test_write_44_a_mask_on_a_node_without_id_creates_it_in_full(call: Calls, dataset: int) -> None:
    (artifact_id,) = put(call, "Artifact", full_artifact(dataset), update_mask={"paths": ["uri"]})
    assert get(call, "Artifact", artifact_id).properties["i"].int_value == 1


def test_write_45_a_masked_context_keeps_its_name(call: Calls) -> None:
    type_id = put_type(call, "Context")
    (context_id,) = put(call, "Context", pb.Context(type_id=type_id, name="c"))
    changed = node(pb.Context, {}, {"z": 1}, id=context_id)
    put(call, "Context", changed, update_mask={"paths": ["custom_properties.z"]})
    assert get(call, "Context", context_id).name == "c"
    assert code(call, "Context", pb.Context(id=context_id), update_mask={"paths": ["name"]}) is Code.INVALID_ARGUMENT


def test_write_46_a_key_with_dots_can_be_masked(call: Calls) -> None:
    type_id = put_type(call, "Artifact", "Dotted", **{"a.b": pb.INT})
    (artifact_id,) = put(call, "Artifact", node(pb.Artifact, {"a.b": 1}, type_id=type_id))
    put(call, "Artifact", node(pb.Artifact, {"a.b": 2}, id=artifact_id), update_mask={"paths": ["properties.a.b"]})
    assert get(call, "Artifact", artifact_id).properties["a.b"].int_value == 2
