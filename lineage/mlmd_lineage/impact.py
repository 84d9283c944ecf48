"""GetImpact: everything that came from a node, models and their names first."""

from collections.abc import Iterable

from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_lineage.edges import page_edges
from mlmd_lineage.ends import Direction
from mlmd_lineage.pages import fill_page
from mlmd_lineage.registrations import models_among
from mlmd_lineage.repeats import collapse
from mlmd_lineage.roles import is_model
from mlmd_lineage.walk_options import read_request


def get_impact(tx: Transaction, request: v1.GetImpactRequest) -> v1.GetImpactResponse:
    """Return what came from a node, one page of it, nearest first.

    Raises InvalidArgument for a wrong request, NotFound when the store knows nothing of the node.
    """
    asked = read_request(request, Direction.DOWNSTREAM)
    walk = asked.run(tx)
    response = v1.GetImpactResponse()
    steps = fill_page(tx, walk.page(), page_edges(walk), request.options.detail, response.graph)
    if not request.graph_only:
        response.models.extend(_models(tx, response.graph.nodes))
    if request.options.collapse_repeats:
        response.graph.CopyFrom(collapse(response.graph, steps))
    response.next_page_token, response.deeper_page_token = asked.tokens(tx)
    return response


def _models(tx: Transaction, nodes: Iterable[v1.LineageNode]) -> list[v1.ImpactedModel]:
    """Return the models among the nodes, those that most depends on first."""
    artifacts = {node.node.artifact_id: node for node in nodes if node.node.WhichOneof("node") == "artifact_id"}
    by_type = [artifact_id for artifact_id, node in artifacts.items() if is_model(node.type)]
    models = models_among(tx, {artifact_id: node.uri for artifact_id, node in artifacts.items()}, by_type)
    found = [
        v1.ImpactedModel(
            node=node.node,
            type=node.type,
            name=node.name,
            uri=node.uri,
            hops=node.hops,
            registrations=registrations,
        )
        for node, registrations in ((artifacts[artifact_id], names) for artifact_id, names in models.items())
    ]
    return sorted(found, key=_weight)


def _weight(model: v1.ImpactedModel) -> tuple[bool, bool, bool, int, int]:
    names = model.registrations
    return (
        not any(name.deployments for name in names),
        not any(set(name.aliases) - {"latest"} for name in names),
        not names,
        model.hops,
        model.node.artifact_id,
    )
