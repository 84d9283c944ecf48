"""Lists of a large store find their nodes by what is rare, on SQLite too, which does not look what that is."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store import dives
from mlmd_metadata_store.dives import FEWEST_NODES
from mlmd_metadata_store.narrowing import USED
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.ways import KEPT_SECONDS, Ways
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ARTIFACT, ARTIFACT_PROPERTY, ATTRIBUTION, NODE_TABLES, Kind
from sqlalchemy import event

from tests.metadata_store.calls import Calls, counted

NODES = FEWEST_NODES
Options = pb.ListOperationOptions
Order = pb.ListOperationOptions.OrderByField
KIND = "properties.kind.string_value = 'train'"
ROUND = "properties.round.int_value = 17"
NOTE = "custom_properties.note.string_value = 'same'"
FILTERS = [
    f"{KIND} AND {NOTE} AND {ROUND}",
    f"{ROUND} AND {NOTE} AND {KIND}",
    f"{KIND} AND {NOTE}",
    f"{KIND} AND properties.round.int_value > 900 AND properties.round.int_value <= 903",
    f"{KIND} AND properties.round.int_value = 5000",
    f"{KIND} AND properties.round.int_value IN (1, 17, 400)",
    f"{NOTE} AND properties.score.double_value < 0.01",
    f"{KIND} AND (properties.round.int_value = 3 OR custom_properties.note.string_value = 'other')",
    f"NOT ({KIND}) AND {ROUND}",
    f"{KIND} AND 17 = properties.round.int_value",
    f"{KIND} AND id IN (3, 300, 19999)",
    f"{KIND} AND external_id = 'x300'",
    f"{NOTE} AND name = 'n300'",
    f"{NOTE} AND type = 'Rare'",
    f"{NOTE} AND type = 'Common'",
    f"{NOTE} AND contexts_a.name = 'group'",
    f"{ROUND} AND contexts_a.name = 'group'",
    f"{NOTE} AND contexts_a.type = 'Group' AND {KIND}",
    NOTE,
    ROUND,
    "type = 'Common'",
    "properties.absent.int_value = 1",
]
ORDERS = [Order.ID, Order.CREATE_TIME, Order.LAST_UPDATE_TIME]


def _fill(store: Store) -> None:
    """20,000 artifacts: every one has the same note, one in three its kind, one in a thousand its round."""
    call = Calls(store)
    types = [call("PutArtifactType", artifact_type=pb.ArtifactType(name=name)).type_id for name in ("Common", "Rare")]
    group = call("PutContextType", context_type=pb.ContextType(name="Group")).type_id
    call("PutContexts", contexts=[pb.Context(type_id=group, name="group")])
    nodes, properties = [], []
    columns = ("artifact_id", "name", "is_custom_property", "int_value", "double_value", "string_value")
    for number in range(1, NODES + 1):
        type_id = types[number % 1000 == 7]
        nodes.append((number, type_id, f"n{number}", f"x{number}", NODES - number // 2, number * 7919 % NODES))
        properties += [
            (number, "kind", 0, None, None, ("train", "test", "valid")[number % 3]),
            (number, "round", 0, number % 1000, None, None),
            (number, "score", 0, None, number % 997 / 997, None),
            (number, "note", 1, None, None, "same"),
        ]

    def fill(tx: Any) -> None:
        made = ("id", "type_id", "name", "external_id", "create_time_since_epoch", "last_update_time_since_epoch")
        tx.insert(ARTIFACT, made, nodes)
        tx.insert(ARTIFACT_PROPERTY, columns, properties)
        tx.insert(ATTRIBUTION, ("context_id", "artifact_id"), [(1, number) for number in range(5, NODES, 500)])

    store.database.write(call.caller, fill)


@pytest.fixture(scope="module", params=["bare", "analyzed"])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """The large store on SQLite, as it is and with the statistics that ANALYZE makes; nobody writes to it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('large') / 'metadata.db'}"
    store = Store.open(url)
    _fill(store)
    if request.param == "analyzed":
        with store.database.writer.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
        store.database.reader.dispose()
    yield Calls(store)
    store.close()


@pytest.fixture(autouse=True)
def _unknown_ways(request: pytest.FixtureRequest) -> None:
    """No test takes the ways that another one found."""
    if "large" in request.fixturenames:
        request.getfixturevalue("large").store.database.ways = Ways()


@contextmanager
def _steps(store: Store) -> Iterator[list[int]]:
    """Count how many hundred instructions SQLite's machine takes, from new connections on."""
    taken = [0]

    def tick() -> int:
        taken[0] += 1
        return 0

    def connected(connection: Any, _record: Any) -> None:
        connection.set_progress_handler(tick, 100)

    store.database.reader.dispose()
    event.listen(store.database.reader, "connect", connected)
    try:
        yield taken
    finally:
        event.remove(store.database.reader, "connect", connected)
        store.database.reader.dispose()


def _taken(call: Calls, method: str = "GetArtifacts", /, **fields: Any) -> int:
    with _steps(call.store) as taken:
        call(method, **fields)
    return taken[0]


def _page(text: str, order: Order.Field = Order.ID, *, ascending: bool = True, size: int = 20) -> Options:
    field = Order(field=order, is_asc=ascending)
    return Options(max_result_size=size, filter_query=text, order_by_field=field)


def _ids(call: Calls, options: Options) -> list[int]:
    found: list[int] = []
    for _ in range(4):
        page = call("GetArtifacts", options=options)
        found += [artifact.id for artifact in page.artifacts]
        options.next_page_token = page.next_page_token
        if not page.next_page_token:
            break
    return found


@pytest.mark.parametrize("text", FILTERS)
def test_every_way_finds_the_same(large: Calls, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by_ways = [_ids(large, _page(text, order, ascending=up)) for order in ORDERS for up in (True, False)]
    large.store.database.ways = Ways()
    monkeypatch.setattr(dives, "FEWEST_NODES", NODES + 1)
    plainly = [_ids(large, _page(text, order, ascending=up)) for order in ORDERS for up in (True, False)]
    assert by_ways == plainly


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "text",
    [
        f"{KIND} AND {NOTE} AND {ROUND}",
        f"{ROUND} AND {NOTE} AND {KIND}",
        f"{KIND} AND {NOTE}",
        f"{KIND} AND properties.round.int_value = 5000",
        f"{NOTE} AND contexts_a.name = 'group'",
        f"{KIND} AND id IN (3, 300, 19999)",
        "type = 'Common'",
        f"type = 'Common' AND {NOTE}",
        "name = 'n300'",
    ],
)
def test_what_is_rare_leads(large: Calls, text: str, order: Order.Field) -> None:
    """By any other way it is ten instructions and more for each of some 6,600 or 20,000 rows."""
    large("GetArtifacts", options=_page(text, order))
    assert _taken(large, options=_page(text, order)) < 100


def test_a_page_of_a_common_type_does_not_go_through_the_type(large: Calls) -> None:
    for order in ORDERS:
        fields = {"type_name": "Common", "options": _page("", order)}
        large("GetArtifactsByType", **fields)
        assert _taken(large, "GetArtifactsByType", **fields) < 100


def test_a_way_is_looked_for_once_a_minute(large: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    database = large.store.database
    options = _page(f"{KIND} AND {ROUND}")

    def looks() -> int:
        with counted(large.store) as statements:
            large("GetArtifacts", options=options)
        return sum(re.search(r"max\(|LIMIT 1 OFFSET", text) is not None for text in statements)

    assert [looks(), looks()] == [2, 0]
    moment = count(start=0)
    monkeypatch.setattr("mlmd_metadata_store.ways.time.monotonic", lambda: next(moment) * KEPT_SECONDS)
    database.ways = Ways()
    assert looks() > 0
    assert looks() > 0


def test_a_small_store_is_not_looked_at_twice(store_on: Any) -> None:
    call = store_on("sqlite")
    with counted(call.store) as statements:
        call("GetArtifacts", options=_page(f"{KIND} AND {ROUND}"))
        call("GetArtifacts", options=_page(f"{KIND} AND {NOTE}"))
    assert len(statements) == 3
    assert sum("max(" in text for text in statements) == 1


def test_mariadb_dives_by_itself(store_on: Any) -> None:
    call = store_on("mariadb")
    with counted(call.store) as statements:
        call("GetArtifacts", options=_page(f"{KIND} AND {ROUND}"))
    assert len(statements) == 1
    assert "CROSS JOIN" not in statements[0]


def test_ways_do_not_pile_up() -> None:
    ways = Ways()
    for number in range(5000):
        ways.keep(number, number)
    assert ways.get(4999) == 4999
    assert ways.get(0) is None


def test_the_types_that_nodes_have_are_found_one_by_one(large: Calls) -> None:
    node = NODE_TABLES[Kind.ARTIFACT].node
    distinct = sa.select(node.c.type_id).distinct()

    def both(tx: Transaction) -> tuple[set[int], set[int]]:
        return {row[0] for row in tx.rows(USED[Kind.ARTIFACT, False])}, {row[0] for row in tx.rows(distinct)}

    used, expected = large.store.read(large.caller, both)
    assert used == expected
    assert len(used) == 2
