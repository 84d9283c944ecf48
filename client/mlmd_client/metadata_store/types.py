"""Types of nodes: what properties artifacts, executions and contexts have."""

from collections.abc import Iterable

from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_client.metadata_store.connection import Connection, ExtraOptions


class Types(Connection):
    """The part of a MetadataStore that makes and reads types."""

    def put_artifact_type(
        self,
        artifact_type: pb.ArtifactType,
        can_add_fields: bool = False,
        can_omit_fields: bool = False,
        extra_options: ExtraOptions | None = None,
    ) -> int:
        """Make an artifact type, or let the one of the same name and version grow; returns its id.

        Args:
            artifact_type: The type with its properties.
            can_add_fields: The type that is there may gain properties.
            can_omit_fields: Properties of the type that is there may be left out here; it keeps them.

        Raises AlreadyExistsError when the type that is there does not allow it, InvalidArgumentError for a type without
        a name or with a property of no known kind.
        """
        response = self._ask(
            "PutArtifactType",
            artifact_type=artifact_type,
            can_add_fields=can_add_fields,
            can_omit_fields=can_omit_fields,
        )
        return int(response.type_id)

    def put_execution_type(
        self,
        execution_type: pb.ExecutionType,
        can_add_fields: bool = False,
        can_omit_fields: bool = False,
        extra_options: ExtraOptions | None = None,
    ) -> int:
        """Make an execution type, or let the one of the same name and version grow; returns its id.

        Args:
            execution_type: The type with its properties.
            can_add_fields: The type that is there may gain properties.
            can_omit_fields: Properties of the type that is there may be left out here; it keeps them.

        Raises AlreadyExistsError when the type that is there does not allow it, InvalidArgumentError for a type without
        a name or with a property of no known kind.
        """
        response = self._ask(
            "PutExecutionType",
            execution_type=execution_type,
            can_add_fields=can_add_fields,
            can_omit_fields=can_omit_fields,
        )
        return int(response.type_id)

    def put_context_type(
        self,
        context_type: pb.ContextType,
        can_add_fields: bool = False,
        can_omit_fields: bool = False,
        extra_options: ExtraOptions | None = None,
    ) -> int:
        """Make a context type, or let the one of the same name and version grow; returns its id.

        Args:
            context_type: The type with its properties.
            can_add_fields: The type that is there may gain properties.
            can_omit_fields: Properties of the type that is there may be left out here; it keeps them.

        Raises AlreadyExistsError when the type that is there does not allow it, InvalidArgumentError for a type without
        a name or with a property of no known kind.
        """
        response = self._ask(
            "PutContextType",
            context_type=context_type,
            can_add_fields=can_add_fields,
            can_omit_fields=can_omit_fields,
        )
        return int(response.type_id)

    def get_artifact_type(
        self, type_name: str, type_version: str | None = None, extra_options: ExtraOptions | None = None
    ) -> pb.ArtifactType:
        """Return the artifact type of a name and version; raises NotFoundError."""
        found: pb.ArtifactType = self._ask(
            "GetArtifactType", type_name=type_name, type_version=type_version or None
        ).artifact_type
        return found

    def get_artifact_types(self, extra_options: ExtraOptions | None = None) -> list[pb.ArtifactType]:
        """Return every artifact type."""
        return list(self._ask("GetArtifactTypes").artifact_types)

    def get_artifact_types_by_id(
        self, type_ids: Iterable[int], extra_options: ExtraOptions | None = None
    ) -> list[pb.ArtifactType]:
        """Return the artifact types with these ids; ids that are not there are left out."""
        return list(self._ask("GetArtifactTypesByID", type_ids=type_ids).artifact_types)

    def get_artifact_types_by_external_ids(
        self, external_ids: Iterable[str], extra_options: ExtraOptions | None = None
    ) -> list[pb.ArtifactType]:
        """Return the artifact types with these external ids; raises NotFoundError when there is none."""
        return list(self._ask("GetArtifactTypesByExternalIds", external_ids=external_ids).artifact_types)

    def get_execution_type(
        self, type_name: str, type_version: str | None = None, extra_options: ExtraOptions | None = None
    ) -> pb.ExecutionType:
        """Return the execution type of a name and version; raises NotFoundError."""
        found: pb.ExecutionType = self._ask(
            "GetExecutionType", type_name=type_name, type_version=type_version or None
        ).execution_type
        return found

    def get_execution_types(self, extra_options: ExtraOptions | None = None) -> list[pb.ExecutionType]:
        """Return every execution type."""
        return list(self._ask("GetExecutionTypes").execution_types)

    def get_execution_types_by_id(
        self, type_ids: Iterable[int], extra_options: ExtraOptions | None = None
    ) -> list[pb.ExecutionType]:
        """Return the execution types with these ids; ids that are not there are left out."""
        return list(self._ask("GetExecutionTypesByID", type_ids=type_ids).execution_types)

    def get_execution_types_by_external_ids(
        self, external_ids: Iterable[str], extra_options: ExtraOptions | None = None
    ) -> list[pb.ExecutionType]:
        """Return the execution types with these external ids; raises NotFoundError when there is none."""
        return list(self._ask("GetExecutionTypesByExternalIds", external_ids=external_ids).execution_types)

    def get_context_type(
        self, type_name: str, type_version: str | None = None, extra_options: ExtraOptions | None = None
    ) -> pb.ContextType:
        """Return the context type of a name and version; raises NotFoundError."""
        found: pb.ContextType = self._ask(
            "GetContextType", type_name=type_name, type_version=type_version or None
        ).context_type
        return found

    def get_context_types(self, extra_options: ExtraOptions | None = None) -> list[pb.ContextType]:
        """Return every context type."""
        return list(self._ask("GetContextTypes").context_types)

    def get_context_types_by_id(
        self, type_ids: Iterable[int], extra_options: ExtraOptions | None = None
    ) -> list[pb.ContextType]:
        """Return the context types with these ids; ids that are not there are left out."""
        return list(self._ask("GetContextTypesByID", type_ids=type_ids).context_types)

    def get_context_types_by_external_ids(
        self, external_ids: Iterable[str], extra_options: ExtraOptions | None = None
    ) -> list[pb.ContextType]:
        """Return the context types with these external ids; raises NotFoundError when there is none."""
        return list(self._ask("GetContextTypesByExternalIds", external_ids=external_ids).context_types)
