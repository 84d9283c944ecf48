"""The read contract's edge cases 33 to 49, by name: what each filter finds in the recorded store."""

import pytest
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.tables.v10 import Kind

from tests.metadata_store.calls import Calls
from tests.metadata_store.filter.conftest import Find

A, E, C = Kind.ARTIFACT, Kind.EXECUTION, Kind.CONTEXT
EVERYTHING = [1, 2, 3, 4, 5, 6, 7, 8]


def assert_refused(find: Find, kind: Kind, *texts: str) -> None:
    """Check that each filter is invalid and called that."""
    for text in texts:
        with pytest.raises(InvalidArgument, match=r"^Invalid `filter_query`: "):
            find(kind, text)


def test_read_33_not_equal_and_what_is_unset(find: Find) -> None:
    assert find(A, "name != 'd1'") == [2, 4, 5, 6, 7, 8]
    assert find(A, "state != LIVE") == [2, 3, 4, 5, 6, 7, 8]
    assert find(A, "NOT (state = LIVE)") == [2, 4, 5, 6, 7, 8]


def test_read_34_states_by_name_and_by_number(find: Find) -> None:
    assert find(A, "state = LIVE OR state = PENDING") == [1, 2]
    assert find(A, "state IN (2)") == [1]
    assert find(A, "state IN (2, 3, 4)") == [1, 4, 5]
    assert find(A, "state = 2") == [1], "the reference refuses it"


def test_read_35_a_state_that_the_reference_has_no_name_for(find: Find) -> None:
    assert find(A, "state = ABANDONED") == [7]


def test_read_36_a_property_that_no_node_has(find: Find) -> None:
    assert find(A, "properties.nope.int_value IS NULL") == []
    assert find(A, "id = 1 OR properties.nope.int_value = 1") == []


def test_read_37_one_property_of_two_kinds(find: Find) -> None:
    assert find(A, "custom_properties.n.int_value = 5 OR custom_properties.n.double_value = 5.5") == [1, 4, 5]
    assert find(A, "custom_properties.n.double_value > 5") == [5]


def test_read_38_kinds_of_value(find: Find) -> None:
    assert find(A, "properties.acc.double_value > 0") == [1, 2]
    assert find(A, "TRUE") == EVERYTHING
    assert_refused(find, A, "id = '1'", "id = NULL", "NULL", "id")


def test_read_39_one_alias_is_one_context_and_no_node_comes_twice(find: Find) -> None:
    assert find(A, "contexts_a.name = 'r1' AND contexts_a.name = 'p1'") == []
    assert find(A, "contexts_a.name = 'r1' AND contexts_b.name = 'p1'") == [1, 4]
    assert find(A, "contexts_a.name = 'r1' OR contexts_a.name = 'p1'") == [1, 2, 4]


def test_read_40_some_other_context_is_not_none(find: Find) -> None:
    assert find(A, "contexts_a.id != 1") == [1, 2, 4, 5]


def test_read_41_an_event_names_the_other_end(find: Find) -> None:
    assert find(E, "events_0.artifact_id = 1") == [1, 2]
    assert_refused(find, A, "events_0.artifact_id = 1")
    assert_refused(find, E, "events_0.execution_id = 1")


def test_read_42_contexts_by_two_artifacts(find: Find) -> None:
    assert find(C, "artifacts_a.id = 1 AND artifacts_b.id = 2") == [1]
    assert find(C, "artifacts_a.id = 1 AND artifacts_a.id = 2") == []


def test_read_43_contexts_by_parents_and_children(find: Find) -> None:
    assert find(C, "parent_contexts_a.id = 1 AND parent_contexts_b.id = 4") == [3]
    assert find(C, "child_contexts_a.id = 3") == [1, 4]


def test_read_44_strings_and_comments(find: Find) -> None:
    assert find(A, 'name = "d1"') == find(A, "name = 'd1'") == find(A, "name = r'd1'") == [1]
    assert find(A, r"properties.note.string_value = 'it\'s'") == [2]
    for text in ("id = 1 -- and no more", "id = 1 # and no more", "id = /* the first */ 1"):
        assert find(A, text) == [1]
    assert_refused(find, A, "name = 'it''s'", "id = 1;")


def test_read_45_text_is_text(find: Find) -> None:
    assert find(A, "name = 'name'") == []
    assert find(A, "uri = 'http://x?state=CA'") == [], "the reference takes the end of it for a state"


def test_read_46_any_property_name(find: Find) -> None:
    assert find(A, "custom_properties.`my param`.string_value = 'x y'") == [3]
    assert find(A, "custom_properties.`a.b`.int_value = 1") == [3]
    assert find(A, "custom_properties.`a+b`.int_value = 1") == [3], "the reference refuses it"
    for quote in "'\"":
        assert find(A, f"custom_properties.`{quote} OR 1=1 --`.int_value = 1") == []
        assert find(A, f"custom_properties.`x{quote} OR {quote}1{quote}={quote}1`.string_value = 'amy'") == []


def test_read_47_property_names_as_they_are_written(find: Find) -> None:
    assert find(A, "properties.CamelProp.string_value = 'Cc'") == [6], "the reference lower-cases the name"


def test_read_48_a_list_of_20000(find: Find) -> None:
    assert find(A, f"id IN ({','.join(map(str, range(1, 20_001)))})") == EVERYTHING


def test_read_49_a_filter_goes_with_an_order_by_creation(facts: Store) -> None:
    order = {"field": "CREATE_TIME", "is_asc": False}
    found = Calls(facts)("GetArtifacts", options={"filter_query": "id > 1", "order_by_field": order}).artifacts
    assert [artifact.id for artifact in found] == [8, 7, 6, 5, 4, 3, 2]
