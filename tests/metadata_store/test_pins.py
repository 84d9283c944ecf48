"""Pins: which artifact they keep, what is told of them, and that one that goes leaves the others."""

from dataclasses import replace

import pytest
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.pins import all_pins, list_pins, pin_artifact, pins_of, unpin_artifact
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.tombstones import Gone, What, put_tombstones
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from tests.metadata_store.calls import Calls


@pytest.fixture
def made(call: Calls) -> list[int]:
    """Three artifacts."""
    type_id = call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
    ids = call("PutArtifacts", artifacts=[pb.Artifact(type_id=type_id) for _ in range(3)]).artifact_ids
    return list(map(int, ids))


def pin(store: Store, artifact_id: int, reason: str = "", caller: Caller = LOCAL) -> None:
    request = v1.PinArtifactRequest(artifact_id=artifact_id, reason=reason)
    store.database.write(caller, lambda tx: pin_artifact(tx, request))


def unpin(store: Store, artifact_id: int) -> None:
    request = v1.UnpinArtifactRequest(artifact_id=artifact_id)
    store.database.write(LOCAL, lambda tx: unpin_artifact(tx, request))


def pinned(store: Store) -> list[int]:
    return [one.artifact_id for one in store.database.read(LOCAL, all_pins)]


def page(store: Store, **fields: object) -> v1.ListPinsResponse:
    request = v1.ListPinsRequest(**fields)  # type: ignore[arg-type]
    return store.database.read(LOCAL, lambda tx: list_pins(tx, request))


def test_a_pin_that_goes_leaves_the_others(store: Store, made: list[int]) -> None:
    for artifact_id in made:
        pin(store, artifact_id)
    unpin(store, made[1])
    assert pinned(store) == [made[0], made[2]]
    unpin(store, made[1])
    assert pinned(store) == [made[0], made[2]]
    asked = store.database.read(LOCAL, lambda tx: pins_of(tx, made[:2]))
    assert [one.artifact_id for one in asked] == made[:1]


@pytest.mark.parametrize(("subject", "told"), [("amy", "amy"), ("", "somebody")])
def test_what_was_deleted_is_not_pinned(store: Store, made: list[int], subject: str, told: str) -> None:
    deleter = replace(LOCAL, subject=subject)
    gone = [Gone(made[0])]
    store.database.write(deleter, lambda tx: put_tombstones(tx, Kind.ARTIFACT, What.BYTES, gone, "asked for"))
    with pytest.raises(FailedPrecondition) as refused:
        pin(store, made[0])
    said = f"the bytes of artifact {made[0]} were deleted by {told}; there is nothing left to keep."
    assert str(refused.value) == f"artifact_id: {said}"
    assert pinned(store) == []


def test_a_pin_tells_who_when_and_why_last(store: Store, made: list[int]) -> None:
    before = now_ms()
    pin(store, made[0], "audit", replace(LOCAL, subject="amy"))
    (first,) = page(store).pins
    assert (first.artifact_id, first.subject, first.reason) == (made[0], "amy", "audit")
    assert before <= first.create_ms <= now_ms()
    pin(store, made[0], "another", replace(LOCAL, subject="bob" * 100))
    (again,) = page(store).pins
    assert (again.subject, again.reason) == (("bob" * 100)[:255], "another")
    assert again.create_ms >= first.create_ms


def test_what_is_not_there_is_not_pinned(store: Store, made: list[int]) -> None:
    with pytest.raises(NotFound, match=rf"artifact_id: there is no artifact {made[-1] + 1}\."):
        pin(store, made[-1] + 1)
    assert pinned(store) == []


def test_what_is_not_there_has_no_pin_to_take_away(store: Store, made: list[int]) -> None:
    with pytest.raises(NotFound, match=rf"artifact_id: there is no artifact {made[-1] + 1}\."):
        unpin(store, made[-1] + 1)


def test_the_last_page_is_the_last(store: Store, made: list[int]) -> None:
    for artifact_id in made[:2]:
        pin(store, artifact_id)
    assert page(store, page_size=2).next_page_token == ""
    pin(store, made[2])
    first = page(store, page_size=2)
    last = page(store, page_size=2, page_token=first.next_page_token)
    assert [[one.artifact_id for one in part.pins] for part in (first, last)] == [made[:2], made[2:]]
    assert last.next_page_token == ""
    with pytest.raises(InvalidArgument, match="page_token"):
        page(store, page_token="not one of ours")
