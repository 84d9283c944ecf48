"""Putting links: the write contract's edge cases 51 to 53, by name, and what they cost."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlmd_metadata_store.link_writes import store_links
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ASSOCIATION, ATTRIBUTION, PARENT_CONTEXT

from tests.metadata_store.calls import Calls, counted


def put_nodes(call: Calls, count: int) -> None:
    """Put artifacts, executions and contexts 1 to `count`."""
    artifact_type = call("PutArtifactType", artifact_type=pb.ArtifactType(name="A")).type_id
    execution_type = call("PutExecutionType", execution_type=pb.ExecutionType(name="E")).type_id
    context_type = call("PutContextType", context_type=pb.ContextType(name="C")).type_id
    call("PutArtifacts", artifacts=[pb.Artifact(type_id=artifact_type) for _ in range(count)])
    call("PutExecutions", executions=[pb.Execution(type_id=execution_type) for _ in range(count)])
    call("PutContexts", contexts=[pb.Context(type_id=context_type, name=f"c{n}") for n in range(count)])


@pytest.fixture
def filled(call: Calls) -> Calls:
    """Calls on a store with artifacts, executions and contexts 1 to 6."""
    put_nodes(call, 6)
    return call


def attribution(context: int, artifact: int) -> pb.Attribution:
    return pb.Attribution(context_id=context, artifact_id=artifact)


def association(context: int, execution: int) -> pb.Association:
    return pb.Association(context_id=context, execution_id=execution)


def link(call: Calls, *edges: Any) -> Code:
    return call.code(
        "PutAttributionsAndAssociations",
        attributions=[edge for edge in edges if isinstance(edge, pb.Attribution)],
        associations=[edge for edge in edges if isinstance(edge, pb.Association)],
    )


def rows(call: Calls, table: sa.Table, *columns: str) -> list[tuple[int, ...]]:
    statement = sa.select(*(table.c[column] for column in columns))

    def body(tx: Transaction) -> list[tuple[int, ...]]:
        return sorted(map(tuple, tx.rows(statement)))

    return call.store.database.read(LOCAL, body)


def members(call: Calls) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    return (
        rows(call, ATTRIBUTION, "context_id", "artifact_id"),
        rows(call, ASSOCIATION, "context_id", "execution_id"),
    )


def test_write_51_links_may_be_put_again(filled: Calls) -> None:
    edges = [attribution(1, 2), association(1, 3), attribution(1, 2), association(1, 3)]
    assert link(filled, *edges) is Code.OK
    assert link(filled, *edges, attribution(2, 2)) is Code.OK
    assert members(filled) == ([(1, 2), (2, 2)], [(1, 3)])
    assert link(filled) is Code.OK


def test_links_that_are_there_use_up_no_ids(filled: Calls) -> None:
    for _ in range(3):
        link(filled, attribution(1, 1), association(1, 1))
    link(filled, attribution(1, 1), attribution(1, 2), association(1, 1), association(1, 2))
    assert rows(filled, ATTRIBUTION, "id") == rows(filled, ASSOCIATION, "id") == [(1,), (2,)]


def test_write_52_what_is_not_there_undoes_all(filled: Calls) -> None:
    good = attribution(1, 1)
    for wrong in (
        attribution(99, 1),
        attribution(1, 99),
        association(99, 1),
        association(1, 99),
        pb.Attribution(artifact_id=1),
        pb.Attribution(context_id=1),
        pb.Association(),
    ):
        assert link(filled, good, wrong) is Code.INVALID_ARGUMENT
        assert link(filled, wrong) is Code.INVALID_ARGUMENT
    assert members(filled) == ([], [])


def test_the_first_wrong_edge_is_named(filled: Calls) -> None:
    wrong = [attribution(1, 1), attribution(1, 98), attribution(97, 96)]
    message = filled.message("PutAttributionsAndAssociations", attributions=wrong)
    assert "98" in message
    assert "artifact" in message
    message = filled.message("PutAttributionsAndAssociations", attributions=[attribution(97, 96)])
    assert "97" in message
    assert "context" in message


def parents(call: Calls, *links: tuple[int, int]) -> Code:
    """Put links (parent, child)."""
    return call.code("PutParentContexts", parent_contexts=[pb.ParentContext(parent_id=p, child_id=c) for p, c in links])


def stored_parents(call: Calls) -> list[tuple[int, ...]]:
    return rows(call, PARENT_CONTEXT, "parent_context_id", "context_id")


def test_write_53_parents_repeats_cycles_and_diamonds(filled: Calls) -> None:
    assert parents(filled, (1, 2)) is Code.OK
    assert parents(filled, (1, 2)) is Code.ALREADY_EXISTS
    assert parents(filled, (2, 1)) is Code.INVALID_ARGUMENT
    assert parents(filled, (3, 3)) is Code.INVALID_ARGUMENT
    assert parents(filled, (2, 3), (3, 4)) is Code.OK
    assert parents(filled, (4, 1)) is Code.INVALID_ARGUMENT, "a longer cycle"
    assert parents(filled, (1, 3), (1, 4)) is Code.OK, "a diamond"
    assert stored_parents(filled) == [(1, 2), (1, 3), (1, 4), (2, 3), (3, 4)]
    assert parents(filled) is Code.OK


def test_cycles_and_repeats_within_one_request(filled: Calls) -> None:
    assert parents(filled, (1, 2), (2, 1)) is Code.INVALID_ARGUMENT
    assert parents(filled, (1, 2), (2, 3), (3, 4), (4, 1)) is Code.INVALID_ARGUMENT
    assert parents(filled, (1, 2), (1, 2)) is Code.ALREADY_EXISTS
    assert parents(filled, (1, 2), (1, 2), (2, 1)) is Code.ALREADY_EXISTS, "the first error in the request's order"
    assert parents(filled, (1, 2), (2, 1), (1, 2)) is Code.INVALID_ARGUMENT
    assert stored_parents(filled) == []


def test_parents_that_are_missing(filled: Calls) -> None:
    for wrong in (
        pb.ParentContext(parent_id=1),
        pb.ParentContext(child_id=1),
        pb.ParentContext(parent_id=1, child_id=99),
        pb.ParentContext(parent_id=99, child_id=1),
        pb.ParentContext(parent_id=99, child_id=99),
    ):
        good = pb.ParentContext(parent_id=5, child_id=6)
        assert filled.code("PutParentContexts", parent_contexts=[wrong]) is Code.INVALID_ARGUMENT
        assert filled.code("PutParentContexts", parent_contexts=[good, wrong]) is Code.INVALID_ARGUMENT
    assert stored_parents(filled) == []


Request = list[tuple[int, int]]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(before=st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), max_size=6), data=st.data())
def test_many_links_at_once_do_what_one_by_one_would(call: Calls, before: Request, data: st.DataObject) -> None:
    call.store.database.write(LOCAL, lambda tx: tx.execute(sa.delete(PARENT_CONTEXT)))
    if call.code("GetContextType", type_name="C") is Code.NOT_FOUND:
        put_nodes(call, 6)
    for each in before:
        parents(call, each)
    start = stored_parents(call)
    request = data.draw(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), max_size=6))
    one_by_one = next((code for each in request if (code := parents(call, each)) is not Code.OK), Code.OK)
    after = stored_parents(call)
    call.store.database.write(LOCAL, lambda tx: tx.execute(sa.delete(PARENT_CONTEXT)))
    for each in _upwards(start):
        assert parents(call, each) is Code.OK
    assert parents(call, *request) is one_by_one
    assert stored_parents(call) == (after if one_by_one is Code.OK else start)


def _upwards(links: list[tuple[int, ...]]) -> Request:
    return [(parent, child) for parent, child in links]


def test_two_writers_cannot_make_a_cycle_together(filled: Calls) -> None:
    for child in range(2, 7):
        barrier = threading.Barrier(2)

        def race(pair: tuple[int, int], barrier: threading.Barrier = barrier) -> Code:
            barrier.wait()
            return parents(filled, pair)

        with ThreadPoolExecutor(2) as pool:
            codes = list(pool.map(race, [(1, child), (child, 1)]))
        assert sorted(codes) == [Code.OK, Code.INVALID_ARGUMENT]


def test_writers_that_race_link_once_and_none_fails(filled: Calls) -> None:
    barrier = threading.Barrier(8)
    edges = [attribution(c, a) for c in range(1, 7) for a in range(1, 7)]

    def race(number: int) -> Code:
        barrier.wait()
        return link(filled, *(edges if number % 2 else edges[::-1]), association(1, 1))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(race, range(8))) == {Code.OK}
    attributions, associations = members(filled)
    assert (len(attributions), associations) == (36, [(1, 1)])


def test_statements_do_not_grow_with_the_request(call: Calls) -> None:
    put_nodes(call, 5001)
    costs, parent_costs = {}, {}
    for context, count in ((1, 1), (2, 100), (3, 5000)):
        edges = {
            "attributions": [attribution(context, n + 1) for n in range(count)],
            "associations": [association(context, n + 1) for n in range(count)],
        }
        for factor in (1, -1):
            with counted(call.store) as statements:
                call("PutAttributionsAndAssociations", **edges)
            costs[factor * count] = len(statements)
    for top, count in ((1, 1), (2, 100), (200, 4000)):
        chain = [pb.ParentContext(parent_id=top + n, child_id=top + n + 1) for n in range(1, count + 1)]
        with counted(call.store) as statements:
            call("PutParentContexts", parent_contexts=chain)
        parent_costs[count] = len(statements)
    # For each kind two looks for ends, one for links, one insert.
    assert (costs[1], costs[-1]) == (8, 6)
    assert (costs[100], costs[-100]) == (8, 6)
    assert costs[5000] <= 8 + 2 * 2 * 5
    assert parent_costs[1] == 4
    assert parent_costs[100] <= 4 + 2, "one more for each generation above"
    assert parent_costs[4000] <= 4 + 3 * 5


def test_links_of_many_contexts_are_put_in_few_statements(call: Calls) -> None:
    put_nodes(call, 3000)
    diagonal = [(n, n) for n in range(1, 3001)]
    square = [(c, a) for c in range(1, 60) for a in range(1, 60)]

    def body(tx: Transaction) -> None:
        store_links(tx, diagonal, square)
        store_links(tx, diagonal, square)

    with counted(call.store) as statements:
        call.store.database.write(LOCAL, body)
    assert len(statements) <= 2 * (1 + 1 + 1)
    assert members(call) == (diagonal, square)
