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
    """The page at `/`, made of the routes that there are, and what is said of other paths and verbs."""

    def __init__(self, routes: list[Route]) -> None:
        self._text = "mlmd-server\n\n" + "".join(f"  {place:30}{what}\n" for place, what in _places(routes))

    async def page(self, request: Request) -> Response:
        """Say what is here, as plain text."""
        return PlainTextResponse(self._text)

    async def nothing_here(self, request: Request, _error: Exception) -> Response:
        """Say 404 as JSON, with a code as every other error."""
        said = {"code": "not_found", "message": f"path: nothing is at {_path(request)!r}; `/` says what is where."}
        return Response(json.dumps(said, ensure_ascii=False), 404, media_type="application/json")

    async def other_verb(self, request: Request, error: Exception) -> Response:
        """Say 405 as JSON, with the verbs that the path has."""
        headers = dict(getattr(error, "headers", None) or {})
        verbs = next((value for name, value in headers.items() if name.lower() == "allow"), "")
        sentence = f"method: {_path(request)!r} is not asked with {request.method[:20]}, but with {verbs}."
        said = {"code": "unknown", "message": sentence}
        return Response(json.dumps(said, ensure_ascii=False), 405, headers, media_type="application/json")

    async def defect(self, request: Request, _error: Exception) -> Response:
        """Say 500 as JSON to a request that nobody foresaw would fail; the listener logs why."""
        said = {"code": "internal", "message": "internal error; the server's log says what"}
        return Response(json.dumps(said), 500, media_type="application/json")


def _path(request: Request) -> str:
    path = request.url.path
    return path if len(path) <= 100 else f"{path[:100]}…"


def _places(routes: list[Route]) -> Iterator[tuple[str, str]]:
    paths = [route.path for route in routes]
    yield from ((place, what) for place, what in _SURFACES.items() if any(path.startswith(place) for path in paths))
    yield from _ALWAYS
