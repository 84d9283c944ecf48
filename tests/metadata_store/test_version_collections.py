"""Adding versions and moving aliases: numbers without gaps, whoever races."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.tombstones import Gone, What, put_tombstones
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import collections_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from tests.metadata_store.calls import Calls, counted, node

NAME = {"type_name": "Dataset", "name": "iris"}


@pytest.fixture
def filled(call: Calls) -> Calls:
    """Calls on a store with the artifact type Dataset."""
    call("PutArtifactType", artifact_type=pb.ArtifactType(name="Dataset", properties={"rows": pb.INT}))
    return call


def add(call: Calls, artifact: pb.Artifact | None = None, **name: str) -> v1.Version:
    serialized = (artifact or pb.Artifact()).SerializeToString()
    version: v1.Version = call("AddVersion", **{**NAME, **name}, artifact=serialized).version
    return version


def move(call: Calls, alias: str, number: int, **more: Any) -> v1.AliasMove:
    moved: v1.AliasMove = call("MoveAlias", **NAME, alias=alias, number=number, **more).move
    return moved


def aliases(call: Calls) -> dict[str, int]:
    return dict(call("ListAliases", **NAME).aliases)


def test_versions_count_from_one_and_are_artifacts(filled: Calls) -> None:
    given = node(pb.Artifact, {"rows": 150}, {"by": "amy"}, uri="s3://b/iris", state=pb.Artifact.LIVE, external_id="x")
    first, second = add(filled, given), add(filled)
    assert (first.number, second.number) == (1, 2)
    assert (first.type_name, first.name) == ("Dataset", "iris")
    assert first.create_ms > 1_600_000_000_000
    (artifact,) = filled("GetArtifactsByID", artifact_ids=[first.artifact_id]).artifacts
    assert (artifact.name, artifact.type, artifact.uri, artifact.external_id) == (
        "iris/1",
        "Dataset",
        "s3://b/iris",
        "x",
    )
    assert artifact.properties["rows"].int_value == 150
    assert artifact.custom_properties["by"].string_value == "amy"
    (context,) = filled("GetContextsByArtifact", artifact_id=first.artifact_id).contexts
    assert (context.id, context.type, context.name) == (first.context_id, "mlmd.Collection", "Dataset/iris")
    assert first.context_id == second.context_id
    both = filled("GetArtifactsByContext", context_id=first.context_id).artifacts
    assert [each.name for each in both] == ["iris/1", "iris/2"]


def test_collections_count_for_themselves(filled: Calls) -> None:
    filled("PutArtifactType", artifact_type=pb.ArtifactType(name="Model"))
    assert add(filled).number == add(filled, name="org/iris").number == add(filled, type_name="Model").number == 1
    assert add(filled, name="iris/1").number == 1, "a collection may be called like a version"
    assert add(filled).number == 2


@pytest.mark.parametrize("field", [{"id": 1}, {"name": "n"}, {"type_id": 10}])
def test_a_version_gets_id_name_and_type_from_the_server(filled: Calls, field: dict[str, Any]) -> None:
    serialized = pb.Artifact(**field).SerializeToString()
    assert filled.code("AddVersion", **NAME, artifact=serialized) is Code.INVALID_ARGUMENT
    assert not filled("ListCollections").collections


@pytest.mark.parametrize(
    "name",
    [
        {"name": ""},
        {"name": " iris"},
        {"name": "iris\n"},
        {"name": "a\x00b"},
        {"type_name": ""},
        {"type_name": "a/b"},
    ],
)
def test_names_that_are_none(filled: Calls, name: dict[str, str]) -> None:
    assert filled.code("AddVersion", **{**NAME, **name}) is Code.INVALID_ARGUMENT


def test_a_name_has_to_fit_its_column(filled: Calls, database_url: str) -> None:
    expected = Code.INVALID_ARGUMENT if database_url.startswith("mysql") else Code.OK
    assert filled.code("AddVersion", type_name="Dataset", name="n" * 250) is expected
    assert filled.code("AddVersion", type_name="Dataset", name="n" * 235) is Code.OK


def test_the_artifact_has_to_be_one(filled: Calls) -> None:
    assert filled.code("AddVersion", **NAME, artifact=b"\xff\xff") is Code.INVALID_ARGUMENT
    assert filled.code("AddVersion", **NAME, artifact=b"\x1a\x02\xff\xfe") is Code.INVALID_ARGUMENT, "uri is not UTF-8"
    key = b"\x2a\x08\x0a\x01\xff\x12\x03\x1a\x01a"
    assert filled.code("AddVersion", **NAME, artifact=key) is Code.INVALID_ARGUMENT, "a property's name is not UTF-8"
    undeclared = node(pb.Artifact, {"nope": 1}).SerializeToString()
    assert filled.code("AddVersion", **NAME, artifact=undeclared) is Code.INVALID_ARGUMENT
    assert filled.code("AddVersion", type_name="Nope", name="iris") is Code.NOT_FOUND
    assert not filled("ListCollections").collections


def test_a_failed_version_leaves_no_gap(filled: Calls) -> None:
    add(filled, pb.Artifact(external_id="x"))
    taken = pb.Artifact(external_id="x").SerializeToString()
    assert filled.code("AddVersion", **NAME, artifact=taken) is Code.ALREADY_EXISTS
    assert add(filled).number == 2


def test_an_artifact_that_has_a_versions_name_already(filled: Calls) -> None:
    add(filled)
    filled("PutArtifacts", artifacts=[pb.Artifact(type_id=10, name="iris/2")])
    assert filled.code("AddVersion", **NAME) is Code.ALREADY_EXISTS
    assert "'iris/2'" in filled.message("AddVersion", **NAME)


def test_a_context_made_by_hand_becomes_the_collection(filled: Calls) -> None:
    type_id = filled("PutContextType", context_type=pb.ContextType(name="mlmd.Collection")).type_id
    context = pb.Context(type_id=type_id, name="Dataset/iris")
    (context_id,) = filled("PutContexts", contexts=[context]).context_ids
    assert add(filled).context_id == context_id


def test_sixteen_writers_get_sixteen_numbers(filled: Calls) -> None:
    barrier = threading.Barrier(16)

    def race(_: int) -> list[int]:
        barrier.wait()
        return [add(filled).number for _ in range(4)]

    with ThreadPoolExecutor(16) as pool:
        numbers = sorted(number for some in pool.map(race, range(16)) for number in some)
    assert numbers == list(range(1, 65))
    (collection,) = filled("ListCollections").collections
    assert collection.latest_number == 64


def test_two_servers_count_together(database_url: str) -> None:
    stores = [Store.open(database_url) for _ in range(2)]
    calls = [Calls(store) for store in stores]
    calls[0]("PutArtifactType", artifact_type=pb.ArtifactType(name="Dataset"))
    try:
        with ThreadPoolExecutor(8) as pool:
            numbers = sorted(pool.map(lambda turn: add(calls[turn % 2]).number, range(24)))
        assert numbers == list(range(1, 25))
    finally:
        for store in stores:
            store.close()


def test_a_version_costs_the_same_in_a_long_collection(filled: Calls) -> None:
    costs = []
    for _ in range(50):
        with counted(filled.store) as statements:
            add(filled)
        costs.append(len(statements))
    usual = 8 if filled.store.database.dialect.clock is None else 9  # with a clock of its own it is asked for the time
    assert set(costs[2:]) == {usual}, "the first makes the collection, the second remembers the type"


def test_the_time_of_a_version_and_of_a_move_costs_no_trip_to_the_database(
    filled: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: list[tuple[str, ...]] = []
    begin = Transaction._begin

    def noted(tx: Transaction, *statements: str) -> None:
        trips.append(statements)
        begin(tx, *statements)

    add(filled)
    add(filled)
    monkeypatch.setattr(Transaction, "_begin", noted)
    for change, usual in ((lambda: add(filled), 8), (lambda: move(filled, "a", 1), 9)):
        trips.clear()
        change()
        assert len(trips) == usual, trips


def test_aliases_move_and_every_move_is_kept(filled: Calls) -> None:
    add(filled)
    add(filled)
    amy = Calls(filled.store, replace(LOCAL, subject="amy"))
    first = move(amy, "production", 1, reason="first")
    assert (first.sequence, first.from_number, first.to_number, first.subject, first.reason) == (
        1,
        0,
        1,
        "amy",
        "first",
    )
    assert move(filled, "production", 2).from_number == 1
    assert aliases(filled) == {"production": 2}
    assert move(filled, "production", 0).to_number == 0
    assert aliases(filled) == {}
    moves = filled("ListAliasMoves", **NAME).moves
    assert [(m.sequence, m.from_number, m.to_number) for m in moves] == [(3, 2, 0), (2, 1, 2), (1, 0, 1)]


def test_an_alias_moves_only_from_where_it_is_expected(filled: Calls) -> None:
    add(filled)
    add(filled)
    assert filled.code("MoveAlias", **NAME, alias="a", number=1, expected_number=2) is Code.FAILED_PRECONDITION
    assert aliases(filled) == {}
    move(filled, "a", 1, expected_number=0)
    message = filled.message("MoveAlias", **NAME, alias="a", number=2, expected_number=0)
    assert "version 1" in message
    assert filled.code("MoveAlias", **NAME, alias="a", number=2, expected_number=0) is Code.FAILED_PRECONDITION
    move(filled, "a", 2, expected_number=1)
    assert aliases(filled) == {"a": 2}
    assert [m.sequence for m in filled("ListAliasMoves", **NAME).moves] == [2, 1], "a refused move is no move"


@pytest.mark.parametrize("alias", ["", "7", "٣", "latest", "Latest", " a", "a ", "a\nb", "x" * 256])
def test_what_is_no_alias(filled: Calls, alias: str) -> None:
    add(filled)
    assert filled.code("MoveAlias", **NAME, alias=alias, number=1) is Code.INVALID_ARGUMENT


def test_aliases_differ_by_case_and_may_be_any_text(filled: Calls) -> None:
    add(filled)
    add(filled)
    move(filled, "prod", 1)
    move(filled, "Prod", 2)
    move(filled, "v1.0 'ü' 模", 2)
    assert aliases(filled) == {"prod": 1, "Prod": 2, "v1.0 'ü' 模": 2}


def test_an_alias_needs_a_version(filled: Calls) -> None:
    add(filled)
    assert filled.code("MoveAlias", **NAME, alias="a", number=2) is Code.NOT_FOUND
    assert filled.code("MoveAlias", **NAME, alias="a", number=0) is Code.NOT_FOUND
    assert filled.code("MoveAlias", **NAME, alias="a", number=-1) is Code.INVALID_ARGUMENT
    assert filled.message("MoveAlias", **NAME, alias="a", number=1, expected_number=-1).startswith("expected_number: ")
    assert filled.code("MoveAlias", **NAME, alias="a", number=9, expected_number=-1) is Code.INVALID_ARGUMENT
    long = "r" * 65_536
    assert filled.code("MoveAlias", **NAME, alias="a", number=1, reason=long) is Code.INVALID_ARGUMENT
    assert move(filled, "a", 1, reason=long[1:]).reason == long[1:]
    assert filled.code("MoveAlias", type_name="Dataset", name="nope", alias="a", number=1) is Code.NOT_FOUND


def test_no_alias_comes_to_a_version_that_was_deleted(filled: Calls) -> None:
    deleted, kept = add(filled), add(filled)
    add(filled, name="other")

    def bury(tx: Transaction) -> None:
        put_tombstones(tx, Kind.ARTIFACT, What.FACTS, [Gone(deleted.artifact_id)], "by mistake")
        put_tombstones(tx, Kind.EXECUTION, What.FACTS, [Gone(kept.artifact_id)], "of another kind")

    filled.store.database.write(LOCAL, bury)
    assert filled.code("MoveAlias", **NAME, alias="a", number=1) is Code.FAILED_PRECONDITION
    assert "version 1 of Dataset/iris was deleted" in filled.message("MoveAlias", **NAME, alias="a", number=1)
    assert move(filled, "a", 2).to_number == 2
    assert filled("MoveAlias", **{**NAME, "name": "other"}, alias="a", number=1).move.to_number == 1


def test_as_much_of_the_callers_name_is_noted_as_fits(filled: Calls) -> None:
    add(filled)
    amy = Calls(filled.store, replace(LOCAL, subject="amy" * 100))
    assert move(amy, "a", 1).subject == ("amy" * 100)[:255]


def test_of_sixteen_writers_that_expect_the_same_one_wins(filled: Calls) -> None:
    for _ in range(16):
        add(filled)
    barrier = threading.Barrier(16)

    def race(number: int) -> Code:
        barrier.wait()
        return filled.code("MoveAlias", **NAME, alias="champion", number=number, expected_number=0)

    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(race, range(1, 17)))
    assert sorted(codes) == [Code.OK] + [Code.FAILED_PRECONDITION] * 15
    assert aliases(filled) == {"champion": codes.index(Code.OK) + 1}


def test_a_repeated_call_with_a_key_adds_one_version(filled: Calls) -> None:
    keyed = Calls(filled.store, replace(LOCAL, idempotency_key="k1"))
    assert add(keyed) == add(keyed)
    assert add(filled).number == 2
