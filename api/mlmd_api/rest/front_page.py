"""`/` and what has no route: where things are, for whoever opens the port with a browser or mistypes a path."""

from collections.abc import Iterator

from mlmd_schemas.errors import Code
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mlmd_api.rest.plain_http import refused

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
        return _refused(
            request, Code.NOT_FOUND, 404, f"path: nothing is at {_path(request)!r}; `/` says what is where."
        )

    async def other_verb(self, request: Request, error: Exception) -> Response:
        """Say 405 as JSON, with the verbs that the path has."""
        headers = dict(getattr(error, "headers", None) or {})
        verbs = next((value for name, value in headers.items() if name.lower() == "allow"), "")
        sentence = f"method: {_path(request)!r} is not asked with {request.method[:20]}, but with {verbs}."
        response = _refused(request, Code.UNIMPLEMENTED, 405, sentence)
        response.headers.update(headers)
        return response

    async def defect(self, request: Request, _error: Exception) -> Response:
        """Say 500 as JSON to a request that nobody foresaw would fail; the listener logs why."""
        return _refused(request, Code.INTERNAL, 500, "internal error; the server's log says what")


def _refused(request: Request, code: Code, status: int, sentence: str) -> Response:
    reply = refused(request.headers.get("content-type", ""), code, status, sentence)
    return Response(reply.body, reply.status, reply.headers)


def _path(request: Request) -> str:
    path = request.url.path
    return path if len(path) <= 100 else f"{path[:100]}…"


def _places(routes: list[Route]) -> Iterator[tuple[str, str]]:
    paths = [route.path for route in routes]
    yield from ((place, what) for place, what in _SURFACES.items() if any(path.startswith(place) for path in paths))
    yield from _ALWAYS
