"""What a connection keeps of properties is what the database holds at that moment, whoever wrote it."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.property_cache import PropertyCache
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from tests.metadata_store.calls import Calls, node

SETTLE = "UPDATE ArtifactProperty SET int_value = ? WHERE artifact_id = ? AND name = 'n'"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metadata.db"


@pytest.fixture
def call(path: Path) -> Iterator[Calls]:
    """Calls on an empty store in a SQLite file."""
    store = Store.open(f"sqlite:///{path}")
    yield Calls(store)
    store.close()


def artifacts(call: Calls, count: int, **custom: Any) -> list[int]:
    type_id = call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    made = [node(pb.Artifact, custom={"n": 0, "m": 0, **custom}, type_id=type_id) for _ in range(count)]
    return list(call("PutArtifacts", artifacts=made).artifact_ids)


def read(call: Calls, ids: list[int]) -> list[pb.Artifact]:
    return list(call("GetArtifactsByID", artifact_ids=ids).artifacts)


def sent(call: Calls, ids: list[int]) -> int:
    """Return how many statements a read sends."""
    seen: list[str] = []
    call.store.database.watch = seen.append
    read(call, ids)
    call.store.database.watch = None
    return len(seen)


def test_properties_are_read_once_until_somebody_commits(call: Calls) -> None:
    ids = artifacts(call, 3)
    first = read(call, ids)
    assert sent(call, ids) == 1, "the nodes themselves"
    assert read(call, ids) == first
    assert sent(call, [*ids[:2], *artifacts(call, 1)]) == 2, "a commit, though of other nodes"


def test_what_others_write_is_seen_at_once(call: Calls, path: Path) -> None:
    (made,) = artifacts(call, 1)
    with sqlite3.connect(path) as other:
        for number in range(1, 20):
            assert read(call, [made])[0].custom_properties["n"].int_value == number - 1
            other.execute(SETTLE, (number, made))
            assert read(call, [made])[0].custom_properties["n"].int_value == number - 1, "not committed yet"
            other.commit()
        other.execute("DELETE FROM ArtifactProperty WHERE artifact_id = ?", (made,))
        other.commit()
    assert not read(call, [made])[0].custom_properties


def test_a_snapshot_goes_on_as_it_began(call: Calls, path: Path) -> None:
    (made,) = artifacts(call, 1)
    with call.store.database.snapshot(call.caller) as tx, sqlite3.connect(path) as other:
        (before,) = nodes_by_id(tx, Kind.ARTIFACT, [made])
        other.execute(SETTLE, (7, made))
        other.commit()
        assert read(call, [made])[0].custom_properties["n"].int_value == 7, "another connection"
        assert nodes_by_id(tx, Kind.ARTIFACT, [made]) == [before]
    assert read(call, [made])[0].custom_properties["n"].int_value == 7


def test_readers_never_go_back_while_others_write(call: Calls) -> None:
    (made,) = artifacts(call, 1)
    ended, rounds = threading.Event(), 60

    def watch() -> int:
        last = 0
        while not ended.is_set():
            (found,) = read(call, [made])
            number = found.custom_properties["n"].int_value
            assert number == found.custom_properties["m"].int_value, "one snapshot"
            assert number >= last
            last = number
        return last

    with ThreadPoolExecutor(4) as pool:
        watchers = [pool.submit(watch) for _ in range(4)]
        try:
            for number in range(1, rounds):
                (stored,) = read(call, [made])
                stored.custom_properties["n"].int_value = stored.custom_properties["m"].int_value = number
                call("PutArtifacts", artifacts=[stored])
                assert read(call, [made])[0].custom_properties["n"].int_value == number, "what I wrote I read"
        finally:
            ended.set()
        assert all(watcher.result() <= rounds for watcher in watchers)


TEXTS = st.text(max_size=8) | st.sampled_from(["mlmd-struct::", "mlmd-exact::NaN", "__MLMD_NULL__", "\0"])
VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(),
    TEXTS,
    st.dictionaries(st.text(max_size=3), TEXTS, max_size=2),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=4), min_size=1, max_size=4))
def test_what_is_kept_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, Any]]) -> None:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('law') / 'metadata.db'}")
    try:
        call = Calls(store)
        type_id = call("PutArtifactType", artifact_type={"name": "Data"}).type_id
        made = [node(pb.Artifact, custom=one, type_id=type_id) for one in values]
        ids = list(call("PutArtifacts", artifacts=made).artifact_ids)
        first, kept = read(call, ids), read(call, ids)
        store.database.reader.dispose()
        fresh = read(call, ids)
        for one, two, three in zip(first, kept, fresh, strict=True):
            assert one.SerializeToString(deterministic=True) == two.SerializeToString(deterministic=True)
            assert one.SerializeToString(deterministic=True) == three.SerializeToString(deterministic=True)
    finally:
        store.close()


def test_texts_that_are_not_utf_8_leave_as_they_came(call: Calls, path: Path) -> None:
    (made,) = artifacts(call, 1, text="x")
    with sqlite3.connect(path) as other:
        other.execute("UPDATE ArtifactProperty SET string_value = CAST(x'ff41' AS TEXT) WHERE name = 'text'")
    first = read(call, [made])[0].SerializeToString(deterministic=True)
    assert b"\xffA" in first
    assert read(call, [made])[0].SerializeToString(deterministic=True) == first
    assert sent(call, [made]) == 1


def is_kept(cache: PropertyCache, node_id: int) -> bool:
    return not cache.fill(Kind.ARTIFACT, {node_id: pb.Artifact()})


def test_it_is_bounded() -> None:
    cache, made = PropertyCache(), node(pb.Artifact, custom={"text": "x" * 20_000})
    most = (4 << 20) // (made.ByteSize() + 200)
    for version in (1, 2):
        cache.at(version)
        first = 0
        for number in range(2 * most + 2):
            cache.keep(Kind.ARTIFACT, {number: made})
            if number - first == most:
                assert not is_kept(cache, first), "there is no place for one more, and all before it are forgotten"
                first = number
            assert is_kept(cache, first)
            assert is_kept(cache, number)


def test_what_is_large_is_not_kept_and_leaves_what_is() -> None:
    cache, quarter = PropertyCache().at(1), (1 << 20) - 200
    large, larger = (pb.Artifact(uri="x" * (size - 4)) for size in (quarter, quarter + 1))
    assert [one.ByteSize() for one in (large, larger)] == [quarter, quarter + 1]
    cache.keep(Kind.ARTIFACT, {1: large, 2: larger, 3: pb.Artifact(uri="y")})
    assert [is_kept(cache, number) for number in (1, 2, 3)] == [True, False, True]


def test_kinds_do_not_mix_and_what_is_missing_is_no_node(call: Calls) -> None:
    (made,) = artifacts(call, 1)
    type_id = call("PutExecutionType", execution_type={"name": "Run"}).type_id
    (run,) = call("PutExecutions", executions=[{"type_id": type_id}]).execution_ids
    assert run == made
    for _ in range(2):
        assert read(call, [made, 99])[0].custom_properties
        assert not call("GetExecutionsByID", execution_ids=[run]).executions[0].custom_properties
    with pytest.raises(NotFound):
        call("GetArtifactsByExternalIds", external_ids=["none"])
