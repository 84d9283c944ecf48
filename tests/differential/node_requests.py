"""Requests that put artifacts, executions and contexts, alone and together."""

from typing import Any

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import Kind

from tests.differential import pools
from tests.differential.source import Call, Source

MASK_PATHS = (
    "uri",
    "state",
    "last_known_state",
    "name",
    "external_id",
    "properties",
    "custom_properties",
    "properties.i",
    "properties.s",
    "properties.q.r",
    "properties.",
    "properties.zz",
    "propertiesX",
    "custom_properties.x",
    "custom_properties.x.y",
    "custom_properties.nope",
    "custom_properties.x.int_value",
    "type",
    "type_id",
    "id",
    "last_update_time_since_epoch",
    "bogus",
    "Uri",
    " uri",
    "*",
    "",
)
SPELLINGS = ("a", "a ", "b", "b ", "new", "new ")
UNKNOWN_FIELD = b"\xa2\x06\x01a"
"""Field 100, of two bytes: what a client with a later version of the messages may send."""


class Nodes:
    """Nodes and the requests around them. `wide` allows integers beyond 32 bits; three requests in ten may be wrong."""

    def __init__(self, source: Source, *, wide: bool) -> None:
        self.source = source
        self.wide = wide
        self.wrong = source.chance(30)

    def slip(self, percent: int) -> bool:
        """Return whether to do something wrong, in so many of a hundred cases of requests that may be wrong."""
        return self.wrong and self.source.chance(percent)

    def node(self, kind: Kind, *, updates: int = 40, whole: bool = False) -> Any:
        """Return a node; `updates` percent have an id, `whole` ones what PutExecution wants of contexts."""
        source = self.source
        made = pools.NODES[kind]()
        if source.chance(updates):
            made.id = pools.some_id(source, self.wrong)
            if whole or source.chance(20):  # the prelude's types, so that it is often the right one
                made.type_id = pools.TYPE_IDS[kind][0] if made.id < 3 else pools.type_id(source, kind, self.wrong)
        elif not self.slip(5):
            made.type_id = pools.type_id(source, kind, self.wrong)
        if whole or source.chance(90 if kind is Kind.CONTEXT else 25):
            made.name = source.pick(pools.NAMES)
        if source.chance(30 if self.wrong else 5):
            made.external_id = source.pick(pools.EXTERNAL_IDS)
        if kind is Kind.ARTIFACT and source.chance(50):
            made.uri = source.pick(pools.URIS)
        if kind in pools.STATES and source.chance(50):
            field, states = pools.STATES[kind]
            setattr(made, field, source.pick(states.values()))
        self._properties(made)
        self._ignored(made)
        return made

    def _properties(self, node: Any) -> None:
        source = self.source
        typeless = node.type_id in (1, 5) or node.id == 4
        if source.chance(50) and (not typeless or self.wrong):
            for name in source.some(tuple(pools.DECLARED), 4):
                case = pools.KIND_OF_TYPE[pools.DECLARED[name]]
                if self.slip(5):
                    case = source.pick(pools.PROPERTY_KINDS)
                node.properties[name].CopyFrom(pools.value(source, case, self.wide))
        if source.chance(2):  # declared when types gained it
            node.properties["n"].int_value = 1
        if self.slip(5):
            node.properties[source.pick(("zz", "propertiesX", "i"))].CopyFrom(pb.Value())
        if source.chance(50):
            for name in source.some(pools.CUSTOM_NAMES, 4):
                case = source.pick(pools.PROPERTY_KINDS)
                node.custom_properties[name].CopyFrom(pools.value(source, case, self.wide))
        if self.slip(1) and source.chance(30):
            node.custom_properties["x"].Clear()

    def _ignored(self, node: Any) -> None:
        """Set what is not stored, but counts when a node is compared with the stored one."""
        source = self.source
        if not source.chance(25):
            return
        if source.chance(60):
            node.type = source.pick(("A", "E", "C", "B", "mlmd.Dataset"))
        if source.chance(40):
            node.last_update_time_since_epoch = source.pick((1001, 1002, 1003, 0, -5))
        if source.chance(20):
            node.create_time_since_epoch = 1001
        if source.chance(15):
            node.system_metadata.type_url = "x"
        if source.chance(15):
            node.MergeFromString(UNKNOWN_FIELD)

    def several(self, kind: Kind, most: int, **how: Any) -> list[Any]:
        """Return one to `most` nodes of a kind, seldom none."""
        return [self.node(kind, **how) for _ in range(0 if self.source.chance(2) else 1 + self.source.below(most))]

    def put_nodes(self, kind: Kind) -> Call:
        """PutArtifacts, PutExecutions or PutContexts, with and without a mask."""
        source, noun = self.source, pools.NOUNS[kind]
        request = getattr(service, f"Put{noun.capitalize()}sRequest")()
        masked = source.chance(35)
        updates = 80 if masked or source.chance(35) else 15
        getattr(request, f"{noun}s").extend(self.several(kind, 6, updates=updates))
        if masked:
            request.update_mask.paths.extend(source.some(MASK_PATHS, 4))
        if kind is Kind.ARTIFACT and source.chance(15):
            request.options.abort_if_latest_updated_time_changed = source.chance(80)
        return Call(f"Put{noun.capitalize()}s", request)

    def event(self, *, ends: int = 100) -> pb.Event:
        """Return an event; `ends` percent of its two ends are filled."""
        source = self.source
        made = pb.Event()
        for field in ("artifact_id", "execution_id"):
            if source.chance(ends) and not self.slip(5):
                setattr(made, field, pools.some_id(source, self.wrong))
        if not self.slip(5):
            types: Any = pb.Event.Type.values()[0 if self.slip(10) else 1 :]
            made.type = source.pick(types)
        if source.chance(40):
            made.milliseconds_since_epoch = source.pick(pools.STEP_MILLISECONDS)
        if source.chance(40):
            made.path.SetInParent()
            for _ in range(source.below(4)):
                steps: tuple[dict[str, Any], ...] = ({"index": 3}, {"key": "k"}, {"key": ""}, {}, {"key": "é'"})
                made.path.steps.add(**source.pick(steps))
        return made

    def put_events(self) -> Call:
        """PutEvents."""
        return Call("PutEvents", service.PutEventsRequest(events=[self.event() for _ in range(self.source.below(6))]))

    def put_execution(self) -> Call:
        """PutExecution, with pairs of artifacts and events, and contexts."""
        source = self.source
        request = service.PutExecutionRequest()
        if not self.slip(4):
            request.execution.CopyFrom(self.node(Kind.EXECUTION, updates=35))
        for _ in range(source.below(5)):
            pair = request.artifact_event_pairs.add()
            if source.chance(85):
                pair.artifact.CopyFrom(self.node(Kind.ARTIFACT, updates=30))
            if source.chance(70):
                pair.event.CopyFrom(self._pair_event(pair.HasField("artifact")))
        request.contexts.extend(self._contexts(3))
        for option in request.options.DESCRIPTOR.fields_by_name:
            if source.chance(55):
                setattr(request.options, option, source.chance(85))
        return Call("PutExecution", request)

    def _pair_event(self, has_artifact: bool) -> pb.Event:
        """Return an event of PutExecution, whose ends are mostly those of the pair."""
        event = self.event(ends=0)
        if not has_artifact and not self.slip(20):
            event.artifact_id = pools.some_id(self.source)
        if self.slip(10):
            event.artifact_id = pools.some_id(self.source)
        if self.slip(10):
            event.execution_id = pools.some_id(self.source)
        return event

    def _contexts(self, most: int) -> list[Any]:
        count = self.source.below(most + 1)
        made = [self.node(Kind.CONTEXT, updates=30, whole=not self.slip(10)) for _ in range(count)]
        if self.source.chance(25):  # as a database may take for those of other contexts
            for context in made:
                context.name = self.source.pick(SPELLINGS)
        return made

    def put_lineage_subgraph(self) -> Call:
        """PutLineageSubgraph."""
        source = self.source
        request = service.PutLineageSubgraphRequest()
        for kind in (Kind.ARTIFACT, Kind.EXECUTION):
            nodes = [self.node(kind, updates=25) for _ in range(source.below(4))]
            for node in nodes:
                if not node.HasField("type_id") and not self.slip(10):
                    node.type_id = pools.TYPE_IDS[kind][0]
            getattr(request, f"{pools.NOUNS[kind]}s").extend(nodes)
        request.contexts.extend(self._contexts(3))
        for _ in range(source.below(4)):
            self._edge(request)
        for option in request.options.DESCRIPTOR.fields_by_name:
            if source.chance(60):
                setattr(request.options, option, source.chance(85))
        return Call("PutLineageSubgraph", request)

    def _edge(self, request: service.PutLineageSubgraphRequest) -> None:
        source = self.source
        edge = request.event_edges.add()
        if not self.slip(3):
            edge.event.CopyFrom(self.event(ends=0))
        for noun, nodes in (("execution", request.executions), ("artifact", request.artifacts)):
            by_index = len(nodes) > 0 and source.chance(80)
            if by_index or self.slip(5):
                index = source.below(max(1, len(nodes)))
                setattr(edge, f"{noun}_index", source.pick((-1, len(nodes), 99)) if self.slip(5) else index)
            if not by_index or self.slip(10):
                setattr(edge.event, f"{noun}_id", pools.some_id(source, self.wrong))

    def put_members(self) -> Call:
        """PutAttributionsAndAssociations."""
        source = self.source
        request = service.PutAttributionsAndAssociationsRequest()
        for _ in range(source.below(6)):
            request.attributions.add(**self._ids("context_id", "artifact_id"))
        for _ in range(source.below(6)):
            request.associations.add(**self._ids("context_id", "execution_id"))
        return Call("PutAttributionsAndAssociations", request)

    def put_parents(self) -> Call:
        """PutParentContexts."""
        request = service.PutParentContextsRequest()
        for _ in range(self.source.below(4)):
            request.parent_contexts.add(**self._ids("child_id", "parent_id"))
        return Call("PutParentContexts", request)

    def _ids(self, *fields: str) -> dict[str, int]:
        return {field: pools.some_id(self.source, self.wrong) for field in fields if not self.slip(2)}
