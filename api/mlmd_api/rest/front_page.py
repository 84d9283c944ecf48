"""`/` and what has no route: where things are, for whoever opens the port with a browser or mistypes a path."""

import json
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_ALWAYS = (
    ("/healthz, /readyz, /metrics", "alive, ready, measured"),
    ("/<package.Service>/<Method>", "every gRPC method by POST, as Connect or gRPC-Web"),
)
_SURFACES = {
    "/graphql": "everything readable, and what a pipeline step records",
    "/api/model_registry": "Kubeflow Model Registry's REST API, below /v1alpha3 and /v1",
    "/registry/resolve": "?uri=models:/name@alias: the version, with an ETag",
    "/registry/watch": "changes of the registry as server-sent events",
    "/artifacts": "/<id>/files/<path>: the bytes of an artifact's files",
}


class FrontPage:
    """The page at `/`, made of the routes that there are, and the answer to a path that has none."""

    def __init__(self, routes: list[Route]) -> None:
        self._text = "mlmd-server\n\n" + "".join(f"  {place:30}{what}\n" for place, what in _places(routes))

    async def page(self, request: Request) -> Response:
        """Say what is here, as plain text."""
        return PlainTextResponse(self._text)

    async def nothing_here(self, request: Request, _error: Exception) -> Response:
        """Say 404 as JSON, with a code as every other error."""
        path = request.url.path
        shown = path if len(path) <= 100 else f"{path[:100]}…"
        said = {"code": "not_found", "message": f"path: nothing is at {shown!r}; `/` says what is where."}
        return Response(json.dumps(said, ensure_ascii=False), 404, media_type="application/json")

    async def defect(self, request: Request, _error: Exception) -> Response:
        """Say 500 as JSON to a request that nobody foresaw would fail; the listener logs why."""
        said = {"code": "internal", "message": "internal error; the server's log says what"}
        return Response(json.dumps(said), 500, media_type="application/json")


def _places(routes: list[Route]) -> Iterator[tuple[str, str]]:
    paths = [route.path for route in routes]
    yield from ((place, what) for place, what in _SURFACES.items() if any(path.startswith(place) for path in paths))
    yield from _ALWAYS
