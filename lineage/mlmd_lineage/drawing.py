"""A graph as SVG: data flows from left to right, and artifacts have a bar in the colour of what they are for."""

from collections.abc import Callable
from itertools import pairwise

from mlmd_metrics.svg import Document, element, fill, label, number, shortened, text
from mlmd_schemas.counting import counted
from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_lineage.documents import Graph, ends, heading, is_execution, subtitle, title
from mlmd_lineage.layout import Layout, laid_out
from mlmd_lineage.repeats import Name, name_of
from mlmd_lineage.roles import is_data, is_derived, is_model

MOST_NODES = 500
"""Nodes of a drawing, in each direction; a page of more is not read."""

_WIDTH, _HEIGHT = 176.0, 42.0
_COLUMN, _ROW = 260.0, 60.0
_MARGIN, _TOP, _LEGEND = 24.0, 52.0, 40.0
_LETTERS, _SMALL_LETTERS = 23, 29
_MOST_LABELLED = 60
"""With more edges than these their keys show on hovering only."""

_ROLES: tuple[tuple[str, int, Callable[[str], bool]], ...] = (
    ("data", 0, is_data),
    ("model", 2, is_model),
    ("metrics", 1, is_derived),
    ("other artifact", 8, lambda type_name: True),
)
"""What artifacts are for, the colour of it, and how to tell; the first that fits."""


def svg(graph: Graph) -> str:
    """Return a document without script, fonts or links; the same graph gives the same bytes."""
    names = [name_of(node.node) for node in graph.nodes]
    layout = laid_out(names, [ends(edge) for edge in graph.edges])
    document = _document(graph, layout)
    titles = {name_of(node.node): title(node) for node in graph.nodes}
    for place, edge in enumerate(graph.edges):
        is_told = edge.key in (titles[end] for end in ends(edge))
        document.add(_edge(layout, place, edge, labelled=len(graph.edges) <= _MOST_LABELLED and not is_told))
    roots = [node for node in graph.nodes if name_of(node.node) == graph.root]
    for node in graph.nodes:
        document.add(_node(layout, node, is_root=node in roots))
    _add_legend(document, graph)
    return document.render()


def _document(graph: Graph, layout: Layout) -> Document:
    root = next((title(node) for node in graph.nodes if name_of(node.node) == graph.root), "")
    executions = sum(is_execution(name_of(node.node)) for node in graph.nodes)
    artifacts = counted(len(graph.nodes) - executions, "artifact")
    said = f"{artifacts}, {counted(executions, 'execution')}, {counted(len(graph.edges), 'edge')}"
    said += "; more lies behind the dashed nodes" if graph.is_cut else ""
    width = max(2 * _MARGIN + (layout.width - 1) * _COLUMN + _WIDTH, 460.0)
    height = _TOP + layout.height * _ROW + _LEGEND
    whose = f"Lineage of {root}" if root else "Lineage"
    document = Document(width, height, whose, said)
    heading = shortened(whose, int((width - 2 * _MARGIN) / 8))
    document.add(label(_MARGIN, 28, heading, font_size=15, font_weight="600"))
    return document


def _corner(layout: Layout, key: object) -> tuple[float, float]:
    """Return the left upper corner of the box of a node."""
    return _MARGIN + layout.columns[key] * _COLUMN, _TOP + layout.rows[key] * _ROW


def _middle(layout: Layout, key: object) -> float:
    return _corner(layout, key)[1] + _HEIGHT / 2


def _node(layout: Layout, node: v1.LineageNode, *, is_root: bool) -> str:
    name = name_of(node.node)
    x, y = _corner(layout, name)
    box: dict[str, str | float] = {
        "x": x,
        "y": y,
        "width": _WIDTH,
        "height": _HEIGHT,
        "rx": 4 if is_execution(name) else 10,
        "class": "mlmd-ground mlmd-axis",
        "stroke_width": 2.5 if is_root else 1,
    }
    if node.cut or node.gone:
        box["stroke_dasharray"] = "5 3"
    parts = [element("title", {}, text(_tooltip(node)) or " "), element("rect", box)]
    if not is_execution(name):
        _, colour, _ = _role(node)
        bar: dict[str, str | float] = {"x": x + 6, "y": y + 7, "width": 4, "height": _HEIGHT - 14, "rx": 2}
        parts.append(element("rect", bar | {"class": fill(colour)}))
    parts.append(label(x + 18, y + 18, shortened(heading(node), _LETTERS), font_weight="600"))
    parts.append(label(x + 18, y + 33, shortened(subtitle(node), _SMALL_LETTERS), "soft", font_size=10))
    return element("g", {}, *parts)


def _role(node: v1.LineageNode) -> tuple[str, int, Callable[[str], bool]]:
    return next(role for role in _ROLES if role[2](node.type))


def _tooltip(node: v1.LineageNode) -> str:
    name = name_of(node.node)
    lines = [f"{title(node)} ({name[0].removesuffix('_id')} {name[1]})", subtitle(node), node.uri]
    if node.cut:
        lines.append(f"more lies behind it: {v1.LineageCut.Name(node.cut).removeprefix('LINEAGE_CUT_').lower()}")
    return "\n".join(filter(None, lines))


def _edge(layout: Layout, place: int, edge: v1.LineageEdge, *, labelled: bool) -> str:
    source, target = ends(edge)
    points = _points(layout, place, source, target)
    path = f"M{number(points[0][0])} {number(points[0][1])}"
    for (x1, y1), (x2, y2) in pairwise(points):
        reach = max(abs(x2 - x1) * 0.45, 12.0) * (1 if x2 >= x1 else -1)
        path += f"C{number(x1 + reach)} {number(y1)} {number(x2 - reach)} {number(y2)} {number(x2)} {number(y2)}"
    drawn: dict[str, str | float] = {"d": path, "class": "mlmd-axis", "fill": "none", "stroke_width": 1.2}
    if edge.kind == v1.LINEAGE_EDGE_KIND_HIDDEN:
        drawn["stroke_dasharray"] = "4 4"
    elif edge.kind == v1.LINEAGE_EDGE_KIND_SAME_CONTENT:
        drawn["stroke_dasharray"] = "1 4"
        drawn["stroke_linecap"] = "round"
    said = _said(edge)
    parts = [element("path", drawn, element("title", {}, text(said)))]
    if edge.kind != v1.LINEAGE_EDGE_KIND_SAME_CONTENT:
        parts.append(_arrow(points))
    if labelled and edge.key:
        (x1, y1), (x2, y2) = points[-2], points[-1]
        where: dict[str, str | float] = {"text_anchor": "middle", "font_size": 9.5}
        parts.append(label((x1 + x2) / 2, (y1 + y2) / 2 - 4, shortened(edge.key, 14), "soft", **where))
    return element("g", {}, *parts)


def _said(edge: v1.LineageEdge) -> str:
    if edge.kind == v1.LINEAGE_EDGE_KIND_HIDDEN:
        return "through nodes that are not shown"
    if edge.kind == v1.LINEAGE_EDGE_KIND_SAME_CONTENT:
        return "the same files, byte for byte"
    return edge.key or ("read" if edge.kind == v1.LINEAGE_EDGE_KIND_INPUT else "made")


def _points(layout: Layout, place: int, source: Name, target: Name) -> list[tuple[float, float]]:
    """Return where an edge begins, bends and ends; one that leads back leaves and arrives on the other sides."""
    onward = layout.columns[source] <= layout.columns[target]
    (left, _), (right, _) = _corner(layout, source), _corner(layout, target)
    bends = [(_corner(layout, bend)[0] + _WIDTH / 2, _middle(layout, bend)) for bend in layout.bends.get(place, ())]
    begin = (left + (_WIDTH if onward else 0), _middle(layout, source))
    end = (right + (0 if onward else _WIDTH), _middle(layout, target))
    return [begin, *bends, end]


def _arrow(points: list[tuple[float, float]]) -> str:
    x, y = points[-1]
    back = -7 if points[-2][0] <= x else 7
    tip = f"M{number(x + back)} {number(y - 3.5)}L{number(x)} {number(y)}L{number(x + back)} {number(y + 3.5)}"
    return element("path", {"d": tip, "class": "mlmd-axis", "fill": "none", "stroke_width": 1.2})


def _add_legend(document: Document, graph: Graph) -> None:
    """Say below the graph what its colours mean, as far as they occur."""
    there = {_role(node)[0] for node in graph.nodes if not is_execution(name_of(node.node))}
    x, y = _MARGIN, document.height - 16
    for said, colour, _ in _ROLES:
        if said in there:
            document.add(
                element("rect", {"x": x, "y": y - 9, "width": 10, "height": 10, "rx": 2, "class": fill(colour)})
            )
            document.add(label(x + 15, y, said, "soft", font_size=11))
            x += 35 + 6.2 * len(said)
    if graph.is_cut:
        document.add(label(x, y, "dashed: more lies behind it", "soft", font_size=11))
