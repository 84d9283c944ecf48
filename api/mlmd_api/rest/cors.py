"""What pages of other origins may do: the answers that Kubeflow's page had from Envoy, and our own headers.

A page that may call reads every answer, and most of all why it was refused, whatever part of the listener refused it:
so the headers are added in one place, around all of them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from mlmd_schemas.errors import PermissionDenied
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmd_api.rest.exchange import Reply
from mlmd_api.rest.hosts import EVERYTHING, LOOPBACK, is_loopback
from mlmd_api.rest.waiting import send_reply

METHODS = "GET, PUT, DELETE, POST, PATCH, OPTIONS"
REQUEST_HEADERS = (
    "keep-alive,user-agent,cache-control,content-type,content-transfer-encoding,custom-header-1,"
    "x-accept-content-transfer-encoding,x-accept-response-streaming,x-user-agent,x-grpc-web,grpc-timeout,"
    "authorization,connect-protocol-version,connect-timeout-ms,x-request-id,mlmd-idempotency-key,"
    "content-encoding,connect-content-encoding,grpc-encoding,last-event-id,"
    "content-md5,range,if-range,if-match,if-none-match,if-modified-since,if-unmodified-since"
)
RESPONSE_HEADERS = (
    "custom-header-1,grpc-status,grpc-message,x-request-id,mlmd-alias-number,mlmd-missing,"
    "grpc-retry-pushback-ms,www-authenticate,allow,accept-post,etag,last-modified,accept-ranges,content-range,content-length"
)
MAX_AGE_SECONDS = 1728000


class Origins:
    """The origins whose pages may call; `*` stands for all of them, `loopback` for those of this machine."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = frozenset(allowed)

    def check_page(self, request: Mapping[str, str]) -> None:
        """Raise PermissionDenied when a page of an origin that may not call sent this.

        A browser asks before most calls, and never before a POST of plain text: what takes that has to look itself.
        """
        origin = request.get("origin")
        if origin is None or self._allows(origin) or _site(origin).netloc == request.get("host"):
            return
        raise PermissionDenied(
            f"origin: pages of {origin[:200]!r} may not write here; the server's --cors-origins names those that may."
        )

    def _allows(self, origin: str) -> bool:
        if self._allowed & {origin, EVERYTHING}:
            return True
        return LOOPBACK in self._allowed and is_loopback((_site(origin).hostname or "").rstrip("."))

    def headers(self, origin: str | None) -> dict[str, str]:
        """Return the headers that let a page of the origin read the response, when it may and is of another origin.

        What was asked without an origin, for an image say, depends on it too: a browser keeps the response, and would
        refuse it to a script that asks for the same file with one.
        """
        if origin is None or not self._allows(origin):
            return {"vary": "origin"}
        return {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": RESPONSE_HEADERS,
            "vary": "origin",
        }

    def preflight(self, origin: str | None) -> dict[str, str]:
        """Return the headers that answer a browser's question before the call."""
        said = self.headers(origin)
        if "access-control-allow-origin" in said:
            said |= {
                "access-control-allow-methods": METHODS,
                "access-control-allow-headers": REQUEST_HEADERS,
                "access-control-max-age": str(MAX_AGE_SECONDS),
            }
        return said


class CrossOrigin:
    """An ASGI application that answers as `app` does, to be read by the pages that may call, and their preflights.

    What is at `closed` paths no page reads: it needs no token, and is for machines.
    """

    def __init__(self, app: ASGIApp, origins: Origins, closed: Collection[str]) -> None:
        self._app = app
        self._origins = origins
        self._closed = frozenset(closed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] in self._closed:
            await self._app(scope, receive, send)
            return
        origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
        if scope["method"] == "OPTIONS":  # every path, as a page cannot read why the path itself is wrong otherwise
            await send_reply(send, Reply(200, self._origins.preflight(origin), b""))
            return

        async def said(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with(message.get("headers", ()), self._origins.headers(origin))
            await send(message)

        await self._app(scope, receive, said)


def _site(origin: str) -> SplitResult:
    try:
        return urlsplit(origin)
    except ValueError:  # a bracket that is not closed: no browser says so
        return urlsplit("")


def _with(said: Iterable[tuple[bytes, bytes]], ours: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return a response's headers with ours; what both say of `vary` is joined."""
    varies = [value for name, value in said if name == b"vary"]
    kept = [(name, value) for name, value in said if name != b"vary"]
    joined = {**ours, "vary": ", ".join([*(value.decode("latin-1") for value in varies), ours["vary"]])}
    return kept + [(name.encode("latin-1"), value.encode("latin-1")) for name, value in joined.items()]
