"""Lineage as a graph that can be asked, shown and handed on."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlmd_schemas.counting import counted
from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_client.drawing import Drawing
from mlmd_client.failures import refused
from mlmd_client.tables import Table, moment

if TYPE_CHECKING:
    from mlmd_client.service import Service

_PAGE = 1000
_HOPS = 100
_BEYOND_HOPS = 1 << 31
"""What does not fit the field; the server refuses what is too many for it."""
"""How far a walk goes that is not told."""
_WALKS: dict[str, tuple[Any, Any, tuple[str, ...]]] = {
    "provenance": (v1.GetProvenanceRequest, v1.GetProvenanceResponse, ("data", "code", "parameters")),
    "impact": (v1.GetImpactRequest, v1.GetImpactResponse, ("models",)),
}
"""What asks in a direction, what answers, and what is in the answer beside the graph."""
_KINDS = {
    v1.LINEAGE_EDGE_KIND_INPUT: "input",
    v1.LINEAGE_EDGE_KIND_OUTPUT: "output",
    v1.LINEAGE_EDGE_KIND_HIDDEN: "hidden",
    v1.LINEAGE_EDGE_KIND_SAME_CONTENT: "same content",
}
_FORMAT = "LINEAGE_FORMAT_"
_DIRECTIONS = {
    "": v1.LINEAGE_DIRECTION_UNSPECIFIED,
    "provenance": v1.LINEAGE_DIRECTION_UPSTREAM,
    "impact": v1.LINEAGE_DIRECTION_DOWNSTREAM,
}
Key = tuple[str, int]


def ref_of(kind: str, node_id: int) -> v1.LineageRef:
    """Return a node as the lineage service takes it.

    >>> ref_of("artifact", 7).artifact_id
    7
    """
    return v1.LineageRef(artifact_id=node_id) if kind == "artifact" else v1.LineageRef(execution_id=node_id)


def _key(ref: v1.LineageRef) -> Key:
    return ("artifact", ref.artifact_id) if ref.WhichOneof("node") == "artifact_id" else ("execution", ref.execution_id)


def _ref_text(node: v1.LineageNode) -> str:
    if node.versions:
        version = node.versions[0]
        return f"{version.name}@{version.number}"
    kind, node_id = _key(node.node)
    return node.name or f"{kind} {node_id}"


class Graph:
    """Artifacts and executions, and the events between them, in the direction of the data.

    >>> graph = store.provenance("churn@1")
    >>> print(graph.where(kind="artifact").table().where(name="churn-train@1").column("type"))
    ['system.Dataset']
    """

    def __init__(self, service: "Service", start: Key, direction: str, options: v1.LineageOptions) -> None:
        """Take where the walk began, which way it goes ("provenance", "impact", "" for both), and its options."""
        self._service = service
        self._direction = direction
        self._options = options
        self.start = start
        """Kind and id of the node that was asked for."""
        self.nodes: dict[Key, v1.LineageNode] = {}
        self.edges: list[v1.LineageEdge] = []
        self.data: list[v1.DataSource] = []
        """Of a provenance: the data sets, nearest first."""
        self.code: list[v1.CodeVersion] = []
        self.parameters: list[v1.StepParameters] = []
        self.models: list[v1.ImpactedModel] = []
        """Of an impact: the models, those that serve first."""
        self.is_complete = True
        """False when a limit cut something off."""
        self.is_part = False
        """Whether it is some of the nodes of a walk, and not all."""

    def take(self, page: v1.LineagePage) -> None:
        """Take in a page.

        >>> graph = store.provenance("churn@1")
        >>> graph.take(v1.LineagePage())
        """
        for node in page.nodes:
            self.nodes[_key(node.node)] = node
            self.is_complete = self.is_complete and node.cut in (0, v1.LINEAGE_CUT_PAGE, v1.LINEAGE_CUT_ENDING)
        self.edges += page.edges

    def joined(self, other: "Graph") -> "Graph":
        """Return this graph and another one as one.

        >>> graph = store.provenance("churn@1").joined(store.provenance("churn@2"))
        >>> {"churn@1", "churn@2"} <= set(graph.names())
        True
        """
        made = Graph(self._service, self.start, "", self._options)
        made.nodes = {**other.nodes, **self.nodes}
        seen: set[Any] = set()
        for edge in (*self.edges, *other.edges):
            mark = (_key(edge.source), _key(edge.target), edge.kind, edge.key)
            if mark not in seen:
                seen.add(mark)
                made.edges.append(edge)
        made.data, made.code, made.parameters = self.data, self.code, self.parameters
        made.models = other.models or self.models
        made.is_complete = self.is_complete and other.is_complete
        made.is_part = self.is_part or other.is_part
        return made

    def names(self) -> list[str]:
        """Return the names of all nodes, `churn@3` for versions, nearest first.

        >>> store.provenance("churn@1").names()[0]
        'churn@1'
        """
        return [_ref_text(node) for node in self._nearest()]

    def _nearest(self) -> list[v1.LineageNode]:
        return sorted(self.nodes.values(), key=lambda node: (node.hops, _key(node.node)))

    def where(self, test: Callable[[dict[str, Any]], bool] | None = None, **equal: Any) -> "Graph":
        """Return the part whose nodes pass a test or have these values of `table()`, and the edges inside it.

        >>> store.lineage("churn@1").where(type="system.Dataset").names()
        ['churn-train@1']
        """
        return self._part({(row["kind"], row["id"]) for row in self.table().where(test, **equal)})

    def nearest(self, count: int) -> "Graph":
        """Return the part of so many nodes, the nearest, and the edges inside it.

        >>> store.provenance("churn@1").nearest(1).names()
        ['churn@1']
        """
        return self._part({_key(node.node) for node in self._nearest()[:count]})

    def _part(self, kept: set[Key]) -> "Graph":
        made = Graph(self._service, self.start, self._direction, self._options)
        made.nodes = {key: node for key, node in self.nodes.items() if key in kept}
        made.edges = [edge for edge in self.edges if _key(edge.source) in kept and _key(edge.target) in kept]
        made.data, made.code, made.parameters, made.models = self.data, self.code, self.parameters, self.models
        made.is_complete, made.is_part = self.is_complete, True
        return made

    def table(self) -> Table:
        """Return the nodes, nearest first; with `collapse_repeats` how many each stands for, itself too.

        >>> store.provenance("churn@1").table().columns[:4]
        ['kind', 'id', 'type', 'name']
        """
        rows = [
            {
                "kind": _key(node.node)[0],
                "id": _key(node.node)[1],
                "type": node.type,
                "name": _ref_text(node),
                "state": node.state,
                "hops": node.hops,
                "aliases": sorted({alias for version in node.versions for alias in version.aliases}),
                "created": moment(node.create_ms),
                "uri": node.uri,
                "stands_for": len(node.repeats) or 1,
            }
            for node in self._nearest()
        ]
        columns = ["kind", "id", "type", "name", "state", "hops", "aliases", "created", "uri"]
        return Table([*columns, *(["stands_for"] if self._options.collapse_repeats else [])], rows)

    def links(self) -> Table:
        """Return the edges, in the direction of the data.

        >>> sorted(set(store.provenance("churn@1").links().column("kind")))
        ['input', 'output']
        """
        rows = [
            {
                "source": self._name(edge.source),
                "target": self._name(edge.target),
                "kind": _KINDS.get(edge.kind, ""),
                "key": edge.key,
                "time": moment(edge.time_ms),
            }
            for edge in self.edges
        ]
        return Table(["source", "target", "kind", "key", "time"], rows)

    def _name(self, ref: v1.LineageRef) -> str:
        node = self.nodes.get(_key(ref))
        return _ref_text(node) if node is not None else "{} {}".format(*_key(ref))

    def df(self) -> Any:
        """Return the nodes as a pandas DataFrame; `links().df()` has the edges.

        >>> "churn@1" in set(store.provenance("churn@1").df()["name"])
        True
        """
        return self.table().df()

    def to_networkx(self) -> Any:
        """Return a networkx.DiGraph: nodes are (kind, id) with the columns of `table()`, edges have kind and key.

        >>> graph = store.provenance("churn@1").to_networkx()
        >>> graph.number_of_nodes() == len(store.provenance("churn@1").nodes)
        True
        """
        try:
            import networkx
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "to_networkx() needs networkx; run: pip install networkx", name=error.name
            ) from error
        graph = networkx.DiGraph()
        for row in self.table():
            graph.add_node((row["kind"], row["id"]), **row)
        for edge in self.edges:
            kind = _KINDS.get(edge.kind, "")
            graph.add_edge(_key(edge.source), _key(edge.target), kind=kind, key=edge.key, time_ms=edge.time_ms)
        return graph

    def export(self, format: str = "svg", most: int = 0) -> str:
        """Return the graph as the server writes it: svg, dot, mermaid, json, openlineage or prov-json.

        `most` nodes in each direction, the nearest; 0: as many as the server takes, 500 in a drawing, 1,000 elsewhere.
        Of a part (`where`, or a path) those of its nodes that are among them. Raises Refused for a part without nodes.

        >>> store.provenance("churn@1").export("mermaid").splitlines()[0].split()[0]
        'flowchart'
        """
        formats = {
            name.removeprefix(_FORMAT).lower().replace("_", "-"): number for name, number in v1.LineageFormat.items()
        }
        formats["json"] = formats.pop("unspecified")
        format = str(format).replace("_", "-")
        if format not in formats:
            raise refused(f"format: {format!r} is none of {', '.join(sorted(formats))}.")
        if self.is_part and not self.nodes:
            raise refused("graph: has no nodes, and nothing can be drawn or exported of it.")
        request = v1.ExportGraphRequest(node=ref_of(*self.start), options=self._options, max_nodes=most)
        if self.is_part:
            request.only.extend(ref_of(*key) for key in self.nodes)
        chosen: Any = (formats[format], _DIRECTIONS[self._direction])
        request.format, request.direction = chosen
        return self._service.read(request, v1.ExportGraphResponse).content

    def drawing(self, most: int = 0) -> Drawing:
        """Return the graph drawn; `save("lineage.svg")` writes it to a file. `most` is as in `export`.

        >>> store.lineage("churn@1").drawing().svg[:4]
        '<svg'
        """
        return Drawing(self.export("svg", most))

    @property
    def has_two_directions(self) -> bool:
        """Whether it shows both what a node came from and what came from it.

        >>> store.lineage("churn@1").has_two_directions, store.provenance("churn@1").has_two_directions
        (True, False)
        """
        return not self._direction

    def __len__(self) -> int:
        """The number of nodes."""
        return len(self.nodes)

    def __str__(self) -> str:
        """The nodes as a table of plain text, and whether there are more."""
        return str(self.table()) if self.is_complete else f"{self.table()}\n{self.beyond}"

    @property
    def beyond(self) -> str:
        """What is said of a graph that is not complete.

        >>> store.provenance("churn@1", hops=1).beyond
        '… and more, beyond 1 hop; ask with hops=2'
        """
        hops = self._options.max_hops or _HOPS
        if max((node.hops for node in self.nodes.values()), default=0) >= hops:
            return f"… and more, beyond {counted(hops, 'hop')}; ask with hops={2 * hops}"
        return "… and more, beyond the limits of this walk"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from mlmd_client.display import graph_html

        return graph_html(self)


def walk(service: "Service", direction: str, start: Key, options: v1.LineageOptions) -> Graph:
    """Return what a node came from ("provenance") or what came from it ("impact"), all pages of it.

    >>> walk(store.service, "impact", ("artifact", store["churn@1"].id), v1.LineageOptions()).names()[0]
    'churn@1'
    """
    graph = Graph(service, start, direction, options)
    kind, page, parts = _WALKS[direction]
    request = kind(node=ref_of(*start), options=options, page_size=_PAGE)
    while True:
        answer = service.read(request, page)
        graph.take(answer.graph)
        _add(graph, answer, parts)
        request.page_token = answer.next_page_token
        if not answer.next_page_token:
            graph.is_complete = graph.is_complete and not answer.deeper_page_token
            return graph


def shortest_path(service: "Service", first: Key, second: Key) -> Graph:
    """Return the nodes from one to the other in the direction of the data, none when neither came from the other.

    >>> ends = [("artifact", store[name].id) for name in ("churn-train@1", "churn@1")]
    >>> len(shortest_path(store.service, *ends))
    3
    """
    request = v1.FindPathRequest(first=ref_of(*first), second=ref_of(*second))
    answer = service.read(request, v1.FindPathResponse)
    graph = Graph(service, first, "impact", v1.LineageOptions())
    graph.take(answer.path)
    graph.is_complete, graph.is_part = answer.found or not answer.cut, True
    return graph


def _add(graph: Graph, answer: Any, parts: Iterable[str]) -> None:
    for part in parts:
        getattr(graph, part).extend(getattr(answer, part))


def plain_value(value: v1.LineageValue) -> Any:
    """Return a value of a lineage as Python has it, None where there is none.

    >>> plain_value(v1.LineageValue(double_value=0.1)), plain_value(v1.LineageValue())
    (0.1, None)
    """
    chosen = value.WhichOneof("value")
    return getattr(value, chosen) if chosen else None


def differences(service: "Service", first: Key, second: Key, names: tuple[str, str]) -> Table:
    """Return why two artifacts or executions differ: inputs, parameters, code, figures, step by step, the oldest first.

    >>> ends = [("artifact", store[name].id) for name in ("churn@1", "churn@2")]
    >>> differences(store.service, *ends, ("churn@1", "churn@2")).where(what="lr").rows[0]["churn@2"]
    0.2
    """
    request = v1.DiffProvenanceRequest(first=ref_of(*first), second=ref_of(*second))
    answer = service.read(request, v1.DiffProvenanceResponse)
    rows = [
        {
            "step": step.step,
            "kind": v1.LineageAspect.Name(one.aspect).removeprefix("LINEAGE_ASPECT_").lower(),
            "what": one.name,
            names[0]: plain_value(one.first),
            names[1]: plain_value(one.second),
        }
        for step in answer.steps
        for one in step.differences
    ]
    return Table(["step", "kind", "what", *names], rows)


def walk_options(hops: int, options: Mapping[str, Any]) -> v1.LineageOptions:
    """Return the options of a walk; raises Refused for one that there is not.

    >>> walk_options(3, {"with_system_nodes": True}).max_hops
    3
    """
    if isinstance(hops, int) and not -_BEYOND_HOPS <= hops < _BEYOND_HOPS:
        raise refused(f"hops: {hops} is beyond every walk; 0 means as many as the server walks.")
    try:
        return v1.LineageOptions(max_hops=hops, **options)
    except (ValueError, TypeError) as error:
        fields = [field.name for field in v1.LineageOptions.DESCRIPTOR.fields if field.name != "max_hops"]
        unknown = next((name for name in options if name not in fields), None)
        told = f"there is no {unknown!r}" if unknown else str(error).rstrip(".")
        raise refused(f"options: {told}; there are hops, {', '.join(fields)}.") from None
