"""Lists of nodes: the read contract's edge cases 14 to 18, 22 to 32, 49 and 67, by name."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.page_tokens import Order, decode_token, encode_token
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import ARTIFACT, ATTRIBUTION

from tests.metadata_store import fixture
from tests.metadata_store.calls import Calls

Options = pb.ListOperationOptions
NEWEST = Order(field=Order.CREATE_TIME, is_asc=False)
CROWD = 250


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """The fixture of the read contract; nobody writes to it."""
    with fixture.opened(request, tmp_path_factory.mktemp("lists")) as calls:
        fixture.build(calls)
        yield calls


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """250 artifacts with one property each, all in context 1, 30 executions; nobody writes to it."""
    with fixture.opened(request, tmp_path_factory.mktemp("crowd")) as calls:
        put_crowd(calls, CROWD)
        yield calls


def put_crowd(call: Calls, artifacts: int) -> None:
    """Put nodes into an empty store."""
    types = call(
        "PutTypes",
        artifact_types=[pb.ArtifactType(name="A", properties={"n": pb.INT})],
        execution_types=[pb.ExecutionType(name="E")],
        context_types=[pb.ContextType(name="C")],
    )
    made = [pb.Artifact(type_id=types.artifact_type_ids[0]) for _ in range(artifacts)]
    for number, artifact in enumerate(made):
        artifact.properties["n"].int_value = number % 9
    call("PutArtifacts", artifacts=made)
    call("PutExecutions", executions=[pb.Execution(type_id=types.execution_type_ids[0]) for _ in range(30)])
    call("PutContexts", contexts=[pb.Context(type_id=types.context_type_ids[0], name="c")])
    call(
        "PutAttributionsAndAssociations",
        attributions=[pb.Attribution(context_id=1, artifact_id=number + 1) for number in range(artifacts)],
    )


def _ids(nodes: Any) -> list[int]:
    return [node.id for node in nodes]


def walk(call: Calls, method: str, order: Order | None = None, size: int = 20, **fields: Any) -> list[int]:
    """Return the ids of all pages of a list of artifacts; fails when it does not end."""
    found: list[int] = []
    token = ""
    for _ in range(2 * CROWD):
        options = Options(max_result_size=size, order_by_field=order, next_page_token=token)
        options.filter_query = fields.get("filter_query", "")
        rest = {name: value for name, value in fields.items() if name != "filter_query"}
        answer = call(method, options=options, **rest)
        found += _ids(answer.artifacts)
        token = answer.next_page_token
        if not token:
            return found
    raise AssertionError("the list does not end")


def test_read_14_options_are_not_looked_at_where_a_type_has_no_nodes(shop: Calls) -> None:
    wrong = Options(max_result_size=0)
    for name in ("Empty", "Nope", "Trainer", ""):
        assert shop("GetArtifactsByType", type_name=name, options=wrong) == service.GetArtifactsByTypeResponse()
    assert shop.code("GetArtifactsByType", type_name="Dataset", options=wrong) == Code.INVALID_ARGUMENT
    assert shop.code("GetArtifactsByType", type_name="Dataset", options=Options(filter_query="(")) == 3


def test_read_15_lists_by_type_always_carry_a_token(shop: Calls) -> None:
    found = shop("GetArtifactsByType", type_name="Dataset", options=Options())
    assert _ids(found.artifacts) == [1, 2, 3, 6, 7, 8]
    assert found.HasField("next_page_token")
    assert found.next_page_token == ""
    first = shop("GetArtifactsByType", type_name="Dataset", options=Options(max_result_size=2))
    assert (_ids(first.artifacts), first.next_page_token) == ([1, 2], "CAIQAhoCCAI")
    nothing = shop("GetArtifactsByType", type_name="Dataset", options=Options(filter_query="id = 99"))
    assert not nothing.artifacts
    assert nothing.HasField("next_page_token")
    assert not shop("GetArtifactsByType", type_name="Dataset").HasField("next_page_token")


def test_lists_by_type_know_versions_and_kinds(shop: Calls) -> None:
    assert _ids(shop("GetArtifactsByType", type_name="Model").artifacts) == [4]
    assert _ids(shop("GetArtifactsByType", type_name="Model", type_version="v2").artifacts) == [5]
    assert _ids(shop("GetExecutionsByType", type_name="Trainer").executions) == [1, 2, 4]
    assert _ids(shop("GetContextsByType", type_name="Run", type_version="1").contexts) == [2, 3]
    assert not shop("GetContextsByType", type_name="Run").contexts
    filtered = shop("GetContextsByType", type_name="Pipeline", options=Options(filter_query="name = 'p2'"))
    assert _ids(filtered.contexts) == [4]


def test_read_16_options_are_not_looked_at_where_a_context_has_no_members(shop: Calls) -> None:
    wrong = Options(filter_query="garbage(")
    empty = shop("GetExecutionsByContext", context_id=4, options=wrong)
    assert empty == service.GetExecutionsByContextResponse()
    assert shop.code("GetExecutionsByContext", context_id=1, options=wrong) == Code.INVALID_ARGUMENT


def test_read_17_lists_by_context_of_nothing(shop: Calls) -> None:
    assert shop("GetArtifactsByContext", context_id=99) == service.GetArtifactsByContextResponse()
    assert shop("GetArtifactsByContext") == service.GetArtifactsByContextResponse()
    assert shop("GetExecutionsByContext", context_id=99, options=Options(next_page_token="!!!")).executions == []
    assert shop.code("GetContextsByArtifact", artifact_id=3) == Code.NOT_FOUND
    assert shop.code("GetContextsByArtifact", artifact_id=99) == Code.NOT_FOUND
    assert shop.code("GetContextsByExecution", execution_id=4) == Code.NOT_FOUND


def test_read_18_lists_by_context_are_ordered_and_paged(shop: Calls) -> None:
    oldest = Order(field=Order.LAST_UPDATE_TIME)
    assert _ids(shop("GetArtifactsByContext", context_id=1, options=Options(order_by_field=oldest)).artifacts) == [
        4,
        2,
        1,
    ]
    assert _ids(shop("GetArtifactsByContext", context_id=1).artifacts) == [1, 2, 4]
    assert _ids(shop("GetExecutionsByContext", context_id=3).executions) == [2, 3]
    first = shop("GetArtifactsByContext", context_id=1, options=Options(max_result_size=2))
    assert _ids(first.artifacts) == [1, 2]
    rest = shop("GetArtifactsByContext", context_id=1, options=Options(next_page_token=first.next_page_token))
    assert _ids(rest.artifacts) == [4]
    assert not rest.HasField("next_page_token")


def test_lists_by_context_are_filtered(shop: Calls) -> None:
    for filter_query, expected in (
        ("events_0.type = INPUT", [1, 2]),
        ("contexts_a.name = 'r1'", [1, 4]),
        ("contexts_a.name = 'r1' AND contexts_b.name = 'p1' AND events_a.type = OUTPUT", [4]),
        ("custom_properties.owner.string_value = 'amy'", [1, 4]),
    ):
        for order in (None, NEWEST, Order(field=Order.ID, is_asc=False)):
            found = walk(shop, "GetArtifactsByContext", order, 1, context_id=1, filter_query=filter_query)
            assert found == (expected if order is None else expected[::-1]), filter_query


def test_read_22_lists_of_the_store(shop: Calls, crowd: Calls) -> None:
    everything = shop("GetArtifacts")
    assert _ids(everything.artifacts) == list(range(1, 9))
    assert not everything.HasField("next_page_token")
    assert _ids(shop("GetExecutions").executions) == [1, 2, 3, 4]
    assert _ids(shop("GetContexts").contexts) == [1, 2, 3, 4]
    page = crowd("GetArtifacts", options=Options())
    assert _ids(page.artifacts) == list(range(1, 21))
    token = decode_token(page.next_page_token)
    assert (token.id_offset, token.field_offset) == (20, 20)
    assert not shop("GetArtifacts", options=Options()).HasField("next_page_token")


def test_read_23_pages_hold_a_hundred_and_carry_a_token(crowd: Calls) -> None:
    for size in (0, -1, 2147483647):
        assert crowd.code("GetArtifacts", options=Options(max_result_size=size)) == Code.INVALID_ARGUMENT
    for size in (100, 101, 150, 2147483646):
        page = crowd("GetArtifacts", options=Options(max_result_size=size))
        assert _ids(page.artifacts) == list(range(1, 101))
        assert page.next_page_token
    assert walk(crowd, "GetArtifacts", size=150) == list(range(1, CROWD + 1))


def test_read_24_the_unspecified_order_is_refused(crowd: Calls) -> None:
    options = Options(order_by_field=Order(field=Order.FIELD_UNSPECIFIED))
    assert crowd.code("GetArtifacts", options=options) == Code.INVALID_ARGUMENT


def test_read_25_tokens_and_other_options(crowd: Calls) -> None:
    token = crowd("GetArtifacts", options=Options()).next_page_token
    for order in (Order(is_asc=False), Order(field=Order.CREATE_TIME)):
        options = Options(order_by_field=order, next_page_token=token)
        assert crowd.code("GetArtifacts", options=options) == Code.INVALID_ARGUMENT
    spelled = Options(order_by_field=Order(field=Order.ID, is_asc=True), max_result_size=3, next_page_token=token)
    assert _ids(crowd("GetArtifacts", options=spelled).artifacts) == [21, 22, 23]
    filtered = Options(filter_query="id > 40", next_page_token=token)
    assert _ids(crowd("GetArtifacts", options=filtered).artifacts)[0] == 41
    assert _ids(crowd("GetExecutions", options=Options(next_page_token=token)).executions) == list(range(21, 31))


def test_read_26_tokens_that_are_none(crowd: Calls) -> None:
    for token in ("!!!", "abcd", "ab+/"):
        assert crowd.code("GetArtifacts", options=Options(next_page_token=token)) == Code.INVALID_ARGUMENT
    for token, first in (("CBQQFBoA", 21), (" CBQQFBoA", 21), ("CAIQAhoCCAI=", 3)):
        assert _ids(crowd("GetArtifacts", options=Options(next_page_token=token)).artifacts)[0] == first
    assert _ids(crowd("GetArtifacts", options=Options(next_page_token="")).artifacts)[0] == 1


def test_read_27_a_token_made_by_hand(crowd: Calls) -> None:
    token = encode_token(pb.ListOperationNextPageToken(field_offset=5))
    assert _ids(crowd("GetArtifacts", options=Options(next_page_token=token)).artifacts)[0] == 6


def _set_times(call: Calls, created: Any, updated: Any) -> None:
    def change(tx: Transaction) -> None:
        tx.execute(sa.update(ARTIFACT).values(create_time_since_epoch=created, last_update_time_since_epoch=updated))

    call.store.database.write(call.caller, change)


UPWARD, DOWNWARD = list(range(1, 41)), list(range(40, 0, -1))


def test_read_28_tokens_for_update_time_name_a_node(call: Calls) -> None:
    put_crowd(call, 10)
    _set_times(call, created=7, updated=7)
    options = Options(max_result_size=3, order_by_field=Order(field=Order.LAST_UPDATE_TIME))

    def going_on(**where: Any) -> dict[str, Any]:
        made = pb.ListOperationNextPageToken(field_offset=7, set_options=options, **where)
        page = Options(next_page_token=encode_token(made))
        page.MergeFrom(options)
        return {"options": page}

    for where in ({"listed_ids": [6, 5, 4]}, {"id_offset": 6}):  # as Google's server makes them, and the least of ours
        assert _ids(call("GetArtifacts", **going_on(**where)).artifacts) == [7, 8, 9]
    assert call.code("GetArtifacts", **going_on()) == Code.INVALID_ARGUMENT


def test_read_29_one_time_for_all(call: Calls) -> None:
    put_crowd(call, 40)
    _set_times(call, created=1000, updated=5)
    assert walk(call, "GetArtifacts", Order(field=Order.LAST_UPDATE_TIME), 3) == UPWARD
    assert walk(call, "GetArtifacts", Order(field=Order.LAST_UPDATE_TIME, is_asc=False), 3) == DOWNWARD


def test_read_30_times_against_the_ids(call: Calls) -> None:
    put_crowd(call, 40)
    _set_times(call, created=1000 - ARTIFACT.c.id, updated=5)
    assert walk(call, "GetArtifacts", Order(field=Order.CREATE_TIME), 3) == DOWNWARD
    assert walk(call, "GetArtifacts", NEWEST, 3) == UPWARD


def test_read_31_newest_first_of_one_time_is_by_descending_id(call: Calls) -> None:
    put_crowd(call, 40)
    _set_times(call, created=7, updated=ARTIFACT.c.id)
    assert _ids(call("GetArtifacts", options=Options(order_by_field=NEWEST, max_result_size=100)).artifacts) == DOWNWARD
    assert walk(call, "GetArtifacts", NEWEST, 3) == DOWNWARD


def test_read_32_an_empty_filter_is_none_and_a_blank_one_is_wrong(shop: Calls) -> None:
    assert _ids(shop("GetArtifacts", options=Options(filter_query="")).artifacts) == list(range(1, 9))
    assert shop.code("GetArtifacts", options=Options(filter_query=" ")) == Code.INVALID_ARGUMENT


def test_read_49_filters_go_with_every_order(crowd: Calls) -> None:
    for field in (Order.ID, Order.CREATE_TIME, Order.LAST_UPDATE_TIME):
        for filter_query in ("properties.n.int_value = 3", "contexts_a.name = 'c' AND properties.n.int_value = 3"):
            found = walk(crowd, "GetArtifacts", Order(field=field), 7, filter_query=filter_query)
            assert found == list(range(4, CROWD + 1, 9))


def test_read_67_an_event_on_no_artifact_does_not_spoil_the_list_of_its_context(call: Calls) -> None:
    fixture.build(call)
    event = {"type": pb.Event.INPUT, "artifact_id": 4711}
    (context,) = call("GetContextsByID", context_ids=[1]).contexts
    pairs = [{"event": event}, {"artifact": {"id": 7, "type_id": fixture.DATASET}}]
    made = call("PutExecution", execution={"type_id": 14}, artifact_event_pairs=pairs, contexts=[context])
    assert list(made.artifact_ids) == [4711, 7]
    for options in ({}, {"options": Options()}, {"options": Options(filter_query="id > 0")}):
        assert _ids(call("GetArtifactsByContext", context_id=1, **options).artifacts) == [1, 2, 4, 7]


def test_a_membership_of_nothing_does_not_spoil_the_list(call: Calls) -> None:
    fixture.build(call)

    def dangle(tx: Transaction) -> None:
        tx.insert(ATTRIBUTION, ("context_id", "artifact_id"), [(1, -1), (1, 999)])

    call.store.database.write(call.caller, dangle)
    assert _ids(call("GetArtifactsByContext", context_id=1).artifacts) == [1, 2, 4]
    assert _ids(call("GetArtifactsByContext", context_id=1, options=Options()).artifacts) == [1, 2, 4]


def test_a_long_list_comes_whole(call: Calls) -> None:
    put_crowd(call, 7000)
    for fields in ({}, {"type_name": "A"}, {"context_id": 1}):
        method = "GetArtifacts" + {"type_name": "ByType", "context_id": "ByContext"}.get(next(iter(fields), ""), "")
        found = call(method, **fields).artifacts
        assert _ids(found) == list(range(1, 7001))
        assert [node.properties["n"].int_value for node in found] == [number % 9 for number in range(7000)]


@pytest.mark.parametrize("size", [1, 7, CROWD, CROWD + 1])
def test_a_list_without_pages_is_read_in_pieces(crowd: Calls, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = crowd("GetArtifacts")
    monkeypatch.setattr("mlmd_metadata_store.node_pages._NODES_AT_ONCE", size)
    assert crowd("GetArtifacts") == whole
    assert len(whole.artifacts) == CROWD
