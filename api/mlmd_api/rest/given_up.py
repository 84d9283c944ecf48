"""What is said to a request that the server's end did not wait for."""

import asyncio

from mlmd_schemas.errors import Code
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmd_api.rest.plain_http import refused
from mlmd_api.rest.waiting import send_reply

_SENTENCE = (
    "The server ends, and the time for calls in flight is over. Whether a write took place is unknown: read back what "
    "it would have written, or send writes with an idempotency key, which makes repeating safe."
)


class GivenUp:
    """An ASGI application that answers as `app` does, and UNAVAILABLE when it is cancelled before it began to."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        has_begun = False

        async def said(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, said)
        except asyncio.CancelledError:
            if has_begun:
                raise
            content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
            await send_reply(send, refused(content_type.decode("latin-1"), Code.UNAVAILABLE, 503, _SENTENCE))
