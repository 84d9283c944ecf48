"""Inserts that nobody waits for go to MySQL with the next statement, and are whole or not at all like all others."""

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import AlreadyExists, InvalidArgument, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ATTRIBUTION, EVENT, EVENT_PATH

from tests.metadata_store.calls import Calls, node
from tests.services.mysql_packets import kinds
from tests.services.proxy import Proxy

PATH_COLUMNS = ("event_id", "is_index_step", "step_index", "step_key")


def types(call: Calls) -> tuple[int, int, int]:
    """Return a type of each kind of node."""
    return (
        call("PutArtifactType", artifact_type={"name": "Data"}).type_id,
        call("PutExecutionType", execution_type={"name": "Step"}).type_id,
        call("PutContextType", context_type={"name": "Run"}).type_id,
    )


def step(call: Calls, custom: dict[str, object]) -> dict[str, object]:
    """Return a PutExecution with an output, whose nodes have these properties, in a context that is there then."""
    data, execution, run = types(call)
    context = node(pb.Context, name="run", type_id=run)
    event = pb.Event(type=pb.Event.OUTPUT)
    event.path.steps.add().key = "model"
    made = node(pb.Artifact, custom=custom, type_id=data)
    return {
        "execution": node(pb.Execution, custom=custom, type_id=execution),
        "artifact_event_pairs": [{"artifact": made, "event": event}],
        "contexts": [context],
        "options": {"reuse_context_if_already_exist": True},
    }


def test_a_step_and_all_that_belongs_to_it_are_few_ways_to_the_database(far: tuple[Calls, Proxy]) -> None:
    call, proxy = far
    request = step(call, {"n": 1, "words": "a;\nb"})
    call("PutExecution", **request)
    proxy.calm()
    made = call("PutExecution", **request)
    assert kinds(proxy.statements) == [
        "SELECT",  # the context by its name
        "INSERT",  # the artifact
        "INSERT INSERT",  # its properties; the execution
        "INSERT INSERT",  # its properties; the event
        "INSERT INSERT INSERT",  # its path; what is in the context
        "COMMIT",
    ]
    (stored,) = call("GetArtifactsByID", artifact_ids=made.artifact_ids).artifacts
    assert stored.custom_properties["words"].string_value == "a;\nb"
    (event,) = call("GetEventsByExecutionIDs", execution_ids=[made.execution_id]).events
    assert [one.key for one in event.path.steps] == ["model"]
    assert call("GetArtifactsByContext", context_id=made.context_ids[0]).artifacts[-1].id == stored.id


def test_what_is_left_is_sent_before_the_commit(far: tuple[Calls, Proxy]) -> None:
    call, proxy = far
    data, _, _ = types(call)
    call("PutArtifacts", artifacts=[node(pb.Artifact, custom={"n": 1}, type_id=data)])

    proxy.calm()
    (made,) = call("PutArtifacts", artifacts=[node(pb.Artifact, custom={"n": 1}, type_id=data)]).artifact_ids
    assert kinds(proxy.statements) == ["INSERT", "INSERT", "COMMIT"]
    assert call("GetArtifactsByID", artifact_ids=[made]).artifacts[0].custom_properties["n"].int_value == 1


@pytest.mark.parametrize("names", [("a", "A"), ("a", "a "), ("é", "e")])
def test_names_that_a_database_may_take_for_one_another_are_never_held(
    far: tuple[Calls, Proxy], names: tuple[str, str]
) -> None:
    """An error of theirs is that of their node, and not of the statement with which they would have gone."""
    call, proxy = far
    call("PutExecution", **step(call, {"n": 1}))
    request = step(call, dict.fromkeys(names, 1))
    proxy.calm()
    try:
        made = call("PutExecution", **request)
    except AlreadyExists as error:
        assert "event" not in error.message  # noqa: PT017 - whether it fails is the collation's matter
    else:
        (stored,) = call("GetArtifactsByID", artifact_ids=made.artifact_ids).artifacts
        assert set(stored.custom_properties) == set(names)
    assert kinds(proxy.statements)[:3] == [
        "SELECT",
        "INSERT",
        "INSERT",
    ]  # a node, and its properties at once


@pytest.mark.parametrize("rows", [1, 2])
def test_an_error_of_what_is_held_is_raised_with_the_next_statement_and_undoes_all(call: Calls, rows: int) -> None:
    """Nothing that can be refused is held; were it so, the transaction would fail nevertheless."""

    def body(tx: Transaction) -> None:
        tx.insert(ATTRIBUTION, ("context_id", "artifact_id"), [(1, 1)])
        tx.insert(ATTRIBUTION, ("context_id", "artifact_id"), [(row + 1, 1) for row in range(rows)], later=True)
        tx.insert(EVENT_PATH, PATH_COLUMNS, [(1, 0, None, "k")], later=True)
        tx.rows(sa.select(EVENT.c.id))

    with pytest.raises(StoreError):
        call.store.database.write(LOCAL, body)
    found = call.store.read(LOCAL, lambda tx: (tx.rows(sa.select(ATTRIBUTION)), tx.rows(sa.select(EVENT_PATH))))
    assert [list(some) for some in found] == [[], []]


def test_what_is_held_is_seen_by_whatever_comes_next(call: Calls) -> None:
    counted = sa.select(sa.func.count()).select_from(EVENT_PATH)

    def body(tx: Transaction) -> list[int]:
        seen = []
        for number in range(3):
            tx.insert(EVENT_PATH, PATH_COLUMNS, [(number, 0, None, "k")], later=True)
            seen.append(tx.rows(counted)[0][0])
        tx.insert(EVENT_PATH, PATH_COLUMNS, [(4, 0, None, "k")], later=True)
        seen.append(sum(len(some) for some in tx.row_chunks(sa.select(EVENT_PATH), None, 2)))
        tx.insert(EVENT_PATH, PATH_COLUMNS, [(5, 0, None, "k")], later=True)
        ids = tx.insert_ids(EVENT, ("artifact_id", "execution_id", "type"), [(1, 1, 3), (2, 1, 3)])
        assert tx.rows(sa.select(EVENT.c.id).order_by(EVENT.c.id)) in ([(ids[0],), (ids[1],)], ((ids[0],), (ids[1],)))
        tx.insert(EVENT_PATH, PATH_COLUMNS, [(6, 0, None, "k")], later=True)
        assert tx.execute(sa.update(EVENT).values(type=4)) == 2
        return seen

    assert call.store.database.write(LOCAL, body) == [1, 2, 3, 4]
    assert call.store.read(LOCAL, lambda tx: tx.rows(counted)[0][0]) == 6


def test_a_body_that_fails_leaves_nothing_of_what_it_held(call: Calls) -> None:
    def body(tx: Transaction) -> None:
        tx.insert(EVENT_PATH, PATH_COLUMNS, [(1, 0, None, "k")], later=True)
        raise InvalidArgument("no")

    with pytest.raises(InvalidArgument):
        call.store.database.write(LOCAL, body)
    call("PutArtifactType", artifact_type={"name": "Next"})
    assert not call.store.read(LOCAL, lambda tx: tx.rows(sa.select(EVENT_PATH)))


@pytest.mark.parametrize("length", [10, 40_000, 70_000])
def test_many_or_long_rows_go_at_once(call: Calls, length: int) -> None:
    def body(tx: Transaction) -> None:
        for number in range(4):
            tx.insert(EVENT_PATH, PATH_COLUMNS, [(number, 0, None, "k" * min(length, 60_000))], later=True)
            tx.insert(EVENT_PATH, PATH_COLUMNS, [(number, 0, None, "k")] * (length // 10), later=True)

    call.store.database.write(LOCAL, body)
    counted = sa.select(sa.func.count()).select_from(EVENT_PATH)
    assert call.store.read(LOCAL, lambda tx: tx.rows(counted)[0][0]) == 4 * (1 + length // 10)
