"""A graph to be written down: what every format is made from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_lineage.repeats import Name, name_of


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes, and edges between them, around one node."""

    root: Name
    nodes: Sequence[v1.LineageNode]
    edges: Sequence[v1.LineageEdge]
    store_uuid: str
    is_cut: bool = False

    def name(self, name: Name) -> str:
        """Return the name under which other stores know a node, `<store_uuid>/artifact/7`."""
        return f"{self.store_uuid}/{noun(name)}/{name[1]}"


def noun(name: Name) -> str:
    """Return `artifact` or `execution`."""
    return name[0].removesuffix("_id")


def identifier(name: Name) -> str:
    """Return a short name that every format takes, `a7` or `e7`."""
    return f"{noun(name)[0]}{name[1]}"


def title(node: v1.LineageNode) -> str:
    """Return what people call a node: a version of a collection, else its name, else what and which it is."""
    for version in node.versions:
        return f"{version.name}/{version.number}"
    name = name_of(node.node)
    return node.name or f"{noun(name)} {name[1]}"


def heading(node: v1.LineageNode) -> str:
    """Return the title, with the number of nodes that this one stands for."""
    return f"{title(node)} ×{len(node.repeats)}" if node.repeats else title(node)


def subtitle(node: v1.LineageNode) -> str:
    """Return what else there is to say in a line: type, aliases, a state other than the usual."""
    said = ["gone" if node.gone else node.type]
    said += [f"@{alias}" for version in node.versions for alias in version.aliases]
    if node.state and node.state not in ("LIVE", "COMPLETE", "UNKNOWN"):
        said.append(node.state.lower())
    return " · ".join(filter(None, said))


def is_execution(name: Name) -> bool:
    """Say whether a node is an execution."""
    return name[0] == "execution_id"


def ends(edge: v1.LineageEdge) -> tuple[Name, Name]:
    """Return source and target."""
    return name_of(edge.source), name_of(edge.target)


def joined(root: Name, pages: Iterable[v1.LineagePage], store_uuid: str, *, is_cut: bool) -> Graph:
    """Return the graph of some pages, in which nodes and edges may come more than once.

    Edges to nodes that no page has are left out. A node that any page cut is cut.
    """
    nodes: dict[Name, v1.LineageNode] = {}
    edges: dict[tuple[Name, Name, int, str], v1.LineageEdge] = {}
    for page in pages:
        for node in page.nodes:
            first = nodes.setdefault(name_of(node.node), node)
            first.cut = first.cut or node.cut
        for edge in page.edges:
            edges.setdefault((*ends(edge), edge.kind, edge.key), edge)
    kept = [edge for (source, target, *_), edge in edges.items() if source in nodes and target in nodes]
    return Graph(root, list(nodes.values()), kept, store_uuid, is_cut)
