"""Requests that put types."""

from typing import Any

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import Kind

from tests.differential import pools
from tests.differential.source import Call, Source

PROPERTIES = ("i", "s", "d", "n", "m", "", "é'")
FLAGS = {"can_add_fields": 50, "can_omit_fields": 60, "can_delete_fields": 5}


class Types:
    """Types and the requests around them."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def type_message(self, kind: Kind) -> Any:
        """Return a type of a kind, often one of the prelude's again."""
        source = self.source
        made = pools.TYPES[kind]()
        if source.chance(98):
            made.name = source.pick(pools.TYPE_NAMES) if source.chance(98) else pools.LONG_NAME
        if source.chance(30):
            made.version = source.pick(pools.VERSIONS)
        for name in source.some(PROPERTIES, 3):
            made.properties[name] = pools.DECLARED.get(name, pb.INT) if source.chance(93) else pb.STRING
        if source.chance(2):  # alone, as the order among several wrong ones is that of a hash map
            made.properties.clear()
            made.properties["n"] = pb.UNKNOWN
        if source.chance(25):
            made.external_id = source.pick(pools.EXTERNAL_IDS)
        if source.chance(15):
            made.description = source.pick(("", "d", "é"))
        if source.chance(20):
            made.base_type = 0 if kind is Kind.CONTEXT else source.pick((1, 2, 3, 0))
        if source.chance(5):
            made.id = source.pick((10, 99))
        if kind is Kind.EXECUTION and source.chance(25):
            self._structs(made)
        return made

    def _structs(self, made: pb.ExecutionType) -> None:
        source = self.source
        for struct in (made.input_type, made.output_type):
            if source.chance(50):
                continue
            case = source.pick(("simple", "none", "any", "list", "dict", "union_type", "tuple", "intersection", ""))
            struct.SetInParent()
            if case == "simple":
                struct.simple.name = "é"
                struct.simple.properties["k"] = pb.INT
                if source.chance(30):
                    struct.simple.id, struct.simple.base_type = -(1 << 60), pb.ArtifactType.MODEL
                    struct.simple.version, struct.simple.external_id, struct.simple.description = "v", "", '</\u2028"\n'
            elif case == "list":
                struct.list.element.any.SetInParent()
            elif case == "dict":
                struct.dict.properties["k"].none.SetInParent()
                struct.dict.none_type_not_required = True
            elif case == "tuple":
                struct.tuple.elements.add().none.SetInParent()
            elif case == "union_type":
                struct.union_type.candidates.add().any.SetInParent()
            elif case:
                getattr(struct, case).SetInParent()

    def _flags(self) -> dict[str, Any]:
        flags = {name: True for name, percent in FLAGS.items() if self.source.chance(percent)}
        if self.source.chance(3):
            flags["all_fields_match"] = self.source.chance(50)
        return flags

    def put_type(self, kind: Kind) -> Call:
        """PutArtifactType, PutExecutionType or PutContextType."""
        noun = pools.NOUNS[kind]
        fields: dict[str, Any] = dict(self._flags())
        if self.source.chance(99):
            fields[f"{noun}_type"] = self.type_message(kind)
        return Call(f"Put{noun.capitalize()}Type", getattr(service, f"Put{noun.capitalize()}TypeRequest")(**fields))

    def put_types(self) -> Call:
        """PutTypes."""
        groups: dict[str, Any] = {
            f"{noun}_types": [self.type_message(kind) for _ in range(self.source.below(4))]
            for kind, noun in pools.NOUNS.items()
        }
        for messages in groups.values():
            keep_external_ids(messages)
        return Call("PutTypes", service.PutTypesRequest(**groups, **self._flags()))


def keep_external_ids(messages: list[Any]) -> None:
    """Repeat a type's external id where the request names the type again: see DELIBERATE in `answers`."""
    known: dict[tuple[str, str], str] = {}
    for message in messages:
        key = (message.name, message.version)
        if message.external_id:
            known[key] = message.external_id
        elif key in known:
            message.external_id = known[key]
