"""GetProvenance: everything that a node came from."""

from collections.abc import Iterable, Iterator

from mlmd_metadata_store.node_rows import nodes_of_rows
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.edges import page_edges
from mlmd_lineage.ends import Direction
from mlmd_lineage.executions import code_of, parameters_of, step_of
from mlmd_lineage.origins import origins
from mlmd_lineage.pages import Page, fill_page
from mlmd_lineage.repeats import collapse
from mlmd_lineage.roles import is_data, is_derived
from mlmd_lineage.walk_options import read_request


def get_provenance(tx: Transaction, request: v1.GetProvenanceRequest) -> v1.GetProvenanceResponse:
    """Return what a node came from, one page of it, nearest first.

    Raises InvalidArgument for a wrong request, NotFound when the store knows nothing of the node.
    """
    asked = read_request(request, Direction.UPSTREAM)
    walk = asked.run(tx)
    page = walk.page()
    response = v1.GetProvenanceResponse()
    steps = fill_page(tx, page, page_edges(walk), request.options.detail, response.graph)
    if not request.graph_only:
        response.data.extend(_data(response.graph.nodes, origins(tx, walk, page)))
        _add_steps(tx, page, response)
    if request.options.collapse_repeats:
        response.graph.CopyFrom(collapse(response.graph, steps))
    response.next_page_token, response.deeper_page_token = asked.tokens(tx)
    return response


def _data(nodes: Iterable[v1.LineageNode], origins: set[int]) -> Iterator[v1.DataSource]:
    """Yield the data among the nodes: what is of a type for data, and whatever else nothing is known to have made.

    The node that was asked for is not its own data.
    """
    for node in nodes:
        if node.node.WhichOneof("node") != "artifact_id" or not node.hops:
            continue
        is_origin = node.node.artifact_id in origins
        if is_data(node.type) or (is_origin and not is_derived(node.type)):
            yield v1.DataSource(
                node=node.node,
                type=node.type,
                name=node.name,
                uri=node.uri,
                versions=node.versions,
                is_origin=is_origin,
                hops=node.hops,
            )


def _add_steps(tx: Transaction, page: Page, response: v1.GetProvenanceResponse) -> None:
    """Add code and parameters of the executions of a page, nearest first."""
    rows = [found.row for ref, found in page if ref.kind is Kind.EXECUTION and found.row is not None]
    execution: pb.Execution
    for execution in nodes_of_rows(tx, Kind.EXECUTION, rows):
        code = code_of(execution)
        if code is not None:
            response.code.append(code)
        parameters = parameters_of(execution)
        if parameters:
            step = response.parameters.add(execution=v1.LineageRef(execution_id=execution.id), step=step_of(execution))
            for name, value in parameters.items():
                step.parameters[name].CopyFrom(value)
