"""One call of the API: what a request says, and what its answer is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlmd_model_registry.kubeflow.values import checked_id, checked_text

CREATED = 201
OK = 200


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its transport: the version of the API, the id in the path, parameters and body."""

    api: str
    node_id: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def id(self) -> int:
        """Return the number of the id in the path; raises InvalidArgument."""
        return checked_id("id", self.node_id)

    def text(self, name: str) -> str | None:
        """Return a parameter that is a text, None when it is not there or empty; raises InvalidArgument."""
        given = self.query.get(name)
        return checked_text(name, given) if given else None

    def parent(self) -> int:
        """Return the number in `parentResourceId`, 0 when it is not there; raises InvalidArgument."""
        given = self.query.get("parentResourceId")
        return checked_id("parentResourceId", given) if given else 0

    def packed(self) -> bytes:
        """Return the request as one JSON document, the same for the same request."""
        document = {"id": self.node_id, "query": dict(self.query), "body": self.body}
        return json.dumps(document, sort_keys=True).encode("ascii")

    @classmethod
    def unpacked(cls, api: str, raw: bytes) -> "Request":
        """Return the request in what `packed` made."""
        document = json.loads(raw)
        return cls(api, document["id"], document["query"], document["body"])


@dataclass(frozen=True, slots=True)
class Answer:
    """The status and the JSON of an answer."""

    document: dict[str, Any]
    status: int = OK

    def packed(self) -> bytes:
        """Return three digits of status and then the document."""
        return b"%d%s" % (self.status, json.dumps(self.document, ensure_ascii=False).encode("utf-8", "replace"))


def unpacked_answer(raw: bytes) -> tuple[int, bytes]:
    """Return the status and the JSON in what `Answer.packed` made."""
    return int(raw[:3]), raw[3:]
