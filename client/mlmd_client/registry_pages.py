"""Lists of the registry, page by page."""

from collections.abc import Iterator
from typing import Any

from mlmd_client.service import A, Service

_PAGE = 100


def pages(service: Service, request: Any, answer: type[A]) -> Iterator[A]:
    """Yield every page of a listing call, whose messages have `page_size`, `page_token` and `next_page_token`.

    >>> from mlmd_schemas.pb.v1 import registry_pb2 as v1
    >>> listed = pages(store.service, v1.ListWebhooksRequest(), v1.ListWebhooksResponse)
    >>> [one.url for page in listed for one in page.webhooks]
    []
    """
    request.page_size = _PAGE
    while True:
        page: Any = service.read(request, answer)
        yield page
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return
