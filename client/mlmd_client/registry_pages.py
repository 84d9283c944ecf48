"""Lists of the registry, page by page."""

from collections.abc import Iterator
from typing import Any

from mlmd_client.service import Service

REGISTRY = "/mlmd.v1.ModelRegistry"
_PAGE = 100


def listed(service: Service, method: str, request: Any, field: str) -> Iterator[Any]:
    """Yield everything that a listing call of the registry has in a field of its answers.

    >>> from mlmd_schemas.pb.v1 import registry_pb2 as v1
    >>> [one.url for one in listed(store.service, "ListWebhooks", v1.ListWebhooksRequest(), "webhooks")]
    []
    """
    request.page_size = _PAGE
    while True:
        page = service.read(f"{REGISTRY}/{method}", request)
        yield from getattr(page, field)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return
