"""ExportGraph: the graph around a node as a document."""

from collections.abc import Callable

import sqlalchemy as sa
from google.protobuf import json_format
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.own import STORE

from mlmd_lineage import drawing
from mlmd_lineage.documents import Graph, joined
from mlmd_lineage.edges import page_edges
from mlmd_lineage.ends import Direction
from mlmd_lineage.openlineage import openlineage
from mlmd_lineage.pages import fill_page
from mlmd_lineage.prov import prov_json
from mlmd_lineage.repeats import collapse, name_of
from mlmd_lineage.text_graphs import dot, mermaid
from mlmd_lineage.walk_options import read_request

_MOST_ONLY = 10_000
_STORE_UUID = sa.select(STORE.c.store_uuid)
_DIRECTIONS = {
    v1.LINEAGE_DIRECTION_UNSPECIFIED: (Direction.UPSTREAM, Direction.DOWNSTREAM),
    v1.LINEAGE_DIRECTION_UPSTREAM: (Direction.UPSTREAM,),
    v1.LINEAGE_DIRECTION_DOWNSTREAM: (Direction.DOWNSTREAM,),
}


def _json(graph: Graph) -> str:
    return json_format.MessageToJson(v1.LineagePage(nodes=graph.nodes, edges=graph.edges), indent=1, sort_keys=True)


_FORMATS: dict[int, tuple[Callable[[Graph], str], str]] = {
    v1.LINEAGE_FORMAT_UNSPECIFIED: (_json, "application/json"),
    v1.LINEAGE_FORMAT_SVG: (drawing.svg, "image/svg+xml"),
    v1.LINEAGE_FORMAT_DOT: (dot, "text/vnd.graphviz"),
    v1.LINEAGE_FORMAT_MERMAID: (mermaid, "text/vnd.mermaid"),
    v1.LINEAGE_FORMAT_OPENLINEAGE: (openlineage, "application/x-ndjson"),
    v1.LINEAGE_FORMAT_PROV_JSON: (prov_json, "application/provenance+json"),
}
"""What writes each format, and its media type."""


def export_graph(tx: Transaction, request: v1.ExportGraphRequest) -> v1.ExportGraphResponse:
    """Return the graph around a node in one format; the nodes at which a limit cut it are marked in it.

    Raises InvalidArgument for a wrong request, NotFound when the store knows nothing of the node.
    """
    if request.format not in _FORMATS:
        raise InvalidArgument(f"format: {request.format} is no format; take a value of LineageFormat.")
    if request.direction not in _DIRECTIONS:
        raise InvalidArgument(f"direction: {request.direction} is no direction; take a value of LineageDirection.")
    graph = graph_around(tx, request)
    write, media_type = _FORMATS[request.format]
    return v1.ExportGraphResponse(content=write(graph), media_type=media_type, is_cut=graph.is_cut)


def graph_around(tx: Transaction, request: v1.ExportGraphRequest) -> Graph:
    """Return the graph that a request asks for; raises as export_graph does."""
    if len(request.only) > _MOST_ONLY:
        raise InvalidArgument(f"only: {len(request.only)} nodes are more than {_MOST_ONLY:,}; ask for fewer.")
    asked = v1.GetProvenanceRequest(
        node=request.node, options=request.options, page_size=request.max_nodes, graph_only=True
    )
    if request.only:
        asked.page_size = asked.page_size or _MOST_ONLY  # what is shown may be behind what is not
    elif request.format == v1.LINEAGE_FORMAT_SVG:
        asked.page_size = min(asked.page_size or drawing.MOST_NODES, drawing.MOST_NODES)
    if request.format == v1.LINEAGE_FORMAT_OPENLINEAGE:
        asked.options.with_system_nodes, asked.options.collapse_repeats = True, False
    pages, is_cut = [], False
    for direction in _DIRECTIONS[request.direction]:
        walk = read_request(asked, direction).run(tx)
        page = v1.LineagePage()
        steps = fill_page(tx, walk.page(), page_edges(walk), asked.options.detail, page)
        pages.append(collapse(page, steps) if asked.options.collapse_repeats else page)
        is_cut |= any(node.cut for node in page.nodes)
    store_uuid = tx.rows(_STORE_UUID)[0][0]
    kept = [_only(page, request) for page in pages] if request.only else pages
    return joined(name_of(request.node), kept, store_uuid, is_cut=is_cut)


def _only(page: v1.LineagePage, request: v1.ExportGraphRequest) -> v1.LineagePage:
    """Return a page with the nodes that a request names, of a drawing as many as it takes, the nearest."""
    names = {name_of(ref) for ref in request.only}
    nodes = [node for node in page.nodes if name_of(node.node) in names]
    most = drawing.MOST_NODES if request.format == v1.LINEAGE_FORMAT_SVG else len(nodes)
    return v1.LineagePage(nodes=nodes[:most], edges=page.edges)
