"""By which names the listener may be called: what keeps a page of any site from calling a server of one's own machine.

A site can have its name resolved to 127.0.0.1 once its page is loaded (DNS rebinding). For the browser the server then
is of the page's own origin, so no rule about origins holds; but each request still says the site's name as its host.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from mlmd_schemas.errors import Code
from starlette.types import ASGIApp, Receive, Scope, Send

from mlmd_api.rest.plain_http import refused
from mlmd_api.rest.waiting import send_reply

EVERYTHING = "*"
LOOPBACK = "loopback"
"""Stands for every name of this machine that no other can have."""
_KEPT_HOSTS = 256


def is_loopback(name: str) -> bool:
    """Tell whether a host's name, lower-case and without a port, leads to this machine wherever it is asked."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


class Hosts:
    """An ASGI application that answers as `app` does, to requests for names that are allowed."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        """Take names without ports; `*` allows all of them, `loopback` those of this machine."""
        self._app = app
        self._allowed = frozenset(name.lower() for name in allowed)
        # Callers say the same few hosts again and again, and parsing one costs a thirtieth of a small call.
        self._may_be_called = lru_cache(maxsize=_KEPT_HOSTS)(self._may)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        stranger = self._stranger(scope)
        if stranger is None:
            await self._app(scope, receive, send)
            return
        sentence = (
            f"host: {stranger[:200]!r} is no name by which this server may be called; call it by localhost or by its "
            "--http-address, or name it in --allowed-hosts."
        )
        content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        reply = refused(content_type.decode("latin-1"), Code.PERMISSION_DENIED, 403, sentence)
        await send_reply(send, reply)

    def _stranger(self, scope: Scope) -> str | None:
        if EVERYTHING in self._allowed or scope["type"] != "http":
            return None
        return next((host for host in _hosts(scope) if not self._may_be_called(host)), None)

    def _may(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:  # a bracket that is not closed
            return False
        return name in self._allowed or (LOOPBACK in self._allowed and is_loopback(name))


def _hosts(scope: Scope) -> Iterator[str]:
    """Yield what a request says of the host it is for; a browser says it once and always."""
    return (value.decode("latin-1") for name, value in scope["headers"] if name == b"host")
