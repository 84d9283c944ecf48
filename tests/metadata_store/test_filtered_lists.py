"""Every recorded filter finds through the list calls what it finds by itself, in every order and page size."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlmd_metadata_store.node_pages import first_ids, matching_ids
from mlmd_metadata_store.page_tokens import Order
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from tests.metadata_store import fixture
from tests.metadata_store.calls import Calls

CASES = json.loads((Path(__file__).parent.parent / "data" / "filter_cases.json").read_text())
KINDS = {"Artifact": Kind.ARTIFACT, "Execution": Kind.EXECUTION, "Context": Kind.CONTEXT}
AMONG = [1, 2, 5, 8, 77]
FIELDS = (Order.CREATE_TIME, Order.LAST_UPDATE_TIME, Order.ID)
ORDERS = [Order(field=field, is_asc=ascending) for field in FIELDS for ascending in (True, False)]


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """The fixture of the read contract; nobody writes to it."""
    with fixture.opened(request, tmp_path_factory.mktemp("filtered")) as calls:
        fixture.build(calls)
        yield calls


def _by_itself(call: Calls, kind: Kind, filter_query: str) -> list[int] | None:
    try:
        return call.store.database.read(call.caller, lambda tx: first_ids(tx, kind, filter_query, 100))
    except InvalidArgument:
        return None


def _pages(call: Calls, kind: Kind, order: Order, filter_query: str) -> list[int]:
    noun, found, token = kind.name.capitalize(), [], ""
    for _ in range(20):
        options = pb.ListOperationOptions(
            max_result_size=3, order_by_field=order, filter_query=filter_query, next_page_token=token
        )
        answer: Any = call(f"Get{noun}s", options=options)
        found += [node.id for node in getattr(answer, f"{noun.lower()}s")]
        token = answer.next_page_token
        if not token:
            return found
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("number", range(len(ORDERS)), ids=["created", "-created", "updated", "-updated", "id", "-id"])
def test_filters_find_the_same_in_every_order(shop: Calls, number: int) -> None:
    for case in CASES:
        kind, filter_query = KINDS[case["kind"]], case["filter_query"]
        expected = _by_itself(shop, kind, filter_query)
        if expected is not None and filter_query:
            assert sorted(_pages(shop, kind, ORDERS[number], filter_query)) == expected, filter_query


def test_filters_tell_which_of_some_ids_match(shop: Calls) -> None:
    for case in CASES:
        kind, filter_query = KINDS[case["kind"]], case["filter_query"]
        expected = _by_itself(shop, kind, filter_query)
        if expected is None or not filter_query:
            continue

        def ask(tx: Any, kind: Kind = kind, filter_query: str = filter_query) -> set[int]:
            return matching_ids(tx, kind, filter_query, AMONG)

        assert shop.store.database.read(shop.caller, ask) == set(expected) & set(AMONG), filter_query


def test_a_pattern_sees_what_is_behind_a_nul(call: Calls) -> None:
    type_id = call("PutArtifactType", artifact_type=pb.ArtifactType(name="T")).type_id
    uris = ("a\0b", "a", "ab", "A\0B", "", "\0")
    ids = call("PutArtifacts", artifacts=[pb.Artifact(type_id=type_id, uri=uri) for uri in uris]).artifact_ids
    folds = call.store.database.dialect.name == "sqlite"

    def found(text: str) -> list[str]:
        options = pb.ListOperationOptions(filter_query=text)
        return [uris[list(ids).index(artifact.id)] for artifact in call("GetArtifacts", options=options).artifacts]

    either = ["a\0b", "A\0B"] if folds else ["a\0b"]
    assert found(r"uri LIKE 'a\x00b'") == found(r"uri LIKE '_\x00b'") == found(r"uri LIKE 'a\x00%'") == either
    assert found(r"uri LIKE '%\x00%'") == ["a\0b", "A\0B", "\0"]
    assert found(r"uri NOT LIKE '%\x00%'") == ["a", "ab", ""]
    assert found(r"NOT uri LIKE '\x00' AND name LIKE '\x00'") == []
    assert found(r"uri = 'a\x00b'") == ["a\0b"]
