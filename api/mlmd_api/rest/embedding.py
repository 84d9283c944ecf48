"""What every response tells a browser about pages that embed it without asking to read it.

A page of any site may name a file of this server as its script, its style sheet or its image. The browser fetches it
without an `Origin`, so that CORS has no say, and hands the page what is in it: the variables of the script, the size of
the image. `Cross-Origin-Resource-Policy` (Fetch, section 3.7) keeps it from pages of other origins.
"""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmd_api.rest.hosts import EVERYTHING


class Embedding:
    """An ASGI application that answers as `app` does, and lets pages embed what they may read.

    A page of another origin that is named among those that may call asks by CORS (`<img crossorigin>`).
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        """Take the origins whose pages may call; `*` stands for all of them."""
        self._app = app
        self._headers = embedding_headers(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def said(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        await self._app(scope, receive, said)


def embedding_headers(origins: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Return the headers that keep every response from pages of other origins than these."""
    embedded_by = b"cross-origin" if EVERYTHING in origins else b"same-origin"
    return [(b"cross-origin-resource-policy", embedded_by), (b"x-content-type-options", b"nosniff")]
