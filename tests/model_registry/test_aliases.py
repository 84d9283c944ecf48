"""Aliases of models: compare-and-set, history, rollback, as of any past moment."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_model_registry.aliases import number_as_of
from mlmd_model_registry.models import find_model, lock_model
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import Code, InvalidArgument, NotFound, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import ALIAS_MOVE, FILE

from tests.conftest import Clock
from tests.model_registry.conftest import Registry

CHAMPION: dict[str, Any] = {"model": "fraud", "alias": "champion"}


@pytest.fixture
def fraud(registry: Registry) -> Registry:
    """A model with four versions."""
    for _ in range(4):
        registry.version()
    return registry


def move(registry: Registry, version: str, **fields: Any) -> Any:
    return registry("MoveModelAlias", **CHAMPION, version=version, **fields).move


def history(registry: Registry, **fields: Any) -> list[tuple[int, int, int]]:
    moves = registry("ListModelAliasMoves", model="fraud", **fields).moves
    return [(m.sequence, m.from_number, m.to_number) for m in moves]


def champion(registry: Registry) -> int:
    aliases: dict[str, int] = dict(registry("GetModel", model="fraud").model.aliases)
    return aliases.get("champion", 0)


def test_a_move_is_told_with_who_when_and_why(fraud: Registry) -> None:
    ana = fraud.as_("ana")
    first = move(ana, "2", reason="better")
    assert (first.sequence, first.from_number, first.to_number) == (1, 0, 2)
    assert (first.subject, first.reason, first.move_ms > 0) == ("ana", "better", True)
    assert (first.rolls_back, first.overridden) == (0, False)
    move(fraud, "3")
    assert history(fraud) == [(2, 2, 3), (1, 0, 2)]
    assert fraud("GetModelVersion", model="fraud", alias="champion").version.number == 3
    assert list(fraud("GetModelVersion", model="fraud", version="3").version.aliases) == ["champion"]
    assert fraud("GetModel", model="fraud").model.move_sequence == 2
    removed = move(fraud, "")
    assert (removed.from_number, removed.to_number) == (3, 0)
    assert champion(fraud) == 0


def test_a_move_from_elsewhere_than_expected_is_none(fraud: Registry) -> None:
    move(fraud, "1", expected_number=0)
    refused = fraud.error("MoveModelAlias", **CHAMPION, version="2", expected_number=3)
    assert (refused.code, "version 1" in refused.message) == (Code.FAILED_PRECONDITION, True)
    assert fraud.code("MoveModelAlias", **CHAMPION, version="2", expected_number=0) is Code.FAILED_PRECONDITION
    move(fraud, "2", expected_number=1)
    assert history(fraud) == [(2, 1, 2), (1, 0, 1)]


def test_what_is_expected_is_asked_of_the_model_that_is_named(fraud: Registry) -> None:
    fraud.version("churn")
    move(fraud, "2")
    assert fraud("MoveModelAlias", model="churn", alias="champion", version="1", expected_number=0).move.to_number == 1
    move(fraud, "3", expected_number=2)
    assert fraud("GetModelVersion", model="churn", alias="champion").version.number == 1


@pytest.mark.parametrize("alias", ["", "7", "latest", " a", "x" * 256])
def test_what_is_no_alias(fraud: Registry, alias: str) -> None:
    for method in ("MoveModelAlias", "RollbackModelAlias"):
        assert fraud.code(method, model="fraud", alias=alias) is Code.INVALID_ARGUMENT


def test_a_refusal_tells_programs_where_the_alias_points(fraud: Registry) -> None:
    nowhere = fraud.error("MoveModelAlias", **CHAMPION, version="2", expected_number=3)
    assert nowhere.facts == {"mlmd-alias-number": "0"}
    move(fraud, "1")
    for method, fields in (("MoveModelAlias", {"version": "2"}), ("RollbackModelAlias", {})):
        refused = fraud.error(method, **CHAMPION, **fields, expected_number=3)
        assert (refused.code, refused.facts) == (Code.FAILED_PRECONDITION, {"mlmd-alias-number": "1"})


def test_a_move_that_is_bound_to_fail_waits_for_no_other_write(fraud: Registry) -> None:
    move(fraud, "1")
    impatient = Registry(fraud.store, Caller(deadline=time.monotonic() + 20))

    def held(tx: Transaction) -> None:
        lock_model(tx, find_model(tx, "fraud").id)
        assert impatient.code("MoveModelAlias", **CHAMPION, version="2", expected_number=3) is Code.FAILED_PRECONDITION
        assert impatient.code("RollbackModelAlias", **CHAMPION, expected_number=3) is Code.FAILED_PRECONDITION

    fraud.store.database.write(LOCAL, held)
    assert history(fraud) == [(1, 0, 1)]


def test_a_repeat_under_its_key_hears_what_was_answered_though_the_alias_moved_on(fraud: Registry) -> None:
    once = Registry(fraud.store, Caller(idempotency_key="once"))
    moved = move(once, "1", expected_number=0)
    assert move(once, "1", expected_number=0) == moved
    move(fraud, "2")
    assert move(once, "1", expected_number=0) == moved
    assert once.code("MoveModelAlias", **CHAMPION, version="3", expected_number=0) is Code.ALREADY_EXISTS
    assert history(fraud) == [(2, 1, 2), (1, 0, 1)]


def test_unknown_models_versions_and_aliases(fraud: Registry) -> None:
    assert fraud.code("MoveModelAlias", model="nope", alias="a", version="1") is Code.NOT_FOUND
    assert fraud.code("MoveModelAlias", **CHAMPION, version="9") is Code.NOT_FOUND
    assert fraud.code("MoveModelAlias", **CHAMPION, version="") is Code.NOT_FOUND
    assert fraud.code("RollbackModelAlias", **CHAMPION) is Code.NOT_FOUND
    assert fraud.code("GetModelVersion", model="fraud", alias="champion") is Code.NOT_FOUND
    assert fraud.code("MoveModelAlias", **CHAMPION, version="1", expected_number=-1) is Code.INVALID_ARGUMENT
    for method, more in (("MoveModelAlias", {"version": "1"}), ("RollbackModelAlias", {})):
        with pytest.raises(InvalidArgument, match="reason: longer than"):
            fraud(method, **CHAMPION, **more, reason="r" * 65_536)


def test_collections_do_not_reach_the_aliases_of_models(fraud: Registry) -> None:
    for type_name in ("kf.RegisteredModel", "kf.ModelArtifact", "system.Model"):
        asked = {"type_name": type_name, "name": "fraud", "alias": "champion", "number": 1}
        assert fraud.code("MoveAlias", **asked) is Code.NOT_FOUND
    assert not fraud("ListCollections").collections


def test_no_alias_points_at_an_archived_version_and_no_pointed_at_one_is_archived(fraud: Registry) -> None:
    fraud("ArchiveModelVersion", model="fraud", version="2")
    refused = fraud.error("MoveModelAlias", **CHAMPION, version="2")
    assert (refused.code, "archived" in refused.message) == (Code.FAILED_PRECONDITION, True)
    move(fraud, "1")
    refused = fraud.error("ArchiveModelVersion", model="fraud", version="1")
    assert (refused.code, "'champion'" in refused.message) == (Code.FAILED_PRECONDITION, True)
    fraud("ArchiveModel", model="fraud")
    assert fraud.code("MoveModelAlias", **CHAMPION, version="3") is Code.FAILED_PRECONDITION
    assert fraud.code("RollbackModelAlias", **CHAMPION) is Code.FAILED_PRECONDITION
    assert move(fraud, "").to_number == 0, "an alias can be taken from an archived model"


def test_no_alias_points_at_a_version_whose_files_are_gone(fraud: Registry) -> None:
    gone = fraud("GetModelVersion", model="fraud", version="2").version
    fraud("PutArtifacts", artifacts=[pb.Artifact(id=gone.artifact_id, uri=gone.uri, state=pb.Artifact.DELETED)])
    refused = fraud.error("MoveModelAlias", **CHAMPION, version="2")
    assert (refused.code, "DELETED" in refused.message) == (Code.FAILED_PRECONDITION, True)
    damaged = fraud("GetModelVersion", model="fraud", version="3").version.artifact_id

    def damage(tx: Transaction) -> None:
        columns = ("artifact_id", "path", "size_bytes", "sha256", "verified_ms", "etag", "media_type")
        tx.insert(FILE, columns, [(damaged, b"weights.bin", 1, b"", -5, "", "")])

    fraud.store.database.write(LOCAL, damage)
    refused = fraud.error("MoveModelAlias", **CHAMPION, version="3")
    assert (refused.code, "'weights.bin'" in refused.message) == (Code.DATA_LOSS, True)
    assert history(fraud) == []
    assert move(fraud, "1").to_number == 1, "the damage is that of another version"


def test_what_is_served_keeps_its_uri(fraud: Registry) -> None:
    from mlmd_model_registry.versions import change_artifact

    version = move(fraud, "1") and fraud("GetModelVersion", model="fraud", version="1").version
    elsewhere = pb.Artifact(uri="s3://elsewhere/x")

    def change(tx: Transaction) -> None:
        change_artifact(tx, version.model_artifact_id, elsewhere)

    with pytest.raises(StoreError, match="champion"):
        fraud.store.database.write(LOCAL, change)
    move(fraud, "2")
    fraud.store.database.write(LOCAL, change)
    assert fraud("GetModelVersion", model="fraud", version="1").version.uri == "s3://elsewhere/x"


def test_rollback_goes_back_and_further_back(fraud: Registry) -> None:
    for version in "123":
        move(fraud, version)
    back = fraud("RollbackModelAlias", **CHAMPION, reason="pager").move
    assert (back.sequence, back.from_number, back.to_number, back.rolls_back, back.reason) == (4, 3, 2, 3, "pager")
    again = fraud("RollbackModelAlias", **CHAMPION).move
    assert (again.from_number, again.to_number, again.rolls_back) == (2, 1, 2)
    refused = fraud.error("RollbackModelAlias", **CHAMPION)
    assert (refused.code, "nothing" in refused.message) == (Code.FAILED_PRECONDITION, True)
    move(fraud, "4")
    assert fraud("RollbackModelAlias", **CHAMPION).move.to_number == 1
    assert history(fraud) == [(7, 4, 1), (6, 1, 4), (5, 2, 1), (4, 3, 2), (3, 2, 3), (2, 1, 2), (1, 0, 1)]


def test_a_move_to_where_it_points_already_is_no_step_of_a_rollback(fraud: Registry) -> None:
    for version in "1222":
        move(fraud, version)
    back = fraud("RollbackModelAlias", **CHAMPION).move
    assert (back.from_number, back.to_number, back.rolls_back) == (2, 1, 2)
    move(fraud, "1")
    assert fraud.code("RollbackModelAlias", **CHAMPION) is Code.FAILED_PRECONDITION
    assert history(fraud)[:2] == [(6, 1, 1), (5, 2, 1)]


def test_rollback_of_a_removal_and_of_what_is_not_expected(fraud: Registry) -> None:
    move(fraud, "2")
    move(fraud, "")
    assert fraud.code("RollbackModelAlias", **CHAMPION, expected_number=2) is Code.FAILED_PRECONDITION
    assert fraud("RollbackModelAlias", **CHAMPION, expected_number=0).move.to_number == 2
    move(fraud, "3")
    fraud("ArchiveModelVersion", model="fraud", version="2")
    assert fraud.code("RollbackModelAlias", **CHAMPION) is Code.FAILED_PRECONDITION
    assert champion(fraud) == 3


def test_before_an_alias_was_set_anew_there_is_nothing_to_go_back_to(fraud: Registry) -> None:
    for version in ("2", "", "3"):
        move(fraud, version)
    refused = fraud.error("RollbackModelAlias", **CHAMPION)
    assert (refused.code, "nothing" in refused.message) == (Code.FAILED_PRECONDITION, True)
    assert champion(fraud) == 3


def test_what_a_rollback_would_go_back_to_has_to_be_there(fraud: Registry) -> None:
    for version in "23":
        move(fraud, version)
    gone = fraud("GetModelVersion", model="fraud", version="2").version
    fraud("PutArtifacts", artifacts=[pb.Artifact(id=gone.artifact_id, uri=gone.uri, state=pb.Artifact.DELETED)])
    refused = fraud.error("RollbackModelAlias", **CHAMPION)
    assert (refused.code, "DELETED" in refused.message) == (Code.FAILED_PRECONDITION, True)
    assert champion(fraud) == 3


def test_aliases_have_histories_of_their_own(fraud: Registry) -> None:
    move(fraud, "1")
    fraud("MoveModelAlias", model="fraud", alias="candidate", version="4")
    move(fraud, "2")
    assert fraud("RollbackModelAlias", **CHAMPION).move.to_number == 1
    assert fraud.code("RollbackModelAlias", model="fraud", alias="candidate") is Code.FAILED_PRECONDITION
    assert history(fraud, alias="candidate") == [(2, 0, 4)]
    pages = history(fraud, alias="champion", page_size=2)
    assert pages == [(4, 2, 1), (3, 1, 2)]


def as_of(registry: Registry, alias: str, then: int) -> int:
    def read(tx: Transaction) -> int:
        return number_as_of(tx, find_model(tx, "fraud"), alias, then)

    try:
        return registry.store.database.read(LOCAL, read)
    except NotFound:
        return 0


@pytest.mark.parametrize(
    "times",
    [(1000, 2000, 3000, 4000), (1000, 1000, 1000, 1000), (3000, 1000, 2000, 2000), (5000, 5000, 100, 6000)],
    ids=["in order", "equal", "a clock that stepped back", "and forth"],
)
def test_as_of_agrees_with_a_plain_list(fraud: Registry, times: tuple[int, ...]) -> None:
    targets = ["1", "2", "", "3"]
    for version in targets:
        move(fraud, version)

    def set_times(tx: Transaction) -> None:
        for sequence, then in enumerate(times, 1):
            tx.execute(sa.update(ALIAS_MOVE).where(ALIAS_MOVE.c.sequence == sequence).values(move_ms=then))

    fraud.store.database.write(LOCAL, set_times)
    plain = [(then, int(version or 0)) for then, version in zip(times, targets, strict=True)]
    for then in sorted({0, 99, *(t + d for t in times for d in (-1, 0, 1)), 10**13}):
        carried = [number for ms, number in plain if ms <= then]
        assert as_of(fraud, "champion", then) == (carried[-1] if carried else 0), then


def test_what_servers_whose_clocks_are_apart_did_is_in_order(mariadb_url: str, ahead: Clock) -> None:
    registry, moments = Registry(Store.open(mariadb_url)), list[int]()

    def now() -> int:
        return registry.store.database.agreed_ms(LOCAL)

    for seconds in (7200, 0, -7200):
        with ahead(seconds):
            number = registry.version().number
            move(registry, str(number))
            moments.append(now())
            while now() == moments[-1]:
                pass
    assert [as_of(registry, "champion", then) for then in moments] == [1, 2, 3]
    assert [as_of(registry, "latest", then) for then in moments] == [1, 2, 3]
    registry.store.close()


def test_of_sixteen_that_expect_the_same_one_wins(fraud: Registry) -> None:
    barrier = threading.Barrier(16)

    def race(number: int) -> int:
        barrier.wait()
        try:
            move(fraud, str(number % 4 + 1), expected_number=0)
        except StoreError as error:
            return int(error.code)
        return 0

    with ThreadPoolExecutor(16) as pool:
        codes = sorted(pool.map(race, range(16)))
    assert codes == [0] + [int(Code.FAILED_PRECONDITION)] * 15
    assert len(history(fraud)) == 1
