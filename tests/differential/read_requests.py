"""Requests that read: by id, by name, lists and their pages, filters, lineage."""

from typing import Any

from mlmd_metadata_store.page_tokens import encode_token
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import Kind

from tests.differential import pools
from tests.differential.filters import Filters
from tests.differential.source import Call, Source

Order = pb.ListOperationOptions.OrderByField
TOKENS = (
    "CAIQAhoCCAI",
    "CBQQFBoA",
    "!!!",
    "abcd",
    "ab+/",
    " CAIQAhoCCAI",
    "CAIQAhoCCAI=",
    "CAIQAhoCCAI==",
    "CAIQAhoCCAI.",
    "CAIQAg=.",
    "",
    "CAIQAg",
)
RETIRED_URI = b"\n\x01u"
"""Field 1, which clients of an early version put the one URI into."""
LINEAGE_PATHS = tuple(field.name for field in pb.LineageGraph.DESCRIPTOR.fields)
WIDE_IDS = (2147483648, 9223372036854775807, -9223372036854775808)
MEMBERS = {Kind.ARTIFACT: "Artifact", Kind.EXECUTION: "Execution"}


class Reads:
    """Reading requests."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def _ids(self, most: int = 5) -> list[int]:
        ids = [pools.some_id(self.source) for _ in range(self.source.below(most + 1))]
        return [*ids, self.source.pick(WIDE_IDS)] if self.source.chance(3) else ids

    def _type_name(self, kind: Kind) -> dict[str, str]:
        if self.source.chance(70):
            name, version = self.source.pick(pools.TYPES_OF[kind])
            return {"type_name": name, "type_version": version}
        fields = {"type_name": self.source.pick(pools.TYPE_NAMES)} if self.source.chance(98) else {}
        if self.source.chance(35):
            fields["type_version"] = self.source.pick(pools.VERSIONS)
        return fields

    def _request(self, name: str, **fields: Any) -> Call:
        return Call(name, getattr(service, f"{name}Request")(**fields))

    def of_type(self, kind: Kind) -> Call:
        """Get a type by name, by ids, by external ids, or all of them."""
        noun = pools.NOUNS[kind].capitalize()
        form = self.source.below(4)
        if form == 0:
            return self._request(f"Get{noun}Type", **self._type_name(kind))
        if form == 1:
            ids = [self.source.pick((*range(1, 19), 0, -1, 99)) for _ in range(self.source.below(6))]
            return self._request(f"Get{noun}TypesByID", type_ids=ids)
        if form == 2:
            ids = [*self._external_ids(), *self.source.some(pools.EXTERNAL_IDS[:12], 4)]
            return self._request(f"Get{noun}TypesByExternalIds", external_ids=ids)
        return self._request(f"Get{noun}Types")

    def _external_ids(self) -> list[str]:
        return self.source.some(("x", "y", "z", "nope", "é'\"", "x", "y", "z", ""), 3)

    def by_key(self, kind: Kind) -> Call:
        """Get nodes by ids, by external ids, by type and name, or by URI."""
        source, noun = self.source, pools.NOUNS[kind]
        form = source.below(4)
        if form == 0:
            types = {"populate_artifact_types": True} if kind is Kind.ARTIFACT and source.chance(40) else {}
            return self._request(f"Get{noun.capitalize()}sByID", **{f"{noun}_ids": self._ids()}, **types)
        if form == 1:
            return self._request(f"Get{noun.capitalize()}sByExternalIds", external_ids=self._external_ids())
        if form == 2 and kind is Kind.ARTIFACT:
            return self._by_uri()
        named = {f"{noun}_name": source.pick(pools.NAMES)} if source.chance(95) else {}
        return self._request(f"Get{noun.capitalize()}ByTypeAndName", **self._type_name(kind), **named)

    def _by_uri(self) -> Call:
        request = service.GetArtifactsByURIRequest(uris=self.source.some((*pools.URIS, "nope"), 3))
        if self.source.chance(4):
            request.MergeFromString(RETIRED_URI)
        return Call("GetArtifactsByURI", request)

    def options(self, kind: Kind) -> pb.ListOperationOptions:
        """Return options of a list, seldom wrong ones."""
        source = self.source
        made = pb.ListOperationOptions()
        if source.chance(80):
            made.max_result_size = source.pick((1, 2, 3, 5, 20, 100)) if source.chance(95) else self._wrong_size()
        if source.chance(60):
            if source.chance(90):
                made.order_by_field.field = source.pick((Order.ID, Order.CREATE_TIME, Order.LAST_UPDATE_TIME))
            elif source.chance(30):
                made.order_by_field.field = Order.FIELD_UNSPECIFIED
            if source.chance(60):
                made.order_by_field.is_asc = source.chance(50)
            made.order_by_field.SetInParent()
        if source.chance(8):
            made.next_page_token = source.pick(TOKENS) if source.chance(50) else self._token()
        if source.chance(45):
            made.filter_query = Filters(source, kind).filter() if source.chance(97) else ""
        return made

    def _token(self) -> str:
        """Return a token made by hand; those of other orders than ID would show what Google's loses."""
        source = self.source
        token = pb.ListOperationNextPageToken(field_offset=source.below(8), id_offset=source.below(8))
        token.set_options.SetInParent()
        if source.chance(30):
            token.set_options.order_by_field.is_asc = source.chance(50)
        text = encode_token(token)
        return text if source.chance(70) else self._spoilt(text)

    def _spoilt(self, token: str) -> str:
        """Return a token that was cut, filled up, or changed in one place, which may leave it one."""
        place = self.source.below(len(token))
        letter = self.source.pick(tuple("Az0-_+/ =."))
        changed = token[:place] + letter + token[place + 1 :]
        return self.source.pick(
            (changed, token[:place], token[place:], f"{token}=", f"{token}==", f"{token}.", f"{token}=.", f"{token}\n")
        )

    def _wrong_size(self) -> int:
        return self.source.pick((0, -1, 2147483647, 101, 2147483646))

    def listed(self, kind: Kind) -> Call:
        """List nodes: all of them, of a type, or of a context."""
        source, noun = self.source, pools.NOUNS[kind].capitalize()
        options = {"options": self.options(kind)} if source.chance(85) else {}
        form = source.below(3)
        if form == 0:
            return self._request(f"Get{noun}sByType", **self._type_name(kind), **options)
        if form == 1 and kind in MEMBERS:
            return self._request(f"Get{noun}sByContext", context_id=pools.some_id(source), **options)
        return self._request(f"Get{noun}s", **options)

    def of_edges(self) -> Call:
        """Get events, the contexts of a node, or the contexts around a context."""
        source = self.source
        form = source.below(6)
        if form == 0:
            return self._request("GetEventsByArtifactIDs", artifact_ids=self._ids())
        if form == 1:
            return self._request("GetEventsByExecutionIDs", execution_ids=self._ids())
        names = ("GetContextsByArtifact", "GetContextsByExecution")
        if form < 4:
            given = {f"{names[form - 2].removeprefix('GetContextsBy').lower()}_id": pools.some_id(source)}
            return self._request(names[form - 2], **given)
        batch = "s" if source.chance(40) else ""
        name = f"Get{source.pick(('Parent', 'Children'))}ContextsByContext{batch}"
        return self._request(name, **({"context_ids": self._ids()} if batch else {"context_id": pools.some_id(source)}))

    def lineage(self) -> Call:
        """Walk over the graph."""
        source = self.source
        request = service.GetLineageSubgraphRequest()
        options = request.lineage_subgraph_query_options
        kind = source.pick((Kind.ARTIFACT, Kind.EXECUTION))
        if source.chance(98):
            start = getattr(options, f"starting_{pools.NOUNS[kind]}s")
            start.filter_query = self._start(kind)
        if source.chance(70):
            options.max_num_hops = source.pick((1, 2, 3, 0, 4, 100, 1000)) if source.chance(96) else -1
        if source.chance(70):
            directions: Any = pb.LineageSubgraphQueryOptions.Direction.values()
            options.direction = source.pick(directions)
        for end in (Kind.ARTIFACT, Kind.EXECUTION):
            if source.chance(25):
                ending = getattr(options, f"ending_{pools.NOUNS[end]}s")
                if source.chance(90):
                    ending.filter_query = Filters(source, end).filter() if source.chance(90) else ""
                if source.chance(60):
                    ending.include_ending_nodes = source.chance(80)
        if source.chance(40):
            request.read_mask.paths.extend(source.some((*LINEAGE_PATHS, "bogus", "artifacts.id", ""), 4))
        return Call("GetLineageSubgraph", request)

    def _start(self, kind: Kind) -> str:
        source = self.source
        if source.chance(60):
            return source.pick(("id = 1", "id IN (1, 2)", "id = 2", "id = 3", "id > 0", "id = 99", ""))
        return Filters(source, kind).filter()
