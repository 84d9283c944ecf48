"""Small pipelines, written step by step."""

from typing import Any

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import collections_pb2

from tests.metadata_store.calls import Calls, node


class Story:
    """Writes nodes by name of type; types are made when they first come."""

    def __init__(self, call: Calls) -> None:
        self.call = call
        self._types: dict[tuple[str, str], int] = {}

    def type_id(self, kind: str, name: str) -> int:
        """Return the id of a type."""
        if (kind, name) not in self._types:
            request = {f"{kind.lower()}_type": {"name": name}}
            self._types[kind, name] = self.call(f"Put{kind}Type", **request).type_id
        return self._types[kind, name]

    def artifact(self, type_name: str = "system.Dataset", custom: dict[str, Any] | None = None, **fields: Any) -> int:
        """Put an artifact and return its id."""
        made = node(pb.Artifact, {}, custom, type_id=self.type_id("Artifact", type_name), **fields)
        return int(self.call("PutArtifacts", artifacts=[made]).artifact_ids[0])

    def version(self, name: str, type_name: str = "system.Dataset", **fields: Any) -> int:
        """Put an artifact as the next version of a collection and return its id."""
        self.type_id("Artifact", type_name)
        artifact = pb.Artifact(**fields).SerializeToString()
        request = collections_pb2.AddVersionRequest(type_name=type_name, name=name, artifact=artifact)
        return int(self.call("AddVersion", request).version.artifact_id)

    def step(
        self,
        inputs: dict[str, int] | None = None,
        outputs: dict[str, int] | None = None,
        *,
        type_name: str = "Step",
        custom: dict[str, Any] | None = None,
        contexts: tuple[pb.Context, ...] = (),
        **fields: Any,
    ) -> int:
        """Put an execution that read and made artifacts under keys; return its id."""
        execution = node(pb.Execution, {}, custom, type_id=self.type_id("Execution", type_name), **fields)
        pairs = []
        for kind, artifacts in ((pb.Event.INPUT, inputs), (pb.Event.OUTPUT, outputs)):
            for key, artifact_id in (artifacts or {}).items():
                event = pb.Event(artifact_id=artifact_id, type=kind)
                event.path.steps.add(key=key)
                pairs.append({"event": event})
        made = self.call("PutExecution", execution=execution, artifact_event_pairs=pairs, contexts=contexts)
        return int(made.execution_id)

    def context(self, type_name: str, name: str, custom: dict[str, Any] | None = None) -> int:
        """Put a context and return its id."""
        made = node(pb.Context, {}, custom, type_id=self.type_id("Context", type_name), name=name)
        return int(self.call("PutContexts", contexts=[made]).context_ids[0])

    def attribute(self, context_id: int, artifact_id: int) -> None:
        """Put an artifact into a context."""
        edge = pb.Attribution(context_id=context_id, artifact_id=artifact_id)
        self.call("PutAttributionsAndAssociations", attributions=[edge])
