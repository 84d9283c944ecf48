"""Getting types: the read contract's edge cases 1 to 6, by name."""

import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls, counted
from tests.metadata_store.fixture import build


@pytest.fixture
def filled(call: Calls) -> Calls:
    """Calls on the small store that shows every corner."""
    build(call)
    return call


def test_read_1_an_empty_store_lists_no_types_and_finds_the_simple_ones(call: Calls) -> None:
    assert not call("GetArtifactTypes").artifact_types
    assert not call("GetExecutionTypes").execution_types
    assert not call("GetContextTypes").context_types
    assert call("GetArtifactType", type_name="mlmd.Model").artifact_type.id == 2


def test_read_2_versions_by_name(filled: Calls) -> None:
    def found(**version: str) -> int:
        return int(filled("GetArtifactType", type_name="Model", **version).artifact_type.id)

    assert (found(), found(type_version=""), found(type_version="v2")) == (11, 11, 12)
    assert filled.code("GetArtifactType", type_name="Model", type_version="1") is Code.NOT_FOUND
    assert filled.code("GetArtifactType") is Code.NOT_FOUND
    assert "'Model'" in filled.message("GetArtifactType", type_name="Model", type_version="1")


def test_read_3_names_belong_to_a_kind(filled: Calls) -> None:
    assert filled.code("GetExecutionType", type_name="Dataset") is Code.NOT_FOUND
    assert filled.code("GetContextType", type_name="Trainer") is Code.NOT_FOUND


def test_read_4_by_id_in_the_requests_order_with_repeats(filled: Calls) -> None:
    found = filled("GetArtifactTypesByID", type_ids=[12, 11, 10, 11, 999, 14, 2, -1, 0]).artifact_types
    assert [each.id for each in found] == [12, 11, 10, 11, 2]
    assert not filled("GetArtifactTypesByID").artifact_types


def test_read_5_by_external_id(filled: Calls) -> None:
    found = filled("GetArtifactTypesByExternalIds", external_ids=["ext-t-ds", "zz", "ext-t-ds"]).artifact_types
    assert [each.id for each in found] == [10]
    assert filled.code("GetArtifactTypesByExternalIds", external_ids=["zz"]) is Code.NOT_FOUND
    assert filled.code("GetArtifactTypesByExternalIds", external_ids=["ext-t-ds", ""]) is Code.INVALID_ARGUMENT
    assert not filled("GetArtifactTypesByExternalIds").artifact_types
    assert filled.code("GetArtifactTypesByExternalIds", external_ids=["ext-t-tr"]) is Code.NOT_FOUND
    assert [t.id for t in filled("GetContextTypesByExternalIds", external_ids=["ext-t-pi"]).context_types] == [16]


def test_by_external_id_leaves_base_and_struct_types_out(filled: Calls) -> None:
    struct = pb.ArtifactStructType()
    struct.any.SetInParent()
    made = pb.ExecutionType(name="S", external_id="s", input_type=struct, base_type=pb.ExecutionType.TRAIN)
    filled("PutExecutionType", execution_type=made)
    (found,) = filled("GetExecutionTypesByExternalIds", external_ids=["s"]).execution_types
    assert (found.name, found.external_id) == ("S", "s")
    assert not (found.HasField("base_type"))
    assert not (found.HasField("input_type"))
    whole = filled("GetExecutionType", type_name="S").execution_type
    assert whole.HasField("base_type")
    assert whole.input_type == struct


def test_read_6_external_ids_and_base_types_come_with_every_list(filled: Calls) -> None:
    listed = {each.id: each for each in filled("GetArtifactTypes").artifact_types}
    assert list(listed) == [10, 11, 12, 13]
    assert listed[10].external_id == "ext-t-ds", "the reference leaves it out of lists"
    assert listed[10].description == "a dataset"
    (by_id,) = filled("GetArtifactTypesByID", type_ids=[10]).artifact_types
    assert by_id == listed[10]
    (model,) = filled("GetArtifactTypesByID", type_ids=[11]).artifact_types
    assert listed[11].base_type == model.base_type == pb.ArtifactType.MODEL
    assert not listed[12].HasField("base_type")


def test_only_context_types_hide_no_names(filled: Calls) -> None:
    filled("PutArtifactType", artifact_type=pb.ArtifactType(name="mlmd.Train", version="v9"))
    filled("PutContextType", context_type=pb.ContextType(name="mlmd.Train"))
    assert "mlmd.Train" not in [t.name for t in filled("GetArtifactTypes").artifact_types]
    assert [t.name for t in filled("GetContextTypes").context_types] == ["Pipeline", "Run", "mlmd.Train"]
    assert filled("GetArtifactType", type_name="mlmd.Train", type_version="v9").artifact_type.id


def test_statements_do_not_grow_with_the_list(call: Calls) -> None:
    costs = {}
    for count in (1, 100, 5000):
        more = [pb.ArtifactType(name=f"{count}.{n}", properties={"a": pb.INT}) for n in range(count)]
        ids = call("PutTypes", artifact_types=more).artifact_type_ids
        with counted(call.store) as statements:
            assert len(call("GetArtifactTypesByID", type_ids=ids).artifact_types) == count
        costs[count] = len(statements)
    assert costs[100] == costs[1]
    assert costs[5000] <= costs[1] + 3 * 5
