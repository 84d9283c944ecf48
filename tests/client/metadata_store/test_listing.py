"""Lists: pages, limits, orders, and what is sent for them."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from mlmd_client.metadata_store import MAX_NUM_RESULT, ListOptions, MetadataStore, OrderByField, errors
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.client.metadata_store.conftest import Stub


def filled(store: MetadataStore, count: int) -> list[int]:
    """Make so many artifacts; returns their ids."""
    type_id = store.put_artifact_type(pb.ArtifactType(name="Data"))
    return store.put_artifacts([pb.Artifact(type_id=type_id) for _ in range(count)])


def test_limits_over_several_pages(store: MetadataStore) -> None:
    ids = filled(store, 250)
    for limit, expected in ((120, 120), (100, 100), (0, 250), (None, 250), (1000, 250), (250, 250)):
        found = [artifact.id for artifact in store.get_artifacts(ListOptions(limit, OrderByField.ID))]
        assert found == ids[:expected]
    assert len(store.get_artifacts()) == 250


@pytest.mark.parametrize("order", OrderByField)
@pytest.mark.parametrize("is_asc", [True, False])
def test_every_node_comes_once_in_every_order(store: MetadataStore, order: OrderByField, is_asc: bool) -> None:
    ids = filled(store, 220)
    found = [artifact.id for artifact in store.get_artifacts(ListOptions(order_by=order, is_asc=is_asc))]
    assert sorted(found) == ids
    if order is OrderByField.ID:
        assert found == (ids if is_asc else ids[::-1])


def test_executions_of_a_context_come_newest_first_and_artifacts_by_id(store: MetadataStore) -> None:
    artifact_ids = filled(store, 4)
    execution_type = store.put_execution_type(pb.ExecutionType(name="Train"))
    context_type = store.put_context_type(pb.ContextType(name="Experiment"))
    (context_id,) = store.put_contexts([pb.Context(type_id=context_type, name="one")])
    execution_ids = [store.put_executions([pb.Execution(type_id=execution_type)])[0] for _ in range(2)]
    store.put_attributions_and_associations(
        [pb.Attribution(artifact_id=artifact_ids[n], context_id=context_id) for n in (3, 0, 1)],
        [pb.Association(execution_id=execution_id, context_id=context_id) for execution_id in execution_ids],
    )
    assert [execution.id for execution in store.get_executions_by_context(context_id)] == execution_ids[::-1]
    assert [artifact.id for artifact in store.get_artifacts_by_context(context_id)] == [
        artifact_ids[n] for n in (0, 1, 3)
    ]
    ascending = store.get_executions_by_context(context_id, ListOptions())
    assert [execution.id for execution in ascending] == execution_ids


METHODS: dict[str, Callable[[MetadataStore, ListOptions | None], Any]] = {
    "GetArtifacts": lambda store, options: store.get_artifacts(options),
    "GetExecutions": lambda store, options: store.get_executions(options),
    "GetContexts": lambda store, options: store.get_contexts(options),
    "GetArtifactsByContext": lambda store, options: store.get_artifacts_by_context(1, options),
    "GetExecutionsByContext": lambda store, options: store.get_executions_by_context(1, options),
}


def nothing(name: str, request: Any) -> Any:
    """Answer with an empty page."""
    return getattr(service, f"{name}Response")()


@pytest.mark.parametrize("method", METHODS)
def test_a_negative_limit_is_refused_without_asking(method: str, stub: Callable[..., Stub]) -> None:
    server = stub(nothing)
    with pytest.raises(errors.InvalidArgumentError, match=r"list_options\.limit: -1 is below zero"):
        METHODS[method](server.store(), ListOptions(limit=-1))
    assert server.requests == []


@pytest.mark.parametrize("method", METHODS)
def test_an_order_that_is_a_number_is_refused_without_asking(method: str, stub: Callable[..., Stub]) -> None:
    server = stub(nothing)
    with pytest.raises(AttributeError):
        METHODS[method](server.store(), ListOptions(order_by=cast(Any, 3)))
    assert server.requests == []


@pytest.mark.parametrize("method", METHODS)
def test_what_is_sent_for_options(method: str, stub: Callable[..., Stub]) -> None:
    server = stub(nothing)
    store, ask = server.store(), METHODS[method]
    for options in (None, ListOptions(), ListOptions(7, OrderByField.UPDATE_TIME, False, "id = 1"), ListOptions(500)):
        ask(store, options)
    sent = [request for _, request in server.requests]
    if method == "GetExecutionsByContext":
        assert sent[0].options.order_by_field.field == pb.ListOperationOptions.OrderByField.CREATE_TIME
        assert not sent[0].options.order_by_field.is_asc
    else:
        assert not sent[0].HasField("options")
    plain, full, many = (request.options for request in sent[1:])
    assert (plain.max_result_size, plain.order_by_field.is_asc) == (MAX_NUM_RESULT, True)
    assert plain.order_by_field.HasField("is_asc")
    assert not plain.order_by_field.HasField("field")
    assert not plain.HasField("filter_query")
    assert (full.max_result_size, full.filter_query) == (7, "id = 1")
    assert full.order_by_field == pb.ListOperationOptions.OrderByField(field="LAST_UPDATE_TIME", is_asc=False)
    assert many.max_result_size == MAX_NUM_RESULT


def test_the_last_page_is_as_long_as_what_is_left(stub: Callable[..., Stub]) -> None:
    def page(name: str, request: Any) -> Any:
        size = request.options.max_result_size
        return service.GetArtifactsResponse(artifacts=[pb.Artifact()] * size, next_page_token="more")

    server = stub(page)
    assert len(server.store().get_artifacts(ListOptions(limit=230))) == 230
    sent = [(request.options.max_result_size, request.options.next_page_token) for _, request in server.requests]
    assert sent == [(100, ""), (100, "more"), (30, "more")]


def test_options_are_values(store: MetadataStore) -> None:
    options = ListOptions(1, OrderByField.ID, False, "id = 1")
    assert options == ListOptions(limit=1, order_by=OrderByField.ID, is_asc=False, filter_query="id = 1")
    assert repr(ListOptions()) == "ListOptions(limit=None, order_by=None, is_asc=True, filter_query=None)"
    options.limit = 2
    assert options != ListOptions(1, OrderByField.ID, False, "id = 1")
    assert ListOptions(1) < ListOptions(2)
    with pytest.raises(TypeError):
        hash(options)
