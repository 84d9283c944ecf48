"""Webhooks: addresses that every move of an alias is posted to, and the queue of what is to be posted.

What is to be posted is written in the transaction of the move, so that a move and its deliveries are there together or
not at all.
"""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from google.protobuf import json_format
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.keyset_tokens import number_below, page_size, token_after
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.tables.own import STORE
from mlmd_schemas.tables.registry import DELIVERY, WEBHOOK

from mlmd_model_registry.models import Model, find_model, models_by_id
from mlmd_model_registry.public_addresses import parse_destination

LONGEST_SECRET = 1000
_SHORTEST_SECRET = 16
_ROWS: sa.BindParameter[Any] = sa.bindparam("rows", type_=sa.BigInteger)
_WANTING = (
    sa.select(WEBHOOK.c.id)
    .where(sa.or_(WEBHOOK.c.model_id == 0, WEBHOOK.c.model_id == sa.bindparam("model")))
    .order_by(WEBHOOK.c.id)
)
_UUID = sa.select(STORE.c.store_uuid)
_COLUMNS = ("id", "model_id", "url", "subject", "create_ms")
_PAGE = (
    sa.select(*(WEBHOOK.c[name] for name in _COLUMNS))
    .where(WEBHOOK.c.id < sa.bindparam("before"))
    .order_by(WEBHOOK.c.id.desc())
    .limit(_ROWS)
)
_THERE = sa.select(WEBHOOK.c.id).where(WEBHOOK.c.id == sa.bindparam("webhook"))
_DELETE = sa.delete(WEBHOOK).where(WEBHOOK.c.id == sa.bindparam("webhook"))
_FORGET = sa.delete(DELIVERY).where(DELIVERY.c.webhook_id == sa.bindparam("webhook"))
_DELIVERY_COLUMNS = (
    "id", "webhook_id", "model_id", "sequence", "state", "attempts", "last_status", "problem", "create_ms", "due_ms",
)  # fmt: skip
_DELIVERIES = (
    sa.select(*(DELIVERY.c[name] for name in _DELIVERY_COLUMNS))
    .where(DELIVERY.c.webhook_id == sa.bindparam("webhook"), DELIVERY.c.id < sa.bindparam("before"))
    .order_by(DELIVERY.c.id.desc())
    .limit(_ROWS)
)


def create_webhook(tx: Transaction, request: v1.CreateWebhookRequest) -> v1.CreateWebhookResponse:
    """Keep an address; raises InvalidArgument for a URL or secret that cannot be, NotFound for the model."""
    parse_destination(request.url)
    secret = request.secret or secrets.token_urlsafe(32)
    if not _SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET:
        raise InvalidArgument(
            f"secret: has {counted(len(secret), 'character')}; use {_SHORTEST_SECRET} to {LONGEST_SECRET}, or "
            "leave it out."
        )
    model_id = find_model(tx, request.model).id if request.model else 0
    subject, now = tx.caller.subject[:255], now_ms()
    columns = ("model_id", "url", "secret", "subject", "create_ms")
    (webhook_id,) = tx.insert_ids(WEBHOOK, columns, [(model_id, request.url, secret, subject, now)])
    webhook = v1.Webhook(id=webhook_id, model=request.model, url=request.url, subject=subject, create_ms=now)
    return v1.CreateWebhookResponse(webhook=webhook, secret=secret)


def list_webhooks(tx: Transaction, request: v1.ListWebhooksRequest) -> v1.ListWebhooksResponse:
    """Return a page of webhooks, newest first, without their secrets."""
    count, before = page_size(request.page_size), number_below("webhooks", request.page_token)
    rows = tx.rows(_PAGE, {"before": before, "rows": count + 1})
    names = _names(tx, [row[1] for row in rows])
    webhooks = [
        v1.Webhook(id=row[0], model=names.get(row[1], ""), url=row[2], subject=row[3], create_ms=row[4])
        for row in rows[:count]
    ]
    token = token_after("webhooks", str(webhooks[-1].id)) if len(rows) > count else ""
    return v1.ListWebhooksResponse(webhooks=webhooks, next_page_token=token)


def _names(tx: Transaction, model_ids: Sequence[int]) -> dict[int, str]:
    wanted = [model_id for model_id in dict.fromkeys(model_ids) if model_id]
    return {model.id: model.name for model in models_by_id(tx, wanted)} if wanted else {}


def _no_webhook(field: str, webhook_id: int) -> NotFound:
    return NotFound(f"{field}: there is no webhook {webhook_id}; ListWebhooks lists them.")


def delete_webhook(tx: Transaction, request: v1.DeleteWebhookRequest) -> v1.DeleteWebhookResponse:
    """Forget an address, what is still to be posted to it, and the log of what was."""
    if not tx.execute(_DELETE, {"webhook": request.id}):
        raise _no_webhook("id", request.id)
    tx.execute(_FORGET, {"webhook": request.id})
    return v1.DeleteWebhookResponse()


def list_deliveries(tx: Transaction, request: v1.ListWebhookDeliveriesRequest) -> v1.ListWebhookDeliveriesResponse:
    """Return a page of what was posted to a webhook or is still to be, newest first; raises NotFound for no webhook."""
    count, before = page_size(request.page_size), number_below("deliveries", request.page_token)
    parameters = {"webhook": request.webhook_id, "before": before, "rows": count + 1}
    rows = tx.rows(_DELIVERIES, parameters)
    if not rows and not tx.rows(_THERE, {"webhook": request.webhook_id}):
        raise _no_webhook("webhook_id", request.webhook_id)
    names = _names(tx, [row[2] for row in rows])
    deliveries = []
    for row in rows[:count]:
        fields = dict(zip(_DELIVERY_COLUMNS, row, strict=True))
        deliveries.append(v1.WebhookDelivery(model=names.get(fields.pop("model_id"), ""), **fields))
    token = token_after("deliveries", str(deliveries[-1].id)) if len(rows) > count else ""
    return v1.ListWebhookDeliveriesResponse(deliveries=deliveries, next_page_token=token)


def queue_move(tx: Transaction, model: Model, move: v1.ModelAliasMove) -> None:
    """Queue a move for every webhook that wants it, in the transaction of the move."""
    webhooks = tx.rows(_WANTING, {"model": model.id})
    if not webhooks:
        return
    body, now = _body(tx, model, move), move.move_ms
    columns = (
        "webhook_id", "model_id", "sequence", "state", "attempts", "due_ms", "last_status", "problem", "create_ms",
        "body",
    )  # fmt: skip
    pending = v1.DELIVERY_STATE_PENDING
    rows = [(webhook_id, model.id, move.sequence, pending, 0, now, 0, "", now, body) for (webhook_id,) in webhooks]
    tx.insert(DELIVERY, columns, rows)


def _body(tx: Transaction, model: Model, move: v1.ModelAliasMove) -> bytes:
    ((store_uuid,),) = tx.rows(_UUID)
    told = {
        "event": "model.alias.moved",
        "model": model.name,
        "node": f"{store_uuid}/context/{model.id}",
        "time": datetime.fromtimestamp(move.move_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "move": json_format.MessageToDict(move),
    }
    return json.dumps(told, ensure_ascii=False).encode()
