"""What requests are made of: few names, ids and values, so that the requests of a session meet one another."""

from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from tests.differential.source import Source

NODES: dict[Kind, type[Any]] = {Kind.ARTIFACT: pb.Artifact, Kind.EXECUTION: pb.Execution, Kind.CONTEXT: pb.Context}
TYPES: dict[Kind, type[Any]] = {
    Kind.ARTIFACT: pb.ArtifactType,
    Kind.EXECUTION: pb.ExecutionType,
    Kind.CONTEXT: pb.ContextType,
}
NOUNS = {Kind.ARTIFACT: "artifact", Kind.EXECUTION: "execution", Kind.CONTEXT: "context"}
STATES = {Kind.ARTIFACT: ("state", pb.Artifact.State), Kind.EXECUTION: ("last_known_state", pb.Execution.State)}

TYPE_IDS = {
    Kind.ARTIFACT: (10, 10, 10, 11, 11, 1),
    Kind.EXECUTION: (12, 12, 12, 13, 13, 5),
    Kind.CONTEXT: (14, 14, 14, 15, 15),
}
"""Types that every session begins with, as often as they are chosen: the prelude's, and simple ones."""
_ODD_NAMES = ("", "A", "a ", "é", "漢字", "it's", 'x"y', "a.b", "back\\slash", "100%_x", "mlmd.Dataset", "id")
_ODDER_NAMES = (
    *("😀", "e\u0301", "\u200b", "\t", "a\nb", "\x01", "\x7f", "\ufeff", "`b`", "'; --", "%s", ":a", "?", "$1", "{}"),
    *("\\", "NULL", "UNIQUE", "Duplicate", "__mlmd_null__", "mlmd-struct:", "0", "true", " b", "\U0010ffff"),
)
LONG_NAME = "L" * 256
"""One character more than MySQL's columns for names take."""
NAMES = (*(f"n{number}" for number in range(25)), "a", "b", "c", *_ODD_NAMES, *_ODDER_NAMES, "L" * 255, LONG_NAME)
TYPE_NAMES = ("A", "B", "E", "F", "C", "D", "a", "mlmd.Dataset", "mlmd.Train", "é", "it's", "")
TYPES_OF = {
    Kind.ARTIFACT: (("A", ""), ("B", ""), ("mlmd.Dataset", "")),
    Kind.EXECUTION: (("E", ""), ("F", "v"), ("mlmd.Train", "")),
    Kind.CONTEXT: (("C", ""), ("D", "v")),
}
"""Names and versions of the types of TYPE_IDS."""
VERSIONS = ("", "v", "w")
EXTERNAL_IDS = (*(f"x{number}" for number in range(12)), "x", "y", "z", "", "x ", "é'\"")
URIS = ("u", "", "gs://b/1", "é", "it's", "u ")
STEP_MILLISECONDS = (1, 0, -1, 1003, 1_000_000)
DECLARED: dict[str, int] = {
    "i": pb.INT,
    "d": pb.DOUBLE,
    "s": pb.STRING,
    "b": pb.BOOLEAN,
    "t": pb.STRUCT,
    "p": pb.PROTO,
    "q.r": pb.INT,
    "": pb.STRING,
    "é'": pb.STRING,
}
"""Properties of the prelude's types. Custom properties have other names: DELIBERATE says why."""
CUSTOM_NAMES = ("x", "y", "z", "x.y", "my param", 'q"uote', "X", "é", "i i", " i", "😀", "`", "\\", "\t", "int_value")
INTS = (0, 1, -1, 7, 2147483647, -2147483648)
WIDE_INTS = (*INTS, 2147483648, 9007199254740992, 9007199254740993, 9223372036854775807, -9223372036854775808)
DOUBLES = (0.0, -0.0, 0.5, -1.25, 3.0, 1e6, 123456.654321)
STRINGS = ("", "s", "it's", 'x"y', "é漢😀", "back\\slash", "%_", "a\nb", "mlmd-struct", "$0", "s ")
PROPERTY_KINDS = ("int_value", "string_value", "double_value", "bool_value", "struct_value", "proto_value")
KIND_OF_TYPE: dict[int, str] = {
    pb.INT: "int_value",
    pb.DOUBLE: "double_value",
    pb.STRING: "string_value",
    pb.BOOLEAN: "bool_value",
    pb.STRUCT: "struct_value",
    pb.PROTO: "proto_value",
}


def some_id(source: Source, wrong: bool = True) -> int:
    """Return the id of a node: of the prelude's, or seldom, when it may be `wrong`, perhaps of none."""
    if wrong and source.chance(10):
        return source.pick((source.largest + 3, 99, 0, -1, 2147483647, -2147483648))
    return 1 + source.below(source.largest if source.chance(30) else 4)


def type_id(source: Source, kind: Kind, wrong: bool) -> int:
    """Return the id of a type, of that kind unless it may be `wrong`."""
    if wrong and source.chance(10):
        return source.pick((16, 10, 12, 14, 1, 5, 17, 99, 0, -1))
    return source.pick(TYPE_IDS[kind]) if not source.chance(2) else 16 + source.below(3)


def value(source: Source, case: str, wide: bool) -> pb.Value:
    """Return a Value with that member set, to something that both servers keep exactly."""
    made = pb.Value()
    if case == "int_value":
        made.int_value = source.pick(WIDE_INTS if wide else INTS)
    elif case == "double_value":
        made.double_value = source.pick(DOUBLES)
    elif case == "string_value":
        made.string_value = source.pick(STRINGS)
    elif case == "bool_value":
        made.bool_value = source.chance(50)
    elif case == "struct_value":
        made.struct_value.SetInParent()
        for name in ("k", "é")[: source.below(3)]:
            made.struct_value[name] = source.pick((1, "x", None, True, 1e-300, [1, "é", {}], {"k": {"k": []}}))
        if source.chance(5):
            made.struct_value.fields["of no kind"].SetInParent()
    else:
        content = source.pick((b"", b"\x01", b"\xff\x00"))
        made.proto_value.CopyFrom(AnyMessage(type_url="type.googleapis.com/x", value=content))
    return made
