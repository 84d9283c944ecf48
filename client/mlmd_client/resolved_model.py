"""What a deployer needs of a model: where its bytes are, how many, with which digests, and how good it is."""

import datetime
from typing import Any

from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.tables import moment, shown


def state_of(state: Any) -> str:
    """Return LIVE or ARCHIVED.

    >>> state_of(v1.MODEL_STATE_LIVE)
    'LIVE'
    """
    return str(v1.ModelState.Name(state)).removeprefix("MODEL_STATE_")


class ResolvedModel:
    """A version that a `models:/` URI means; every field of the registry's answer is an attribute of it too.

    >>> made = store.models["doc-resolved"].register(store["churn@1"])
    >>> found = store.models.resolve("models:/doc-resolved/1")
    >>> found.model, found.number, found.state, found.file_count
    ('doc-resolved', 1, 'LIVE', 1)
    """

    def __init__(self, message: v1.ResolveModelResponse) -> None:
        self.message = message
        """The answer as the registry gave it."""

    @property
    def model(self) -> str:
        """The name of the registered model."""
        return self.message.model

    @property
    def number(self) -> int:
        """The number of its version."""
        return self.message.number

    @property
    def version(self) -> str:
        """The name of its version."""
        return self.message.version

    @property
    def state(self) -> str:
        """LIVE or ARCHIVED."""
        return state_of(self.message.state)

    @property
    def aliases(self) -> list[str]:
        """The aliases that point at it."""
        return list(self.message.aliases)

    @property
    def uri(self) -> str:
        """Where its bytes are."""
        return self.message.uri

    @property
    def artifact_id(self) -> int:
        """The id of its artifact."""
        return self.message.artifact_id

    @property
    def created(self) -> "datetime.datetime | None":
        """When it was made, in UTC."""
        return moment(self.message.create_ms)

    @property
    def metrics(self) -> dict[str, float]:
        """Its figures by name."""
        return dict(sorted(self.message.metrics.items()))

    def facts(self) -> dict[str, Any]:
        """Return all of it by name, as `mlmd models resolve --json` prints it.

        >>> made = store.models["doc-facts"].register(store["churn@1"])
        >>> store.models.resolve("models:/doc-facts/1").facts()["files"]
        1
        """
        found = self.message
        return {
            "model": self.model,
            "number": self.number,
            "version": self.version,
            "state": self.state,
            "aliases": self.aliases,
            "uri": self.uri,
            "files_at": found.root_uri,
            "files": found.file_count,
            "bytes": found.size_bytes,
            "files_digest": found.files_digest.hex(),
            "format": " ".join(part for part in (found.format.name, found.format.version) if part),
            "author": found.author,
            "created": self.created,
            "artifact": self.artifact_id,
            "metrics": self.metrics,
            "digest": found.digest,
        }

    def __getattr__(self, name: str) -> Any:
        """Return another field of the answer."""
        if name.startswith("_") or name == "message":
            raise AttributeError(name)
        if name not in self.message.DESCRIPTOR.fields_by_name:
            fields = ", ".join(field.name for field in self.message.DESCRIPTOR.fields)
            raise AttributeError(f"a resolved model has no {name!r}; it has {fields}", name=name, obj=self)
        return getattr(self.message, name)

    def __repr__(self) -> str:
        """Return what is known of it, one fact a line, without facts that are empty."""
        told = {name: shown(value) for name, value in self.facts().items() if value not in (None, "", [], {})}
        return "\n".join(f"{name:14}{text}" for name, text in told.items())

    def _repr_html_(self) -> str:
        from mlmd_client.display import card

        return card(f"models:/{self.model}/{self.version}", self.facts())
