"""What ties nodes together: events, attributions, associations and parents, and nodes written with them at once."""

from collections.abc import Iterable, Sequence

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from mlmd_client.metadata_store.connection import Connection, ExtraOptions


class Graph(Connection):
    """The part of a MetadataStore that writes and reads edges."""

    def put_events(self, events: Sequence[pb.Event], extra_options: ExtraOptions | None = None) -> None:
        """Record that executions read or wrote artifacts; both have to be there."""
        self._ask("PutEvents", events=events)

    def put_execution(
        self,
        execution: pb.Execution,
        artifact_and_events: Sequence[tuple[pb.Artifact, pb.Event | None] | tuple[pb.Artifact]],
        contexts: Sequence[pb.Context] | None,
        reuse_context_if_already_exist: bool = False,
        reuse_artifact_if_already_exist_by_external_id: bool = False,
        force_reuse_context: bool = False,
        force_update_time: bool = False,
        extra_options: ExtraOptions | None = None,
    ) -> tuple[int, list[int], list[int]]:
        """Write an execution with its artifacts, events and contexts, all or nothing.

        Args:
            execution: Made, or updated when it carries an id.
            artifact_and_events: Artifacts that it read or wrote, each with the event or alone.
            contexts: What the execution and its artifacts become part of.
            reuse_context_if_already_exist: Take the context of the same type and name when there is one.
            reuse_artifact_if_already_exist_by_external_id: Take the artifact of the same external id when there is one.
            force_reuse_context: Leave contexts that carry an id as they are stored.
            force_update_time: Let the execution's last update be now although nothing about it changes.

        Returns the id of the execution, those of the artifacts and those of the contexts.
        """
        request = service.PutExecutionRequest(
            execution=execution,
            contexts=contexts,
            options=service.PutExecutionRequest.Options(
                reuse_context_if_already_exist=reuse_context_if_already_exist,
                reuse_artifact_if_already_exist_by_external_id=reuse_artifact_if_already_exist_by_external_id,
                force_reuse_context=force_reuse_context,
                force_update_time=force_update_time,
            ),
        )
        for pair in artifact_and_events:
            if pair:
                request.artifact_event_pairs.add(artifact=pair[0], event=pair[1] if len(pair) == 2 else None)
        response = service.PutExecutionResponse()
        self._call("PutExecution", request, response)
        return response.execution_id, list(response.artifact_ids), list(response.context_ids)

    def put_lineage_subgraph(
        self,
        executions: Sequence[pb.Execution],
        artifacts: Sequence[pb.Artifact],
        contexts: Sequence[pb.Context],
        event_edges: Sequence[tuple[int | None, int | None, pb.Event]],
        reuse_context_if_already_exist: bool = False,
        reuse_artifact_if_already_exist_by_external_id: bool = False,
        extra_options: ExtraOptions | None = None,
    ) -> tuple[list[int], list[int], list[int]]:
        """Write many executions, artifacts and contexts with the events between them, all or nothing.

        Args:
            executions: Made, or updated where they carry an id; so are the artifacts and contexts.
            artifacts: What the executions read or wrote.
            contexts: What every execution and artifact given becomes part of.
            event_edges: (index into executions, index into artifacts, event); None leaves the end to the event's id.
            reuse_context_if_already_exist: Take the context of the same type and name when there is one.
            reuse_artifact_if_already_exist_by_external_id: Take the artifact of the same external id when there is one.

        Returns the ids of the executions, artifacts and contexts in the order given. Raises OutOfRangeError for an
        index that there is not.
        """
        request = service.PutLineageSubgraphRequest(
            executions=executions,
            artifacts=artifacts,
            contexts=contexts,
            options=service.PutLineageSubgraphRequest.Options(
                reuse_context_if_already_exist=reuse_context_if_already_exist,
                reuse_artifact_if_already_exist_by_external_id=reuse_artifact_if_already_exist_by_external_id,
            ),
        )
        for execution_index, artifact_index, event in event_edges:
            request.event_edges.add(execution_index=execution_index, artifact_index=artifact_index, event=event)
        response = service.PutLineageSubgraphResponse()
        self._call("PutLineageSubgraph", request, response)
        return list(response.execution_ids), list(response.artifact_ids), list(response.context_ids)

    def put_attributions_and_associations(
        self,
        attributions: Sequence[pb.Attribution],
        associations: Sequence[pb.Association],
        extra_options: ExtraOptions | None = None,
    ) -> None:
        """Make artifacts (attributions) and executions (associations) part of contexts; what is so already stays so."""
        self._ask("PutAttributionsAndAssociations", attributions=attributions, associations=associations)

    def put_parent_contexts(
        self, parent_contexts: Sequence[pb.ParentContext], extra_options: ExtraOptions | None = None
    ) -> None:
        """Make contexts the parents of others; raises AlreadyExistsError when one is already."""
        self._ask("PutParentContexts", parent_contexts=parent_contexts)

    def get_events_by_execution_ids(
        self, execution_ids: Iterable[int], extra_options: ExtraOptions | None = None
    ) -> list[pb.Event]:
        """Return every event of these executions."""
        return list(self._ask("GetEventsByExecutionIDs", execution_ids=execution_ids).events)

    def get_events_by_artifact_ids(
        self, artifact_ids: Iterable[int], extra_options: ExtraOptions | None = None
    ) -> list[pb.Event]:
        """Return every event of these artifacts."""
        return list(self._ask("GetEventsByArtifactIDs", artifact_ids=artifact_ids).events)

    def get_contexts_by_artifact(self, artifact_id: int, extra_options: ExtraOptions | None = None) -> list[pb.Context]:
        """Return the contexts that an artifact is part of."""
        return list(self._ask("GetContextsByArtifact", artifact_id=artifact_id).contexts)

    def get_contexts_by_execution(
        self, execution_id: int, extra_options: ExtraOptions | None = None
    ) -> list[pb.Context]:
        """Return the contexts that an execution is part of."""
        return list(self._ask("GetContextsByExecution", execution_id=execution_id).contexts)

    def get_parent_contexts_by_context(
        self, context_id: int, extra_options: ExtraOptions | None = None
    ) -> list[pb.Context]:
        """Return the parents of a context."""
        return list(self._ask("GetParentContextsByContext", context_id=context_id).contexts)

    def get_children_contexts_by_context(
        self, context_id: int, extra_options: ExtraOptions | None = None
    ) -> list[pb.Context]:
        """Return the children of a context."""
        return list(self._ask("GetChildrenContextsByContext", context_id=context_id).contexts)
