"""The law of pages: whatever the order, the ties, the page sizes and the filter, every node comes exactly once."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlmd_metadata_store.page_tokens import Order, decode_token, encode_token
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ARTIFACT

from tests.metadata_store.calls import Calls
from tests.metadata_store.test_node_lists import put_crowd

NODES = 40
FILTERS: dict[str, Callable[[int], bool]] = {
    "": lambda _: True,
    "id > 7": lambda node_id: node_id > 7,
    "properties.n.int_value < 4": lambda node_id: (node_id - 1) % 9 < 4,
    "contexts_a.name = 'c'": lambda _: True,
    "contexts_a.id > 0 AND properties.n.int_value = 2": lambda node_id: (node_id - 1) % 9 == 2,
}
LISTS: dict[str, dict[str, Any]] = {
    "GetArtifacts": {},
    "GetArtifactsByType": {"type_name": "A"},
    "GetArtifactsByContext": {"context_id": 1},
}
TIMES = st.lists(st.integers(0, 6), min_size=NODES, max_size=NODES)


def _set_times(call: Calls, created: list[int], updated: list[int]) -> None:
    def chosen(times: list[int]) -> sa.Case[int]:
        return sa.case(*((ARTIFACT.c.id == number + 1, time) for number, time in enumerate(times)))

    def change(tx: Transaction) -> None:
        times = {"create_time_since_epoch": chosen(created), "last_update_time_since_epoch": chosen(updated)}
        tx.execute(sa.update(ARTIFACT).values(times))

    call.store.database.write(call.caller, change)


def _googles(token: str) -> str:
    """Return the token as Google's server would have made it: for LAST_UPDATE_TIME without the id."""
    read = decode_token(token)
    if read.set_options.order_by_field.field == Order.LAST_UPDATE_TIME:
        read.ClearField("id_offset")
    return encode_token(read)


def test_every_node_comes_exactly_once_in_order(call: Calls) -> None:
    put_crowd(call, NODES)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        times=st.tuples(TIMES, TIMES),
        field=st.sampled_from([Order.ID, Order.CREATE_TIME, Order.LAST_UPDATE_TIME]),
        ascending=st.booleans(),
        sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
        filter_query=st.sampled_from(sorted(FILTERS)),
        method=st.sampled_from(sorted(LISTS)),
        googles=st.booleans(),
    )
    def law(
        times: tuple[list[int], list[int]],
        field: Any,
        ascending: bool,
        sizes: list[int],
        filter_query: str,
        method: str,
        googles: bool,
    ) -> None:
        _set_times(call, *times)
        keys: list[int] = {Order.CREATE_TIME: times[0], Order.LAST_UPDATE_TIME: times[1]}.get(field, list(range(NODES)))
        matching = [node_id for node_id in range(1, NODES + 1) if FILTERS[filter_query](node_id)]
        expected = sorted(matching, key=lambda node_id: (keys[node_id - 1], node_id), reverse=not ascending)
        order = Order(field=field, is_asc=ascending)
        found, token = [], ""
        for number in range(NODES + 1):
            size = sizes[number % len(sizes)]
            options = pb.ListOperationOptions(
                max_result_size=size, order_by_field=order, filter_query=filter_query, next_page_token=token
            )
            page = call(method, options=options, **LISTS[method])
            assert len(page.artifacts) <= size
            found += [artifact.id for artifact in page.artifacts]
            token = _googles(page.next_page_token) if googles and page.next_page_token else page.next_page_token
            if not token:
                break
        assert not token, "the list does not end"
        assert found == expected

    law()
