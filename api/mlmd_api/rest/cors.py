"""What pages of other origins may do: the answers that Kubeflow's page had from Envoy, and our own headers."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from mlmd_schemas.errors import PermissionDenied

from mlmd_api.rest.hosts import EVERYTHING, LOOPBACK, is_loopback

METHODS = "GET, PUT, DELETE, POST, OPTIONS"
REQUEST_HEADERS = (
    "keep-alive,user-agent,cache-control,content-type,content-transfer-encoding,custom-header-1,"
    "x-accept-content-transfer-encoding,x-accept-response-streaming,x-user-agent,x-grpc-web,grpc-timeout,"
    "authorization,connect-protocol-version,connect-timeout-ms,x-request-id,mlmd-idempotency-key,"
    "content-encoding,connect-content-encoding,grpc-encoding,last-event-id,"
    "content-md5,range,if-range,if-match,if-none-match,if-modified-since,if-unmodified-since"
)
RESPONSE_HEADERS = (
    "custom-header-1,grpc-status,grpc-message,x-request-id,mlmd-alias-number,mlmd-missing,"
    "etag,last-modified,accept-ranges,content-range,content-length"
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
        if origin is None or self._allows(origin) or urlsplit(origin).netloc == request.get("host"):
            return
        raise PermissionDenied(
            f"origin: pages of {origin[:200]!r} may not write here; the server's --cors-origins names those that may."
        )

    def _allows(self, origin: str) -> bool:
        if self._allowed & {origin, EVERYTHING}:
            return True
        return LOOPBACK in self._allowed and is_loopback((urlsplit(origin).hostname or "").rstrip("."))

    def headers(self, request: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that let the page read the response, when it may and is of another origin.

        What was asked without an origin, for an image say, depends on it too: a browser keeps the response, and would
        refuse it to a script that asks for the same file with one.
        """
        origin = request.get("origin")
        if origin is None or not self._allows(origin):
            return {"vary": "origin"}
        return {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": RESPONSE_HEADERS,
            "vary": "origin",
        }

    def added(self, said: Mapping[str, str], request: Mapping[str, str]) -> dict[str, str]:
        """Return a response's headers with those for the page; what both say of `vary` is joined."""
        ours = self.headers(request)
        if said.get("vary", "origin") != "origin":
            ours["vary"] = f"{said['vary']}, {ours['vary']}"
        return {**said, **ours}

    def preflight(self, request: Mapping[str, str], methods: str = METHODS) -> dict[str, str]:
        """Return the headers that answer a browser's question before the call, by one of the methods."""
        said = self.headers(request)
        if "access-control-allow-origin" in said:
            said |= {
                "access-control-allow-methods": methods,
                "access-control-allow-headers": REQUEST_HEADERS,
                "access-control-max-age": str(MAX_AGE_SECONDS),
            }
        return said
