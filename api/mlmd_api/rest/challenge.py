"""What a refusal for want of a token says of how to show one.

HTTP has every 401 name the scheme that is wanted (RFC 9110, section 11.6.1), and some clients report a missing name in
the place of the refusal, Java's HttpURLConnection among them. Browsers ask nobody for a password because of this one.
"""

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CHALLENGE = (b"www-authenticate", b'Bearer realm="mlmd-server"')


class Challenge:
    """An ASGI application that answers as `app` does, and adds `WWW-Authenticate` to each 401."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def said(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.UNAUTHORIZED:
                message["headers"] = [*message.get("headers", ()), _CHALLENGE]
            await send(message)

        await self._app(scope, receive, said)
