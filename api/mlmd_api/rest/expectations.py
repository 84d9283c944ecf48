"""Requests whose client waits to be told to send the body (`Expect: 100-continue`; RFC 9110, section 10.1.1)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EXPECTS = (b"expect", b"100-continue")
_CLOSE = (b"connection", b"close")


class Expectations:
    """An ASGI application that answers as `app` does, and hangs up where the answer comes before the body is wanted.

    Nobody knows then whether the client still sends the body, so what it sends next may be one or another request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not any((name, value.lower()) == _EXPECTS for name, value in scope["headers"]):
            await self._app(scope, receive, send)
            return
        was_wanted = False

        async def wanted() -> Message:
            nonlocal was_wanted
            was_wanted = True
            return await receive()

        async def said(message: Message) -> None:
            if message["type"] == "http.response.start" and not was_wanted:
                message["headers"] = [*message.get("headers", ()), _CLOSE]
            await send(message)

        await self._app(scope, wanted, said)
