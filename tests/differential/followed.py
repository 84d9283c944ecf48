"""Calls that are made of what a server answered: nodes sent back as they were read, lists walked to their end."""

from typing import Any, NamedTuple

from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import Kind

from tests.differential import pools
from tests.differential.read_requests import MEMBERS, Reads
from tests.differential.sides import Side
from tests.differential.source import Call, Source

Order = pb.ListOperationOptions.OrderByField
MOST_PAGES = 200


def _keep(node: Any) -> None:
    pass


def _drop_type_id(node: Any) -> None:
    node.ClearField("type_id")


def _drop_type(node: Any) -> None:
    node.ClearField("type")


def _drop_name(node: Any) -> None:
    node.ClearField("name")


def _other_times(node: Any) -> None:
    node.create_time_since_epoch = 5
    node.last_update_time_since_epoch -= 1


def _one_property(node: Any) -> None:
    node.custom_properties["x"].int_value = 7


def _fewer_properties(node: Any) -> None:
    for name in sorted(node.custom_properties)[:1]:
        del node.custom_properties[name]


def _same_kind_of_property(node: Any) -> None:
    for name in sorted(node.properties)[:1]:
        if node.properties[name].HasField("int_value"):
            node.properties[name].int_value = 2


def _other_uri(node: Any) -> None:
    if "uri" in node.DESCRIPTOR.fields_by_name:
        node.uri = "changed"


EDITS = (
    _keep,
    _keep,
    _keep,
    _drop_type_id,
    _drop_type,
    _drop_name,
    _other_times,
    _one_property,
    _fewer_properties,
    _same_kind_of_property,
    _other_uri,
)


class Echo(NamedTuple):
    """Nodes that are read and sent back with an edit: whether their time changes is the contract's 3.6."""

    kind: Kind
    ids: tuple[int, ...]
    edit: int
    mask: tuple[str, ...] = ()
    checked: bool = False
    """Refuse the update when the time in the request is not the stored one."""
    as_execution: bool = False
    """Send the first one in PutExecution."""
    forced: bool = False

    @classmethod
    def chosen(cls, source: Source) -> "Echo":
        """Choose one."""
        kind = source.pick(tuple(pools.NODES))
        ids = tuple(pools.some_id(source, False) for _ in range(1 + source.below(4)))
        mask = tuple(source.some(("uri", "custom_properties", "custom_properties.x", "properties.i", "name"), 2))
        return cls(
            kind,
            ids if source.chance(30) else tuple(dict.fromkeys(ids)),
            source.below(len(EDITS)),
            mask if source.chance(25) else (),
            source.chance(40),
            source.chance(50),
            source.chance(30),
        )

    def resolve(self, google: Side) -> Call | None:
        """Return the call with the nodes as they are."""
        noun = pools.NOUNS[self.kind]
        read = getattr(service, f"Get{noun.capitalize()}sByIDRequest")(**{f"{noun}_ids": self.ids})
        found = getattr(google.call(f"Get{noun.capitalize()}sByID", read).response, f"{noun}s")
        nodes = {node.id: node for node in found}
        for node in nodes.values():
            EDITS[self.edit](node)
        if self.kind is Kind.EXECUTION and self.as_execution and self.ids[0] in nodes:
            request = service.PutExecutionRequest(execution=nodes[self.ids[0]])
            request.options.force_update_time = self.forced
            return Call("PutExecution", request)
        put = getattr(service, f"Put{noun.capitalize()}sRequest")()
        getattr(put, f"{noun}s").extend(nodes[node_id] for node_id in self.ids if node_id in nodes)
        put.update_mask.paths.extend(self.mask)
        if self.kind is Kind.ARTIFACT and self.checked:
            put.options.abort_if_latest_updated_time_changed = True
        return Call(f"Put{noun.capitalize()}s", put)


class Walk(NamedTuple):
    """A list read page by page."""

    method: str
    request: Any

    @classmethod
    def chosen(cls, source: Source) -> "Walk":
        """Choose one; the options are right, so that there are pages."""
        kind = source.pick(tuple(pools.NODES))
        noun = pools.NOUNS[kind].capitalize()
        names = [f"Get{noun}s", f"Get{noun}sByType"] + ([f"Get{noun}sByContext"] if kind in MEMBERS else [])
        name = source.pick(names)
        request = getattr(service, f"{name}Request")()
        if name.endswith("ByType"):
            request.type_name, request.type_version = source.pick((("A", ""), ("E", ""), ("C", ""), ("D", "v")))
        if name.endswith("ByContext"):
            request.context_id = 1 + source.below(4)
        request.options.CopyFrom(Reads(source).options(kind))
        request.options.max_result_size = source.pick((1, 2, 3, 5))
        request.options.ClearField("next_page_token")
        return cls(name, request)

    def resolve(self, google: Side) -> "Walk":
        """Return itself."""
        return self

    def follow(self, comparison: Any) -> None:
        """Compare page by page; by LAST_UPDATE_TIME, in which Google's loses its way, the first page and our whole."""
        request = type(self.request)()
        request.CopyFrom(self.request)
        for _ in range(MOST_PAGES):
            ours, theirs = comparison.one(Call(self.method, request))
            if ours.code is not Code.OK or theirs.code is not Code.OK or not ours.response.next_page_token:
                return
            if request.options.order_by_field.field == Order.LAST_UPDATE_TIME:
                self._follow_ours(comparison)
                return
            assert ours.response.next_page_token == theirs.response.next_page_token
            request.options.next_page_token = ours.response.next_page_token
        raise AssertionError("the list has no end")

    def _follow_ours(self, comparison: Any) -> None:
        """Walk over our list; together the pages are the single page that Google's server gives for a large size."""
        request = type(self.request)()
        request.CopyFrom(self.request)
        noun = next(noun for noun in pools.NOUNS.values() if self.method.startswith(f"Get{noun.capitalize()}s"))
        found: list[Any] = []
        for _ in range(MOST_PAGES):
            answer = comparison.ours.call(self.method, request)
            found += getattr(answer.response, f"{noun}s")
            if not answer.response.next_page_token:
                break
            request.options.next_page_token = answer.response.next_page_token
        request.options.ClearField("next_page_token")
        request.options.max_result_size = 100
        whole = getattr(comparison.google.call(self.method, request).response, f"{noun}s")
        comparison.same(Call(self.method, self.request), "all pages", found[:100], list(whole)[:100])
