"""Nodes: artifacts, executions and contexts, written and found one kind at a time."""

from collections.abc import Iterable, Sequence

from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_client.metadata_store.connection import Connection, ExtraOptions


class Nodes(Connection):
    """The part of a MetadataStore that writes and finds nodes."""

    def put_artifacts(
        self,
        artifacts: Sequence[pb.Artifact],
        field_mask_paths: Sequence[str] | None = None,
        extra_options: ExtraOptions | None = None,
    ) -> list[int]:
        """Make artifacts, and update those that carry an id; returns all ids in the order given.

        Args:
            artifacts: A new one needs a type_id; a name is unique within its type.
            field_mask_paths: The fields that updates change, such as `properties.rows`; everything without them.

        Raises AlreadyExistsError for a name that is taken, InvalidArgumentError for what does not fit its type.
        """
        fields = {"update_mask": {"paths": field_mask_paths}} if field_mask_paths else {}
        return list(self._ask("PutArtifacts", artifacts=artifacts, **fields).artifact_ids)

    def put_executions(
        self,
        executions: Sequence[pb.Execution],
        field_mask_paths: Sequence[str] | None = None,
        extra_options: ExtraOptions | None = None,
    ) -> list[int]:
        """Make executions, and update those that carry an id; returns all ids in the order given.

        Args:
            executions: A new one needs a type_id; a name is unique within its type.
            field_mask_paths: The fields that updates change, such as `properties.rows`; everything without them.

        Raises AlreadyExistsError for a name that is taken, InvalidArgumentError for what does not fit its type.
        """
        fields = {"update_mask": {"paths": field_mask_paths}} if field_mask_paths else {}
        return list(self._ask("PutExecutions", executions=executions, **fields).execution_ids)

    def put_contexts(
        self,
        contexts: Sequence[pb.Context],
        field_mask_paths: Sequence[str] | None = None,
        extra_options: ExtraOptions | None = None,
    ) -> list[int]:
        """Make contexts, and update those that carry an id; returns all ids in the order given.

        Args:
            contexts: A new one needs a type_id; a name is unique within its type.
            field_mask_paths: The fields that updates change, such as `properties.rows`; everything without them.

        Raises AlreadyExistsError for a name that is taken, InvalidArgumentError for what does not fit its type.
        """
        fields = {"update_mask": {"paths": field_mask_paths}} if field_mask_paths else {}
        return list(self._ask("PutContexts", contexts=contexts, **fields).context_ids)

    def get_artifacts_by_id(
        self, artifact_ids: Iterable[int], extra_options: ExtraOptions | None = None
    ) -> list[pb.Artifact]:
        """Return the artifacts with these ids, by ascending id; ids that are not there are left out."""
        return list(self._ask("GetArtifactsByID", artifact_ids=artifact_ids).artifacts)

    def get_artifacts_by_type(
        self, type_name: str, type_version: str | None = None, extra_options: ExtraOptions | None = None
    ) -> list[pb.Artifact]:
        """Return every artifact of a type."""
        response = self._ask("GetArtifactsByType", type_name=type_name, type_version=type_version or None)
        return list(response.artifacts)

    def get_artifact_by_type_and_name(
        self,
        type_name: str,
        artifact_name: str,
        type_version: str | None = None,
        extra_options: ExtraOptions | None = None,
    ) -> pb.Artifact | None:
        """Return the artifact of a type with a name, None when there is none."""
        response = self._ask(
            "GetArtifactByTypeAndName",
            type_name=type_name,
            artifact_name=artifact_name,
            type_version=type_version or None,
        )
        return response.artifact if response.HasField("artifact") else None

    def get_artifacts_by_external_ids(
        self, external_ids: Iterable[str], extra_options: ExtraOptions | None = None
    ) -> list[pb.Artifact]:
        """Return the artifacts with these external ids; raises NotFoundError when there is none."""
        return list(self._ask("GetArtifactsByExternalIds", external_ids=external_ids).artifacts)

    def get_executions_by_id(
        self, execution_ids: Iterable[int], extra_options: ExtraOptions | None = None
    ) -> list[pb.Execution]:
        """Return the executions with these ids, by ascending id; ids that are not there are left out."""
        return list(self._ask("GetExecutionsByID", execution_ids=execution_ids).executions)

    def get_executions_by_type(
        self, type_name: str, type_version: str | None = None, extra_options: ExtraOptions | None = None
    ) -> list[pb.Execution]:
        """Return every execution of a type."""
        response = self._ask("GetExecutionsByType", type_name=type_name, type_version=type_version or None)
        return list(response.executions)

    def get_execution_by_type_and_name(
        self,
        type_name: str,
        execution_name: str,
        type_version: str | None = None,
        extra_options: ExtraOptions | None = None,
    ) -> pb.Execution | None:
        """Return the execution of a type with a name, None when there is none."""
        response = self._ask(
            "GetExecutionByTypeAndName",
            type_name=type_name,
            execution_name=execution_name,
            type_version=type_version or None,
        )
        return response.execution if response.HasField("execution") else None

    def get_executions_by_external_ids(
        self, external_ids: Iterable[str], extra_options: ExtraOptions | None = None
    ) -> list[pb.Execution]:
        """Return the executions with these external ids; raises NotFoundError when there is none."""
        return list(self._ask("GetExecutionsByExternalIds", external_ids=external_ids).executions)

    def get_contexts_by_id(
        self, context_ids: Iterable[int], extra_options: ExtraOptions | None = None
    ) -> list[pb.Context]:
        """Return the contexts with these ids, by ascending id; ids that are not there are left out."""
        return list(self._ask("GetContextsByID", context_ids=context_ids).contexts)

    def get_contexts_by_type(
        self, type_name: str, type_version: str | None = None, extra_options: ExtraOptions | None = None
    ) -> list[pb.Context]:
        """Return every context of a type."""
        response = self._ask("GetContextsByType", type_name=type_name, type_version=type_version or None)
        return list(response.contexts)

    def get_context_by_type_and_name(
        self,
        type_name: str,
        context_name: str,
        type_version: str | None = None,
        extra_options: ExtraOptions | None = None,
    ) -> pb.Context | None:
        """Return the context of a type with a name, None when there is none."""
        response = self._ask(
            "GetContextByTypeAndName",
            type_name=type_name,
            context_name=context_name,
            type_version=type_version or None,
        )
        return response.context if response.HasField("context") else None

    def get_contexts_by_external_ids(
        self, external_ids: Iterable[str], extra_options: ExtraOptions | None = None
    ) -> list[pb.Context]:
        """Return the contexts with these external ids; raises NotFoundError when there is none."""
        return list(self._ask("GetContextsByExternalIds", external_ids=external_ids).contexts)

    def get_artifacts_by_uri(self, uri: str, extra_options: ExtraOptions | None = None) -> list[pb.Artifact]:
        """Return the artifacts with this URI."""
        return list(self._ask("GetArtifactsByURI", uris=[uri]).artifacts)

    def get_artifacts_and_types_by_artifact_ids(
        self, artifact_ids: Iterable[int], extra_options: ExtraOptions | None = None
    ) -> tuple[list[pb.Artifact], list[pb.ArtifactType]]:
        """Return the artifacts with these ids, and their types."""
        response = self._ask("GetArtifactsByID", artifact_ids=artifact_ids, populate_artifact_types=True)
        return list(response.artifacts), list(response.artifact_types)
