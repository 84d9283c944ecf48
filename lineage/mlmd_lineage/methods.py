"""Every call that walks over the graph."""

from collections.abc import Callable
from typing import Any

from mlmd_metadata_store.rpc import Rpc, mlmd_read
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import Role
from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_lineage.difference import diff_provenance
from mlmd_lineage.export import export_graph
from mlmd_lineage.graph import get_lineage_graph
from mlmd_lineage.impact import get_impact
from mlmd_lineage.path import find_path
from mlmd_lineage.provenance import get_provenance
from mlmd_lineage.subgraph import get_lineage_subgraph

LINEAGE_SERVICE = "mlmd.v1.Lineage"


def _rpc(name: str, body: Callable[[Transaction, Any], Any]) -> Rpc:
    request, response = getattr(v1, f"{name}Request"), getattr(v1, f"{name}Response")
    return Rpc(LINEAGE_SERVICE, name, request, response, Role.READER, False, body)


LINEAGE_METHODS: tuple[Rpc, ...] = (
    mlmd_read("GetLineageSubgraph", get_lineage_subgraph),
    mlmd_read("GetLineageGraph", get_lineage_graph),
    _rpc("GetProvenance", get_provenance),
    _rpc("GetImpact", get_impact),
    _rpc("FindPath", find_path),
    _rpc("DiffProvenance", diff_provenance),
    _rpc("ExportGraph", export_graph),
)
"""MLMD's two walks, and `mlmd.v1.Lineage`."""
