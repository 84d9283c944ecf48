"""The whole client of MLMD's service, put together from its parts."""

from collections.abc import Sequence

from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_client.metadata_store.connection import ExtraOptions
from mlmd_client.metadata_store.graph import Graph
from mlmd_client.metadata_store.listing import Listing
from mlmd_client.metadata_store.nodes import Nodes
from mlmd_client.metadata_store.types import Types

_FIELDS = tuple(field.name for field in pb.LineageGraph.DESCRIPTOR.fields)


class MetadataStore(Types, Nodes, Listing, Graph):
    """A store of metadata, on a server or in this process.

    >>> config = pb.ConnectionConfig(fake_database=pb.FakeDatabaseConfig())
    >>> store = MetadataStore(config)
    >>> type_id = store.put_artifact_type(pb.ArtifactType(name="DataSet"))
    >>> [artifact_id] = store.put_artifacts([pb.Artifact(type_id=type_id, uri="s3://bucket/train")])
    >>> store.get_artifacts_by_id([artifact_id])[0].uri
    's3://bucket/train'
    """

    def get_lineage_subgraph(
        self,
        query_options: pb.LineageSubgraphQueryOptions,
        field_mask_paths: Sequence[str] | None = None,
        extra_options: ExtraOptions | None = None,
    ) -> pb.LineageGraph:
        """Return the graph around the nodes that a query starts from.

        Args:
            query_options: Where to start, how far and in which direction to walk.
            field_mask_paths: The fields of LineageGraph to return; all when empty. Types are those of the nodes found,
                and come only together with the nodes, or when nothing but types is asked for.
        """
        wanted = set(field_mask_paths or _FIELDS)
        skeleton: pb.LineageGraph = self._ask(
            "GetLineageSubgraph",
            lineage_subgraph_query_options=query_options,
            read_mask={"paths": [path for path in field_mask_paths or _FIELDS if not path.endswith("_types")]},
        ).lineage_subgraph
        found = pb.LineageGraph()
        if wanted & {"artifacts", "artifact_types"}:
            artifacts, types = self.get_artifacts_and_types_by_artifact_ids(node.id for node in skeleton.artifacts)
            found.artifacts.extend(artifacts)
            found.artifact_types.extend(types)
        if wanted & {"executions", "execution_types"}:
            executions = self.get_executions_by_id(node.id for node in skeleton.executions)
            found.executions.extend(executions)
            if "execution_types" in wanted:
                found.execution_types.extend(self.get_execution_types_by_id({node.type_id for node in executions}))
        if wanted & {"contexts", "context_types"}:
            contexts = self.get_contexts_by_id(node.id for node in skeleton.contexts)
            found.contexts.extend(contexts)
            if "context_types" in wanted:
                found.context_types.extend(self.get_context_types_by_id({node.type_id for node in contexts}))
        found.events.extend(skeleton.events)
        found.associations.extend(skeleton.associations)
        found.attributions.extend(skeleton.attributions)
        for name in set(_FIELDS) - wanted:
            found.ClearField(name)
        return found
