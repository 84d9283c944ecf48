"""A write that carries an idempotency key is done once, however often it is sent."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from mlmd_metadata_store import receipts
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.chance import CHANCE
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.conftest import Clock
from tests.metadata_store.calls import Calls


def keyed(store: Store, key: str) -> Calls:
    return Calls(store, Caller(subject="test", idempotency_key=key))


@pytest.fixture
def request_(call: Calls) -> dict[str, Any]:
    type_id = call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    return {"artifacts": [{"type_id": type_id, "uri": "u"}, {"type_id": type_id}]}


def test_a_repeat_gets_the_stored_answer(call: Calls, request_: dict[str, Any]) -> None:
    first = keyed(call.store, "k")("PutArtifacts", **request_)
    assert keyed(call.store, "k")("PutArtifacts", **request_) == first
    assert keyed(call.store, "other")("PutArtifacts", **request_) != first
    assert len(call("GetArtifacts").artifacts) == 4


def test_another_request_under_the_key_is_refused(call: Calls, request_: dict[str, Any]) -> None:
    keyed(call.store, "k")("PutArtifacts", **request_)
    other = {"artifacts": request_["artifacts"][:1]}
    assert keyed(call.store, "k").code("PutArtifacts", **other) is Code.ALREADY_EXISTS
    context = {"contexts": [pb.Context(type_id=1, name="c")]}
    assert keyed(call.store, "k").code("PutContexts", **context) is Code.ALREADY_EXISTS
    assert len(call("GetArtifacts").artifacts) == 2


def test_the_same_bytes_sent_to_another_method_are_another_request(call: Calls) -> None:
    keyed(call.store, "k")("PutArtifactType", artifact_type={"name": "T"})
    assert keyed(call.store, "k").code("PutExecutionType", execution_type={"name": "T"}) is Code.ALREADY_EXISTS


def test_a_write_that_failed_may_be_sent_again(call: Calls, request_: dict[str, Any]) -> None:
    wrong = {"artifacts": [{"type_id": 4711}]}
    assert keyed(call.store, "k").code("PutArtifacts", **wrong) is Code.NOT_FOUND
    assert keyed(call.store, "k").code("PutArtifacts", **request_) is Code.OK


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "ä"])
def test_what_cannot_be_a_key(call: Calls, request_: dict[str, Any], key: str) -> None:
    assert keyed(call.store, key).code("PutArtifacts", **request_) is Code.INVALID_ARGUMENT
    assert not call("GetArtifacts").artifacts


def test_the_longest_key_can_be_kept(call: Calls, request_: dict[str, Any]) -> None:
    first = keyed(call.store, "x" * receipts.LONGEST_KEY)("PutArtifacts", **request_)
    assert keyed(call.store, "x" * receipts.LONGEST_KEY)("PutArtifacts", **request_) == first


def test_sixteen_senders_of_one_call_do_it_once(call: Calls, request_: dict[str, Any]) -> None:
    def send(_: int) -> list[int]:
        return list(keyed(call.store, "k")("PutArtifacts", **request_).artifact_ids)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(16)))
    assert answers == [answers[0]] * 16
    assert len(call("GetArtifacts").artifacts) == 2


def test_reads_take_no_notice_of_a_key(call: Calls, request_: dict[str, Any]) -> None:
    assert not keyed(call.store, "k")("GetArtifacts").artifacts
    keyed(call.store, "k")("PutArtifacts", **request_)
    assert len(keyed(call.store, "k")("GetArtifacts").artifacts) == 2


def test_receipts_are_forgotten_after_seven_days(
    call: Calls, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "SWEEP_EVERY", 10**9)
    first = keyed(call.store, "k")("PutArtifacts", **request_)
    database = call.store.database
    then = now_ms() + timedelta(days=7) // timedelta(milliseconds=1)
    monkeypatch.setattr(Transaction, "agreed_ms", lambda tx: then - 120_000)
    assert database.write(LOCAL, receipts.sweep) == 0
    monkeypatch.setattr(Transaction, "agreed_ms", lambda tx: then + 1)
    assert database.write(LOCAL, receipts.sweep) == 1
    assert keyed(call.store, "k")("PutArtifacts", **request_) != first


def test_writes_with_a_key_forget_old_receipts(
    call: Calls, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = keyed(call.store, "old")("PutArtifacts", **request_)
    draws = iter([0, 1])
    monkeypatch.setattr(CHANCE, "randrange", lambda most: next(draws))
    later = now_ms() + receipts.KEPT_MS + 1
    monkeypatch.setattr(Transaction, "agreed_ms", lambda tx: later)
    keyed(call.store, "zero is drawn")("PutArtifacts", **request_)
    second = keyed(call.store, "old")("PutArtifacts", **request_)
    assert second != first, "it had been forgotten"
    assert keyed(call.store, "old")("PutArtifacts", **request_) == second


def test_receipts_are_as_old_for_every_server(mariadb_url: str, ahead: Clock) -> None:
    week = receipts.KEPT_MS // 1000
    call = Calls(Store.open(mariadb_url))
    type_id = call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    fields = {"artifacts": [{"type_id": type_id}]}
    for number, seconds in enumerate((-2 * week, 0, 2 * week)):
        with ahead(seconds):
            first = keyed(call.store, f"k{number}")("PutArtifacts", **fields)
        for other in (-2 * week, 2 * week):
            with ahead(other):
                assert call.store.database.write(LOCAL, receipts.sweep) == 0
                assert keyed(call.store, f"k{number}")("PutArtifacts", **fields) == first
    call.store.close()
