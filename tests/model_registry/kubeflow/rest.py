"""The registry's REST API as a test calls it."""

import itertools
import uuid
from typing import Any

import httpx

from tests.services.clocks import wait_beyond

ALPHA, V1 = "v1alpha3", "v1"
NUMBERS = itertools.count(1)
ODD_WORDS = {
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    422: "Bad Request",
}


def fresh(stem: str = "name") -> str:
    """Return a name that nothing has yet."""
    return f"{stem}-{uuid.uuid4().hex[:12]}-{next(NUMBERS)}"


class Api:
    """One version of the API of a running server."""

    def __init__(self, url: str, version: str = ALPHA, headers: dict[str, str] | None = None) -> None:
        self.url, self.version = url, version
        self.http = httpx.Client(base_url=f"{url}/api/model_registry/{version}", timeout=30, headers=headers)

    def ask(self, verb: str, path: str, **arguments: Any) -> httpx.Response:
        """Send one request."""
        return self.http.request(verb, path, **arguments)

    def get(self, path: str, **query: Any) -> Any:
        """Return the document at a path."""
        return self._document(self.ask("GET", path, params=query), 200)

    def post(self, path: str, status: int = 201, /, **body: Any) -> Any:
        """Return what a POST makes."""
        return self._document(self.ask("POST", path, json=body), status)

    def patch(self, path: str, **body: Any) -> Any:
        """Return what a PATCH changed."""
        return self._document(self.ask("PATCH", path, json=body), 200)

    def error(self, status: int, verb: str, path: str, **arguments: Any) -> str:
        """Return the sentence of an error; its status and its shape are asserted."""
        response = self.ask(verb, path, **arguments)
        assert response.status_code == status, response.text
        document = response.json()
        assert set(document) == {"code", "message"}
        words = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
        assert document["code"] == {**words, **ODD_WORDS}[status]
        sentence: str = document["message"]
        assert sentence
        return sentence

    def items(self, path: str, **query: Any) -> list[Any]:
        """Return everything in a list, page by page when `pageSize` is given."""
        found: list[Any] = []
        token = ""
        while True:
            page = self.get(path, **query, nextPageToken=token)
            assert page["size"] == len(page["items"])
            assert page["pageSize"] == int(query.get("pageSize", 0))
            found += page["items"]
            token = page["nextPageToken"]
            if not token:
                return found

    def model(self, **body: Any) -> Any:
        """Make a registered model."""
        return self.post("/registered_models", **{"name": fresh("model"), **body})

    def model_version(self, model: Any, **body: Any) -> Any:
        """Make a version of a registered model."""
        return self.post("/model_versions", **{"name": fresh("v"), "registeredModelId": model["id"], **body})

    @staticmethod
    def _document(response: httpx.Response, status: int) -> Any:
        assert response.status_code == status, response.text
        return response.json()


def later(document: Any) -> None:
    """Let the clock go on, so that what is written from here on is younger than what a document tells of."""
    wait_beyond(int(document["lastUpdateTimeSinceEpoch"]))
