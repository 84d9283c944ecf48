"""Finding versions and listing collections, versions, aliases and moves."""

from typing import Any

import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls, counted
from tests.metadata_store.test_version_collections import NAME, add, move


@pytest.fixture
def filled(call: Calls) -> Calls:
    """Calls on a store with five versions of Dataset/iris."""
    call("PutArtifactType", artifact_type=pb.ArtifactType(name="Dataset"))
    for _ in range(5):
        add(call)
    move(call, "prod", 2)
    move(call, "old", 2)
    return call


def pages(call: Calls, method: str, field: str, **fields: Any) -> list[list[Any]]:
    """Return all pages of a list."""
    found: list[list[Any]] = []
    token = ""
    while True:
        answer = call(method, page_token=token, **fields)
        found.append(list(getattr(answer, field)))
        token = answer.next_page_token
        if not token:
            return found


def test_a_version_by_number_by_alias_and_the_latest(filled: Calls) -> None:
    second = filled("ResolveVersion", **NAME, number=2).version
    assert (second.number, list(second.aliases)) == (2, ["old", "prod"])
    assert filled("ResolveVersion", **NAME, alias="prod").version == second
    latest = filled("ResolveVersion", **NAME, alias="latest").version
    assert (latest.number, list(latest.aliases)) == (5, [])
    assert latest == add_again(filled, latest.number)


def add_again(call: Calls, number: int) -> Any:
    return call("ResolveVersion", **NAME, number=number).version


def test_latest_moves_along(filled: Calls) -> None:
    added = add(filled)
    assert filled("ResolveVersion", **NAME, alias="latest").version == added


def test_versions_that_are_not_there(filled: Calls) -> None:
    for selector in ({"number": 6}, {"number": 0}, {"number": -1}, {"alias": "nope"}, {"alias": "PROD"}, {"alias": ""}):
        assert filled.code("ResolveVersion", **NAME, **selector) is Code.NOT_FOUND
    assert filled.code("ResolveVersion", **NAME) is Code.INVALID_ARGUMENT
    assert filled.code("ResolveVersion", **NAME, alias="2") is Code.INVALID_ARGUMENT
    assert filled.code("ResolveVersion", type_name="Dataset", name="nope", number=1) is Code.NOT_FOUND
    assert filled.code("ResolveVersion", type_name="Model", name="iris", number=1) is Code.NOT_FOUND


def test_versions_are_listed_newest_first_in_pages(filled: Calls) -> None:
    found = pages(filled, "ListVersions", "versions", **NAME, page_size=2)
    assert [[v.number for v in page] for page in found] == [[5, 4], [3, 2], [1]]
    assert list(found[1][1].aliases) == ["old", "prod"]
    answer = filled("ListVersions", **NAME, page_size=5)
    assert (len(answer.versions), answer.next_page_token) == (5, "")


def test_a_version_added_between_pages_disturbs_none(filled: Calls) -> None:
    first = filled("ListVersions", **NAME, page_size=2)
    add(filled)
    rest = filled("ListVersions", **NAME, page_token=first.next_page_token).versions
    assert [v.number for v in rest] == [3, 2, 1]


@pytest.mark.parametrize("method", ["ListVersions", "ListAliasMoves", "ListCollections"])
def test_page_sizes_and_tokens_that_are_none(filled: Calls, method: str) -> None:
    fields = {} if method == "ListCollections" else NAME
    for size in (-1, 101, 2**31 - 1):
        assert filled.code(method, **fields, page_size=size) is Code.INVALID_ARGUMENT
    for token in ("!!!", "abcd", "ü", "NQ", "\x00"):
        assert filled.code(method, **fields, page_token=token) is Code.INVALID_ARGUMENT
    assert filled.code(method, **fields, page_size=100) is Code.OK


def test_a_token_belongs_to_its_list(filled: Calls) -> None:
    token = filled("ListVersions", **NAME, page_size=1).next_page_token
    assert filled.code("ListAliasMoves", **NAME, page_token=token) is Code.INVALID_ARGUMENT
    assert filled.code("ListCollections", page_token=token) is Code.INVALID_ARGUMENT


def test_twenty_are_a_page(filled: Calls) -> None:
    for _ in range(20):
        add(filled)
    assert [len(page) for page in pages(filled, "ListVersions", "versions", **NAME)] == [20, 5]


def test_moves_of_all_aliases_and_of_one(filled: Calls) -> None:
    move(filled, "prod", 5)
    found = pages(filled, "ListAliasMoves", "moves", **NAME, page_size=1)
    assert [(m.sequence, m.alias) for page in found for m in page] == [(3, "prod"), (2, "old"), (1, "prod")]
    found = pages(filled, "ListAliasMoves", "moves", **NAME, alias="prod", page_size=1)
    assert [m.sequence for page in found for m in page] == [3, 1]
    assert filled.code("ListAliasMoves", **NAME, alias="nope") is Code.NOT_FOUND
    assert filled.code("ListAliasMoves", type_name="Dataset", name="nope") is Code.NOT_FOUND
    assert filled.code("ListAliases", type_name="Dataset", name="nope") is Code.NOT_FOUND
    assert filled.code("ListVersions", type_name="Dataset", name="nope") is Code.NOT_FOUND


def test_collections_by_name_all_and_of_a_type(call: Calls) -> None:
    for name in ("Data", "Data.v2", "Data0", "Datum"):
        call("PutArtifactType", artifact_type=pb.ArtifactType(name=name))
    wanted = [
        ("Data", "b"),
        ("Data", "a/x"),
        ("Data.v2", "a"),
        ("Data0", "a"),
        ("Datum", "ü"),
        ("Data", "ä"),
        ("Data", "B"),
    ]
    for type_name, name in wanted:
        add(call, type_name=type_name, name=name)
    add(call, type_name="Data", name="b")
    call("PutContexts", contexts=[pb.Context(type_id=other_type(call), name="Data/aa")])
    found = [c for page in pages(call, "ListCollections", "collections", page_size=2) for c in page]
    assert [(c.type_name, c.name) for c in found] == sorted(wanted, key=lambda pair: "/".join(pair).encode())
    of_data = [c for page in pages(call, "ListCollections", "collections", type_name="Data", page_size=2) for c in page]
    assert [(c.name, c.latest_number) for c in of_data] == [("B", 1), ("a/x", 1), ("b", 2), ("ä", 1)]
    assert not call("ListCollections", type_name="Nope").collections
    assert call.code("ListCollections", type_name="a/b") is Code.INVALID_ARGUMENT


def other_type(call: Calls) -> int:
    return int(call("PutContextType", context_type=pb.ContextType(name="Other")).type_id)


def test_statements_do_not_grow_with_the_page(filled: Calls) -> None:
    for _ in range(100):
        add(filled)
    costs = []
    for size in (1, 100):
        with counted(filled.store) as statements:
            filled("ListVersions", **NAME, page_size=size)
        costs.append(len(statements))
    assert costs == [3, 3]
