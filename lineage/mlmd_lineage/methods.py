"""Every call that walks over the graph."""

from mlmd_metadata_store.rpc import Rpc, mlmd_read

from mlmd_lineage.graph import get_lineage_graph
from mlmd_lineage.subgraph import get_lineage_subgraph

LINEAGE_METHODS: tuple[Rpc, ...] = (
    mlmd_read("GetLineageSubgraph", get_lineage_subgraph),
    mlmd_read("GetLineageGraph", get_lineage_graph),
)
"""MLMD's two walks."""
