"""A lineage graph as plain data: for `--json`, and for drawing trees."""

from typing import Any

from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_client.walks import Graph


def graph_data(graph: Graph) -> dict[str, Any]:
    """Return a graph as nodes and edges; a node is called `artifact:7` or `execution:7`."""
    nodes = [{"node": f"{row['kind']}:{row['id']}", **row} for row in graph.table()]
    edges = [
        {"source": node_text(edge.source), "target": node_text(edge.target), "kind": _kind(edge.kind), "key": edge.key}
        for edge in graph.edges
    ]
    return {"start": "{}:{}".format(*graph.start), "complete": graph.is_complete, "nodes": nodes, "edges": edges}


def node_text(ref: v1.LineageRef) -> str:
    """Return a node as people write it, `artifact:7`.

    >>> node_text(v1.LineageRef(artifact_id=7))
    'artifact:7'
    """
    return f"artifact:{ref.artifact_id}" if ref.WhichOneof("node") == "artifact_id" else f"execution:{ref.execution_id}"


def _kind(kind: Any) -> str:
    return v1.LineageEdgeKind.Name(kind).removeprefix("LINEAGE_EDGE_KIND_").lower().replace("_", " ")
