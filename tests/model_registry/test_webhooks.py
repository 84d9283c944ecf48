"""Webhooks: queued with the move, signed, tried again, never posted to private addresses, noted."""

import contextlib
import hashlib
import hmac
import ipaddress
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store import clock
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_model_registry import courier
from mlmd_model_registry.courier import (
    LONGEST_WAIT_SECONDS,
    MOST_ATTEMPTS,
    Courier,
    Delivery,
    post,
    wait_seconds,
)
from mlmd_model_registry.methods import CREATE_WEBHOOK
from mlmd_model_registry.public_addresses import Destination, is_public, parse_destination
from mlmd_model_registry.registry import Registry as ModelRegistry
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, InvalidArgument
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.tables.registry import DELIVERY, WEBHOOK

from tests.model_registry.conftest import Registry
from tests.services.receiver import Receiver, receiving

PENDING, DELIVERED, FAILED = v1.DELIVERY_STATE_PENDING, v1.DELIVERY_STATE_DELIVERED, v1.DELIVERY_STATE_FAILED


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes what is posted."""
    with receiving() as server:
        yield server


@pytest.fixture
def hanging() -> Iterator[Receiver]:
    """A server that takes what is posted, and does not answer until it is told to."""
    with receiving() as server:
        server.answers.clear()
        yield server


def hook(registry: Registry, url: str, model: str = "", secret: str = "s" * 16) -> int:
    request = v1.CreateWebhookRequest(model=model, url=url, secret=secret)
    return int(registry.store.call(CREATE_WEBHOOK, LOCAL, request).webhook.id)


def move(registry: Registry, version: str = "1", model: str = "fraud") -> Any:
    return registry("MoveModelAlias", model=model, alias="champion", version=version, reason="because").move


def log(registry: Registry, webhook: int) -> list[tuple[int, int, int, int]]:
    found = registry("ListWebhookDeliveries", webhook_id=webhook).deliveries
    return [(one.sequence, one.state, one.attempts, one.last_status) for one in found]


def make_due(registry: Registry) -> None:
    """Let what waits to be tried again be due now."""

    def body(tx: Transaction) -> None:
        tx.execute(sa.update(DELIVERY).values(due_ms=0))

    registry.store.database.write(LOCAL, body)


def test_a_move_is_posted_and_signed(registry: Registry, receiver: Receiver) -> None:
    registry.version()
    webhook = hook(registry, receiver.url, secret="0123456789abcdef")
    moved = move(registry)
    assert Courier(registry.store, private_too=True).deliver_due() == 1
    ((said, body),) = receiver.heard
    told = json.loads(body)
    assert (told["event"], told["model"], told["move"]["toNumber"]) == ("model.alias.moved", "fraud", "1")
    assert (told["move"]["sequence"], told["move"]["reason"]) == (str(moved.sequence), "because")
    assert told["node"].startswith(registry.store.store_uuid)
    stamp, _, digest = said["mlmd-signature"].partition(",v1=")
    seconds = stamp.removeprefix("t=")
    wanted = hmac.new(b"0123456789abcdef", f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(digest, wanted)
    assert (said["content-type"], said[":path"]) == ("application/json", "/hook?x=1")
    assert log(registry, webhook) == [(1, DELIVERED, 1, 200)]
    assert Courier(registry.store, private_too=True).deliver_due() == 0


def test_webhooks_of_one_model_and_of_all(registry: Registry, receiver: Receiver) -> None:
    registry.version()
    registry.version("churn")
    mine, all_models = hook(registry, receiver.url, "fraud"), hook(registry, receiver.url)
    move(registry)
    move(registry, model="churn")
    assert registry.code("MoveModelAlias", model="fraud", alias="a", version="9") is Code.NOT_FOUND
    assert (len(log(registry, mine)), len(log(registry, all_models))) == (1, 2), "a refused move is nobody's news"
    listed = registry("ListWebhooks").webhooks
    assert [(one.id, one.model) for one in listed] == [(all_models, ""), (mine, "fraud")]
    registry("DeleteWebhook", id=mine)
    assert registry.code("DeleteWebhook", id=mine) is Code.NOT_FOUND
    assert registry.code("ListWebhookDeliveries", webhook_id=mine) is Code.NOT_FOUND
    assert Courier(registry.store, private_too=True).deliver_due() == 2


def test_what_is_refused_is_tried_again_and_given_up_in_the_end(
    registry: Registry, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlmd_model_registry.courier.wait_seconds", lambda attempts: LONGEST_WAIT_SECONDS)
    registry.version()
    webhook = hook(registry, receiver.url)
    receiver.statuses = [500, 302]
    courier = Courier(registry.store, private_too=True)
    move(registry)
    assert courier.deliver_due() == 1
    assert log(registry, webhook) == [(1, PENDING, 1, 500)]
    assert courier.deliver_due() == 0, "it waits before the next attempt"
    make_due(registry)
    courier.deliver_due()
    assert log(registry, webhook) == [(1, PENDING, 2, 302)], "a redirect is not followed"
    make_due(registry)
    courier.deliver_due()
    assert log(registry, webhook) == [(1, DELIVERED, 3, 200)]
    assert len({said["mlmd-delivery"] for said, _ in receiver.heard}) == 1
    receiver.statuses = [503] * MOST_ATTEMPTS
    move(registry)
    for _ in range(MOST_ATTEMPTS):
        make_due(registry)
        courier.deliver_due()
    assert log(registry, webhook)[0] == (2, FAILED, MOST_ATTEMPTS, 503)
    make_due(registry)
    assert courier.deliver_due() == 0


def test_many_are_posted_and_what_was_is_not_in_the_way_of_what_comes(registry: Registry, receiver: Receiver) -> None:
    registry.version()
    hooks = [hook(registry, receiver.url) for _ in range(20)]
    move(registry)
    courier = Courier(registry.store, private_too=True)
    assert [courier.deliver_due() for _ in range(2)] == [20, 0]
    assert [log(registry, one) for one in hooks] == [[(1, DELIVERED, 1, 200)]] * 20
    move(registry)
    assert [courier.deliver_due() for _ in range(2)] == [20, 0]
    assert len(receiver.heard) == 40


def test_a_receiver_that_hangs_keeps_no_other_waiting(
    registry: Registry, receiver: Receiver, hanging: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("ANSWER_SECONDS", "WHOLE_SECONDS"):  # it hangs for as long as the test wants
        monkeypatch.setattr(f"mlmd_model_registry.courier.{limit}", 3600.0)
    registry.version()
    registry.version()
    stuck, sound = hook(registry, hanging.url), hook(registry, receiver.url)
    moves = 12
    for number in range(moves):
        move(registry, version=str(1 + number % 2))
    courier = Courier(registry.store, private_too=True)
    posting = threading.Thread(target=courier.deliver_due)
    posting.start()
    for _ in range(moves):
        receiver.told.acquire()
    hanging.told.acquire()
    assert len(hanging.heard) == 1, "it is asked one thing at a time"
    move(registry, version="1")
    receiver.told.acquire()  # what came to be due meanwhile, too
    assert [json.loads(body)["move"]["sequence"] for _, body in receiver.heard] == [str(n) for n in range(1, moves + 2)]
    hanging.answers.set()
    posting.join()
    assert {state for _, state, _, _ in log(registry, stuck) + log(registry, sound)} == {DELIVERED}


def test_a_receiver_that_refuses_is_asked_once_a_round(registry: Registry, receiver: Receiver) -> None:
    registry.version()
    registry.version()
    webhook = hook(registry, receiver.url)
    for version in "121":
        move(registry, version=version)
    receiver.statuses = [500]
    courier = Courier(registry.store, private_too=True)
    assert courier.deliver_due() == 1
    assert sorted(attempts for _, _, attempts, _ in log(registry, webhook)) == [0, 0, 1]
    make_due(registry)
    assert courier.deliver_due() == 3


def test_a_courier_that_is_over_begins_nothing(registry: Registry, receiver: Receiver) -> None:
    registry.version()
    hook(registry, receiver.url)
    move(registry)
    assert Courier(registry.store, private_too=True).deliver_due(lambda: True) == 0
    assert receiver.heard == []


def test_waits_grow_up_to_an_hour() -> None:
    assert 1.5 <= wait_seconds(1) <= 2.5
    assert 6 <= wait_seconds(3) <= 10
    assert LONGEST_WAIT_SECONDS * 0.7 <= wait_seconds(30) <= LONGEST_WAIT_SECONDS * 1.3


def test_a_server_that_is_not_there_is_noted(registry: Registry) -> None:
    registry.version()
    webhook = hook(registry, "http://127.0.0.1:1/")
    move(registry)
    Courier(registry.store, private_too=True).deliver_due()
    (told,) = registry("ListWebhookDeliveries", webhook_id=webhook).deliveries
    assert (told.last_status, told.state, told.model) == (0, PENDING, "fraud")
    assert "no answer from 127.0.0.1" in told.problem


def test_nothing_is_posted_to_private_addresses(registry: Registry, receiver: Receiver) -> None:
    registry.version()
    named = hook(registry, receiver.url.replace("127.0.0.1", "localhost"))
    move(registry)
    assert Courier(registry.store).deliver_due() == 1
    assert receiver.heard == []
    (told,) = registry("ListWebhookDeliveries", webhook_id=named).deliveries
    assert "--webhook-private-addresses" in told.problem


def test_the_connection_goes_to_the_address_that_was_judged(receiver: Receiver) -> None:
    """The name is not asked again: here it has no address at all."""
    destination = Destination("http", "somewhere.invalid", receiver.server_address[1], "/")
    assert post(destination, "127.0.0.1", Delivery(7, 1, 0, b"{}", "", "s" * 16)) == 200
    ((said, _),) = receiver.heard
    assert said["host"] == f"somewhere.invalid:{receiver.server_address[1]}"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1", "2001:0:4136:e378::", "ff02::1"],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_that_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a/", "http://", "http:///x", "https://user:p@host/", "http://host/#x", "http://host:99999/",
     "http://host:0/", "https://host:00/",
     "http://ho st/", "http://host/\n", "http://[::1", "http://" + "x" * 2048],
)  # fmt: skip
def test_what_is_no_url_to_post_to(url: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_destination(url)


def test_an_address_is_judged_when_the_webhook_is_made(registry: Registry, tmp_path: Path) -> None:
    requests = Requests(Artifacts(registry.store, LocalStore(tmp_path)))
    public, private = (ModelRegistry(registry.store, requests, private_webhooks=too) for too in (False, True))
    for url in ("http://10.0.0.1/", "http://[::1]/", "https://169.254.169.254/latest"):
        asked = v1.CreateWebhookRequest(url=url)
        with pytest.raises(InvalidArgument, match="public"):
            public.create_webhook(asked, LOCAL)
        assert private.create_webhook(asked, LOCAL).webhook.url == url
    public.create_webhook(v1.CreateWebhookRequest(url="https://example.com/hook"), LOCAL)
    assert len(registry("ListWebhooks").webhooks) == 4
    for secret in ("short", "x" * 1001):
        with pytest.raises(InvalidArgument):
            hook(registry, "https://example.com/", secret=secret)
    made = registry.store.call(CREATE_WEBHOOK, LOCAL, v1.CreateWebhookRequest(url="https://example.com/"))
    assert len(made.secret) >= 32


def test_what_one_server_delivered_another_does_not_queue_again(registry: Registry, receiver: Receiver) -> None:
    registry.version()
    webhook = hook(registry, receiver.url)
    move(registry)
    database = registry.store.database
    (late,) = database.write(LOCAL, lambda tx: courier._claim(tx, [1]))
    make_due(registry)
    one = Courier(registry.store, private_too=True)
    assert one.deliver_due() == 1
    one._note(late, courier.Outcome(0, "no answer"))
    assert log(registry, webhook) == [(1, DELIVERED, 1, 200)]


def test_what_was_queued_for_a_webhook_that_was_deleted_meanwhile_keeps_none_back(
    mariadb_url: str, receiver: Receiver
) -> None:
    """Another server deletes the webhooks between the look at them and the queueing."""
    with contextlib.closing(Store.open(mariadb_url)) as store, contextlib.closing(Store.open(mariadb_url)) as elsewhere:
        registry, other = Registry(store), Registry(elsewhere)
        registry.version()
        deleted = [hook(registry, receiver.url) for _ in range(20)]

        def delete_all(sent: str) -> None:
            if sent.startswith("INSERT") and DELIVERY.name in sent:
                while deleted:
                    other("DeleteWebhook", id=deleted.pop())

        store.database.watch = delete_all
        move(registry)
        assert not deleted
        assert Courier(store, private_too=True).deliver_due() == 0
        webhook = hook(registry, receiver.url)
        move(registry)
        assert Courier(store, private_too=True).deliver_due() == 1
        assert log(registry, webhook) == [(2, DELIVERED, 1, 200)]


def test_what_is_queued_for_webhooks_that_are_gone_is_deleted(registry: Registry, receiver: Receiver) -> None:
    """A webhook's row goes as another server deletes it that does not see the move which is just being queued."""
    registry.version()
    gone = [hook(registry, receiver.url) for _ in range(3)]
    webhook = hook(registry, receiver.url)
    for version in ("1", ""):
        move(registry, version)
    unseen = sa.delete(WEBHOOK).where(WEBHOOK.c.id.in_(gone))
    registry.store.database.write(LOCAL, lambda tx: tx.execute(unseen))
    sent = list[str]()
    registry.store.database.watch = sent.append
    assert Courier(registry.store, private_too=True).deliver_due() == 2
    assert len([statement for statement in sent if statement.startswith("DELETE")]) == 1
    kept = registry.store.database.read(LOCAL, lambda tx: tx.rows(sa.select(DELIVERY.c.webhook_id)))
    assert [row[0] for row in kept] == [webhook, webhook]


@pytest.mark.parametrize("apart_ms", [-3_600_000, 3_600_000])
def test_servers_whose_clocks_are_apart_do_not_post_what_another_is_posting(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, apart_ms: int
) -> None:
    with contextlib.closing(Store.open(mariadb_url)) as store:
        registry = Registry(store)
        registry.version()
        hook(registry, receiver.url)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(clock, "time_ns", lambda: time.time_ns() + apart_ms * 1_000_000)
            move(registry)
        (mine,) = store.database.write(LOCAL, lambda tx: courier._claim(tx, [1]))
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(clock, "time_ns", lambda: time.time_ns() + apart_ms * 1_000_000)
            assert Courier(store, private_too=True).deliver_due() == 0
        assert mine.id == 1
