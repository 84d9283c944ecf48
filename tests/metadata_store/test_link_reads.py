"""Getting contexts by their links: the read contract's edge cases 17, 20 and 21, by name."""

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


def ids(contexts: list[pb.Context]) -> list[int]:
    return [context.id for context in contexts]


def test_read_17_a_node_without_contexts_is_not_found(filled: Calls) -> None:
    assert ids(filled("GetContextsByArtifact", artifact_id=4).contexts) == [1, 2]
    assert ids(filled("GetContextsByExecution", execution_id=2).contexts) == [1, 3]
    for node in (3, 99, 0, -1):
        assert filled.code("GetContextsByArtifact", artifact_id=node) is Code.NOT_FOUND
    assert filled.code("GetContextsByArtifact") is Code.NOT_FOUND
    for node in (4, 99):
        assert filled.code("GetContextsByExecution", execution_id=node) is Code.NOT_FOUND
    assert filled.code("GetContextsByExecution") is Code.NOT_FOUND


def test_contexts_come_whole(filled: Calls) -> None:
    first = filled("GetContextsByArtifact", artifact_id=4).contexts[0]
    assert (first.name, first.type, first.external_id) == ("p1", "Pipeline", "ext-c1")
    assert first.properties["owner"].string_value == "amy"
    assert first.custom_properties["team"].string_value == "x"
    assert first == filled("GetContextsByID", context_ids=[1]).contexts[0]


def test_read_20_parents_and_children(filled: Calls) -> None:
    assert ids(filled("GetParentContextsByContext", context_id=3).contexts) == [1, 4]
    assert ids(filled("GetChildrenContextsByContext", context_id=1).contexts) == [2, 3]
    for context in (2, 99):
        assert not filled("GetChildrenContextsByContext", context_id=context).contexts
    for context in (1, 99):
        assert not filled("GetParentContextsByContext", context_id=context).contexts
    assert not filled("GetParentContextsByContext").contexts


def test_read_21_parents_and_children_of_many(filled: Calls) -> None:
    found = filled("GetParentContextsByContexts", context_ids=[1, 2, 3, 4, 3, 99]).contexts
    assert {child: ids(entry.parent_contexts) for child, entry in found.items()} == {2: [1], 3: [1, 4]}
    found = filled("GetChildrenContextsByContexts", context_ids=[4, 1, 2, 1]).contexts
    assert {parent: ids(entry.children_contexts) for parent, entry in found.items()} == {1: [2, 3], 4: [3]}
    assert found[4].children_contexts[0].type == "Run"
    for method in ("GetParentContextsByContexts", "GetChildrenContextsByContexts"):
        assert filled.code(method) is Code.INVALID_ARGUMENT
        assert not filled(method, context_ids=[99]).contexts


def test_statements_do_not_grow_with_the_contexts(filled: Calls) -> None:
    costs = {}
    for count in (1, 100, 5000):
        with counted(filled.store) as statements:
            filled("GetParentContextsByContexts", context_ids=range(3, 3 + count))
        costs[count] = len(statements)
    assert costs[100] == costs[1]
    assert costs[5000] <= costs[1] + 5
