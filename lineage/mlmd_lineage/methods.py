"""Every call that walks over the graph."""

from mlmd_metadata_store.rpc import Rpc, Service, mlmd_read
from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_lineage.difference import diff_provenance
from mlmd_lineage.export import export_graph
from mlmd_lineage.graph import get_lineage_graph
from mlmd_lineage.impact import get_impact
from mlmd_lineage.path import find_path
from mlmd_lineage.provenance import get_provenance
from mlmd_lineage.subgraph import get_lineage_subgraph

LINEAGE_SERVICE = "mlmd.v1.Lineage"
_LINEAGE = Service(LINEAGE_SERVICE, v1)

LINEAGE_METHODS: tuple[Rpc, ...] = (
    mlmd_read("GetLineageSubgraph", get_lineage_subgraph),
    mlmd_read("GetLineageGraph", get_lineage_graph),
    _LINEAGE.reads("GetProvenance", get_provenance),
    _LINEAGE.reads("GetImpact", get_impact),
    _LINEAGE.reads("FindPath", find_path),
    _LINEAGE.reads("DiffProvenance", diff_provenance),
    _LINEAGE.reads("ExportGraph", export_graph),
)
"""MLMD's two walks, and `mlmd.v1.Lineage`."""
