"""Webhooks: addresses to which the store posts every move of an alias, signed."""

from typing import Any

from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.registry_pages import pages
from mlmd_client.service import Service
from mlmd_client.tables import Table, moment, table_of


class Webhooks:
    """The webhooks of a store; an administrator's.

    >>> version = store.models["doc-hooks"].register(store["churn@1"])
    >>> made = store.models.webhooks.add("https://hooks.example.com/mlmd", model="doc-hooks")
    >>> store.models.webhooks.table().column("url")
    ['https://hooks.example.com/mlmd']
    >>> store.models.webhooks.remove(made.webhook.id)
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def add(self, url: str, *, model: str = "", secret: str = "") -> v1.CreateWebhookResponse:
        """Post every move of the aliases of a model, without one of all models, to a URL.

        The answer has the secret of the signatures, which is told this once; without one of yours the store makes it.
        Raises Refused for an address that may not be posted to.

        >>> made = store.models.webhooks.add("https://hooks.example.com/doc-add", secret="0123456789abcdef")
        >>> made.secret
        '0123456789abcdef'
        >>> store.models.webhooks.remove(made.webhook.id)
        """
        request = v1.CreateWebhookRequest(url=url, model=model, secret=secret)
        made = self._service.write(request, v1.CreateWebhookResponse)
        return made

    def __repr__(self) -> str:
        """Return where the registry is; asks nobody and shows no secret."""
        return f"<Webhooks of {self._service.target}>"

    def _repr_html_(self) -> str:
        return self.table().html()

    def table(self) -> Table:
        """Return the webhooks.

        >>> len(store.models.webhooks.table())
        0
        """
        listed = pages(self._service, v1.ListWebhooksRequest(), v1.ListWebhooksResponse)
        return table_of([webhook_row(one) for page in listed for one in page.webhooks])

    def remove(self, webhook_id: int) -> None:
        """Post nothing more there; raises NotFound.

        >>> made = store.models.webhooks.add("https://hooks.example.com/doc-remove")
        >>> store.models.webhooks.remove(made.webhook.id)
        """
        self._service.write(v1.DeleteWebhookRequest(id=webhook_id), v1.DeleteWebhookResponse)

    def deliveries(self, webhook_id: int) -> Table:
        """Return what was posted and what came of it, newest first.

        >>> made = store.models.webhooks.add("https://hooks.example.com/doc-log")
        >>> len(store.models.webhooks.deliveries(made.webhook.id))
        0
        >>> store.models.webhooks.remove(made.webhook.id)
        """
        request = v1.ListWebhookDeliveriesRequest(webhook_id=webhook_id)
        listed = pages(self._service, request, v1.ListWebhookDeliveriesResponse)
        return table_of([delivery_row(one) for page in listed for one in page.deliveries])


def webhook_row(webhook: v1.Webhook) -> dict[str, Any]:
    """Return a webhook as a row.

    >>> webhook_row(v1.Webhook(id=1, url="https://hooks.example.com/"))["model"] is None
    True
    """
    return {
        "id": webhook.id,
        "model": webhook.model or None,
        "url": webhook.url,
        "who": webhook.subject,
        "created": moment(webhook.create_ms),
    }


def delivery_row(delivery: v1.WebhookDelivery) -> dict[str, Any]:
    """Return a delivery as a row.

    >>> delivery_row(v1.WebhookDelivery(state=v1.DELIVERY_STATE_FAILED))["state"]
    'FAILED'
    """
    return {
        "model": delivery.model,
        "sequence": delivery.sequence,
        "state": v1.DeliveryState.Name(delivery.state).removeprefix("DELIVERY_STATE_"),
        "attempts": delivery.attempts,
        "status": delivery.last_status or None,
        "problem": delivery.problem,
        "due": moment(delivery.due_ms),
    }
